package abide.waivers_test

import data.abide.fixture

waiver := {
	"rule": "check-failed", "repositories": ["acme-*"], "classes": ["MERGE"], "paths": [],
	"until": "2027-02-01T00:00:00Z", "by": "ciso@example.org", "reason": "the check itself is broken, see SEC-1",
}

failed := object.union(fixture.merge, {"checks": [{"name": "unit", "outcome": "failed", "required": true}]})

with_waiver(changes) := decision if {
	decision := data.abide.decision with input as failed with data.waivers as [object.union(waiver, changes)]
}

test_deny_without_a_waiver if {
	decision := data.abide.decision with input as failed
	decision.verdict == "deny"
	decision.waived == []
}

test_a_waiver_warns_and_is_named if {
	decision := with_waiver({})
	"check-failed" in fixture.rules(decision, "warn")
	not "check-failed" in fixture.rules(decision, "deny")
	some waived in decision.waived
	waived.rule == "check-failed"
	waived.by == "ciso@example.org"
	waived.expires == 1801440000000
	some finding in decision.findings
	contains(finding.msg, "waived")
}

test_deny_after_its_end if {
	decision := with_waiver({"until": "2027-01-01T00:00:00Z"})
	decision.verdict == "deny"
	decision.waived == []
}

test_deny_elsewhere if {
	every changes in [{"repositories": ["other"]}, {"classes": ["WRITE"]}, {"rule": "risk"}, {"paths": ["src/**"]}] {
		decision := with_waiver(changes)
		decision.verdict == "deny"
	}
}

test_a_path_is_where_it_ends if {
	document := fixture.merge_of([object.union(fixture.source, {"path": "Cargo.lock"}), object.union(fixture.source, {"path": "b/Cargo.lock"})])
	changed := [{
		"ecosystem": "cargo", "path": path, "locked": true, "name": "x", "change": "added", "to": "1",
		"source": "registry", "host": "crates.io", "integrity": "missing",
	} | some path in ["Cargo.lock", "b/Cargo.lock"]]
	dirty := object.union(document, {"facts": {"dependencies": changed}})
	one := object.union(waiver, {"rule": "dependency-integrity", "paths": ["b/*"]})
	decision := data.abide.decision with input as dirty with data.waivers as [one]
	decision.verdict == "deny"
	{finding.path | some finding in decision.findings; finding.rule == "dependency-integrity"; finding.level == "deny"} == {"Cargo.lock"}
	{finding.path | some finding in decision.findings; finding.rule == "dependency-integrity"; finding.level == "warn"} == {"b/Cargo.lock"}
}

test_deny_what_is_hard if {
	document := object.union(fixture.merge, {"run": {"frozen": true}})
	decision := data.abide.decision with input as document with data.waivers as [object.union(waiver, {"rule": "frozen"})]
	decision.verdict == "deny"
	"frozen" in fixture.rules(decision, "hard")
}

test_deny_what_a_layer_says if {
	layers := {"acme": {"findings": [{"rule": "check-failed", "level": "deny", "msg": "ours"}]}}
	decision := data.abide.decision with input as fixture.merge with data.waivers as [waiver] with data.abide.layers as layers
	decision.verdict == "deny"
}

test_deny_what_is_not_well_formed if {
	broken := [
		{"by": " "}, {"reason": ""}, {"reason": 7}, {"by": null}, {"until": "some day"}, {"until": "9999-02-01T00:00:00Z"}, {"paths": {}},
		{"classes": "MERGE"}, {"repositories": "acme-*"},
	]
	every changes in broken {
		decision := with_waiver(changes)
		decision.verdict == "deny"
		decision.waived == []
		"waiver-invalid" in fixture.rules(decision, "warn")
	}
	every lacking in ["by", "reason", "until", "paths"] {
		decision := data.abide.decision with input as failed with data.waivers as [object.remove(waiver, [lacking])]
		decision.verdict == "deny"
		"waiver-invalid" in fixture.rules(decision, "warn")
	}
	decision := data.abide.decision with input as failed with data.waivers as {"a": waiver}
	decision.verdict == "deny"
}

test_deny_what_is_never_waived if {
	document := fixture.merge_of([object.union(fixture.source, {"zones": ["governance"]})])
	waivers := [object.union(waiver, {"rule": rule}) | some rule in data.hard.never_waived]
	decision := data.abide.decision with input as document with data.waivers as waivers
	decision.verdict == "review"
	"governance" in fixture.rules(decision, "review")
}
