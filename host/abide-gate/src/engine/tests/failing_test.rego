package abide_test

import data.abide

test_deny_a if abide.x == 2

test_b if abide.x == 1

test_c if to_number("z")

test_middle if {
	some n in [1, 2]
	n < 3
	abide.x == n + 5
	abide.unread
}

test_last if {
	n := abide.x
	object.union(
		{"a": n},
		{"b": 2},
	) == {"a": 1, "b": 2}
	not abide.x
}

test_first if {
	not abide.x == 1
	abide.x == 1
	object.get(
		{"a": 1},
		"a",
		0,
	) == abide.x
}

test_with if {
	abide.x == 1 with input as {"now": 1}
	abide.unread with input as {
		"now": 2,
	}
	abide.x == 1
}

todo_test_later if abide.x == 9
