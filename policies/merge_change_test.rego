package abide.merge_change_test

import data.abide.fixture
import data.abide.merge_change

test_deny_each_forbidden_pattern if {
	forbidden := [{"pattern": "a", "path": "a.txt", "line": 1}, {"pattern": "b", "path": "a.txt", "line": 2}]
	found := merge_change.findings with input as object.union(fixture.merge, {"facts": {"forbidden": forbidden}})
	count(found) == 2
}

test_a_plain_change_has_none if {
	found := merge_change.findings with input as fixture.merge
	count(found) == 0
}
