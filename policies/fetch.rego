# METADATA
# title: FETCH
# description: Outgoing requests go to listed origins only.
package abide.fetch

# A source that stays where it is asks for nothing that a level speaks of.
findings contains finding if {
	not data.abide.sources.staying
	some finding in data.abide.levels.findings
}

findings contains finding if some finding in data.abide.sources.findings

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

# A lease may say that robots.txt is not asked for, and why.
findings contains {
	"rule": "robots-ignored",
	"level": robots_level,
	"msg": sprintf("the lease ignores robots.txt: %s", [input.action.manners.reason]),
	"help": "say `robots: obey` in the manners of the lease; `robots_obeyed` in `policies/data/egress.yaml` lists the profiles that insist",
} if {
	input.action.manners.robots == "ignore"
}

default robots_level := "deny"

robots_level := "review" if {
	obeyed := data.egress.robots_obeyed
	not input.run.profile in obeyed
}
