# METADATA
# title: What in a change waits for a person
# description: Asked by `merge.rego` when the sums of the facts show that there is something to look at.
package abide.merge_change

# Zones that always wait for a person.
findings contains {
	"rule": zone,
	"level": "review",
	"msg": zone_says[zone],
	"path": file.path,
	"help": "a person looks at it, whatever the level",
} if {
	some zone in data.review.zones
	zone in input.facts.zones
	some file in input.facts.files
	zone in file.zones
}

zone_says[zone] := sprintf("zone `%s` always waits for a person", [zone]) if {
	some zone in data.review.zones
	not zone in {"governance", "executes-on-build"}
}

zone_says["governance"] := "this governs the engine, other agents or how the repository is read"

zone_says["executes-on-build"] := "this runs when somebody builds, tests or opens the project"

# What a reader of the text would not see.
findings contains {
	"rule": "odd-file",
	"level": "review",
	"msg": sprintf("%s: what it is does not show in a diff", [kind]),
	"path": file.path,
	"help": "a person looks at it",
} if {
	some file in input.facts.files
	some kind in odd(file)
}

odd(file) := {kind | some kind, is in {
	"binary": file.binary,
	"symbolic link": file.symlink,
	"submodule": file.submodule,
	"large file pointer": file.lfs,
	"made executable": file.made_executable,
	"other type": file.status == "type-changed",
}; is == true}

findings contains {
	"rule": "text-looks-odd",
	"level": "review",
	"msg": sprintf("%s %s", [hazard.kind, data.abide.change.spot(hazard)]),
	"path": hazard.path,
	"help": "a person looks at it",
} if {
	some hazard in input.facts.hazards
	hazard.kind in data.review.hazards
}

findings contains {
	"rule": "destructive",
	"level": "review",
	"msg": sprintf("%s is hard to take back", [act.kind]),
	"path": act.path,
	"help": "a person approves it, or the change does without",
} if {
	input.action.kind != "revert"
	some act in input.facts.destructive
}

findings contains {
	"rule": "forbidden-pattern",
	"level": "deny",
	"msg": sprintf("`%s` in line %d", [match.pattern, match.line]),
	"path": match.path,
	"help": "write it differently, or have a person approve it",
} if {
	some match in input.facts.forbidden
}

# Tests.
findings contains {
	"rule": "tests-weakened",
	"level": data.review.tests_weakened[input.run.safety_level],
	"msg": sprintf("a test asserts less than before (%s)", [test.kind]),
	"path": test.path,
	"help": "keep the test as strict as it was",
} if {
	some test in input.facts.tests.weakened
}

findings contains {
	"rule": "tests-removed",
	"level": data.review.tests_weakened[input.run.safety_level],
	"msg": sprintf("%d tests fewer than before", [input.facts.tests.removed - input.facts.tests.added]),
	"help": "keep the tests, or replace them",
} if {
	input.action.kind != "revert"
	input.facts.tests.removed > input.facts.tests.added
}

findings contains {
	"rule": "tests-removed",
	"level": data.review.tests_weakened[input.run.safety_level],
	"msg": "a test file is gone",
	"path": path,
	"help": "keep the tests, or replace them",
} if {
	input.action.kind != "revert"
	some path in input.facts.tests.files_removed
}

# Dependencies.
findings contains {
	"rule": "dependency",
	"level": "review",
	"msg": sprintf("%s %s `%s`", [dependency.ecosystem, dependency.change, dependency.name]),
	"path": dependency.path,
	"help": "a person looks at what it brings in",
} if {
	some dependency in input.facts.dependencies
}

findings contains {
	"rule": "dependency-integrity",
	"level": "deny",
	"msg": sprintf("`%s` has no checksum", [dependency.name]),
	"path": dependency.path,
	"help": "lock it with its checksum",
} if {
	some dependency in input.facts.dependencies
	dependency.locked
	dependency.change != "removed"
	dependency.integrity == "missing"
}

findings contains {
	"rule": "dependency-integrity",
	"level": "deny",
	"msg": sprintf("`%s` has another checksum for the same version", [dependency.name]),
	"path": dependency.path,
	"help": "find out why a published version changed before taking it",
} if {
	some dependency in input.facts.dependencies
	dependency.integrity == "changed"
}

findings contains {
	"rule": "dependency-host",
	"level": "deny",
	"msg": sprintf("`%s` comes from `%s`, which is not a known registry", [dependency.name, dependency.host]),
	"path": dependency.path,
	"help": "take it from a registry, or list the host in `policies/data/review.yaml`",
} if {
	some dependency in input.facts.dependencies
	dependency.change != "removed"
	not dependency.host in data.review.dependency_hosts
}

findings contains {
	"rule": "dependency-host",
	"level": "deny",
	"msg": sprintf("`%s` comes from a %s source that does not say its host", [dependency.name, dependency.source]),
	"path": dependency.path,
	"help": "take it from a registry",
} if {
	some dependency in input.facts.dependencies
	dependency.change != "removed"
	dependency.source in {"url", "git", "unknown"}
	not dependency.host
}
