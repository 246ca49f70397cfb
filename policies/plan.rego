# METADATA
# title: PLAN
# description: Adopting a plan changes nothing yet; the level alone decides.
package abide.plan

findings contains finding if some finding in data.abide.levels.findings
