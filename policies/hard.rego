# METADATA
# title: Hard rules
# description: No approval, level or mode softens these. Each can be named in `data/hard.yaml`; a layer below may only add.
package abide.hard

findings contains {
	"rule": "kill-switch",
	"level": "hard",
	"msg": "the kill switch is pulled: only the way back is open",
	"help": "a person lifts it with `ab resume`",
} if {
	input.run.halted
	input.action.class != "ROLLBACK"
	"kill-switch" in data.hard.enabled
}

findings contains {
	"rule": "frozen",
	"level": "hard",
	"msg": "merges are frozen: a protected reference moved without a record",
	"help": "`ab audit reconcile` names it; a person resolves it",
} if {
	input.run.frozen
	input.action.class == "MERGE"
	"frozen" in data.hard.enabled
}

findings contains {
	"rule": "plan-mode",
	"level": "hard",
	"msg": sprintf("a run in mode PLAN never reaches %s", [input.action.class]),
	"help": "start the run again without `--plan`",
} if {
	input.run.mode == "PLAN"
	input.action.class in {"MERGE", "DEPLOY"}
	"plan-mode" in data.hard.enabled
}

findings contains {
	"rule": "reason",
	"level": "hard",
	"msg": sprintf("a reason for access of at least %d characters is required", [data.hard.reason_chars_min]),
	"help": "say what it is for, in a sentence",
} if {
	input.action.class != "ROLLBACK"
	count(trim_space(input.action.reason)) < data.hard.reason_chars_min
	"reason" in data.hard.enabled
}

findings contains {
	"rule": "budget",
	"level": "hard",
	"msg": "the budget of this run is spent",
	"help": "`ab show` tells on what; start a run with a higher `--cap`, `--usd` or wall time",
} if {
	input.action.class != "ROLLBACK"
	input.budget.exhausted
	"budget" in data.hard.enabled
}

findings contains {
	"rule": "direct-push",
	"level": "hard",
	"msg": "a write goes to a work branch, never to a protected one",
	"help": "write under `refs/heads/ab/`; protected branches move by MERGE",
} if {
	input.action.class == "WRITE"
	not to_work_branch
	"direct-push" in data.hard.enabled
}

to_work_branch if {
	not input.action.target.protected
	startswith(input.action.target.branch, "refs/heads/ab/")
}

findings contains {
	"rule": "rollback-recipe",
	"level": "hard",
	"msg": "there is no way back",
	"help": "give the change a rollback recipe that can be rehearsed",
} if {
	input.action.class in {"MERGE", "DEPLOY"}
	input.rollback.kind == "none"
	"rollback-recipe" in data.hard.enabled
}

findings contains {
	"rule": "rollback-untrusted",
	"level": "hard",
	"msg": "the way back leads to a release that was never promoted, or was yanked",
	"help": "name a release that `ab show` lists as promoted",
} if {
	input.action.class in {"DEPLOY", "ROLLBACK"}
	input.rollback.kind in {"release", "none"}
	not input.rollback.trusted
	"rollback-untrusted" in data.hard.enabled
}

findings contains {
	"rule": "canary-silent",
	"level": "hard",
	"msg": sprintf("a canary that is `%s` with %d of %d good answers is not promoted", [
		input.canary.state, input.canary.successes, input.canary.samples,
	]),
	"help": "silence is not success: wait for answers, or roll back",
} if {
	input.action.kind == "promote"
	not canary_speaks
	"canary-silent" in data.hard.enabled
}

canary_speaks if {
	input.canary.state == "healthy"
	input.canary.samples > 0
	input.canary.successes * 1000 >= input.canary.samples * data.abide.levels.thresholds.rollback_threshold_permille
}

# From here on the change itself.

carries_change if input.action.class == "WRITE"

carries_change if input.action.class == "MERGE"

carries_change if input.action.kind == "deploy"

findings contains {
	"rule": "facts-missing",
	"level": "hard",
	"msg": "the change was not measured",
	"help": "this is a fault of the host: nothing that was not measured can be judged",
} if {
	carries_change
	not input.facts.schema
	"facts-missing" in data.hard.enabled
}

# Nothing of what `hard_change.rego` looks for is in most changes: one look at the sums tells.
findings contains finding if {
	data.abide.change.noteworthy
	some finding in data.abide.hard_change.findings
}

findings contains finding if {
	over_some_cap
	some finding in over
}

over_some_cap if {
	caps := data.caps
	change := input.facts.totals
	window := input.facts.window.totals
	max([
		change.files - caps.files_max,
		change.added + change.removed - caps.lines_max,
		change.bytes - min([caps.bytes_max, caps.file_bytes_max]),
		change.binaries - caps.binaries_max,
		window.files - caps.files_max,
		window.added + window.removed - caps.lines_max,
		window.bytes - caps.bytes_max,
		window.binaries - caps.binaries_max,
	]) > 0
}

over contains over_cap(what, "this change", found, cap) if {
	"caps" in data.hard.enabled
	some what, found in sums(input.facts.totals)
	cap := data.caps[what]
	found > cap
}

over contains over_cap(what, sprintf("this and what the same subject changed in %d hours", [input.facts.window.hours]), found, cap) if {
	"caps" in data.hard.enabled
	carries_change
	input.action.class != "DEPLOY"
	some what, found in sums(input.facts.window.totals)
	cap := data.caps[what]
	found > cap
	object.get(sums(input.facts.totals), what, 0) <= cap
}

sums(totals) := {
	"files_max": totals.files,
	"lines_max": totals.added + totals.removed,
	"bytes_max": totals.bytes,
	"binaries_max": totals.binaries,
}

over_cap(what, whose, found, cap) := {
	"rule": sprintf("cap-%s", [trim_suffix(what, "_max")]),
	"level": "hard",
	"msg": sprintf("%s: %d %s, %d are allowed", [whose, found, trim_suffix(what, "_max"), cap]),
	"help": "make it smaller; splitting does not help, the window counts all parts",
}

over contains {
	"rule": "cap-file-bytes",
	"level": "hard",
	"msg": sprintf("%d bytes in one file, %d are allowed", [file.bytes, data.caps.file_bytes_max]),
	"path": file.path,
	"help": "keep large data out of the repository",
} if {
	input.facts.totals.bytes > data.caps.file_bytes_max
	some file in input.facts.files
	file.status != "deleted"
	file.bytes > data.caps.file_bytes_max
	"caps" in data.hard.enabled
}
