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
