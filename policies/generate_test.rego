package abide.generate_test

import data.abide.fixture

test_deny_what_cannot_be_granted if {
	document := object.union(fixture.generate, {"action": {"requests": ["wasi:sockets/tcp", "workspace"]}})
	decision := data.abide.decision with input as document
	decision.verdict == "deny"
	some finding in decision.findings
	finding.rule == "not-grantable"
	contains(finding.msg, "wasi:sockets/tcp")
}

test_deny_beyond_the_components_own_entry if {
	own := {fixture.other_digest: {"capabilities": ["log"], "limits": "worker-small"}}
	decision := data.abide.decision with input as fixture.generate with data.grants.components as own
	decision.verdict == "deny"
}

test_grants_are_what_was_asked_and_may_be if {
	decision := data.abide.decision with input as fixture.generate
	decision.verdict == "allow"
	decision.grants == {"capabilities": ["log", "workspace"], "limits": "worker-default"}
}

test_a_components_entry_names_its_limits if {
	own := {fixture.other_digest: {"capabilities": ["log", "workspace"], "limits": "worker-small"}}
	decision := data.abide.decision with input as fixture.generate with data.grants.components as own
	decision.grants.limits == "worker-small"
}

asking_for_egress := object.union(fixture.generate, {"action": {"requests": ["egress", "workspace"]}})

entry(more) := {fixture.other_digest: object.union({"capabilities": ["egress", "workspace"], "limits": "worker-small"}, more)}

test_deny_the_network_to_who_is_not_listed if {
	decision := data.abide.decision with input as asking_for_egress
	decision.verdict == "deny"
	"not-grantable" in fixture.rules(decision, "deny")
	not decision.grants.egress
}

test_deny_the_network_without_a_lease if {
	decision := data.abide.decision with input as asking_for_egress with data.grants.components as entry({})
	"no-lease" in fixture.rules(decision, "deny")
	other := data.abide.decision with input as asking_for_egress with data.grants.components as entry({"egress": "nowhere"})
	"no-lease" in fixture.rules(other, "deny")
}

test_a_lease_goes_with_the_capability if {
	decision := data.abide.decision with input as asking_for_egress
		with data.grants.components as entry({"egress": "docs"})
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "allow"
	decision.grants == {"capabilities": ["egress", "workspace"], "limits": "worker-small", "egress": "docs"}
}

test_no_lease_for_who_does_not_ask if {
	decision := data.abide.decision with input as fixture.generate
		with data.grants.components as {fixture.other_digest: {"capabilities": ["egress", "log", "workspace"], "limits": "worker-small", "egress": "docs"}}
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "allow"
	not decision.grants.egress
}
