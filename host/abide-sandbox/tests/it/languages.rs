//! Workers that stock toolchains of other languages made, under the limits that ship: here and behind the walls, with nothing behind WASI.

use abide_sandbox::{Capability, RunOutcome, RunResult};

use crate::setup::{Bench, repository, task};

/// Added and removed lines, with their paths.
fn changed(outcome: &RunOutcome) -> Vec<String> {
    let RunResult::Proposed(proposal) = &outcome.result else { panic!("{outcome:?}") };
    let files = &proposal.patch.files;
    let lines = files.iter().flat_map(|file| file.hunks.iter().map(move |hunk| (file, hunk)));
    lines
        .flat_map(|(file, hunk)| {
            let lines = hunk.lines().filter(|line| line.starts_with(['+', '-']));
            lines.map(move |line| format!("{} {line}", file.path))
        })
        .collect()
}

/// Runs one task, and the same again: the same comes out, but for time.
fn runs(
    language: &str,
    recipe: &str,
    parameters: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Option<RunOutcome> {
    let bench = Bench::of_stock(language)?;
    let repository = repository(files);
    let outcome = bench.run(task(recipe, parameters), &repository);
    let again = bench.run(task(recipe, parameters), &repository);
    assert_eq!(
        (&again.result, &again.receipt, &again.log),
        (&outcome.result, &outcome.receipt, &outcome.log)
    );
    let looked = outcome.receipt.used.get(&Capability::Workspace);
    assert!(looked.is_some_and(|used| used.calls > 1), "{:?}", outcome.receipt);
    eprintln!("{language}: {:?} {:?}", outcome.spent, outcome.receipt.stubs);
    // What it has of WASI it does not get from anywhere else.
    if !bench.request.stubs.is_empty() {
        let without = abide_sandbox::RunRequest { stubs: std::collections::BTreeSet::new(), ..bench.request };
        let refused = bench.runner.run(&without, repository.port());
        assert_eq!(refused.result.code(), Some("AB0202"), "{refused:?}");
    }
    Some(outcome)
}

const WHITE: &[(&str, &str)] =
    &[("a.md", "one  \ntwo\nthree\t\n"), ("b.md", "fine\n"), ("c.rs", "left alone  \n"), ("d.txt", "end ")];
const TRIMMED: &[&str] = &[
    "a.md -one  ",
    "a.md -two",
    "a.md -three\t",
    "a.md +one",
    "a.md +two",
    "a.md +three",
    "d.txt -end ",
    "d.txt +end",
];

#[test]
fn javascript_on_spidermonkey() {
    let Some(outcome) = runs("js", "trim-whitespace", &[], WHITE) else { return };
    assert_eq!(changed(&outcome), TRIMMED);
    // The features of the engine that would ask for more are switched off when it is built.
    assert_eq!(outcome.receipt.requested.len(), 3, "{:?}", outcome.receipt.requested);
}

#[test]
fn javascript_on_quickjs() {
    let Some(outcome) = runs("qjs", "trim-whitespace", &[], WHITE) else { return };
    assert_eq!(changed(&outcome), TRIMMED);
    assert!(outcome.receipt.requested.iter().any(|name| name.starts_with("wasi:filesystem/")));
}

#[test]
fn python() {
    let files = &[
        ("LICENSE", "Copyright (c) 2019-2024 The authors\n\nText.\n"),
        ("a.py", "# Copyright 2030 The authors\n"),
        ("b.md", "© 2024\n"),
    ];
    let Some(outcome) = runs("python", "bump-year", &[("year", "2026")], files) else { return };
    assert_eq!(
        changed(&outcome),
        ["LICENSE -Copyright (c) 2019-2024 The authors", "LICENSE +Copyright (c) 2019-2026 The authors"]
    );
    assert!(outcome.receipt.requested.iter().any(|name| name.starts_with("wasi:sockets/")));
}

#[test]
fn c() {
    let files = &[("a.c", "int a;"), ("b.c", "int b;\n"), ("c.bin", "\u{0}x")];
    let Some(outcome) = runs("c", "final-newline", &[], files) else { return };
    assert_eq!(changed(&outcome), ["a.c -int a;", "a.c +int a;"]);
}
