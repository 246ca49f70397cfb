# METADATA
# title: GENERATE
# description: A component gets what the policy grants, and nothing because it asks.
package abide.generate

findings contains finding if some finding in data.abide.levels.findings

findings contains {
	"rule": "not-grantable",
	"level": "deny",
	"msg": sprintf("capability `%s` cannot be granted to this component", [wanted]),
	"help": "use a worker that does without, or have the policy grant it (`policies/data/grants.yaml`)",
} if {
	some wanted in input.action.requests
	not wanted in grantable
	not wanted in stubbed
	not wanted in served
}

own := data.grants.components[input.subject.component]

# A component that is listed gets what its entry says; any other what the level allows.
grantable := {name | some name in own.capabilities} if own

grantable := {name |
	some name, level in data.grants.grantable
	level <= data.abide.levels.level
} if {
	not own
}

# Packages of WASI that a component may import and finds nothing behind. A package is listed as a whole, without its version.
default stubbable := []

stubbable := own.stubs if own

stubbable := data.grants.stubs if not own

stubbed := {name |
	some name in input.action.requests
	startswith(name, "wasi:")
	split(name, "/")[0] in stubbable
	not name in served
}

# The HTTP client of WASI, which toolchains build in, and what it drags in. With the capability and a lease it leads where `abide:worker/egress` leads.
client := ["wasi:clocks/monotonic-clock", "wasi:http/outgoing-handler", "wasi:http/types", "wasi:io/error", "wasi:io/poll", "wasi:io/streams"]

default served := set()

served := {name |
	some name in input.action.requests
	some family in client
	startswith(name, sprintf("%s@0.2.", [family]))
} if {
	is_client
}

is_client if {
	"egress" in own.capabilities
	own.egress
	some wanted in input.action.requests
	startswith(wanted, "wasi:http/outgoing-handler@0.2.")
}

# What is asked for by name, and the network, where it is asked for by way of WASI.
asked := {name | some name in input.action.requests} | {"egress" | count(served) > 0}

default limits := ""

limits := own.limits if own

limits := data.grants.limits if not own

granted := {
	"capabilities": [name | some name in asked; name in grantable],
	"limits": limits,
	"stubs": [name | some name in stubbed],
}

default grants := {"capabilities": [], "limits": ""}

grants := granted if not with_egress

# A lease goes with the capability, and never without it.
grants := object.union(granted, {"egress": own.egress}) if with_egress

with_egress if {
	leads_out
	own.egress
}

# The network, or a browser, whose pages ask it.
leads_out if "egress" in granted.capabilities

leads_out if "browser" in granted.capabilities

findings contains {
	"rule": "no-lease",
	"level": "deny",
	"msg": "the component asks for the network, and its entry names no lease",
	"help": "name one of `leases` in `policies/data/egress.yaml` under `egress` of its entry in `policies/data/grants.yaml`",
} if {
	leads_out
	not data.egress.leases[own.egress]
}

# What the receipts say: granted by its own entry, and never called.
findings contains {
	"rule": "unused-grant",
	"level": "warn",
	"msg": sprintf("it may use `%s`, and called it in none of its %d newest tasks", [name, history.tasks]),
	"help": "ab worker tighten NAME proposes what would do",
} if {
	history.tasks >= data.grants.tighten_after
	some name in own.capabilities
	not history.used[name]
}

history := input.subject.history
