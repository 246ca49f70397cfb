# METADATA
# title: EXECUTE
# description: Checks run in the jail, by the definitions of the target branch. The level decides, and whether the jail has its walls here.
package abide.execute

findings contains finding if some finding in data.abide.levels.findings

# A lease is opened by a second question, about its origins (FETCH). This one is whether checks may have it at all.
findings contains {
	"rule": "lease-not-for-checks",
	"level": "deny",
	"msg": sprintf("a check asks for the lease `%s`, which is not for checks", [lease]),
	"help": "list it in `checks` of `policies/data/egress.yaml`, or take `egress` away from the check in `ab.yml`",
} if {
	some lease in input.action.requests
	not lease in for_checks
}

default for_checks := []

for_checks := data.egress.checks

standing contains wall if some wall in input.run.jail_walls

missing contains wall if {
	some wall in data.host.jail.autonomous_needs
	not wall in standing
}

findings contains {
	"rule": "jail-walls",
	"level": "review",
	"msg": sprintf("the jail has no %s on this host, and checks run code that nobody saw", [concat(", ", sort(missing))]),
	"help": "`ab doctor` says why; the walls that are needed are `jail.autonomous_needs` in `policies/data/host.yaml`",
} if {
	count(missing) > 0
}
