package RULE_NAME_test

import rego.v1

import data.abide.layers.RULE_NAME

asked(class, reason) := {"action": {"class": class, "reason": reason}}

test_what_it_is_about_is_found if {
	found := RULE_NAME.findings with input as asked("RULE_CLASS", "words that matter")
	{[finding.rule, finding.level] | some finding in found} == {["RULE_ID", "RULE_LEVEL"]}
}

test_other_reasons_are_not_concerned if {
	count(RULE_NAME.findings) == 0 with input as asked("RULE_CLASS", "anything else")
}

test_other_actions_are_not_concerned if {
	count(RULE_NAME.findings) == 0 with input as asked("OTHER_CLASS", "words that matter")
}
