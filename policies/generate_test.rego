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
	decision.grants == {"capabilities": ["log", "workspace"], "limits": "worker-default", "stubs": []}
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
	decision.grants == {"capabilities": ["egress", "workspace"], "limits": "worker-small", "egress": "docs", "stubs": []}
}

test_no_lease_for_who_does_not_ask if {
	decision := data.abide.decision with input as fixture.generate
		with data.grants.components as {fixture.other_digest: {"capabilities": ["egress", "log", "workspace"], "limits": "worker-small", "egress": "docs"}}
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "allow"
	not decision.grants.egress
}

wasi := object.union(fixture.generate, {"action": {"requests": [
	"log",
	"wasi:io/poll@0.2.12",
	"wasi:sockets/tcp@0.2.12",
]}})

test_deny_what_is_of_wasi_unless_it_is_listed if {
	decision := data.abide.decision with input as wasi
	decision.verdict == "deny"
	{finding.msg | some finding in decision.findings} == {
		"capability `wasi:io/poll@0.2.12` cannot be granted to this component",
		"capability `wasi:sockets/tcp@0.2.12` cannot be granted to this component",
	}
}

test_deny_what_is_of_another_package if {
	decision := data.abide.decision with input as wasi with data.grants.stubs as ["wasi:io"]
	decision.verdict == "deny"
	{finding.msg | some finding in decision.findings} == {
		"capability `wasi:sockets/tcp@0.2.12` cannot be granted to this component",
	}
}

test_deny_a_name_that_only_begins_like_a_package if {
	document := object.union(fixture.generate, {"action": {"requests": ["wasi:io-real/poll", "wasi:io", "abide:io/x"]}})
	decision := data.abide.decision with input as document with data.grants.stubs as ["wasi:i", "abide:io"]
	decision.verdict == "deny"
	count(decision.findings) == 3
}

test_listed_packages_are_stubbed_and_granted_as_nothing_else if {
	decision := data.abide.decision with input as wasi with data.grants.stubs as ["wasi:io", "wasi:sockets"]
	decision.verdict == "allow"
	decision.grants.capabilities == ["log"]
	decision.grants.stubs == ["wasi:io/poll@0.2.12", "wasi:sockets/tcp@0.2.12"]
}

test_deny_by_the_components_own_entry_whatever_is_listed_for_all if {
	own := {fixture.other_digest: {"capabilities": ["log"], "limits": "worker-small"}}
	decision := data.abide.decision with input as wasi
		with data.grants.components as own
		with data.grants.stubs as ["wasi:io", "wasi:sockets"]
	decision.verdict == "deny"
}

test_a_components_entry_names_its_stubs if {
	own := {fixture.other_digest: {"capabilities": ["log"], "stubs": ["wasi:io", "wasi:sockets"], "limits": "worker-small"}}
	decision := data.abide.decision with input as wasi with data.grants.components as own
	decision.verdict == "allow"
	count(decision.grants.stubs) == 2
}

seen(tasks, used) := object.union(fixture.generate, {"subject": {"history": {
	"tasks": tasks, "proposed": tasks, "stopped": 0, "denied": 0, "used": used,
}}})

test_warn_about_a_grant_that_is_never_used if {
	own := {fixture.other_digest: {"capabilities": ["egress", "log", "workspace"], "limits": "worker-small", "egress": "docs"}}
	decision := data.abide.decision with input as seen(200, {"log": 7, "workspace": 200})
		with data.grants.components as own
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "allow"
	{finding.msg | some finding in decision.findings; finding.rule == "unused-grant"} == {"it may use `egress`, and called it in none of its 200 newest tasks"}
}

test_no_word_about_what_is_used_or_new if {
	used := data.abide.decision with input as seen(200, {"egress": 1, "workspace": 200}) with data.grants.components as entry({})
	not "unused-grant" in fixture.rules(used, "warn")
	new := data.abide.decision with input as seen(199, {"workspace": 199}) with data.grants.components as entry({})
	not "unused-grant" in fixture.rules(new, "warn")
	unknown := data.abide.decision with input as fixture.generate with data.grants.components as entry({})
	not "unused-grant" in fixture.rules(unknown, "warn")
}

client := [
	"wasi:clocks/monotonic-clock@0.2.3",
	"wasi:http/outgoing-handler@0.2.3",
	"wasi:http/types@0.2.3",
	"wasi:io/poll@0.2.3",
	"wasi:io/streams@0.2.3",
]

asking_for_http(more) := object.union(fixture.generate, {"action": {"requests": array.concat(client, more)}})

test_deny_the_client_of_wasi_without_a_lease if {
	decision := data.abide.decision with input as asking_for_http([])
	decision.verdict == "deny"
	count([finding | some finding in decision.findings; finding.rule == "not-grantable"]) == count(client)
	other := data.abide.decision with input as asking_for_http([]) with data.grants.components as entry({})
	other.verdict == "deny"
}

test_deny_beside_the_client_what_is_no_part_of_it if {
	document := asking_for_http(["wasi:http/incoming-handler@0.2.3", "wasi:io/streams@0.3.0", "wasi:sockets/tcp@0.2.3"])
	decision := data.abide.decision with input as document
		with data.grants.components as entry({"egress": "docs"})
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "deny"
	count([finding | some finding in decision.findings; finding.rule == "not-grantable"]) == 3
}

test_a_browser_takes_a_lease if {
	document := object.union(fixture.generate, {"action": {"requests": ["browser", "log"]}})
	own := {fixture.other_digest: {"capabilities": ["browser", "log"], "limits": "worker-browser"}}
	none := data.abide.decision with input as document with data.grants.components as own
	none.verdict == "deny"
	"no-lease" in fixture.rules(none, "deny")
	leased := object.union(own, {fixture.other_digest: {"egress": "docs"}})
	decision := data.abide.decision with input as document
		with data.grants.components as leased
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "allow"
	decision.grants == {"capabilities": ["browser", "log"], "limits": "worker-browser", "egress": "docs", "stubs": []}
}

test_the_client_of_wasi_is_egress if {
	decision := data.abide.decision with input as asking_for_http([])
		with data.grants.components as entry({"egress": "docs", "stubs": ["wasi:io"]})
		with data.egress.leases as {"docs": {"rules": []}}
	decision.verdict == "allow"
	decision.grants == {"capabilities": ["egress"], "limits": "worker-small", "egress": "docs", "stubs": []}
}

test_without_a_client_streams_are_stubbed_as_before if {
	document := object.union(fixture.generate, {"action": {"requests": ["egress", "wasi:io/streams@0.2.3"]}})
	decision := data.abide.decision with input as document
		with data.grants.components as entry({"egress": "docs", "stubs": ["wasi:io"]})
		with data.egress.leases as {"docs": {"rules": []}}
	decision.grants.stubs == ["wasi:io/streams@0.2.3"]
}
