package abide.merge_test

import data.abide.fixture

judged(document) := decision if decision := data.abide.decision with input as document

waits(document, rule) if {
	decision := judged(document)
	decision.verdict == "review"
	rule in fixture.rules(decision, "review")
}

denied(document, rule) if {
	decision := judged(document)
	decision.verdict == "deny"
	rule in fixture.rules(decision, "deny")
}

docs(changes) := object.union(fixture.merge, changes)

test_deny_when_a_required_check_did_not_pass if {
	every outcome in ["failed", "timeout", "missing"] {
		denied(docs({"checks": [{"name": "unit", "outcome": outcome, "required": true}]}), "check-failed")
	}
}

test_deny_dependencies_from_elsewhere if {
	dependency := {
		"ecosystem": "npm", "path": "package-lock.json", "locked": true, "name": "left-pad", "change": "added", "to": "1.0.0",
		"host": "evil.example", "source": "registry", "integrity": "present",
	}
	denied(docs({"facts": {"dependencies": [dependency]}}), "dependency-host")
	denied(docs({"facts": {"dependencies": [object.union(dependency, {"integrity": "missing"})]}}), "dependency-integrity")
	unknown := object.union(object.remove(dependency, ["host"]), {"source": "git"})
	denied(docs({"facts": {"dependencies": [unknown]}}), "dependency-host")
}

test_deny_weakened_tests_at_high if {
	denied(docs({"facts": {"tests": {"weakened": [{"kind": "skipped", "path": "tests/a.rs", "line": 3}]}}}), "tests-weakened")
	denied(docs({"facts": {"tests": {"removed": 1}}}), "tests-removed")
	denied(docs({"facts": {"tests": {"files_removed": ["tests/a.rs"]}}}), "tests-removed")
}

test_deny_forbidden_patterns_until_approved if {
	document := docs({"facts": {"forbidden": [{"pattern": "DROP TABLE", "path": "docs/guide.md", "line": 3}]}})
	denied(document, "forbidden-pattern")
	judged(fixture.approved(document, "alice@example.org", "reviewer")).verdict == "allow"
}

test_weakened_tests_wait_at_lower_levels if {
	changes := {
		"run": {"safety_level": "medium"},
		"facts": {"tests": {"weakened": [{"kind": "skipped", "path": "tests/a.rs", "line": 3}]}},
	}
	waits(docs(changes), "tests-weakened")
}

test_code_waits if waits(fixture.merge_of([fixture.source]), "needs-human")

test_code_without_tests_waits if waits(fixture.merge_of([fixture.source]), "needs-tests")

test_mixed_changes_wait if waits(fixture.merge_of([fixture.guide, fixture.source]), "needs-human")

test_risk_waits if waits(docs({"risk": {"band": "medium", "score": 30}}), "needs-human")

test_governance_waits_at_any_level if {
	document := fixture.merge_of([fixture.file("AGENTS.md", ["governance"], ["docs", "governance"])])
	every profile in ["prod-conservative", "staging-aggressive"] {
		waits(object.union(document, {"run": {"profile": profile}}), "governance")
	}
}

test_a_conftest_never_merges_by_itself if {
	document := fixture.merge_of([fixture.file("tests/conftest.py", ["executes-on-build"], ["code", "tests"])])
	waits(document, "executes-on-build")
	scratch := {"run": {"profile": "exploration"}, "action": {"target": {"repo": "scratch"}}}
	waits(object.union(document, scratch), "executes-on-build")
}

test_dependencies_wait if {
	dependency := {
		"ecosystem": "cargo", "path": "Cargo.lock", "locked": true, "name": "serde", "change": "changed", "from": "1.0.0",
		"to": "1.0.1", "host": "index.crates.io", "source": "registry", "integrity": "present",
	}
	waits(docs({"facts": {"dependencies": [dependency]}}), "dependency")
}

test_odd_files_wait if {
	every change in [
		{"binary": true}, {"symlink": true}, {"submodule": true}, {"lfs": true}, {"made_executable": true},
		{"status": "type-changed"},
	] {
		waits(fixture.merge_of([object.union(fixture.guide, change)]), "odd-file")
	}
}

test_odd_text_waits if {
	every kind in ["mixed-script", "long-line", "non-utf8-text", "invisible"] {
		waits(docs({"facts": {"hazards": [{"kind": kind, "path": "docs/guide.md", "line": 3}]}}), "text-looks-odd")
	}
}

test_destruction_waits if {
	waits(docs({"facts": {"destructive": [{"kind": "sql-drop", "path": "docs/guide.md", "line": 3}]}}), "destructive")
}

test_the_unmeasured_is_never_clean if waits(docs({"facts": {"unmeasured": ["secrets: big.bin"]}}), "unmeasured")

test_without_a_rehearsal_it_waits if waits(docs({"rollback": {"rehearsed": false}}), "rollback-not-rehearsed")

test_large_changes_wait if waits(docs({"facts": {"totals": {"added": 101}}}), "size")

test_many_small_changes_wait if waits(docs({"facts": {"window": {"totals": {"added": 101}}}}), "window-size")

test_the_host_caps_the_level if waits(docs({"run": {"host_level_max": 2}}), "needs-human")

test_scratch_profiles_stay_in_scratch if {
	denied(docs({"run": {"profile": "exploration"}}), "profile-scope")
	judged(docs({"run": {"profile": "exploration"}, "action": {"target": {"repo": "scratch"}}})).verdict == "allow"
}

test_an_approval_of_another_change_does_not_count if {
	document := object.union(fixture.merge_of([fixture.source]), {"approvals": [{
		"by": "alice@example.org", "role": "reviewer", "action": fixture.other_digest, "at": 1799999999000,
	}]})
	judged(document).verdict == "review"
}

test_docs_and_tests_merge_by_themselves if {
	judged(fixture.merge).verdict == "allow"
	judged(fixture.merge_of([fixture.guide, fixture.file("tests/a.rs", [], ["code", "tests"])])).verdict == "allow"
}

test_code_with_tests_merges_at_a4 if {
	document := fixture.merge_of([fixture.source, fixture.file("tests/a.rs", [], ["code", "tests"])])
	judged(object.union(document, {"run": {"profile": "staging-aggressive"}})).verdict == "allow"
}
