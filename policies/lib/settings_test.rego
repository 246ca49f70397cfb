package abide.settings_test

test_deny_settings_without_hard_rules if {
	every rule in ["caps", "direct-push", "kill-switch", "never-touch", "pipeline-edit", "rollback-recipe", "secrets"] {
		rule in data.abide.settings.hard.enabled
	}
}

test_they_are_the_data if {
	data.abide.settings.caps.files_max == 7 with data.caps as {"files_max": 7}
}
