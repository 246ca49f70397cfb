# METADATA
# title: WRITE
# description: A commit on a work branch. Hard rules look at its contents; whether it is good is asked when it merges.
package abide.write

findings contains finding if some finding in data.abide.levels.findings
