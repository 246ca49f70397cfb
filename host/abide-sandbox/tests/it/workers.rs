//! The recipes of the shipped workers, through their components.

use abide_sandbox::{Capability, FailureKind, Proposal, RunOutcome, RunResult};

use crate::setup::{Bench, repository, task};

fn proposal(outcome: &RunOutcome) -> &Proposal {
    let RunResult::Proposed(proposal) = &outcome.result else { panic!("{outcome:?}") };
    proposal
}

/// Added and removed lines of a proposal, with their paths.
fn changed(outcome: &RunOutcome) -> Vec<String> {
    let files = &proposal(outcome).patch.files;
    let lines = files.iter().flat_map(|file| file.hunks.iter().map(move |hunk| (file, hunk)));
    lines
        .flat_map(|(file, hunk)| {
            hunk.lines()
                .filter(|line| line.starts_with(['+', '-']))
                .map(move |line| format!("{} {line}", file.path))
        })
        .collect()
}

#[test]
fn a_recipe_becomes_a_patch_in_the_seed_contract() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[("src/foo.ts", "one\ntwo\nthree\n")]);
    let outcome =
        bench.run(task("replace-text", &[("path", "src/foo.ts"), ("old", "two"), ("new", "2")]), &repository);
    assert_eq!(
        serde_json::to_value(&proposal(&outcome).patch).unwrap(),
        serde_json::json!({
            "patch_format": "unified",
            "files": [{"path": "src/foo.ts", "status": "modify", "hunks": ["@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"]}],
        })
    );
    assert_eq!(
        outcome.receipt.used.get(&Capability::Workspace).map(|used| (used.calls, used.bytes)),
        Some((1, 14))
    );
    assert_eq!(outcome.receipt.requested.len(), 3, "{:?}", outcome.receipt.requested);
}

#[test]
fn repair_links() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[
        ("docs/a.md", "see [b](old/b.md#x)\n"),
        ("docs/new/b.md", "# x\n"),
        ("c.md", "`[b](old/b.md)`\n"),
    ]);
    let outcome = bench.run(task("repair-links", &[]), &repository);
    assert_eq!(changed(&outcome), ["docs/a.md -see [b](old/b.md#x)", "docs/a.md +see [b](new/b.md#x)"]);
    assert_eq!(outcome.receipt.used[&Capability::Progress].calls, 3);
}

#[test]
fn rename() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[("a.rs", "fn area() {} // area\n"), ("b.py", "area()\nareas('area')\n")]);
    let outcome = bench.run(task("rename", &[("old", "area"), ("new", "surface")]), &repository);
    assert_eq!(
        changed(&outcome),
        ["a.rs -fn area() {} // area", "a.rs +fn surface() {} // area", "b.py -area()", "b.py +surface()"]
    );
}

#[test]
fn add_spdx() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[("a.sh", "#!/bin/sh\n:\n")]);
    let outcome = bench.run(task("add-spdx", &[("license", "Apache-2.0")]), &repository);
    assert_eq!(changed(&outcome), [concat!("a.sh +# SPDX-License", "-Identifier: Apache-2.0"), "a.sh +"]);
}

#[test]
fn a_file_is_made_and_removed() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[("a.txt", "one\n")]);
    let made = bench.run(task("edit-file", &[("path", "new/b.txt"), ("text", "two\n")]), &repository);
    assert_eq!(changed(&made), ["new/b.txt +two"]);
    let removed = bench.run(task("edit-file", &[("path", "a.txt"), ("delete", "true")]), &repository);
    assert_eq!(changed(&removed), ["a.txt -one"]);
}

#[test]
fn nothing_to_do_is_no_fault() {
    let Some(bench) = Bench::of("codegen") else { return };
    let outcome = bench.run(task("repair-links", &[]), &repository(&[("a.md", "fine\n")]));
    assert!(
        matches!(&outcome.result, RunResult::Failed(failure) if failure.kind == FailureKind::NothingToDo),
        "{outcome:?}"
    );
    assert_eq!(outcome.result.code(), None);
}

#[test]
fn the_same_task_gives_the_same_bytes() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[("a.rs", "fn area() { area() }\n"), ("b.rs", "use a::area;\n")]);
    let run = || {
        serde_json::to_string(
            &bench.run(task("rename", &[("old", "area"), ("new", "b")]), &repository).result,
        )
        .unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn draft_tests() {
    let Some(bench) = Bench::of("testgen") else { return };
    let repository = repository(&[
        ("src/lib.rs", "pub fn a(x: u8) -> u8 { x }\n"),
        ("tools/b.py", "def b(x: int) -> int:\n    return x\n"),
    ]);
    let outcome = bench.run(task("draft-tests", &[]), &repository);
    let lines = changed(&outcome);
    assert!(lines.contains(&"src/lib.rs +        let _answer = super::a(0);".to_owned()), "{lines:?}");
    assert!(lines.contains(&"tools/test_b.py +    answer = subject.b(0)".to_owned()), "{lines:?}");
}
