# METADATA
# title: What a change is
# description: Questions about the measured facts that several classes ask.
package abide.change

# Whether every file is of one of these categories, and of nothing that weighs more. No categories named means any change. Then the sums may
# say it already: nothing in the change is of another category. Otherwise it is file by file, where what is left over may be harmless.
only(categories) if {
	count(categories) == 0
} else if {
	count(others(categories)) == 0
	count(input.facts.files) > 0
	not "executes-on-build" in input.facts.zones
} else if {
	left := others(categories)
	count(left) > 0
	count(left - {"docs", "tests", "samples", "code"}) == 0
	every file in input.facts.files {
		fits(file, categories)
	}
}

others(categories) := {category | some category in input.facts.categories; not category in categories}

fits(file, categories) if {
	some category in file.categories
	category in categories
	not "executes-on-build" in file.zones
	every other in file.categories {
		harmless(other, file, categories)
	}
}

harmless(category, _, categories) if category in categories

harmless(category, _, _) if category in {"docs", "tests", "samples"}

# Code counts as a test or a sample where it is one.
harmless("code", file, categories) if {
	some category in {"tests", "samples"}
	category in file.categories
	category in categories
}

# Whether anything in the change needs a closer look: the sums tell. `hard_change.rego` and `merge_change.rego` are asked only then, so
# whatever they look for must be counted here; `change_test.rego` holds that.
default noteworthy := true

noteworthy := false if {
	facts := input.facts
	totals := facts.totals
	tests := facts.tests
	[
		facts.zones, facts.secrets, facts.hazards, facts.collisions, facts.destructive, facts.forbidden, facts.dependencies,
		tests.weakened, tests.files_removed, tests.removed,
		totals.binaries, totals.symlinks, totals.submodules, totals.made_executable,
	] == [[], [], [], [], [], [], [], [], [], 0, 0, 0, 0, 0]
}

# What the sums do not tell, and only `merge_change.rego` asks for.
default odd_files := false

odd_files if {
	some file in input.facts.files
	[file.lfs, file.status == "type-changed"] != [false, false]
}

required_passed := count([check | some check in input.checks; check.required; check.outcome == "passed"])

# Required checks that all passed, and tests that came with the code and were not weakened.
strong_tests if {
	required_passed > 0
	not checks_open
	not untested_code
	input.facts.tests.removed == 0
	count(input.facts.tests.weakened) == 0
	count(input.facts.tests.files_removed) == 0
}

checks_open if {
	some check in input.checks
	check.required
	check.outcome != "passed"
}

untested_code if {
	"code" in input.facts.categories
	not "tests" in input.facts.categories
	input.facts.tests.added == 0
}

# Required checks that did not pass, for those who move something.
findings contains {
	"rule": "check-failed",
	"level": "deny",
	"msg": sprintf("required check `%s`: %s", [check.name, check.outcome]),
	"help": "repair the change until the check passes; a missing check counts as failed",
} if {
	some check in input.checks
	check.required
	check.outcome != "passed"
}

findings contains {
	"rule": "rollback-not-rehearsed",
	"level": "review",
	"msg": "the way back was not rehearsed, so nothing goes ahead by itself",
	"help": "rehearse it, or have a person approve without",
} if {
	not input.rollback.rehearsed
}

findings contains {
	"rule": "unmeasured",
	"level": "review",
	"msg": sprintf("not measured: %s; what is not measured is never clean", [concat(", ", sort(input.facts.unmeasured))]),
	"help": "look at it yourself, or raise the limits in `policies/data/measure.yaml`",
} if {
	count(input.facts.unmeasured) > 0
}

# Where in a file something is. Lines count from 1; 0 is the name of the file.
spot(found) := "in its name" if found.line == 0

else := sprintf("in line %d", [found.line])
