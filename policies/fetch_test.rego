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

with_manners(robots) := object.union(asking("https://docs.example.org:443"), {"action": {"manners": object.union(
	{
		"purpose": "keeps a list", "contact": "https://example.org/bot",
		"host_per_second_max": 1, "host_concurrent_max": 1, "wait_ms_max": 1000,
	},
	robots,
)}})

ignored := with_manners({"robots": "ignore", "reason": "it is our own site"})

test_deny_to_ignore_robots_in_production if {
	decision := data.abide.decision with input as ignored with data.egress.origins as ["https://docs.example.org:443"]
	decision.verdict == "deny"
	"robots-ignored" in fixture.rules(decision, "deny")
}

test_deny_to_ignore_robots_where_no_list_says_otherwise if {
	document := object.union(ignored, {"run": {"profile": "exploration"}, "action": {"target": {"repo": "scratch"}}})
	decision := data.abide.decision with input as document with data.egress as {
		"origins": ["https://docs.example.org:443"],
		"restricted_repositories": [],
	}
	decision.verdict == "deny"
	"robots-ignored" in fixture.rules(decision, "deny")
}

test_a_person_decides_elsewhere if {
	document := object.union(ignored, {"run": {"profile": "exploration"}, "action": {"target": {"repo": "scratch"}}})
	decision := data.abide.decision with input as document with data.egress.origins as ["https://docs.example.org:443"]
	decision.verdict == "review"
	"robots-ignored" in fixture.rules(decision, "review")
}

test_who_obeys_is_allowed if {
	document := with_manners({"robots": "obey"})
	decision := data.abide.decision with input as document with data.egress.origins as ["https://docs.example.org:443"]
	decision.verdict == "allow"
}
