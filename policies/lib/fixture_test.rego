# METADATA
# title: Inputs for tests
# description: A change that would go through, to be broken in one place by each test.
package abide.fixture

action_digest := "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

other_digest := "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

oid := "cccccccccccccccccccccccccccccccccccccccc"

walls := ["bounds", "files", "kernel", "network", "processes", "told"]

base := {
	"schema": "abide.input/1",
	"now": 1800000000000,
	"run": {
		"id": "01JC0000000000000000000000", "goal": other_digest, "ticket": "ABC-123", "mode": "APPLY", "attempt": 1,
		"profile": "prod-conservative", "halted": false, "frozen": false, "safety_mode": "deny-by-default",
		"safety_level": "high", "host_level_max": 5, "jail_walls": walls,
	},
	"subject": {
		"kind": "worker", "id": "codegen", "role": "worker", "component": other_digest,
		"on_behalf_of": "sponsor@example.org",
	},
	"action": {
		"class": "PLAN", "kind": "adopt-plan", "digest": action_digest, "reason": "repair the links in the guide",
		"target": {"repo": "acme-api", "protected": false},
	},
	"checks": [{"name": "unit", "outcome": "passed", "required": true}],
	"approvals": [],
	"budget": {"tokens_left": null, "usd_micro_left": null, "wall_ms_left": null, "exhausted": false},
	"risk": {"score": 5, "band": "low", "parts": {}},
	"rollback": {"kind": "git-revert", "rehearsed": true, "trusted": true},
	"canary": {"state": "none", "samples": 0, "successes": 0},
}

no_totals := {
	"files": 0, "added": 0, "removed": 0, "bytes": 0, "binaries": 0, "deleted": 0, "symlinks": 0, "submodules": 0,
	"made_executable": 0,
}

# A file of which four lines changed.
file(path, zones, categories) := {
	"path": path, "status": "modified", "zones": zones, "categories": categories, "added": 4, "removed": 4,
	"binary": false, "bytes": 2000, "bytes_before": 1990, "old_mode": "100644", "new_mode": "100644", "symlink": false,
	"submodule": false, "generated": false, "lfs": false, "made_executable": false,
}

facts(files) := {
	"schema": "abide.facts/1", "base_tree": oid, "tree": oid, "files": files,
	"totals": totals(files),
	"zones": sort({zone | some one in files; some zone in one.zones}),
	"categories": sort({category | some one in files; some category in one.categories}),
	"secrets": [], "forbidden": [], "dependencies": [],
	"tests": {"added": 0, "removed": 0, "files_removed": [], "weakened": []},
	"destructive": [], "hazards": [], "collisions": [], "unmeasured": [],
	"window": {"hours": 24, "changes": 1, "totals": totals(files), "zones": {}},
}

totals(files) := object.union(no_totals, {
	"files": count(files),
	"added": sum([one.added | some one in files]),
	"removed": sum([one.removed | some one in files]),
	"bytes": sum([one.bytes | some one in files]),
	"binaries": count([one | some one in files; one.binary]),
	"symlinks": count([one | some one in files; one.symlink]),
	"submodules": count([one | some one in files; one.submodule]),
	"made_executable": count([one | some one in files; one.made_executable]),
})

guide := file("docs/guide.md", [], ["docs"])

source := file("src/parse.rs", [], ["code"])

plan := base

fetch := object.union(base, {"action": {"class": "FETCH", "kind": "open-egress", "requests": []}})

generate := object.union(base, {"action": {"class": "GENERATE", "kind": "run-worker", "requests": ["log", "workspace"]}})

execute := object.union(base, {"action": {"class": "EXECUTE", "kind": "run-checks"}})

write := object.union(base, {
	"action": {"class": "WRITE", "kind": "commit-patch", "target": {"branch": "refs/heads/ab/u1"}},
	"facts": facts([guide]),
})

merge_of(files) := object.union(base, {
	"action": {"class": "MERGE", "kind": "merge", "target": {"branch": "refs/heads/main", "protected": true}},
	"facts": facts(files),
})

merge := merge_of([guide])

deploy := object.union(base, {
	"action": {"class": "DEPLOY", "kind": "deploy", "target": {"environment": "production"}},
	"facts": facts([file("flags/new.yaml", [], ["flags"])]),
	"rollback": {"kind": "release"},
})

promote := object.union(base, {
	"action": {"class": "DEPLOY", "kind": "promote", "target": {"environment": "production"}},
	"rollback": {"kind": "release"},
	"canary": {"state": "healthy", "samples": 3, "successes": 3},
})

rollback := object.union(base, {
	"action": {"class": "ROLLBACK", "kind": "rollback", "target": {"environment": "production"}},
	"rollback": {"kind": "release"},
})

approved(document, by, role) := object.union(document, {"approvals": [{
	"by": by, "role": role, "action": action_digest, "at": 1799999999000,
}]})

# The rules of a level in a decision.
rules(decision, level) := {finding.rule | some finding in decision.findings; finding.level == level}

test_the_fixture_is_not_denied if {
	not "hard" in {finding.level | some finding in data.abide.decision.findings with input as merge}
}
