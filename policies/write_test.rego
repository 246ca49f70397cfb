package abide.write_test

import data.abide.fixture

test_deny_at_a0 if {
	document := object.union(fixture.write, {"run": {"profile": "manual"}})
	data.abide.decision.verdict == "deny" with input as document
}

test_deny_secrets_even_on_a_work_branch if {
	document := object.union(fixture.write, {"facts": {"secrets": [{"rule": "jwt", "path": "a.txt", "line": 1}]}})
	data.abide.decision.verdict == "deny" with input as document
}

test_a_person_applies_at_a1 if {
	document := object.union(fixture.write, {"run": {"profile": "assisted"}})
	data.abide.decision.verdict == "review" with input as document
}

test_a_work_branch_is_written if data.abide.decision.verdict == "allow" with input as fixture.write
