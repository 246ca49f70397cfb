# METADATA
# title: Hard rules
# description: No approval, level or mode softens these. Each can be named in `data/hard.yaml`; a layer below may only add.
package abide.hard

import data.abide.levels

forward if input.action.class != "ROLLBACK"

findings contains {
	"rule": "kill-switch",
	"level": "hard",
	"msg": "the kill switch is pulled: only the way back is open",
	"help": "a person lifts it with `ab resume`",
} if {
	"kill-switch" in data.hard.enabled
	input.run.halted
	forward
}

findings contains {
	"rule": "frozen",
	"level": "hard",
	"msg": "merges are frozen: a protected reference moved without a record",
	"help": "`ab audit reconcile` names it; a person resolves it",
} if {
	"frozen" in data.hard.enabled
	input.run.frozen
	input.action.class == "MERGE"
}

findings contains {
	"rule": "plan-mode",
	"level": "hard",
	"msg": sprintf("a run in mode PLAN never reaches %s", [input.action.class]),
	"help": "start the run again without `--plan`",
} if {
	"plan-mode" in data.hard.enabled
	input.run.mode == "PLAN"
	input.action.class in {"MERGE", "DEPLOY"}
}

findings contains {
	"rule": "reason",
	"level": "hard",
	"msg": sprintf("a reason for access of at least %d characters is required", [data.hard.reason_chars_min]),
	"help": "say what it is for, in a sentence",
} if {
	"reason" in data.hard.enabled
	forward
	count(trim_space(input.action.reason)) < data.hard.reason_chars_min
}

findings contains {
	"rule": "budget",
	"level": "hard",
	"msg": "the budget of this run is spent",
	"help": "`ab show` tells on what; start a run with a higher `--cap`, `--usd` or wall time",
} if {
	"budget" in data.hard.enabled
	forward
	input.budget.exhausted
}

findings contains {
	"rule": "direct-push",
	"level": "hard",
	"msg": "a write goes to a work branch, never to a protected one",
	"help": "write under `refs/heads/ab/`; protected branches move by MERGE",
} if {
	"direct-push" in data.hard.enabled
	input.action.class == "WRITE"
	not to_work_branch
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
	"rollback-recipe" in data.hard.enabled
	input.action.class in {"MERGE", "DEPLOY"}
	input.rollback.kind == "none"
}

findings contains {
	"rule": "rollback-untrusted",
	"level": "hard",
	"msg": "the way back leads to a release that was never promoted, or was yanked",
	"help": "name a release that `ab show` lists as promoted",
} if {
	"rollback-untrusted" in data.hard.enabled
	input.action.class in {"DEPLOY", "ROLLBACK"}
	input.rollback.kind in {"release", "none"}
	not input.rollback.trusted
}

findings contains {
	"rule": "canary-silent",
	"level": "hard",
	"msg": sprintf("a canary that is `%s` with %d of %d good answers is not promoted", [
		input.canary.state, input.canary.successes, input.canary.samples,
	]),
	"help": "silence is not success: wait for answers, or roll back",
} if {
	"canary-silent" in data.hard.enabled
	input.action.kind == "promote"
	not canary_speaks
}

canary_speaks if {
	input.canary.state == "healthy"
	input.canary.samples > 0
	input.canary.successes * 1000 >= input.canary.samples * levels.thresholds.rollback_threshold_permille
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
	"facts-missing" in data.hard.enabled
	carries_change
	not input.facts.schema
}

findings contains {
	"rule": "secrets",
	"level": "hard",
	"msg": sprintf("looks like a credential (%s) in line %d", [secret.rule, secret.line]),
	"path": secret.path,
	"help": "take it out, and revoke it: it was written down",
} if {
	"secrets" in data.hard.enabled
	some secret in input.facts.secrets
}

findings contains {
	"rule": "never-touch",
	"level": "hard",
	"msg": sprintf("zone `%s` is not touched through this engine", [zone]),
	"path": file.path,
	"help": "leave it out of the change; a person changes it by hand",
} if {
	"never-touch" in data.hard.enabled
	some zone in data.hard.never_touch
	zone in input.facts.zones
	some file in input.facts.files
	zone in file.zones
}

findings contains {
	"rule": "pipeline-edit",
	"level": "hard",
	"msg": sprintf("zone `%s` is changed by hand, or where the policy allows the path", [zone]),
	"path": file.path,
	"help": "leave it out of the change, or name the path under `pipeline_allow` in `policies/data/hard.yaml`",
} if {
	"pipeline-edit" in data.hard.enabled
	some zone in data.hard.pipeline
	zone in input.facts.zones
	some file in input.facts.files
	zone in file.zones
	not listed(data.hard.pipeline_allow, file.path)
}

listed(patterns, path) if {
	some pattern in patterns
	glob.match(pattern, ["/"], path)
}

findings contains {
	"rule": opaque.rule,
	"level": "hard",
	"msg": "a binary file that tests or builds may read: nobody can review what it holds",
	"path": opaque.path,
	"help": "make it from reviewable text while testing, or have a person add it by hand",
} if {
	"opaque-binary" in data.hard.enabled
	input.facts.totals.binaries > 0
	some opaque in opaque_files
}

opaque_files contains {"rule": "opaque-binary-in-tests", "path": file.path} if {
	some file in input.facts.files
	is_opaque(file)
	"tests" in file.categories
	"tests" in data.hard.opaque_categories
}

opaque_files contains {"rule": "opaque-binary", "path": file.path} if {
	some file in input.facts.files
	is_opaque(file)
	not "tests" in file.categories
	some category in data.hard.opaque_categories
	category in file.categories
}

opaque_files contains {"rule": "opaque-binary", "path": file.path} if {
	some file in input.facts.files
	is_opaque(file)
	not "tests" in file.categories
	some zone in data.hard.opaque_zones
	zone in file.zones
}

is_opaque(file) if {
	file.binary
	file.status != "deleted"
	not listed(data.hard.opaque_allow, file.path)
}

findings contains {
	"rule": "text-hazard",
	"level": "hard",
	"msg": sprintf("%s characters in line %d: what is shown is not what is built", [hazard.kind, hazard.line]),
	"path": hazard.path,
	"help": "take them out, or write them as escapes",
} if {
	"text-hazard" in data.hard.enabled
	some hazard in input.facts.hazards
	hazard.kind in data.hard.hazards
}

findings contains {
	"rule": "path-collision",
	"level": "hard",
	"msg": sprintf("some file systems take these for one (%s): %s", [collision.kind, concat(", ", collision.paths)]),
	"help": "rename one of them",
} if {
	"path-collision" in data.hard.enabled
	some collision in input.facts.collisions
}

findings contains over_cap(what, "this change", found, cap) if {
	"caps" in data.hard.enabled
	some what, found in sums(input.facts.totals)
	cap := data.caps[what]
	found > cap
}

findings contains over_cap(what, sprintf("this and what the same subject changed in %d hours", [input.facts.window.hours]), found, cap) if {
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

findings contains {
	"rule": "cap-file-bytes",
	"level": "hard",
	"msg": sprintf("%d bytes in one file, %d are allowed", [file.bytes, data.caps.file_bytes_max]),
	"path": file.path,
	"help": "keep large data out of the repository",
} if {
	"caps" in data.hard.enabled
	input.facts.totals.bytes > data.caps.file_bytes_max
	some file in input.facts.files
	file.status != "deleted"
	file.bytes > data.caps.file_bytes_max
}
