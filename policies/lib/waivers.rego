# METADATA
# title: Waivers
# description: Exceptions with an end, and which findings they turn into warnings. They are data of the policy, never of a layer below.
package abide.waivers

# Those that are in force for this action.
active contains waiver if {
	is_array(data.waivers)
	some waiver in data.waivers
	well_formed(waiver)
	not waiver.rule in data.hard.never_waived
	input.action.class in waiver.classes
	some pattern in waiver.repositories
	glob.match(pattern, null, input.action.target.repo)
	ends(waiver) > input.now
}

# A waiver that leaves something open does nothing: it could not be told, or would reach further than was meant.
well_formed(waiver) if {
	is_string(waiver.rule)
	is_array(waiver.repositories)
	is_array(waiver.classes)
	is_array(waiver.paths)
	is_string(waiver.by)
	is_string(waiver.reason)
	is_string(waiver.until)
	count(trim_space(waiver.by)) > 0
	count(trim_space(waiver.reason)) > 0
	regex.match("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", waiver.until)
}

malformed if not is_array(data.waivers)

malformed if {
	some waiver in data.waivers
	not well_formed(waiver)
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
