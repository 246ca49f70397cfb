package abide_test

import data.abide.fixture

test_deny_another_schema if {
	document := object.union(fixture.plan, {"schema": "abide.input/2"})
	not data.abide.decision with input as document
}

test_deny_an_unknown_class if {
	document := object.union(fixture.plan, {"action": {"class": "PAINT"}})
	data.abide.decision.verdict == "deny" with input as document
}

test_deny_a_finding_is_the_verdict if {
	document := object.union(fixture.merge, {"checks": [{"name": "unit", "outcome": "failed", "required": true}]})
	decision := data.abide.decision with input as document
	decision.verdict == "deny"
	"check-failed" in fixture.rules(decision, "deny")
}

test_softer_modes_turn_deny_into_review_and_say_so if {
	some mode in ["warn", "allow"]
	changes := {"checks": [{"name": "unit", "outcome": "failed", "required": true}], "run": {"safety_mode": mode}}
	decision := data.abide.decision with input as object.union(fixture.merge, changes)
	decision.verdict == "review"
	"safety-mode" in fixture.rules(decision, "warn")
}

test_no_mode_softens_a_hard_rule if {
	every mode in ["deny-by-default", "warn", "allow"] {
		changes := {"run": {"safety_mode": mode, "halted": true}}
		decision := data.abide.decision with input as object.union(fixture.merge, changes)
		decision.verdict == "deny"
		"kill-switch" in fixture.rules(decision, "hard")
	}
}

test_an_approval_settles_a_review_and_stays_visible if {
	document := fixture.approved(fixture.merge_of([fixture.source]), "alice@example.org", "reviewer")
	decision := data.abide.decision with input as object.union(document, {"facts": {"tests": {"added": 1}}})
	decision.verdict == "allow"
	some finding in decision.findings
	finding.rule == "needs-human"
	finding.level == "warn"
	contains(finding.msg, "alice@example.org")
}

test_an_approval_never_settles_a_hard_rule if {
	document := fixture.approved(object.union(fixture.merge, {"run": {"frozen": true}}), "alice@example.org", "reviewer")
	data.abide.decision.verdict == "deny" with input as document
}

test_a_review_names_whom_it_waits_for if {
	decision := data.abide.decision with input as fixture.merge_of([fixture.source])
	decision.verdict == "review"
	some obligation in decision.obligations
	obligation.kind == "approvals"
	obligation.count == 1
}

test_docs_merge_by_themselves if {
	data.abide.decision.verdict == "allow" with input as fixture.merge
}

test_the_label_of_a_profile if {
	data.abide.level_label.label == "L2" with input as fixture.merge
	data.abide.level_label.upto == "L3" with input as fixture.merge
}

test_deny_a_class_without_rules if {
	decision := data.abide.decision with input as object.union(fixture.merge, {"action": {"class": "CONQUER"}})
	"class-unknown" in fixture.rules(decision, "deny")
}

test_deny_a_layer_that_means_nothing if {
	layers := {"acme": {"findings": [{"rule": "mine", "level": "allow", "msg": "m"}]}}
	decision := data.abide.decision with input as fixture.merge with data.abide.layers as layers
	"layer-invalid" in fixture.rules(decision, "hard")
	messages := {finding.msg | some finding in decision.findings}
	"finding `mine` has level `allow`; `warn`, `review`, `deny` and `hard` are the levels" in messages
}

test_deny_a_layer_that_says_little if {
	every odd in [{"rule": "mine"}, {"level": false}, "mine", 3, {}] {
		layers := {"acme": {"findings": [odd]}}
		decision := data.abide.decision with input as fixture.merge with data.abide.layers as layers
		"layer-invalid" in fixture.rules(decision, "hard")
	}
}

test_deny_a_level_that_no_mode_knows if {
	every level in ["hard", "denny"] {
		found := {{"rule": "x", "level": level, "msg": "m"}}
		decision := data.abide.decision with input as fixture.merge with data.abide.merge.findings as found
		decision.verdict == "deny"
	}
}
