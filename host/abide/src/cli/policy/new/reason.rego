# METADATA
# title: RULE_TITLE
# description: Why this rule is there, for those who must live with it.
package abide.layers.RULE_NAME

import rego.v1

# Say in `msg` what is wrong, and in `help` what to do next. It may only tighten: a finding never allows anything.
# ab: match {"action": {"class": "RULE_CLASS", "reason": "words that matter"}}
# ab: not-match {"action": {"class": "RULE_CLASS", "reason": "anything else"}}
findings contains {
	"rule": "RULE_ID",
	"level": "RULE_LEVEL",
	"msg": "the reason names words that matter",
	"help": "say here what to do: whom to ask, what to add, which way to take instead",
} if {
	input.action.class == "RULE_CLASS"
	contains(input.action.reason, "words that matter")
}
