use proptest::prelude::*;

use super::*;

const LIMITS: PatchLimits = PatchLimits::CEILING;

#[expect(clippy::needless_pass_by_value, reason = "cases read better without borrows")]
fn doc(files: serde_json::Value) -> Result<PatchDoc, PatchError> {
    let json = serde_json::json!({"patch_format": "unified", "files": files}).to_string();
    PatchDoc::parse(json.as_bytes(), &LIMITS)
}

fn one(path: &str, hunks: &[&str]) -> Result<PatchDoc, PatchError> {
    doc(serde_json::json!([{"path": path, "hunks": hunks}]))
}

fn file(bytes: &[u8]) -> Before {
    Before::File { mode: FileMode::Plain, bytes: bytes.into() }
}

/// Applies a one-file document over a tree with `old` at its path and nothing elsewhere.
fn run(patch: Result<PatchDoc, PatchError>, old: &Before) -> Result<Vec<FileChange>, PatchError> {
    let patch = patch?;
    let first = patch.files()[0].clone();
    let place = first.old_path.unwrap_or(first.path);
    let read = |path: &RepoPath| {
        Ok::<_, std::convert::Infallible>(if *path == place { old.clone() } else { Before::Absent })
    };
    match patch.apply(&LIMITS, read) {
        Ok(result) => result,
        Err(never) => match never {},
    }
}

fn modified(old: &str, hunks: &[&str]) -> Result<String, &'static str> {
    match run(one("a.txt", hunks), &file(old.as_bytes())) {
        Ok(changes) => match &changes[..] {
            [FileChange::Write { bytes, .. }] => Ok(String::from_utf8(bytes.clone()).unwrap()),
            other => panic!("{other:?}"),
        },
        Err(error) => Err(error.code()),
    }
}

#[test]
fn the_seed_document_parses() {
    let json = br#"{"patch_format":"unified","files":[{"path":"src/foo.ts","hunks":["@@ -1,1 +1,2 @@ fn\n a\n+b"]}]}"#;
    let patch = PatchDoc::parse(json, &LIMITS).unwrap();
    assert_eq!(patch.files()[0].path.as_str(), "src/foo.ts");
    assert_eq!(serde_json::to_vec(&patch).unwrap(), json);
}

