package abide.deploy_test

import data.abide.fixture

judged(document) := decision if decision := data.abide.decision with input as document

code := object.union(fixture.deploy, {"facts": fixture.facts([fixture.source])})

test_deny_when_a_required_check_did_not_pass if {
	document := object.union(fixture.deploy, {"checks": [{"name": "unit", "outcome": "missing", "required": true}]})
	judged(document).verdict == "deny"
}

test_code_waits if judged(code).verdict == "review"

test_without_a_rehearsal_it_waits if {
	judged(object.union(fixture.deploy, {"rollback": {"rehearsed": false}})).verdict == "review"
}

test_a_risky_release_waits if {
	judged(object.union(fixture.deploy, {"risk": {"band": "high", "score": 60}})).verdict == "review"
}

test_promotion_at_a1_waits if {
	judged(object.union(fixture.promote, {"run": {"profile": "assisted"}})).verdict == "review"
}

test_a_toggle_goes_out_as_a_canary if {
	decision := judged(fixture.deploy)
	decision.verdict == "allow"
	some obligation in decision.obligations
	obligation == {"kind": "canary", "steps": 3, "success_permille": 950, "deadline_ms": 60000}
}

test_a_healthy_canary_is_promoted if judged(fixture.promote).verdict == "allow"
