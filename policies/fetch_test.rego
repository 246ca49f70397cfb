package abide.fetch_test

import data.abide.fixture

asking(origin) := object.union(fixture.fetch, {"action": {"requests": [origin]}})

test_deny_an_origin_that_is_not_listed if {
	decision := data.abide.decision with input as asking("https://evil.example:443")
	decision.verdict == "deny"
	"origin-not-listed" in fixture.rules(decision, "deny")
}

test_deny_is_the_default_of_the_mode if {
	document := object.union(asking("https://docs.example.org:443"), {"run": {"safety_mode": "warn"}})
	data.abide.decision.verdict == "review" with input as document
}

test_deny_where_restricted_data_lies if {
	document := object.union(asking("https://docs.example.org:443"), {"action": {"target": {"repo": "scratch-restricted"}}})
	decision := data.abide.decision with input as document with data.egress.origins as ["https://docs.example.org:443"]
	decision.verdict == "deny"
	"restricted-data" in fixture.rules(decision, "deny")
}

test_a_listed_origin_is_allowed if {
	decision := data.abide.decision with input as asking("https://docs.example.org:443")
		with data.egress.origins as ["https://docs.example.org:443"]
	decision.verdict == "allow"
}
