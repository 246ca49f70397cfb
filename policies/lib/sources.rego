# METADATA
# title: Sources
# description: >
#   Which sources may be read, and how far one may come. What a source has shown is measured by the host (`input.action.source.record`); what it must have
#   shown is `policies/data/sources.yaml`. A source that is `active` and would not come so far again is demoted, with the rules here as reasons.
package abide.sources

source := input.action.source

# A question about the place of a source, not about its use.
holding if {
	input.action.kind == "hold-source"
	source.to
}

# It would stay where it is. Nobody waits for a person to find out that it may not.
staying if {
	holding
	source.to == source.state
	source.state in {"probation", "active"}
}

steps := {"proposed": "probation", "demoted": "probation", "probation": "active"}

findings contains {
	"rule": "source-step",
	"level": "deny",
	"msg": sprintf("no step leads from `%s` there", [source.state]),
	"help": "a source goes from proposed to probation, and from there to active",
} if {
	input.action.kind == "hold-source"
	not staying
	not a_step
}

a_step if steps[source.state] == source.to

# Use. A run in mode PLAN changes nothing: that is how a source is tried.
findings contains {
	"rule": "source-not-active",
	"level": use,
	"msg": sprintf("source `%s` is %s", [source.name, source.state]),
	"help": "`ab source probe` tries it, `ab source promote` asks for its place",
} if {
	input.action.kind == "open-egress"
	input.run.mode != "PLAN"
	source.state != "active"
}

default use := "deny"

use := "review" if source.state == "probation"

findings contains {
	"rule": "source-required",
	"level": "deny",
	"msg": "pages are read from sources only, and the ticket names none",
	"help": "name it under `source` of the ticket, or say `required: false` in `policies/data/sources.yaml`",
} if {
	input.action.kind == "open-egress"
	input.action.manners
	not source
	not data.sources.required == false
}

# By what terms.
findings contains {
	"rule": "source-licence",
	"level": "deny",
	"msg": sprintf("source `%s` has %s", [source.name, licence]),
	"help": "`licences` in `policies/data/sources.yaml` lists those that will do; `source.licence` of the ticket says which it is",
} if {
	holding
	not source.licence in data.sources.licences
}

default licence := "no licence"

licence := sprintf("the licence `%s`, which is not listed", [source.licence])

findings contains {
	"rule": "source-terms",
	"level": "deny",
	"msg": sprintf("source `%s`: %s", [source.name, why]),
	"help": "read its terms of use, and write down under `source.terms` where they stand, when and by whom they were read, and what they say",
} if {
	holding
	some why in terms_wrong
}

terms_wrong contains "nobody says what its terms are" if not source.terms

terms_wrong contains sprintf("its terms say `%s` of programs that read pages", [source.terms.say]) if {
	not source.terms.say in data.sources.terms.say
	source.terms
}

terms_wrong contains sprintf("its terms were read on %s, too long ago", [source.terms.read]) if {
	source.terms
	not terms_new
}

terms_new if {
	read := floor(time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [source.terms.read])) / 1000000)
	read <= input.now
	input.now - read <= data.sources.terms.days_max * 86400000
}

# What it has shown. The way to probation asks for nothing: there it is to show it.
gate := data.sources.keep if staying

gate := data.sources.promote if {
	holding
	not staying
	source.to == "active"
}

gated if staying

gated if {
	holding
	source.to == "active"
}

findings contains {
	"rule": "source-quality",
	"level": "deny",
	"msg": sprintf("source `%s`: %s is %d, and %d is the least", [source.name, name, source.record[name], bounds.min]),
	"help": "`ab source show` has each measure, `ab source probe` takes another one",
} if {
	some name, bounds in gate
	counts(bounds)
	source.record[name] < bounds.min
}

findings contains {
	"rule": "source-quality",
	"level": "deny",
	"msg": sprintf("source `%s`: %s is %d, and %d is the most", [source.name, name, source.record[name], bounds.max]),
	"help": "`ab source show` has each measure, `ab source probe` takes another one",
} if {
	some name, bounds in gate
	counts(bounds)
	source.record[name] > bounds.max
}

# Few tasks say little: a measure may count from some number of them on.
counts(bounds) if not bounds.from

counts(bounds) if source.record.samples >= bounds.from

# A place without a gate, or a measure that nobody took, is no pass.
findings contains {
	"rule": "source-quality",
	"level": "deny",
	"msg": sprintf("source `%s`: `%s` asks for `%s`, which is not measured", [source.name, "policies/data/sources.yaml", name]),
	"help": "the measures are those of `record` in the schema of the input",
} if {
	some name, _ in gate
	not is_number(source.record[name])
}

findings contains {
	"rule": "source-quality",
	"level": "deny",
	"msg": sprintf("source `%s`: nothing says what it must have shown", [source.name]),
	"help": "complete `policies/data/sources.yaml`",
} if {
	gated
	not is_object(gate)
}

findings contains {
	"rule": "source-stale",
	"level": "deny",
	"msg": sprintf("source `%s` has not changed for %d hours, and should within %d", [source.name, hours, source.fresh_hours]),
	"help": "look whether the page is still kept; `source.fresh_hours` says how often it should change",
} if {
	gated
	hours := floor(source.record.unchanged_ms / 3600000)
	hours > source.fresh_hours
}
