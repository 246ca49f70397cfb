# METADATA
# title: RULE_TITLE
# description: Why this rule is there, for those who must live with it.
package abide.layers.RULE_NAME

import rego.v1

# Say in `msg` what is wrong, and in `help` what to do next. It may only tighten: a finding never allows anything.
# ab: match {"action": {"class": "RULE_CLASS"}, "facts": {"files": [{"path": "path/of/yours/a.txt"}]}}
# ab: not-match {"action": {"class": "RULE_CLASS"}, "facts": {"files": [{"path": "elsewhere/a.txt"}]}}
findings contains {
	"rule": "RULE_ID",
	"level": "RULE_LEVEL",
	"msg": sprintf("`%s` changes", [file.path]),
	"path": file.path,
	"help": "say here what to do: whom to ask, what to add, which way to take instead",
} if {
	input.action.class == "RULE_CLASS"
	some file in input.facts.files
	startswith(file.path, "path/of/yours/")
}
