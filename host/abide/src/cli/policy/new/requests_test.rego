package RULE_NAME_test

import rego.v1

import data.abide.layers.RULE_NAME

asked(class, request) := {"action": {"class": class, "requests": [request]}}

test_what_it_is_about_is_found if {
	found := RULE_NAME.findings with input as asked("RULE_CLASS", "what-you-mean")
	{[finding.rule, finding.level] | some finding in found} == {["RULE_ID", "RULE_LEVEL"]}
}

test_other_requests_are_not_concerned if {
	count(RULE_NAME.findings) == 0 with input as asked("RULE_CLASS", "log")
}

test_other_actions_are_not_concerned if {
	count(RULE_NAME.findings) == 0 with input as asked("OTHER_CLASS", "what-you-mean")
}
