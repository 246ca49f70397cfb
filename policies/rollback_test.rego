package abide.rollback_test

import data.abide.fixture

test_deny_a_way_that_leads_nowhere if {
	document := object.union(fixture.rollback, {"rollback": {"kind": "somewhere"}})
	decision := data.abide.decision with input as document
	decision.verdict == "deny"
	"rollback-kind" in fixture.rules(decision, "deny")
}

test_it_is_open_when_all_else_is_shut if {
	document := object.union(fixture.rollback, {
		"run": {"halted": true, "frozen": true, "mode": "PLAN", "profile": "manual", "host_level_max": 0},
		"budget": {"exhausted": true},
	})
	data.abide.decision.verdict == "allow" with input as document
}

test_back_to_nothing if {
	data.abide.decision.verdict == "allow" with input as object.union(fixture.rollback, {"rollback": {"kind": "nothing"}})
}
