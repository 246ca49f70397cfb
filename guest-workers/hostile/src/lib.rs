//! A worker that misbehaves, one way per recipe. Tests run it, and `ab worker verify` does, to see that what policy says holds on a host.

mod bad_patches;

use worker_kit::{Failure, FailureKind, Files, Proposal, Task, Worker, failure, log, progress};

struct Hostile;

impl Worker for Hostile {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        match recipe(&task) {
            "trap" => panic!("on purpose"),
            "spin" => loop {
                std::hint::black_box(0);
            },
            "grow" => grow(),
            "recurse" => Err(failure(FailureKind::Unsupported, recurse(1).to_string())),
            "log-flood" => log_flood(),
            "progress-flood" => progress_flood(),
            "log-escapes" => log_escapes(),
            "huge-log" => huge_log(),
            "read-flood" => read_flood(files, times(&task)),
            "read-outside" => read_outside(files),
            "huge-failure" => Err(failure(FailureKind::Unsupported, "\u{1b}[31mx".repeat(1 << 18))),
            other => bad_patches::propose(other),
        }
    }
}

/// The way to misbehave: the recipe, or, where a ticket must name one that exists, the parameter `new` of `replace-text`.
fn recipe(task: &Task) -> &str {
    let new = task.parameters.iter().find(|parameter| parameter.key == "new");
    match new {
        Some(way) if task.recipe == "replace-text" => &way.value,
        _ => &task.recipe,
    }
}

/// Asks for memory until there is none.
fn grow() -> ! {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

/// Calls itself until the stack is gone: the engine's, which ends before the one that the compiler keeps in linear memory.
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 0 } else { std::hint::black_box(recurse(std::hint::black_box(depth + 1))) + depth }
}

fn log_flood() -> Result<Proposal, Failure> {
    for number in 0..100_000_u32 {
        log::write(log::Level::Info, &format!("line {number}"));
    }
    bad_patches::propose("good")
}

fn log_escapes() -> Result<Proposal, Failure> {
    log::write(log::Level::Warn, "\u{1b}]0;owned\u{7}\u{1b}[2Jclean\r\nsecond \u{202e}line");
    bad_patches::propose("good")
}

/// One line of 32 MiB.
fn huge_log() -> Result<Proposal, Failure> {
    log::write(log::Level::Info, &"x".repeat(16 << 20));
    bad_patches::propose("good")
}

fn progress_flood() -> Result<Proposal, Failure> {
    for number in 0..100_000_u32 {
        progress::report(number, 100_000, "on and on");
    }
    bad_patches::propose("good")
}

/// How often to try: the parameter `times`.
fn times(task: &Task) -> usize {
    let named = task.parameters.iter().find(|parameter| parameter.key == "times");
    named.and_then(|parameter| parameter.value.parse().ok()).unwrap_or(100_000)
}

/// Reads until it is refused, and then some.
fn read_flood(files: &dyn Files, times: usize) -> Result<Proposal, Failure> {
    let paths: Vec<String> =
        files.list("").map(|all| all.into_iter().map(|entry| entry.path).collect()).unwrap_or_default();
    let mut refused = 0;
    for path in paths.iter().cycle().take(times) {
        refused += u32::from(files.read(path).is_err());
    }
    Err(failure(FailureKind::Workspace, format!("{refused} refused")))
}

/// Tries every way out of the workspace, and says what it got.
fn read_outside(files: &dyn Files) -> Result<Proposal, Failure> {
    let paths = [
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        ".git/config",
        "link",
        "link/passwd",
        "./a.txt",
        "a.txt\0",
        "",
    ];
    let got: Vec<String> = paths
        .iter()
        .map(|path| format!("{path:?}={}", files.read(path).map_or("refused", |_| "READ")))
        .collect();
    Err(failure(FailureKind::Workspace, got.join(" ")))
}

worker_kit::export!("codegen", Hostile);
