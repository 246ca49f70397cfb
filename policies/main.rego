# METADATA
# title: The decision
# description: >
#   Puts together what the hard rules and the rules of the class found, applies the safety mode and the approvals, and answers.
#   To add a rule, add it to the file of its class, or to `hard.rego` if nothing may soften it.
package abide

decision := {
	"verdict": verdict,
	"findings": findings,
	"obligations": obligations,
	"grants": grants,
	"waived": [data.abide.waivers.told(waiver) | some waiver in applied],
	"risk": input.risk.score,
} if {
	input.schema == "abide.input/1"
}

# What the class has to say.
found contains finding if {
	input.action.class == "PLAN"
	some finding in data.abide.plan.findings
}

found contains finding if {
	input.action.class == "FETCH"
	some finding in data.abide.fetch.findings
}

found contains finding if {
	input.action.class == "GENERATE"
	some finding in data.abide.generate.findings
}

found contains finding if {
	input.action.class == "EXECUTE"
	some finding in data.abide.execute.findings
}

found contains finding if {
	input.action.class == "WRITE"
	some finding in data.abide.write.findings
}

found contains finding if {
	input.action.class == "MERGE"
	some finding in data.abide.merge.findings
}

found contains finding if {
	input.action.class == "DEPLOY"
	some finding in data.abide.deploy.findings
}

found contains finding if {
	input.action.class == "ROLLBACK"
	some finding in data.abide.rollback.findings
}

found contains {
	"rule": "class-unknown",
	"level": "deny",
	"msg": sprintf("no rules are written for class `%s`", [input.action.class]),
	"help": "write them in a file of their own, and add them to `main.rego`",
} if {
	not input.action.class in {"PLAN", "FETCH", "GENERATE", "EXECUTE", "WRITE", "MERGE", "DEPLOY", "ROLLBACK"}
}

# Layers add findings, and nothing else of theirs is read: they can tighten, never loosen.
layered contains finding if some finding in data.abide.layers[_].findings

found contains finding if {
	some finding in layered
	finding.level in {"warn", "review", "deny"}
}

# A level that means nothing must not make a finding vanish.
findings contains strict(finding) if {
	some finding in layered
	not finding.level in {"warn", "review", "deny"}
}

strict(finding) := finding if finding.level == "hard"

else := invalid(sprintf("finding `%v` has level `%v`", [finding.rule, finding.level])) if {
	finding.rule
	finding.level
}

else := invalid(sprintf("finding `%v` has no level", [finding.rule])) if finding.rule

else := invalid("a finding has no rule and no level")

invalid(what) := {
	"rule": "layer-invalid",
	"level": "hard",
	"msg": sprintf("%s; `warn`, `review`, `deny` and `hard` are the levels", [what]),
	"help": "mend the policy on the target branch: `ab policy check` shows the place",
}

# The same of a class: what no mode knows does not vanish.
findings contains strict(finding) if {
	some finding in found
	not data.abide.levels.by_mode[finding.level]
}

# Hard findings as they are.
findings contains finding if some finding in data.abide.hard.findings

# Others by the mode in force, and by the approvals that are there.
findings contains object.union(finding, {"level": data.abide.levels.by_mode[finding.level]}) if {
	data.abide.approvals.valid == set()
	some finding in counting
}

findings contains shown(finding, level) if {
	data.abide.approvals.valid != set()
	some finding in counting
	level := data.abide.levels.by_mode[finding.level]
}

shown(finding, level) := object.union(finding, {
	"level": "warn",
	"msg": sprintf("%s (approved by %s)", [finding.msg, data.abide.approvals.names(finding.rule)]),
}) if {
	data.abide.approvals.settles(finding.rule, level)
} else := object.union(finding, {"level": level})

# Waivers warn, never hide, and do not reach what a layer found.
findings contains object.union(finding, {"level": "warn", "msg": sprintf("%s (waived until %s by %s: %s)", [
	finding.msg, waiver.until, waiver.by, waiver.reason,
])}) if {
	data.waivers != []
	some waiver in data.abide.waivers.active
	some finding in found
	data.abide.waivers.covers(waiver, finding)
	not finding in layered
}

# What no waiver covers.
counting contains finding if {
	data.abide.waivers.active == set()
	some finding in found
}

counting contains finding if {
	data.abide.waivers.active != set()
	some finding in found
	not waived(finding)
}

waived(finding) if {
	some waiver in data.abide.waivers.active
	data.abide.waivers.covers(waiver, finding)
	not finding in layered
}

applied contains waiver if {
	data.waivers != []
	some waiver in data.abide.waivers.active
	some finding in found
	data.abide.waivers.covers(waiver, finding)
	not finding in layered
}

findings contains {
	"rule": "waiver-invalid",
	"level": "warn",
	"msg": "a waiver that is not well formed does nothing",
	"help": "`ab policy check` names it; a waiver has rule, repositories, classes, paths, until, by and reason",
} if {
	data.waivers != []
	data.abide.waivers.malformed
}

# A mode that softens is never silent.
findings contains {
	"rule": "safety-mode",
	"level": "warn",
	"msg": sprintf("safety mode `%s`: findings of level deny count as review", [input.run.safety_mode]),
	"help": "set the mode back to `deny-by-default` to have them count in full",
} if {
	input.run.safety_mode != "deny-by-default"
}

levels_found := {finding.level | some finding in findings}

default verdict := "deny"

verdict := "allow" if {
	findings == set()
} else := "allow" if {
	levels_found - {"warn"} == set()
} else := "review" if {
	levels_found - {"warn", "review"} == set()
}

obligations contains data.abide.approvals.obligation(rule) if {
	some rule in {finding.rule | some finding in counting; data.abide.levels.by_mode[finding.level] == "review"}
}

obligations contains data.abide.approvals.obligation(rule) if {
	some rule in {finding.rule | some finding in counting; data.abide.levels.by_mode[finding.level] == "deny"}
	data.abide.approvals.may_settle(rule, "deny")
}

obligations contains data.abide.deploy.canary if input.action.kind == "deploy"

default grants := {"capabilities": [], "limits": ""}

grants := data.abide.generate.grants if input.action.class == "GENERATE"

# L0 to L5, computed from the profile's vector: `label` for any change, `upto` for the narrowest that an override raises.
level_label := data.abide.levels.label
