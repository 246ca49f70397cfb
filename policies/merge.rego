# METADATA
# title: MERGE
# description: Moving a protected branch. By itself only what is small, plain, checked and taken back easily.
package abide.merge

import data.abide.change
import data.abide.levels

findings contains finding if {
	some finding in levels.findings
	finding.rule != "needs-human"
}

findings contains finding if some finding in change.findings

findings contains {
	"rule": "needs-human",
	"level": "review",
	"msg": sprintf("%s at %s waits for one who reviews", [kinds, levels.name]),
	"help": "`ab show` tells what it would do, `ab approve` lets it",
} if {
	levels.outcome == "review"
}

findings contains {
	"rule": "needs-human",
	"level": "review",
	"msg": sprintf("%s of risk %s at %s waits for one who reviews", [kinds, input.risk.band, levels.name]),
	"help": "`ab show` tells what it would do, `ab approve` lets it",
} if {
	levels.outcome == "auto"
	not by_itself
}

kinds := concat(", ", input.facts.categories)

# A level may do what any level below it may.
by_itself if {
	some step in [3, 4, 5]
	step <= levels.level
	auto := data.merge.auto[sprintf("A%d", [step])]
	input.risk.band in auto.bands
	change.only(auto.only)
	change.required_passed >= auto.checks_min
	every category in input.facts.categories {
		not category in data.merge.never
	}
}

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

# Size, alone and within the window.
findings contains {
	"rule": "size",
	"level": "review",
	"msg": sprintf("%d %s; more than %d wait for a person", [found, trim_suffix(what, "_max"), levels.thresholds[what]]),
	"help": "make it smaller, or have a person look",
} if {
	some what, found in sums(input.facts.totals)
	found > levels.thresholds[what]
}

findings contains {
	"rule": "window-size",
	"level": "review",
	"msg": sprintf("%d %s with what the same subject changed in %d hours; more than %d wait for a person", [
		found, trim_suffix(what, "_max"), input.facts.window.hours, levels.thresholds[what],
	]),
	"help": "splitting a change does not make it smaller: have a person look",
} if {
	some what, found in sums(input.facts.window.totals)
	found > levels.thresholds[what]
	object.get(sums(input.facts.totals), what, 0) <= levels.thresholds[what]
}

sums(totals) := {"files_max": totals.files, "lines_max": totals.added + totals.removed, "bytes_max": totals.bytes}

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
	"msg": sprintf("%s in line %d", [hazard.kind, hazard.line]),
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

findings contains {
	"rule": "needs-tests",
	"level": "review",
	"msg": "code changes and no test came with it",
	"help": "add a test, or have a person look",
} if {
	input.action.kind != "revert"
	levels.thresholds.require_tests
	change.untested_code
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
