package abide.plan_test

import data.abide.fixture

test_deny_an_unknown_profile if {
	document := object.union(fixture.plan, {"run": {"profile": "yolo"}})
	data.abide.decision.verdict == "deny" with input as document
}

test_a_person_adopts_at_a0 if {
	document := object.union(fixture.plan, {"run": {"profile": "manual"}})
	data.abide.decision.verdict == "review" with input as document
}

test_plans_are_adopted if data.abide.decision.verdict == "allow" with input as fixture.plan
