use worker_kit::FailureKind;

use crate::testing::{after, run};

const RUST: &str =
    "/// The area of it.\npub fn area(w: u32) -> u32 {\n    let areas = \"area\"; // area\n    w\n}\n";
const PYTHON: &str = "from shapes import area\nprint(area(3), f\"{area(4)} area\")\n";

#[test]
fn code_is_renamed_and_text_is_not() {
    let files = [
        ("src/lib.rs", RUST),
        ("tools/t.py", PYTHON),
        ("README.md", "`area` is the area\n"),
        ("vendor/v.rs", "fn area() {}\n"),
    ];
    let proposal = run("rename", &[("old", "area"), ("new", "surface")], &files).unwrap();
    assert_eq!(
        after(&proposal, "src/lib.rs", RUST),
        "/// The area of it.\npub fn surface(w: u32) -> u32 {\n    let areas = \"area\"; // area\n    w\n}\n"
    );
    assert_eq!(
        after(&proposal, "tools/t.py", PYTHON),
        "from shapes import surface\nprint(surface(3), f\"{surface(4)} area\")\n"
    );
    assert_eq!(proposal.patch.files.len(), 2);
    assert!(proposal.rationale.contains("2 in strings and 2 in comments"), "{}", proposal.rationale);
    assert!(proposal.rationale.contains("`README.md`, `vendor/v.rs`"), "{}", proposal.rationale);
}

#[test]
fn strings_and_comments_follow_when_asked() {
    let parameters = [("old", "area"), ("new", "surface"), ("in-strings", "true"), ("in-comments", "true")];
    let proposal = run("rename", &parameters, &[("src/lib.rs", RUST)]).unwrap();
    assert_eq!(
        after(&proposal, "src/lib.rs", RUST),
        RUST.replace("area", "surface").replace("surfaces", "areas")
    );
}

#[test]
fn two_names_do_not_become_one() {
    let files = [("a.go", "func area() { surface() }\n")];
    let refused = run("rename", &[("old", "area"), ("new", "surface")], &files).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Unsupported);
    run("rename", &[("old", "area"), ("new", "surface"), ("merge", "true")], &files).unwrap();
}

#[test]
fn nothing_and_nonsense() {
    let kind =
        |old, new| run("rename", &[("old", old), ("new", new)], &[("src/lib.rs", RUST)]).unwrap_err().kind;
    assert_eq!(kind("absent", "present"), FailureKind::NothingToDo);
    assert_eq!(kind("area", "two words"), FailureKind::BadParameter);
    assert_eq!(kind("area", ""), FailureKind::BadParameter);
}
