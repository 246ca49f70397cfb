# METADATA
# title: EXECUTE
# description: Checks run in the jail, by the definitions of the target branch; the level alone decides.
package abide.execute

findings contains finding if some finding in data.abide.levels.findings
