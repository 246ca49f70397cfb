# METADATA
# title: FETCH
# description: Outgoing requests go to listed origins only.
package abide.fetch

findings contains finding if some finding in data.abide.levels.findings

findings contains {
	"rule": "origin-not-listed",
	"level": "default",
	"msg": sprintf("no rule allows requests to `%s`", [origin]),
	"help": "list the origin in `policies/data/egress.yaml`",
} if {
	some origin in input.action.requests
	not origin in data.egress.origins
}

findings contains {
	"rule": "restricted-data",
	"level": "deny",
	"msg": sprintf("repository `%s` holds restricted data: nothing of it may leave", [input.action.target.repo]),
	"help": "run without outgoing requests",
} if {
	some pattern in data.egress.restricted_repositories
	glob.match(pattern, [], input.action.target.repo)
}
