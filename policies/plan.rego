# METADATA
# title: PLAN
# description: Adopting a plan changes nothing yet; the level alone decides.
package abide.plan

import data.abide.levels

findings contains finding if some finding in levels.findings
