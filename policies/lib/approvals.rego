# METADATA
# title: Approvals
# description: Who has looked, and which findings that settles. An approval is a fact about one exact action.
package abide.approvals

# What a rule asks for.
requirement(rule) := object.get(data.approvals.by_rule, rule, data.approvals["default"])

obligation(rule) := object.union({"kind": "approvals"}, requirement(rule))

# Approvals that count at all: of exactly this action, not too old, not from the future.
valid contains approval if {
	some approval in input.approvals
	approval.action == input.action.digest
	approval.at <= input.now
	input.now - approval.at <= data.approvals.ttl_ms
}

# The people whose approval counts for a rule.
people(rule) := {approval.by |
	some approval in valid
	approval.role in requirement(rule).roles
	not excluded(approval.by, requirement(rule).separation)
}

excluded(by, separation) if {
	separation == true
	by == input.subject.id
}

excluded(by, separation) if {
	separation == true
	by == input.subject.on_behalf_of
}

names(rule) := concat(", ", sort(people(rule)))

# Whether approvals could settle such a finding.
may_settle(_, level) if level == "review"

may_settle(rule, level) if {
	level == "deny"
	rule in data.approvals.approvable
}

# Whether they do.
settles(rule, level) if {
	may_settle(rule, level)
	count(people(rule)) >= requirement(rule).count
}
