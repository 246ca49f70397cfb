# METADATA
# title: Waivers
# description: Exceptions with an end, and which findings they turn into warnings. They are data of the policy, never of a layer below.
package abide.waivers

# Those that are in force for this action.
active contains waiver if {
	some waiver in data.waivers
	input.action.class in waiver.classes
	ends(waiver) > input.now
	some pattern in waiver.repositories
	glob.match(pattern, [], input.action.target.repo)
}

# In milliseconds since 1970.
ends(waiver) := floor(time.parse_rfc3339_ns(waiver.until) / 1000000)

# Whether a finding is waived by one of them.
covers(waiver, finding) if {
	waiver.rule == finding.rule
	count(waiver.paths) == 0
}

covers(waiver, finding) if {
	waiver.rule == finding.rule
	some pattern in waiver.paths
	glob.match(pattern, ["/"], finding.path)
}

# What a decision says of it.
told(waiver) := {"rule": waiver.rule, "reason": waiver.reason, "expires": ends(waiver), "by": waiver.by}
