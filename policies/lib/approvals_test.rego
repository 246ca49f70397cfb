package abide.approvals_test

import data.abide.approvals
import data.abide.fixture

by(name, role, at) := object.union(fixture.merge, {"approvals": [{
	"by": name, "role": role, "action": fixture.action_digest, "at": at,
}]})

counts(document) if {
	people := approvals.people("needs-human") with input as document
	count(people) == 1
}

test_deny_the_sponsor if not counts(by("sponsor@example.org", "reviewer", 1799999999000))

test_deny_the_subject if not counts(by("codegen", "reviewer", 1799999999000))

test_deny_another_role if not counts(by("alice@example.org", "visitor", 1799999999000))

test_deny_what_is_too_old if not counts(by("alice@example.org", "reviewer", 1799900000000))

test_deny_what_is_from_the_future if not counts(by("alice@example.org", "reviewer", 1800000000001))

test_one_person_counts_once if {
	one := {"by": "alice@example.org", "role": "reviewer", "action": fixture.action_digest, "at": 1799999999000}
	two := object.union(one, {"role": "maintainer"})
	counts(object.union(fixture.merge, {"approvals": [one, two]}))
}

test_a_reviewer_counts if counts(by("alice@example.org", "reviewer", 1799999999000))
