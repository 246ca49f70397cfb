package abide.hard_change_test

import data.abide.fixture
import data.abide.hard_change

test_deny_each_secret if {
	secrets := [{"rule": "jwt", "path": "a.txt", "line": 1}, {"rule": "jwt", "path": "b.txt", "line": 2}]
	found := hard_change.findings with input as object.union(fixture.merge, {"facts": {"secrets": secrets}})
	count(found) == 2
}

test_deny_only_what_is_in_force if {
	document := object.union(fixture.merge, {"facts": {"secrets": [{"rule": "jwt", "path": "a.txt", "line": 1}]}})
	found := hard_change.findings with input as document with data.hard.enabled as []
	count(found) == 0
}

test_a_plain_change_has_none if {
	found := hard_change.findings with input as fixture.merge
	count(found) == 0
}
