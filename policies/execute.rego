# METADATA
# title: EXECUTE
# description: Checks run in the jail, by the definitions of the target branch; the level alone decides.
package abide.execute

import data.abide.levels

findings contains finding if some finding in levels.findings
