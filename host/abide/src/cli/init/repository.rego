# METADATA
# title: Rules of this repository
# description: They come on top of the shipped ones and may only tighten.
package abide.layers.repository

import rego.v1

# Each finding is a reason. `level` is `warn`, `review`, `deny` or `hard`; the worst of all rules wins.
# Example: no change to `LICENSE` without a person.
findings contains {
	"rule": "license-needs-a-person",
	"level": "review",
	"msg": sprintf("`%s` states the licence", [file.path]),
	"path": file.path,
	"help": "a reviewer approves it: ab approve",
} if {
	input.action.class == "MERGE"
	some file in input.facts.files
	file.path == "LICENSE"
}
