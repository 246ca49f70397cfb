# METADATA
# title: DEPLOY
# description: A release goes out as a canary with a rehearsed way back; what the canary says decides whether it stays.
package abide.deploy

findings contains finding if some finding in data.abide.levels.findings

findings contains finding if {
	input.action.kind == "deploy"
	some finding in data.abide.change.findings
}

findings contains {
	"rule": "risk",
	"level": "review",
	"msg": sprintf("a release of risk %s waits for a person", [input.risk.band]),
	"help": "release in smaller steps, or have a person look",
} if {
	input.action.kind == "deploy"
	data.abide.levels.outcome == "auto"
	input.risk.band in {"high", "critical"}
}

terms := object.get(data.canary.environments, object.get(input.action.target, "environment", ""), data.canary["default"])

canary := {
	"kind": "canary",
	"steps": terms.steps,
	"success_permille": data.abide.levels.thresholds.rollback_threshold_permille,
	"deadline_ms": terms.deadline_ms,
}
