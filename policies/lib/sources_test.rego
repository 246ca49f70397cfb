package abide.sources_test

import data.abide.fixture

# The best that a source can have shown, to be changed.
record := {
	"samples": 10, "succeeded": 10, "succeeded_permille": 1000, "failed_in_a_row": 0, "span_ms": 172800000, "records": 200, "filled_permille": 1000,
	"shape_changes": 0, "vanished_permille": 0, "refused": 0, "forbidden": 0, "unchanged_ms": 0, "wall_ms_median": 900,
}

goods(state, to) := {
	"name": "goods", "definition": "sha256:00", "state": state, "to": to, "licence": "CC0-1.0", "record": record,
	"terms": {"at": "https://a.example/terms", "read": "2026-12-03", "by": "alice", "say": "allow"},
}

# A profile at whose level nobody has to look, so that what is found is about the source.
asking(kind, source) := object.union(fixture.fetch, {
	"now": 1800000000000,
	"run": {"profile": "exploration", "host_level_max": 5},
	"action": {"kind": kind, "requests": [], "target": {"repo": "scratch"}, "source": source},
})

rules(kind, source) := {finding.rule |
	some finding in data.abide.sources.findings with input as asking(kind, source)
}

test_deny_to_skip_a_step if {
	every pair in [["proposed", "active"], ["demoted", "active"], ["active", "probation"], ["proposed", "proposed"], ["demoted", "demoted"], ["active", "demoted"]] {
		"source-step" in rules("hold-source", goods(pair[0], pair[1]))
	}
}

test_each_step_up_is_allowed if {
	every pair in [["proposed", "probation"], ["probation", "active"], ["demoted", "probation"], ["active", "active"], ["probation", "probation"]] {
		rules("hold-source", goods(pair[0], pair[1])) == set()
	}
}

test_deny_without_saying_where_to if {
	"source-step" in rules("hold-source", object.remove(goods("probation", "x"), ["to"]))
}

test_deny_what_has_not_shown_enough if {
	every change in [
		{"samples": 4}, {"span_ms": 86399999}, {"succeeded_permille": 949}, {"failed_in_a_row": 1}, {"records": 0},
		{"filled_permille": 799}, {"shape_changes": 1}, {"vanished_permille": 201}, {"forbidden": 1},
	] {
		"source-quality" in rules("hold-source", object.union(goods("probation", "active"), {"record": change}))
	}
}

test_to_stay_takes_less if {
	every change in [{"samples": 1}, {"succeeded_permille": 700}, {"failed_in_a_row": 2}, {"shape_changes": 1}, {"vanished_permille": 500}] {
		rules("hold-source", object.union(goods("active", "active"), {"record": change})) == set()
	}
}

test_deny_to_stay_where_it_fell if {
	every change in [{"succeeded_permille": 699}, {"failed_in_a_row": 3}, {"filled_permille": 599}, {"shape_changes": 2}, {"vanished_permille": 501}, {"forbidden": 1}] {
		"source-quality" in rules("hold-source", object.union(goods("active", "active"), {"record": change}))
	}
}

test_few_tasks_say_little if {
	every change in [{"samples": 9, "succeeded_permille": 500}, {"samples": 4, "filled_permille": 0}] {
		rules("hold-source", object.union(goods("probation", "probation"), {"record": change})) == set()
	}
}

test_the_way_to_probation_asks_for_no_record if {
	rules("hold-source", object.union(goods("proposed", "probation"), {"record": object.union(record, {"samples": 0, "records": 0})})) == set()
}

test_deny_without_licence_or_terms if {
	"source-licence" in rules("hold-source", object.remove(goods("proposed", "probation"), ["licence"]))
	"source-licence" in rules("hold-source", object.union(goods("proposed", "probation"), {"licence": "proprietary"}))
	"source-terms" in rules("hold-source", object.remove(goods("proposed", "probation"), ["terms"]))
	every change in [{"say": "forbid"}, {"read": "2025-12-03"}, {"read": "2030-01-01"}] {
		"source-terms" in rules("hold-source", object.union(goods("active", "active"), {"terms": change}))
	}
}

test_deny_what_does_not_change if {
	stale := object.union(goods("active", "active"), {"fresh_hours": 24, "record": {"unchanged_ms": 90000000}})
	rules("hold-source", stale) == {"source-stale"}
	rules("hold-source", object.union(stale, {"fresh_hours": 25})) == set()
}

test_deny_where_nothing_says_what_it_must_show if {
	"source-quality" in {finding.rule |
		some finding in data.abide.sources.findings with input as asking("hold-source", goods("probation", "active"))
			with data.sources as {"licences": ["CC0-1.0"], "terms": {"say": ["allow"], "days_max": 365}}
	}
	"source-quality" in rules("hold-source", object.union(
		object.remove(goods("probation", "active"), ["record"]),
		{"record": object.remove(record, ["forbidden"])},
	))
}

test_deny_use_of_what_is_not_active if {
	every state in ["proposed", "demoted"] {
		some finding in data.abide.sources.findings with input as asking("open-egress", goods(state, state))
		finding.rule == "source-not-active"
		finding.level == "deny"
	}
	some finding in data.abide.sources.findings with input as asking("open-egress", goods("probation", "probation"))
	finding.level == "review"
}

test_use_of_what_is_active_and_a_probe_of_anything if {
	rules("open-egress", goods("active", "active")) == set()
	every state in ["proposed", "probation", "demoted"] {
		probe := object.union(asking("open-egress", goods(state, state)), {"run": {"mode": "PLAN"}})
		count(data.abide.sources.findings) == 0 with input as probe
	}
}

test_deny_pages_of_no_source_where_one_is_required if {
	question := object.union(fixture.fetch, {"action": {"manners": {"purpose": "x"}}})
	required := {finding.rule | some finding in data.abide.sources.findings with input as question with data.sources.required as true}
	required == {"source-required"}
	free := {finding.rule | some finding in data.abide.sources.findings with input as question}
	free == set()
}

test_staying_waits_for_no_person_and_a_step_does if {
	stay := object.union(asking("hold-source", goods("active", "active")), {"run": {"profile": "assisted"}})
	data.abide.decision.verdict == "allow" with input as stay
	step := object.union(asking("hold-source", goods("probation", "active")), {"run": {"profile": "assisted"}})
	decision := data.abide.decision with input as step
	decision.verdict == "review"
	fixture.rules(decision, "review") == {"needs-human"}
}
