package abide.change_test

import data.abide.change
import data.abide.fixture

of(files, categories) if {
	change.only(categories) with input as fixture.merge_of(files)
}

test_deny_what_runs_on_build if not of([fixture.file("tests/conftest.py", ["executes-on-build"], ["code", "tests"])], ["docs", "tests"])

test_deny_one_file_of_another_kind if not of([fixture.guide, fixture.source], ["docs", "tests"])

test_deny_no_files_at_all if not of([], ["docs"])

test_deny_a_toggle_that_is_code if not of([fixture.file("flags/new.py", [], ["code", "flags"])], ["flags"])

test_deny_a_document_that_governs if not of([fixture.file("AGENTS.md", ["governance"], ["docs", "governance"])], ["docs"])

test_a_test_may_be_code if of([fixture.file("tests/a.rs", [], ["code", "tests"])], ["docs", "tests"])

test_no_categories_mean_any_change if of([fixture.source], [])

test_strong_tests if {
	document := object.union(fixture.merge_of([fixture.source]), {"facts": {"tests": {"added": 1}}})
	change.strong_tests with input as document
	not change.strong_tests with input as object.union(document, {"checks": []})
	not change.strong_tests with input as object.union(document, {"facts": {"tests": {"removed": 1}}})
}

# Whatever the files asked only for noteworthy changes look for makes a change noteworthy.
test_everything_looked_for_is_noteworthy if {
	every changes in [
		{"zones": ["ci"]}, {"secrets": [{}]}, {"hazards": [{}]}, {"collisions": [{}]}, {"destructive": [{}]}, {"forbidden": [{}]},
		{"dependencies": [{}]}, {"tests": {"weakened": [{}]}}, {"tests": {"files_removed": ["a"]}}, {"tests": {"removed": 1}},
		{"totals": {"binaries": 1}}, {"totals": {"symlinks": 1}}, {"totals": {"submodules": 1}},
		{"totals": {"made_executable": 1}},
	] {
		change.noteworthy with input as object.union(fixture.merge, {"facts": changes})
	}
	not change.noteworthy with input as fixture.merge
}

test_deny_what_is_not_known_as_plain if {
	change.noteworthy with input as {"facts": {}}
	change.noteworthy with input as {}
}

test_odd_files if {
	every odd in [{"lfs": true}, {"status": "type-changed"}] {
		change.odd_files with input as fixture.merge_of([fixture.source, object.union(fixture.guide, odd)])
	}
	not change.odd_files with input as fixture.merge
}
