//! Stubs: what each kind of function of WASI answers, what is counted, and what ends a task.

use std::collections::BTreeSet;

use abide_sandbox::message::Usage;
use abide_sandbox::{Refusal, RunOutcome, RunRequest, RunResult, TrapKind};

use crate::setup::{Bench, repository, task};

/// The worker that tries them, with nothing behind anything that it imports of WASI.
fn bench() -> Option<Bench> {
    let mut bench = Bench::of("hostile-wasi")?;
    let imports = bench.runner.info(&bench.request.component).unwrap().imports;
    bench.request.stubs = imports.into_iter().filter(|name| name.starts_with("wasi:")).collect();
    assert!(bench.request.stubs.len() > 7, "{:?}", bench.request.stubs);
    Some(bench)
}

fn said(outcome: &RunOutcome) -> &str {
    let RunResult::Failed(failure) = &outcome.result else { panic!("{outcome:?}") };
    &failure.message
}

fn trapped(outcome: &RunOutcome) -> TrapKind {
    let RunResult::Trapped(trap) = &outcome.result else { panic!("{outcome:?}") };
    trap.kind
}

fn usage(calls: u64, bytes: u64, denied: u64) -> Usage {
    Usage { calls, bytes, denied }
}

#[test]
fn each_function_answers_the_poorest_value_of_its_type() {
    let Some(bench) = bench() else { return };
    let outcome = bench.run(task("answers", &[]), &repository(&[]));
    let expected = [
        "(true, [0, 1])",
        "StreamError::Closed",
        "name: \"access\"",
        "(0, 1000000, 1000000, Datetime { seconds: 0, nanoseconds: 2000000 })",
        "(0, 0, None)",
    ];
    for part in expected {
        assert!(said(&outcome).contains(part), "{part}: {}", said(&outcome));
    }
    let stubs = &outcome.receipt.stubs;
    assert_eq!(stubs["wasi:io/poll@0.2.0"], usage(2, 0, 0));
    // Two subscriptions, and an answer that nothing can be written.
    assert_eq!(stubs["wasi:io/streams@0.2.0"], usage(2, 0, 1));
    // Three directories were made and one was asked for its size; to open and to adopt was refused.
    assert_eq!(stubs["wasi:filesystem/types@0.2.0"], usage(4, 0, 2));
    assert_eq!(stubs["wasi:clocks/monotonic-clock@0.2.0"], usage(3, 0, 0));
    assert!(!stubs.contains_key("wasi:cli/exit@0.2.0"), "it was never called");
}

#[test]
fn random_bytes_come_from_the_task_and_are_bounded() {
    let Some(bench) = bench() else { return };
    let repository = repository(&[]);
    let draw = |bytes: &str| bench.run(task("random", &[("bytes", bytes)]), &repository);
    let (one, again, other) = (draw("16"), draw("16"), draw("17"));
    assert_eq!(said(&one), said(&again));
    assert_eq!(one.receipt.stubs["wasi:random/random@0.2.0"], usage(1, 16, 0));
    // Another task draws others.
    let digits = |outcome: &RunOutcome| said(outcome).chars().take(30).collect::<String>();
    assert_ne!(digits(&one), digits(&other));
    let all = draw("4096");
    assert_eq!(all.receipt.stubs["wasi:random/random@0.2.0"], usage(1, 4_096, 0));
    for bytes in ["4097", "18446744073709551615"] {
        let outcome = draw(bytes);
        assert_eq!((trapped(&outcome), outcome.result.code()), (TrapKind::RandomBytes, Some("AB0854")));
        assert_eq!(outcome.receipt.stubs["wasi:random/random@0.2.0"], usage(0, 0, 1));
    }
}

#[test]
fn what_ends_a_task() {
    let Some(mut bench) = bench() else { return };
    let repository = repository(&[]);
    let exit = bench.run(task("exit", &[]), &repository);
    assert_eq!((trapped(&exit), exit.result.code()), (TrapKind::Exit, Some("AB0856")));
    assert_eq!(exit.receipt.stubs["wasi:cli/exit@0.2.0"], usage(0, 0, 1));
    // Thirty thousand were given back; of twenty thousand that are held, the next after ten thousand is too many.
    let handles = bench.run(task("handles", &[]), &repository);
    assert_eq!((trapped(&handles), handles.result.code()), (TrapKind::Handles, Some("AB0855")));
    assert_eq!(handles.receipt.stubs["wasi:filesystem/types@0.2.0"], usage(40_000, 0, 1));
    // What would wait for ever ends by the deadline. How often it asked until then is not the same twice.
    bench.request.limits.wall_ms_max = 200;
    let request = RunRequest { task: task("wait", &[]), ..bench.request.clone() };
    for outcome in [
        bench.runner.run(&request, repository.port()),
        bench.behind.run(&request, &*repository.port()),
        bench.interpreted.run(&request, &*repository.port()),
    ] {
        assert_eq!(trapped(&outcome), TrapKind::Deadline);
        assert!(outcome.receipt.stubs["wasi:io/poll@0.2.0"].calls > 10, "{outcome:?}");
    }
}

#[test]
fn what_is_not_listed_is_refused() {
    let Some(bench) = bench() else { return };
    let repository = repository(&[]);
    let refused = |stubs: BTreeSet<String>| {
        let request = RunRequest { task: task("answers", &[]), stubs, ..bench.request.clone() };
        let here = bench.runner.run(&request, repository.port());
        let there = bench.behind.run(&request, &*repository.port());
        assert_eq!((&there.result, &there.receipt), (&here.result, &here.receipt));
        here.result
    };
    for name in &bench.request.stubs {
        let mut fewer = bench.request.stubs.clone();
        fewer.remove(name);
        let RunResult::Refused(Refusal::UnknownImport { import }) = refused(fewer) else { panic!("{name}") };
        assert_eq!(&import, name);
    }
    // Nobody else's interface can have nothing behind it, whatever a decision names.
    let Some(mut other) = Bench::of("hostile-import") else { return };
    other.request.stubs = BTreeSet::from(["evil:net/sockets@1.0.0".to_owned()]);
    let outcome = other.run(task("x", &[]), &repository);
    assert_eq!(outcome.result.code(), Some("AB0202"), "{outcome:?}");
}
