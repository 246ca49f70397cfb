package abide.execute_test

import data.abide.fixture

test_deny_where_the_host_has_no_walls if {
	document := object.union(fixture.execute, {"run": {"host_level_max": 0}})
	data.abide.decision.verdict == "deny" with input as document
}

test_checks_run if data.abide.decision.verdict == "allow" with input as fixture.execute
