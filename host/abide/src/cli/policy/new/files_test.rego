package RULE_NAME_test

import rego.v1

import data.abide.layers.RULE_NAME

change(class, path) := {"action": {"class": class}, "facts": {"files": [{"path": path}]}}

test_what_it_is_about_is_found if {
	found := RULE_NAME.findings with input as change("RULE_CLASS", "path/of/yours/a.txt")
	{[finding.rule, finding.level] | some finding in found} == {["RULE_ID", "RULE_LEVEL"]}
}

test_other_files_are_not_concerned if {
	count(RULE_NAME.findings) == 0 with input as change("RULE_CLASS", "elsewhere/a.txt")
}

test_other_actions_are_not_concerned if {
	count(RULE_NAME.findings) == 0 with input as change("OTHER_CLASS", "path/of/yours/a.txt")
}
