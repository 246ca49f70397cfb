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
