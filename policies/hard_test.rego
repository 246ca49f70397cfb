package abide.hard_test

import data.abide.fixture

# The hard rules that fire for a change of the fixture.
fired(document) := fixture.rules(decision, "hard") if decision := data.abide.decision with input as document

with_facts(changes) := object.union(fixture.merge, {"facts": changes})

test_deny_when_halted if "kill-switch" in fired(object.union(fixture.merge, {"run": {"halted": true}}))

test_deny_merges_when_frozen if "frozen" in fired(object.union(fixture.merge, {"run": {"frozen": true}}))

test_deny_merge_and_deploy_in_plan_mode if {
	every document in [fixture.merge, fixture.deploy] {
		"plan-mode" in fired(object.union(document, {"run": {"mode": "PLAN"}}))
	}
}

test_deny_without_a_reason if "reason" in fired(object.union(fixture.write, {"action": {"reason": "  because "}}))

test_deny_when_the_budget_is_spent if "budget" in fired(object.union(fixture.generate, {"budget": {"exhausted": true}}))

test_deny_a_write_to_a_protected_branch if {
	"direct-push" in fired(object.union(fixture.write, {"action": {"target": {"protected": true}}}))
	"direct-push" in fired(object.union(fixture.write, {"action": {"target": {"branch": "refs/heads/main"}}}))
	"direct-push" in fired(object.union(fixture.write, {"action": {"target": {"branch": "refs/heads/about"}}}))
}

test_deny_without_a_way_back if "rollback-recipe" in fired(object.union(fixture.merge, {"rollback": {"kind": "none"}}))

test_deny_an_untrusted_way_back if {
	"rollback-untrusted" in fired(object.union(fixture.deploy, {"rollback": {"trusted": false}}))
	"rollback-untrusted" in fired(object.union(fixture.rollback, {"rollback": {"trusted": false}}))
}

test_deny_promotion_on_silence if {
	every canary in [
		{"state": "pending", "samples": 0, "successes": 0},
		{"state": "none", "samples": 0, "successes": 0},
		{"state": "healthy", "samples": 0, "successes": 0},
		{"state": "failing", "samples": 3, "successes": 3},
		{"state": "healthy", "samples": 100, "successes": 94},
	] {
		"canary-silent" in fired(object.union(fixture.promote, {"canary": canary}))
	}
}

test_deny_what_was_not_measured if {
	"facts-missing" in fired(object.remove(fixture.merge, ["facts"]))
	"facts-missing" in fired(object.remove(fixture.write, ["facts"]))
	"facts-missing" in fired(object.remove(fixture.deploy, ["facts"]))
}

test_deny_secrets if {
	document := with_facts({"secrets": [{"rule": "aws-access-key", "path": "docs/guide.md", "line": 3}]})
	"secrets" in fired(document)
}

test_deny_credential_files if {
	"never-touch" in fired(fixture.merge_of([fixture.file("config/.env", ["secrets"], ["other"])]))
}

test_deny_pipeline_edits if {
	"pipeline-edit" in fired(fixture.merge_of([fixture.file(".github/workflows/ci.yml", ["ci"], ["ci"])]))
	"pipeline-edit" in fired(fixture.merge_of([fixture.file("deploy/prod.tf", ["infra"], ["infra"])]))
}

test_a_listed_pipeline_path_is_not_hard if {
	document := fixture.merge_of([fixture.file(".github/workflows/docs.yml", ["ci"], ["ci"])])
	decision := data.abide.decision with input as document with data.hard.pipeline_allow as [".github/workflows/docs.yml"]
	not "pipeline-edit" in fixture.rules(decision, "hard")
	decision.verdict == "review"
}

# CVE-2024-3094 came in two changes: 19 text lines with 5 binaries, and 0 text lines with 2 binaries, all under `tests/`.
test_deny_the_shape_of_the_xz_changes if {
	blob := object.union(fixture.file("tests/files/bad-3-corrupt_lzma2.xz", [], ["tests"]), {"binary": true, "added": 0, "removed": 0})
	"opaque-binary-in-tests" in fired(fixture.merge_of([blob, blob]))
	"opaque-binary-in-tests" in fired(fixture.merge_of([fixture.guide, blob]))
}

test_deny_binaries_where_builds_read_them if {
	blob := object.union(fixture.file("vendor/Package.swift", ["executes-on-build"], ["other"]), {"binary": true})
	"opaque-binary" in fired(fixture.merge_of([blob]))
}

test_a_binary_may_go_away if {
	blob := object.union(fixture.file("tests/files/bad.xz", [], ["tests"]), {"binary": true, "status": "deleted"})
	not "opaque-binary-in-tests" in fired(fixture.merge_of([blob]))
}

test_deny_text_that_shows_other_than_it_builds if {
	every kind in ["bidi", "control", "non-utf8-path"] {
		"text-hazard" in fired(with_facts({"hazards": [{"kind": kind, "path": "docs/guide.md", "line": 3}]}))
	}
}

test_deny_paths_that_collide if {
	"path-collision" in fired(with_facts({"collisions": [{"kind": "case-fold", "paths": ["A.md", "a.md"]}]}))
}

test_deny_beyond_the_caps if {
	every field, rule in {"files": "cap-files", "added": "cap-lines", "bytes": "cap-bytes", "binaries": "cap-binaries"} {
		rule in fired(with_facts({"totals": {field: 100000000}}))
	}
}

test_deny_one_huge_file if {
	huge := object.union(fixture.guide, {"bytes": 104857600})
	"cap-file-bytes" in fired(fixture.merge_of([huge]))
}

test_splitting_does_not_help if {
	every field, rule in {"files": "cap-files", "added": "cap-lines", "bytes": "cap-bytes", "binaries": "cap-binaries"} {
		rule in fired(with_facts({"window": {"totals": {field: 100000000}}}))
	}
}

test_the_way_back_is_open if {
	document := object.union(fixture.rollback, {"run": {"halted": true}, "budget": {"exhausted": true}, "action": {"reason": ""}})
	count(fired(document)) == 0
}

test_a_plain_change_breaks_none if count(fired(fixture.merge)) == 0
