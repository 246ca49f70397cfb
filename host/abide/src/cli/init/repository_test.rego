package repository_test

import rego.v1

import data.abide.layers.repository

merge(path) := {"action": {"class": "MERGE"}, "facts": {"files": [{"path": path}]}}

test_license_waits_for_a_person if {
	count(repository.findings) == 1 with input as merge("LICENSE")
}

test_other_files_are_not_concerned if {
	count(repository.findings) == 0 with input as merge("README.md")
}
