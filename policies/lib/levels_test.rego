package abide.levels_test

import data.abide.fixture
import data.abide.levels

test_deny_without_an_outcome if {
	document := object.union(fixture.merge, {"run": {"profile": "unheard-of"}})
	not levels.outcome with input as document
}

test_the_host_lowers if {
	levels.level == 1 with input as object.union(fixture.merge, {"run": {"host_level_max": 1}})
}

test_an_override_raises if {
	levels.level == 3 with input as fixture.merge
	levels.level == 2 with input as fixture.merge_of([fixture.source])
}

test_no_row_gets_stricter if {
	order := {"auto": 0, "review": 1, "deny": 2}
	every row in data.levels {
		every step in [0, 1, 2, 3, 4] {
			order[row[step + 1]] <= order[row[step]]
		}
	}
}

test_no_override_lowers if {
	every profile in data.profiles {
		every override in profile.overrides {
			override.level >= profile.vector[override.class]
		}
	}
}

# Rules that the decision about `document` denies by.
denied(document) := fixture.rules(decision, "deny") if decision := data.abide.decision with input as document

test_deny_an_unknown_profile if {
	"profile-unknown" in denied(object.union(fixture.merge, {"run": {"profile": "unheard-of"}}))
}

test_deny_what_the_level_leaves_to_people if {
	"level-denies" in denied(object.union(fixture.merge, {"run": {"profile": "manual"}}))
}

test_deny_a_level_that_nobody_described if {
	decision := data.abide.decision with input as fixture.merge with data.levels.MERGE as {}
	"no-rule-allows" in fixture.rules(decision, "deny")
}

test_deny_an_outcome_that_means_nothing if {
	decision := data.abide.decision with input as fixture.merge with data.levels.MERGE as ["reveiw", "reveiw", "reveiw", "reveiw"]
	"no-rule-allows" in fixture.rules(decision, "deny")
}
