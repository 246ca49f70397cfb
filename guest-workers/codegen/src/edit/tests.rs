use worker_kit::{FailureKind, FileMode, FileStatus};

use crate::testing::{after, run};

const FILES: [(&str, &str); 1] = [("a.txt", "one two one")];

#[test]
fn text_is_replaced_and_counted() {
    let proposal =
        run("replace-text", &[("path", "a.txt"), ("old", "one"), ("new", "1"), ("expect", "2")], &FILES)
            .unwrap();
    assert_eq!(after(&proposal, "a.txt", FILES[0].1), "1 two 1");
    assert_eq!((proposal.expected.lines_added, proposal.expected.lines_removed), (1, 1));
}

#[test]
fn what_cannot_be_done_says_why() {
    let kind = |recipe: &str, parameters: &[(&str, &str)]| {
        run(recipe, parameters, &FILES).map(|_| ()).map_err(|failure| failure.kind)
    };
    assert_eq!(
        kind("replace-text", &[("path", "a.txt"), ("old", "six"), ("new", "1")]),
        Err(FailureKind::BadParameter)
    );
    assert_eq!(
        kind("replace-text", &[("path", "a.txt"), ("old", "one"), ("new", "1"), ("expect", "1")]),
        Err(FailureKind::BadParameter)
    );
    assert_eq!(
        kind("replace-text", &[("path", "a.txt"), ("old", "one"), ("new", "one")]),
        Err(FailureKind::NothingToDo)
    );
    assert_eq!(
        kind("replace-text", &[("path", "b.txt"), ("old", "one"), ("new", "1")]),
        Err(FailureKind::BadParameter)
    );
    assert_eq!(
        kind("replace-text", &[("path", "a.txt"), ("old", "one"), ("nwe", "1")]),
        Err(FailureKind::BadParameter)
    );
    assert_eq!(kind("edit-file", &[("path", "a.txt"), ("text", FILES[0].1)]), Err(FailureKind::NothingToDo));
    assert_eq!(
        kind("edit-file", &[("path", "a.txt"), ("text", "x"), ("typo", "x")]),
        Err(FailureKind::BadParameter)
    );
    assert_eq!(kind("edit-file", &[("path", "a.txt")]), Err(FailureKind::BadParameter));
    assert_eq!(kind("no-such-recipe", &[]), Err(FailureKind::UnknownRecipe));
}

#[test]
fn a_file_is_added_rewritten_and_deleted() {
    let added =
        run("edit-file", &[("path", "bin/x"), ("text", "#!/bin/sh\n"), ("executable", "true")], &FILES)
            .unwrap();
    let file = &added.patch.files[0];
    assert_eq!((file.status, file.new_mode), (FileStatus::Add, Some(FileMode::Executable)));
    assert_eq!(file.hunks, ["@@ -0,0 +1 @@\n+#!/bin/sh\n"]);
    let rewritten = run("edit-file", &[("path", "a.txt"), ("text", "new\n")], &FILES).unwrap();
    assert_eq!(after(&rewritten, "a.txt", FILES[0].1), "new\n");
    let deleted = run("edit-file", &[("path", "a.txt"), ("delete", "true")], &FILES).unwrap();
    assert_eq!(deleted.patch.files[0].status, FileStatus::Delete);
}
