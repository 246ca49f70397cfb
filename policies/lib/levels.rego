# METADATA
# title: Autonomy levels
# description: Which level is in force for this action, and what it means.
package abide.levels

profile := data.profiles[input.run.profile]

# A row of the table: the class, or `PROMOTE` for the second half of a deployment.
default row := ""

row := "PROMOTE" if input.action.kind == "promote"

row := input.action.class if {
	input.action.kind != "promote"
	input.action.class != "ROLLBACK"
}

raised contains override.level if {
	some override in profile.overrides
	override.class == input.action.class
	override.strong_tests in strength
	data.abide.change.only(override.only)
}

# Which demands for strong tests are met: none is always.
default strength := {false}

strength := {false, true} if data.abide.change.strong_tests

# The level that the profile gives, lowered to what the walls of this host support.
level := min({max(raised | {profile.vector[input.action.class]}), input.run.host_level_max})

name := sprintf("A%d", [level])

# `auto`, `review` or `deny`.
outcome := data.levels[row][level]

# Findings that every class has in common. Mostly the level answers by itself, in its scope, and then there is nothing to look for.
findings contains finding if {
	not auto
	some finding in told
}

auto if {
	outcome == "auto"
	in_scope
}

told contains {
	"rule": "profile-unknown",
	"level": "deny",
	"msg": sprintf("there is no profile `%s`", [input.run.profile]),
	"help": sprintf("name one of %s", [concat(", ", sort(object.keys(data.profiles)))]),
} if {
	not profile
}

told contains {
	"rule": "profile-scope",
	"level": "deny",
	"msg": sprintf("profile `%s` is not meant for repository `%s`", [input.run.profile, input.action.target.repo]),
	"help": "choose another profile, or name the repository under the profile's `repositories`",
} if {
	not in_scope
	profile
}

in_scope if "*" in profile.repositories

else if {
	some pattern in profile.repositories
	glob.match(pattern, null, input.action.target.repo)
}

told contains {
	"rule": "level-denies",
	"level": "deny",
	"msg": sprintf("at %s a person does %s", [name, input.action.class]),
	"help": "raise the level in the profile, or do it by hand",
} if {
	outcome == "deny"
}

told contains {
	"rule": "needs-human",
	"level": "review",
	"msg": sprintf("%s at %s waits for a person", [input.action.class, name]),
	"help": "`ab show` tells what it would do, `ab approve` lets it",
} if {
	outcome == "review"
}

told contains {
	"rule": "no-rule-allows",
	"level": "default",
	"msg": sprintf("no rule says what %s means here", [input.action.class]),
	"help": "complete `policies/data/levels.yaml`",
} if {
	profile
	not outcome in {"auto", "review", "deny"}
}

# How a finding counts in the safety mode in force. `default` is what no rule allows; `hard` never comes here.
by_mode["review"] := "review"

by_mode["warn"] := "warn"

by_mode["deny"] := data.safety.modes[input.run.safety_mode].deny

by_mode["default"] := data.safety.modes[input.run.safety_mode]["default"]

thresholds := data.safety.levels[input.run.safety_level]

# The label of the profile.
label := {"label": of(profile.vector), "upto": of(highest), "reason": reason}

highest := {class: best |
	some class, base in profile.vector
	best := max({base} | {override.level | some override in profile.overrides; override.class == class})
}

of(vector) := "L0" if {
	vector.WRITE == 0
}

of(vector) := "L1" if {
	vector.WRITE == 1
}

of(vector) := "L2" if {
	vector.WRITE >= 2
	vector.MERGE <= 2
}

of(vector) := "L3" if {
	vector.WRITE >= 2
	vector.MERGE >= 3
	not wide(vector)
}

of(vector) := "L4" if {
	wide(vector)
	min({one | some one in vector}) < 5
}

of(vector) := "L5" if {
	min({one | some one in vector}) == 5
}

wide(vector) if {
	vector.MERGE >= 4
	vector.DEPLOY >= 4
}

reason := sprintf("WRITE A%d, MERGE A%d, DEPLOY A%d; with overrides MERGE A%d, DEPLOY A%d", [
	profile.vector.WRITE, profile.vector.MERGE, profile.vector.DEPLOY, highest.MERGE, highest.DEPLOY,
])
