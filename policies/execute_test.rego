package abide.execute_test

import data.abide.fixture

test_deny_where_the_host_has_no_walls if {
	document := object.union(fixture.execute, {"run": {"host_level_max": 0}})
	data.abide.decision.verdict == "deny" with input as document
}

# All but `wall`.
without(wall) := object.union(fixture.execute, {"run": {"jail_walls": [one | some one in fixture.walls; one != wall]}})

test_deny_no_wall_by_itself_review_each if {
	every wall in data.host.jail.autonomous_needs {
		decision := data.abide.decision with input as without(wall)
		decision.verdict == "review"
		"jail-walls" in fixture.rules(decision, "review")
	}
}

test_what_says_nothing_of_walls_waits if {
	run := object.remove(fixture.execute.run, {"jail_walls"})
	document := object.union(object.remove(fixture.execute, {"run"}), {"run": run})
	data.abide.decision.verdict == "review" with input as document
}

test_no_mode_makes_up_for_a_wall if {
	every mode in ["deny-by-default", "warn", "allow"] {
		document := object.union(without("files"), {"run": {"safety_mode": mode}})
		data.abide.decision.verdict == "review" with input as document
	}
}

test_a_name_is_not_needed if data.abide.decision.verdict == "allow" with input as without("told")

test_checks_run if data.abide.decision.verdict == "allow" with input as fixture.execute

asking(leases) := object.union(fixture.execute, {"action": {"requests": leases}})

test_deny_a_lease_that_is_not_for_checks if {
	decision := data.abide.decision with input as asking(["docs", "registry"]) with data.egress.checks as ["registry"]
	decision.verdict == "deny"
	messages := [finding.msg | some finding in decision.findings; finding.rule == "lease-not-for-checks"]
	messages == ["a check asks for the lease `docs`, which is not for checks"]
}

test_deny_any_lease_as_shipped if {
	"lease-not-for-checks" in fixture.rules(data.abide.decision, "deny") with input as asking(["registry"])
}

test_a_lease_for_checks if {
	data.abide.decision.verdict == "allow" with input as asking(["registry"]) with data.egress.checks as ["registry"]
}
