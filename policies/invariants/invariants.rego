# METADATA
# title: What must never happen
# description: >
#   Asked by `ab policy prove` about every case of `model.yaml`, and never by the gate. A case has its values by axis, and what was decided:
#   `verdict`, `rank` (0 allow, 1 review, 2 deny), `hard` (whether a hard rule stands against it), `rules` (what stands against it) and
#   `fault`. A step leads from one case to another that differs in one axis only.
package abide.invariants

import rego.v1

invariants contains {"name": "clean-answers", "says": "every question gets an answer from the rules, never a fault"}

violations contains {"invariant": "clean-answers", "case": case.n} if {
	some case in input.cases
	case.fault != ""
}

invariants contains {"name": "hard-is-hard", "says": "no safety mode, level or approval turns a hard denial into anything else"}

violations contains {"invariant": "hard-is-hard", "case": case.n} if {
	some case in input.cases
	case.hard
	case.rank != 2
}

violations contains {"invariant": "hard-is-hard", "before": step.from, "case": step.to} if {
	some axis in {"safety_mode", "approvals"}
	some step in input.steps[axis]
	step.hard
	step.after != 2
}

invariants contains {"name": "killed-only-rollback", "says": "a killed system allows the way back, and nothing else"}

violations contains {"invariant": "killed-only-rollback", "case": case.n} if {
	some case in input.cases
	case.rank == 0
	case.switch == "killed"
	case.class != "ROLLBACK"
}

invariants contains {"name": "frozen-never-merges", "says": "while merges are frozen nothing merges"}

violations contains {"invariant": "frozen-never-merges", "case": case.n} if {
	some case in input.cases
	case.rank < 2
	case.switch == "frozen"
	case.class == "MERGE"
}

invariants contains {"name": "plan-changes-nothing", "says": "a run that only plans neither merges nor deploys"}

violations contains {"invariant": "plan-changes-nothing", "case": case.n} if {
	some case in input.cases
	case.rank < 2
	case.run == "plan"
	case.class in {"MERGE", "DEPLOY"}
}

invariants contains {"name": "governance-waits", "says": "what governs the engine never merges without a person"}

violations contains {"invariant": "governance-waits", "case": case.n} if {
	some case in input.cases
	case.rank == 0
	case.class == "MERGE"
	case.change in {"zone governance", "category governance"}
	case.approvals in {"none", "own"}
}

invariants contains {"name": "way-back-rehearsed", "says": "nothing merges or goes out by itself without a rehearsed way back"}

violations contains {"invariant": "way-back-rehearsed", "case": case.n} if {
	some case in input.cases
	case.rank == 0
	case.class in {"MERGE", "DEPLOY"}
	case.way_back != "rehearsed"
	case.approvals in {"none", "own"}
}

invariants contains {"name": "sources-earn", "says": "denying by default, only an active source is read without a person, and none has a place that it did not earn"}

violations contains {"invariant": "sources-earn", "case": case.n} if {
	some case in input.cases
	case.class == "FETCH"
	case.rank == 0
	case.run == "apply"
	case.safety_mode == "deny-by-default"
	case.source == "on probation"
	case.approvals in {"none", "own"}
}

violations contains {"invariant": "sources-earn", "case": case.n} if {
	some case in input.cases
	case.class == "FETCH"
	case.rank < 2
	case.run == "apply"
	case.safety_mode == "deny-by-default"
	case.source in {"proposed", "demoted"}
}

violations contains {"invariant": "sources-earn", "case": case.n} if {
	some case in input.cases
	case.class == "FETCH"
	case.rank < 2
	case.safety_mode == "deny-by-default"
	case.source in {
		"to active with no record", "to active past probation", "to probation against terms", "to probation without licence",
		"to stay though forbidden",
	}
}

invariants contains {"name": "approvals-never-hurt", "says": "with one more approval a verdict is never worse"}

violations contains {"invariant": "approvals-never-hurt", "before": step.from, "case": step.to} if {
	some step in input.steps.approvals
	step.after > step.before
}

invariants contains {"name": "bigger-never-helps", "says": "a change that is larger has no better verdict"}

violations contains {"invariant": "bigger-never-helps", "before": step.from, "case": step.to} if {
	some step in input.steps.size
	step.after < step.before
}

invariants contains {"name": "worse-never-helps", "says": "more risk, failed checks, a poorer way back, weaker walls or a spent budget improve no verdict"}

violations contains {"invariant": "worse-never-helps", "before": step.from, "case": step.to} if {
	some axis in {"risk", "checks", "way_back", "walls", "budget"}
	some step in input.steps[axis]
	step.after < step.before
}

invariants contains {"name": "layers-only-tighten", "says": "whatever a layer below says, no verdict is better for it"}

violations contains {"invariant": "layers-only-tighten", "before": step.from, "case": step.to} if {
	some step in input.steps.layer
	step.after < step.before
}

invariants contains {"name": "splitting-never-helps", "says": "of a change in pieces, some piece fares no better than the whole"}

violations contains {"invariant": "splitting-never-helps", "before": split.whole, "case": split.piece} if {
	some split in input.splits
	split.after < split.before
}
