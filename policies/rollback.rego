# METADATA
# title: ROLLBACK
# description: The way back is always open, to a release that can be trusted or to nothing; `hard.rego` says what trusted means.
package abide.rollback

findings contains {
	"rule": "rollback-kind",
	"level": "deny",
	"msg": sprintf("a rollback of kind `%s` leads nowhere", [input.rollback.kind]),
	"help": "name the release to return to, or nothing where there was none",
} if {
	not input.rollback.kind in {"release", "nothing", "git-revert"}
}