#[test]
fn documents_are_refused_each_by_its_code() {
    let code = |json: &str| PatchDoc::parse(json.as_bytes(), &LIMITS).unwrap_err().code();
    assert_eq!(code("Sure! Here is the patch: @@ -1 +1 @@"), "AB0720");
    assert_eq!(code("--- a/x\n+++ b/x\n"), "AB0720");
    assert_eq!(code(r#"{"patch_format":"unified","files":[],"note":1}"#), "AB0721");
    assert_eq!(code(r#"{"patch_format":"unified","files":[{"path":"a"}]}"#), "AB0721");
    assert_eq!(code(r#"{"patch_format":"unified","files":"#), "AB0721");
    assert_eq!(code(r#"{"patch_format":"git","files":[]}"#), "AB0722");
    assert_eq!(code(r#"{"patch_format":"unified","files":[]}"#), "AB0730");
    assert_eq!(code(&format!("{{{}", "[".repeat(100_000))), "AB0721");
    let small = PatchLimits { doc_bytes_max: 10, ..LIMITS };
    assert_eq!(PatchDoc::parse(br#"{"patch_format":"x"}"#, &small).unwrap_err().code(), "AB0727");
}

#[test]
fn a_patch_cannot_leave_the_repository() {
    for path in
        ["../x", "/etc/passwd", ".git/config", "a/../../x", "a\\b", ".GIT/hooks/x", "C:/x", "", "a\nb"]
    {
        assert_eq!(one(path, &["@@ -0,0 +1 @@\n+x"]).unwrap_err().code(), "AB0723", "{path}");
    }
    for (mode, code) in
        [("120000", "AB0724"), ("160000", "AB0724"), ("100777", "AB0725"), ("040000", "AB0725")]
    {
        let files = serde_json::json!([{"path": "a", "new_mode": mode, "hunks": ["@@ -0,0 +1 @@\n+x"]}]);
        assert_eq!(doc(files).unwrap_err().code(), code);
    }
    for before in [Before::Symlink, Before::Submodule] {
        assert_eq!(run(one("a", &["@@ -1 +1 @@\n-x\n+y"]), &before).unwrap_err().code(), "AB0724");
    }
}

#[test]
fn a_new_file_is_not_written_through_a_link_or_a_file() {
    let patch = one("dir/sub/a.txt", &["@@ -0,0 +1 @@\n+x"]).unwrap();
    for (above, code) in [(Before::Symlink, "AB0724"), (Before::Submodule, "AB0724"), (file(b""), "AB0726")] {
        let read = |path: &RepoPath| {
            Ok::<_, ()>(if path.as_str() == "dir" { above.clone() } else { Before::Absent })
        };
        assert_eq!(patch.apply(&LIMITS, read).unwrap().unwrap_err().code(), code);
    }
    let read =
        |path: &RepoPath| Ok::<_, ()>(if path.as_str() == "dir" { Before::Folder } else { Before::Absent });
    assert!(patch.apply(&LIMITS, read).unwrap().is_ok());
    assert_eq!(patch.apply(&LIMITS, |_| Err::<Before, _>("io")), Err("io"));
}

#[test]
fn paths_that_exclude_each_other_are_refused() {
    let add = |path: &str| serde_json::json!({"path": path, "hunks": ["@@ -0,0 +1 @@\n+x"]});
    assert_eq!(doc(serde_json::json!([add("a"), add("a")])).unwrap_err().code(), "AB0726");
    assert_eq!(doc(serde_json::json!([add("a"), add("a/b/c")])).unwrap_err().code(), "AB0726");
    assert!(doc(serde_json::json!([add("a"), add("ab/c"), add("a.b/c")])).is_ok());
    let rename = serde_json::json!({"path": "b", "old_path": "a", "status": "rename", "hunks": []});
    assert_eq!(doc(serde_json::json!([add("a"), rename])).unwrap_err().code(), "AB0726");
}

#[test]
fn hunks_are_read_to_the_letter() {
    for (hunk, code) in [
        ("", "AB0728"),
        ("@@ ... @@\n+x", "AB0728"),
        ("@@ -1,6 +1,7 @@ ...", "AB0728"),
        ("@@ -1,2 +1,2 @@\n a\n-b\n", "AB0728"),
        ("@@ -1 +1 @@\n-a\n+b\n+c", "AB0728"),
        ("@@ -1 +1 @@\n a", "AB0728"),
        ("@@ -1,2 +1,2 @@\n-a\n\n+b", "AB0728"),
        ("@@ -1 +1 @@\n\\ No newline at end of file\n-a\n+b", "AB0728"),
        ("@@ -1 +1,2 @@\n-a\n+b\n\\ No newline at end of file\n+c", "AB0728"),
        ("@@ -99999999999 +1 @@\n-a\n+b", "AB0728"),
        ("@@ -0 +1 @@\n-a\n+b", "AB0728"),
    ] {
        assert_eq!(one("a.txt", &[hunk]).unwrap_err().code(), code, "{hunk:?}");
    }
}

#[test]
fn hunks_fit_exactly_or_not_at_all() {
    let old = "one\ntwo\nthree\nfour\n";
    assert_eq!(modified(old, &["@@ -2 +2 @@\n-two\n+2"]).as_deref(), Ok("one\n2\nthree\nfour\n"));
    assert_eq!(modified(old, &["@@ -4,0 +5 @@\n+five"]).as_deref(), Ok("one\ntwo\nthree\nfour\nfive\n"));
    assert_eq!(
        modified(old, &["@@ -1 +1,2 @@\n+zero\n one", "@@ -4 +5 @@\n-four\n+4"]).as_deref(),
        Ok("zero\none\ntwo\nthree\n4\n")
    );
    // Off by one line, trailing white space, a wrong new line number, out of order, beyond the end: nothing is guessed.
    assert_eq!(modified(old, &["@@ -3 +3 @@\n-two\n+2"]), Err("AB0729"));
    assert_eq!(modified(old, &["@@ -2 +2 @@\n-two \n+2"]), Err("AB0729"));
    assert_eq!(modified(old, &["@@ -2 +3 @@\n-two\n+2"]), Err("AB0728"));
    assert_eq!(modified(old, &["@@ -4 +4 @@\n-four\n+4", "@@ -1 +1 @@\n-one\n+1"]), Err("AB0728"));
    assert_eq!(modified(old, &["@@ -9 +9 @@\n-two\n+2"]), Err("AB0728"));
    assert_eq!(modified(old, &["@@ -4,2 +4,2 @@\n four\n-five\n+5"]), Err("AB0729"));
    assert_eq!(modified(old, &["@@ -2 +2 @@\n-two\n+two"]), Err("AB0730"));
    assert_eq!(modified(old, &["@@ -1,4 +0,0 @@\n-one\n-two\n-three\n-four"]), Err("AB0734"));
}

#[test]
fn line_ends_are_kept_and_checked() {
    assert_eq!(modified("a\r\nb\r\n", &["@@ -2 +2 @@\n-b\r\n+c\r\n"]).as_deref(), Ok("a\r\nc\r\n"));
    assert_eq!(modified("a\r\nb\r\n", &["@@ -2 +2 @@\n-b\n+c\n"]), Err("AB0729"));
    let end = "\\ No newline at end of file";
    assert_eq!(modified("a\nb", &[&format!("@@ -2 +2 @@\n-b\n{end}\n+b")]).as_deref(), Ok("a\nb\n"));
    assert_eq!(modified("a\nb\n", &[&format!("@@ -2 +2 @@\n-b\n+b\n{end}\n")]).as_deref(), Ok("a\nb"));
    assert_eq!(modified("a\nb", &["@@ -2 +2 @@\n-b\n+c"]), Err("AB0729"));
    assert_eq!(modified("a\nb", &["@@ -2,0 +3 @@\n+c"]), Err("AB0728"));
    assert_eq!(modified("a\nb\n", &[&format!("@@ -1 +1 @@\n-a\n+b\n{end}")]), Err("AB0728"));
}

#[test]
fn files_are_added_deleted_and_renamed() {
    let add = |old: &Before| run(one("n", &["@@ -0,0 +1,2 @@\n+a\n+b"]), old);
    assert!(matches!(&add(&Before::Absent).unwrap()[..],
        [FileChange::Write { mode: FileMode::Plain, bytes, .. }] if bytes == b"a\nb\n"));
    assert_eq!(add(&file(b"x\n")).unwrap_err().code(), "AB0732");
    assert_eq!(add(&Before::Folder).unwrap_err().code(), "AB0726");
    let with = |status: &str, hunks: &[&str]| {
        doc(serde_json::json!([{"path": "n", "status": status, "hunks": hunks}]))
    };
    assert_eq!(run(with("add", &["@@ -0,0 +1 @@\n+a"]), &file(b"")).unwrap_err().code(), "AB0732");
    assert_eq!(run(with("modify", &["@@ -1 +1 @@\n-a\n+b"]), &Before::Absent).unwrap_err().code(), "AB0731");
    assert_eq!(run(one("n", &["@@ -1 +1 @@\n-a\n+b"]), &Before::Absent).unwrap_err().code(), "AB0731");
    let delete = with("delete", &["@@ -1,2 +0,0 @@\n-a\n-b"]);
    assert!(matches!(&run(delete.clone(), &file(b"a\nb\n")).unwrap()[..], [FileChange::Delete { .. }]));
    assert_eq!(run(delete, &file(b"a\nb\nc\n")).unwrap_err().code(), "AB0734");
    assert_eq!(run(with("rename", &[]), &file(b"")).unwrap_err().code(), "AB0734");
    let rename =
        || doc(serde_json::json!([{"path": "d/n", "old_path": "o", "status": "rename", "hunks": []}]));
    assert!(matches!(&run(rename(), &file(b"\xff\0")).unwrap()[..],
        [FileChange::Rename { from, path, bytes, .. }] if from.as_str() == "o" && path.as_str() == "d/n" && bytes == b"\xff\0"));
    let read = |_: &RepoPath| Ok::<_, ()>(file(b"x"));
    assert_eq!(rename().unwrap().apply(&LIMITS, read).unwrap().unwrap_err().code(), "AB0732");
}

#[test]
fn modes_change_and_a_mode_that_stays_is_no_change() {
    let mode = |mode: &str| doc(serde_json::json!([{"path": "n", "new_mode": mode, "hunks": []}]));
    assert!(matches!(
        &run(mode("100755"), &file(b"x")).unwrap()[..],
        [FileChange::Write { mode: FileMode::Executable, .. }]
    ));
    assert_eq!(run(mode("100644"), &file(b"x")).unwrap_err().code(), "AB0730");
    assert_eq!(run(one("n", &[]), &file(b"x")).unwrap_err().code(), "AB0730");
    assert_eq!(run(one("n", &[]), &Before::Absent).unwrap_err().code(), "AB0730");
}

#[test]
fn files_that_are_not_text_are_refused() {
    for bytes in [&b"\xff\n"[..], b"a\0\n"] {
        assert_eq!(run(one("n", &["@@ -1,0 +2 @@\n+x"]), &file(bytes)).unwrap_err().code(), "AB0733");
    }
    assert_eq!(modified("a\n", &["@@ -1 +1,2 @@\n a\n+b\0c"]), Err("AB0733"));
    assert_eq!(run(one("n", &["@@ -1 +1 @@\n-a\n+b"]), &Before::TooLarge).unwrap_err().code(), "AB0727");
    let small = PatchLimits { file_bytes_max: 4, ..LIMITS };
    let patch = one("n", &["@@ -0,0 +1 @@\n+12345678"]).unwrap();
    assert_eq!(patch.files()[0].apply(&Before::Absent, &small).unwrap_err().code(), "AB0727");
}

#[test]
fn a_mismatch_says_where_and_shows_no_escape_sequence() {
    let error = run(one("n", &["@@ -1 +1 @@\n-x\n+y"]), &file(b"\x1b[31mred\n")).unwrap_err();
    insta::assert_snapshot!(error, @r"patch of `n`: hunk 1 does not fit: line 1 should read `x` and reads `\u{1b}[31mred`");
}

/// The hunks of `similar`'s unified diff, as a worker would send them.
fn hunks(old: &str, new: &str, radius: usize) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    unified.context_radius(radius).missing_newline_hint(true);
    unified.iter_hunks().map(|hunk| hunk.to_string()).collect()
}

proptest! {
    #[test]
    fn applying_a_diff_gives_the_new_text(
        old in "([a-c\r]{0,2}\n){0,12}[a-c]{0,2}",
        new in "([a-c\r]{0,2}\n){0,12}[a-c]{0,2}",
        radius in 0_usize..4,
    ) {
        prop_assume!(old != new);
        // `similar` takes a lone carriage return for the end of a line; git does not.
        let (old, new) = (old.replace('\r', "r"), new.replace('\r', "r"));
        prop_assume!(old != new);
        let json = serde_json::json!([{"path": "f", "status": "modify", "hunks": hunks(&old, &new, radius)}]);
        let changes = run(doc(json), &file(old.as_bytes())).unwrap();
        match &changes[..] {
            [FileChange::Write { bytes, .. }] => prop_assert_eq!(std::str::from_utf8(bytes).unwrap(), new),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(json in "\\PC{0,80}", hunk in "(@@ -[0-9]{1,2},?[0-9]? \\+[0-9]{1,2} @@)?([ +\\\\-]?[a-z]{0,2}\n){0,5}") {
        drop(PatchDoc::parse(json.as_bytes(), &LIMITS));
        drop(modified("a\nb\n", &[&hunk]));
    }
}
