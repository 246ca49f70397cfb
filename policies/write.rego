# METADATA
# title: WRITE
# description: A commit on a work branch. Hard rules look at its contents; whether it is good is asked when it merges.
package abide.write

import data.abide.levels

findings contains finding if some finding in levels.findings
