# METADATA
# title: Hard rules about what is in a change
# description: Asked by `hard.rego` when the sums of the facts show that there is something to look at.
package abide.hard_change

findings contains {
	"rule": "secrets",
	"level": "hard",
	"msg": sprintf("looks like a credential (%s) in line %d", [secret.rule, secret.line]),
	"path": secret.path,
	"help": "take it out, and revoke it: it was written down",
} if {
	some secret in input.facts.secrets
	"secrets" in data.hard.enabled
}

findings contains {
	"rule": "never-touch",
	"level": "hard",
	"msg": sprintf("zone `%s` is not touched through this engine", [zone]),
	"path": file.path,
	"help": "leave it out of the change; a person changes it by hand",
} if {
	some zone in data.hard.never_touch
	zone in input.facts.zones
	some file in input.facts.files
	zone in file.zones
	"never-touch" in data.hard.enabled
}

findings contains {
	"rule": "pipeline-edit",
	"level": "hard",
	"msg": sprintf("zone `%s` is changed by hand, or where the policy allows the path", [zone]),
	"path": file.path,
	"help": "leave it out of the change, or name the path under `pipeline_allow` in `policies/data/hard.yaml`",
} if {
	some zone in data.hard.pipeline
	zone in input.facts.zones
	some file in input.facts.files
	zone in file.zones
	not listed(data.hard.pipeline_allow, file.path)
	"pipeline-edit" in data.hard.enabled
}

listed(patterns, path) if {
	some pattern in patterns
	glob.match(pattern, ["/"], path)
}

findings contains {
	"rule": opaque.rule,
	"level": "hard",
	"msg": "a binary file that tests or builds may read: nobody can review what it holds",
	"path": opaque.path,
	"help": "make it from reviewable text while testing, or have a person add it by hand",
} if {
	input.facts.totals.binaries > 0
	some opaque in opaque_files
	"opaque-binary" in data.hard.enabled
}

opaque_files contains {"rule": "opaque-binary-in-tests", "path": file.path} if {
	some file in input.facts.files
	is_opaque(file)
	"tests" in file.categories
	"tests" in data.hard.opaque_categories
}

opaque_files contains {"rule": "opaque-binary", "path": file.path} if {
	some file in input.facts.files
	is_opaque(file)
	not "tests" in file.categories
	some category in data.hard.opaque_categories
	category in file.categories
}

opaque_files contains {"rule": "opaque-binary", "path": file.path} if {
	some file in input.facts.files
	is_opaque(file)
	not "tests" in file.categories
	some zone in data.hard.opaque_zones
	zone in file.zones
}

is_opaque(file) if {
	file.binary
	file.status != "deleted"
	not listed(data.hard.opaque_allow, file.path)
}

findings contains {
	"rule": "text-hazard",
	"level": "hard",
	"msg": sprintf("%s %s: what is shown is not what is built", [hazard.kind, data.abide.change.spot(hazard)]),
	"path": hazard.path,
	"help": "take them out, or write them as escapes",
} if {
	some hazard in input.facts.hazards
	hazard.kind in data.hard.hazards
	"text-hazard" in data.hard.enabled
}

findings contains {
	"rule": "path-collision",
	"level": "hard",
	"msg": sprintf("some file systems take these for one (%s): %s", [collision.kind, concat(", ", collision.paths)]),
	"help": "rename one of them",
} if {
	some collision in input.facts.collisions
	"path-collision" in data.hard.enabled
}

