# METADATA
# title: MERGE
# description: Moving a protected branch. By itself only what is small, plain, checked and taken back easily.
package abide.merge

findings contains finding if {
	some finding in data.abide.levels.findings
	finding.rule != "needs-human"
}

findings contains finding if some finding in data.abide.change.findings

findings contains {
	"rule": "needs-human",
	"level": "review",
	"msg": sprintf("%s at %s waits for one who reviews", [kinds, data.abide.levels.name]),
	"help": "`ab show` tells what it would do, `ab approve` lets it",
} if {
	data.abide.levels.outcome == "review"
}

findings contains {
	"rule": "needs-human",
	"level": "review",
	"msg": sprintf("%s of risk %s at %s waits for one who reviews", [kinds, input.risk.band, data.abide.levels.name]),
	"help": "`ab show` tells what it would do, `ab approve` lets it",
} if {
	data.abide.levels.outcome == "auto"
	not by_itself
}

kinds := concat(", ", input.facts.categories)

# A level may do what any level below it may.
by_itself if {
	some auto in data.merge.auto
	auto.level <= data.abide.levels.level
	input.risk.band in auto.bands
	data.abide.change.required_passed >= auto.checks_min
	data.abide.change.only(auto.only)
	not held_back
}

held_back if {
	some category in input.facts.categories
	category in data.merge.never
}

# Most changes hold nothing of what `merge_change.rego` looks for: one look at the sums tells.
findings contains finding if {
	data.abide.change.noteworthy
	some finding in data.abide.merge_change.findings
}

findings contains finding if {
	data.abide.change.odd_files
	some finding in data.abide.merge_change.findings
}

findings contains finding if {
	large
	some finding in sizes
}

large if {
	most := data.abide.levels.thresholds
	change := input.facts.totals
	window := input.facts.window.totals
	max([
		change.files - most.files_max,
		change.added + change.removed - most.lines_max,
		change.bytes - most.bytes_max,
		window.files - most.files_max,
		window.added + window.removed - most.lines_max,
		window.bytes - most.bytes_max,
	]) > 0
}

# Size, alone and within the window.
sizes contains {
	"rule": "size",
	"level": "review",
	"msg": sprintf("%d %s; more than %d wait for a person", [found, trim_suffix(what, "_max"), data.abide.levels.thresholds[what]]),
	"help": "make it smaller, or have a person look",
} if {
	some what, found in sums(input.facts.totals)
	found > data.abide.levels.thresholds[what]
}

sizes contains {
	"rule": "window-size",
	"level": "review",
	"msg": sprintf("%d %s with what the same subject changed in %d hours; more than %d wait for a person", [
		found, trim_suffix(what, "_max"), input.facts.window.hours, data.abide.levels.thresholds[what],
	]),
	"help": "splitting a change does not make it smaller: have a person look",
} if {
	some what, found in sums(input.facts.window.totals)
	found > data.abide.levels.thresholds[what]
	object.get(sums(input.facts.totals), what, 0) <= data.abide.levels.thresholds[what]
}

sums(totals) := {"files_max": totals.files, "lines_max": totals.added + totals.removed, "bytes_max": totals.bytes}

findings contains {
	"rule": "needs-tests",
	"level": "review",
	"msg": "code changes and no test came with it",
	"help": "add a test, or have a person look",
} if {
	input.action.kind != "revert"
	data.abide.levels.thresholds.require_tests
	data.abide.change.untested_code
}
