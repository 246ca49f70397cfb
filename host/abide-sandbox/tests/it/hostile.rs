//! Components that misbehave: each ends as it should, and the runner goes on.

use abide_sandbox::{Capability, FailureKind, Refusal, Rejection, RunOutcome, RunResult, TrapKind};

use crate::setup::{Bench, Repository, limits, repository, task};

/// `a.txt`, and a link that leads out.
fn base() -> Repository {
    let repository = repository(&[("a.txt", "one\n"), ("b.txt", "one\n"), ("sub/c.txt", "one\n")]);
    std::os::unix::fs::symlink("/etc", repository.folder.path().join("link")).unwrap();
    repository.reopened()
}

/// How a run ended, in a word.
fn end(outcome: &RunOutcome) -> String {
    match &outcome.result {
        RunResult::Proposed(_) => "proposed".to_owned(),
        RunResult::Failed(failure) => format!("failed {:?}", failure.kind),
        RunResult::Refused(refusal) => format!("refused {}", refusal.code()),
        RunResult::Trapped(trap) => format!("trapped {:?}", trap.kind),
        RunResult::Rejected(rejection) => format!("rejected {}", rejection.code()),
    }
}

#[test]
fn each_way_to_misbehave_has_its_end() {
    let Some(mut bench) = Bench::of("hostile") else { return };
    let repository = base();
    bench.request.limits.wall_ms_max = 2_000;
    for (recipe, expected) in [
        ("good", "proposed"),
        ("trap", "trapped Fault"),
        ("grow", "trapped Memory"),
        ("recurse", "trapped Stack"),
        ("huge-log", "trapped HostcallBytes"),
        ("big-output", "rejected AB0822"),
        ("many-files", "rejected AB0822"),
        ("no-files", "rejected AB0730"),
        ("no-hunks", "rejected AB0730"),
        ("no-effect", "rejected AB0730"),
        ("context-only", "rejected AB0728"),
        ("wrong-context", "rejected AB0729"),
        ("wrong-count", "rejected AB0728"),
        ("not-a-hunk", "rejected AB0728"),
        ("overlap", "rejected AB0728"),
        ("twice", "rejected AB0726"),
        ("parent", "rejected AB0723"),
        ("absolute", "rejected AB0723"),
        ("git-config", "rejected AB0723"),
        ("git-folded", "rejected AB0723"),
        ("backslash", "rejected AB0723"),
        ("newline", "rejected AB0723"),
        ("rename-in", "rejected AB0723"),
        ("through-link", "rejected AB0724"),
        ("no-rationale", "rejected AB0823"),
        ("no-such-recipe", "failed UnknownRecipe"),
        ("good", "proposed"),
    ] {
        let outcome = bench.run(task(recipe, &[]), &repository);
        assert_eq!(end(&outcome), expected, "{recipe}: {:?}", outcome.result);
    }
}

#[test]
fn an_endless_loop_meets_its_deadline() {
    let Some(mut bench) = Bench::of("hostile") else { return };
    bench.request.limits.wall_ms_max = 60;
    let outcome = bench.run(task("spin", &[]), &base());
    let RunResult::Trapped(trap) = &outcome.result else { panic!("{outcome:?}") };
    assert_eq!(trap.kind, TrapKind::Deadline);
    assert!(outcome.spent.wall_ms >= 60, "{:?}", outcome.spent);
    // In ticks of the engine's own clock, and far from tight: it must be this deadline that stopped it.
    assert!(outcome.spent.wall_ms < 1_500, "{:?}", outcome.spent);
}

#[test]
fn a_flood_of_notes_is_cut_and_counted() {
    let Some(bench) = Bench::of("hostile") else { return };
    let outcome = bench.run(task("log-flood", &[]), &base());
    assert_eq!(end(&outcome), "proposed");
    let used = outcome.receipt.used[&Capability::Log];
    assert_eq!((outcome.log.len(), used.calls, used.denied), (20, 20, 99_980));
    assert_eq!(outcome.log[19].text, "line 19");
}

#[test]
fn notes_cannot_drive_a_terminal() {
    let Some(bench) = Bench::of("hostile") else { return };
    let outcome = bench.run(task("log-escapes", &[]), &base());
    assert_eq!(outcome.log[0].text, "clean second line");
    let outcome = bench.run(task("huge-failure", &[]), &base());
    let RunResult::Failed(failure) = outcome.result else { panic!("{outcome:?}") };
    assert_eq!(failure.message, "x".repeat(500));
}

#[test]
fn the_workspace_ends_at_its_limits_and_its_walls() {
    let Some(bench) = Bench::of("hostile") else { return };
    let outcome = bench.run(task("read-flood", &[]), &base());
    let used = outcome.receipt.used[&Capability::Workspace];
    assert_eq!(used.calls, u64::from(limits().workspace_calls_max));
    assert_eq!(used.calls + used.denied, 100_001, "one list, and every read");

    let outcome = bench.run(task("read-outside", &[]), &base());
    let RunResult::Failed(failure) = &outcome.result else { panic!("{outcome:?}") };
    assert_eq!(failure.kind, FailureKind::Workspace);
    assert_eq!(failure.message.matches("refused").count(), 9, "{}", failure.message);
    assert!(!failure.message.contains("READ"), "{}", failure.message);
}

#[test]
fn an_import_without_a_grant_is_refused_before_anything_runs() {
    let Some(mut bench) = Bench::of("codegen") else { return };
    bench.request.grants.remove(&Capability::Workspace);
    let outcome = bench.run(task("repair-links", &[]), &base());
    assert_eq!(
        outcome.result,
        RunResult::Refused(Refusal::UngrantedImport {
            interface: "abide:worker/workspace@0.1.0".to_owned(),
            capability: Capability::Workspace
        })
    );
    assert!(outcome.receipt.requested.contains("abide:worker/workspace@0.1.0"));
    assert!(outcome.receipt.used.is_empty());
}

#[test]
fn an_import_that_nobody_offers_is_refused_by_name() {
    let Some(bench) = Bench::of("hostile-import") else { return };
    let outcome = bench.run(task("x", &[]), &base());
    assert_eq!(
        outcome.result,
        RunResult::Refused(Refusal::UnknownImport { import: "evil:net/sockets@1.0.0".to_owned() })
    );
}

#[test]
fn a_patch_stays_in_the_scope_of_its_task() {
    let Some(bench) = Bench::of("hostile") else { return };
    let mut task = task("good", &[]);
    task.scope = vec!["sub/".to_owned(), "b.txt".to_owned()];
    let outcome = bench.run(task, &base());
    assert_eq!(outcome.result, RunResult::Rejected(Rejection::OutOfScope { path: "a.txt".to_owned() }));
}

#[test]
fn limits_that_the_engine_was_not_built_for_are_refused() {
    let Some(mut bench) = Bench::of("hostile") else { return };
    bench.request.limits.memory_bytes_max = 1 << 40;
    assert_eq!(end(&bench.run(task("good", &[]), &base())), "refused AB0203");
}
