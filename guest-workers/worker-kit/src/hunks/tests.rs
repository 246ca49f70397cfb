use super::unified;

#[test]
fn counts_and_signs_are_those_of_diff() {
    let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
    assert_eq!(unified(old, new), ["@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"]);
}

#[test]
fn an_added_file_begins_at_line_zero() {
    assert_eq!(unified("", "a\nb\n"), ["@@ -0,0 +1,2 @@\n+a\n+b\n"]);
    assert_eq!(unified("a\n", ""), ["@@ -1 +0,0 @@\n-a\n"]);
}

#[test]
fn a_missing_line_feed_is_said() {
    assert_eq!(
        unified("a", "b"),
        ["@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"]
    );
    assert_eq!(unified("a", "a\n"), ["@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"]);
}

#[test]
fn far_changes_are_two_hunks_and_equal_texts_none() {
    let lines = |first: &str, last: &str| format!("{first}\n{}{last}\n", "x\n".repeat(20));
    assert_eq!(unified(&lines("a", "b"), &lines("c", "d")).len(), 2);
    assert!(unified("same\n", "same\n").is_empty());
}

#[test]
fn carriage_returns_stay() {
    assert_eq!(unified("a\r\nb\r\n", "a\r\nc\r\n"), ["@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"]);
}
