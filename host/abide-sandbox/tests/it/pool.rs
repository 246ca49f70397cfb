//! Runners that are started before their task is there: one of them dies, two components ask, one of them is slow to start.

use std::collections::BTreeSet;
use std::path::Path;

use abide_sandbox::{Capability, Processes, Program, RunRequest, RunResult};

use crate::runner::{impostor, kill};
use crate::setup::{Repository, guest, limits, processes, repository, runner, task};

/// Processes that this one has started and that have not ended.
fn children() -> BTreeSet<u32> {
    let me = std::process::id();
    let tasks = std::fs::read_dir(format!("/proc/{me}/task")).unwrap().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<u32> = lists.flat_map(|list| numbers(&list)).collect();
    all.into_iter().filter(|pid| !has_ended(*pid)).collect()
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Whether a process is gone, or nothing but its exit status, which is to be had once its other threads are gone.
fn has_ended(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    threads <= 1 && stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn request(processes: &Processes, bytes: &[u8], recipe: &str) -> RunRequest {
    RunRequest {
        component: processes.load(bytes).unwrap().digest,
        task: task(recipe, &[("old", "one"), ("new", "two")]),
        grants: BTreeSet::from(Capability::ALL),
        stubs: BTreeSet::new(),
        limits: limits(),
    }
}

fn proposes(processes: &Processes, request: &RunRequest, base: &Repository) {
    let outcome = processes.run(request, &*base.port());
    assert!(matches!(outcome.result, RunResult::Proposed(_)), "{:?}", outcome.result);
}

#[test]
fn a_task_takes_a_runner_that_waits_and_another_component_another_one() {
    let (Some(one), Some(other)) = (guest("hostile"), guest("codegen")) else { return };
    let pool = processes(runner()).with_pool(1);
    let base = repository(&[("a.txt", "one\n"), ("a.rs", "fn one() {}\n")]);
    let (one, other) = (request(&pool, &one, "good"), request(&pool, &other, "rename"));
    assert_eq!(children().len(), 0, "what compiled them has ended");
    pool.prepare();
    pool.prepare();
    let waiting = children();
    assert_eq!(waiting.len(), 1, "as many as the pool holds");
    proposes(&pool, &one, &base);
    assert_eq!(children(), waiting, "it is the one that waited");
    // One that stands needs none beside it.
    pool.prepare_for(&one.component);
    assert_eq!(children(), waiting);
    pool.prepare_for(&other.component);
    let both = children();
    assert_eq!(both.len(), 2);
    proposes(&pool, &other, &base);
    proposes(&pool, &one, &base);
    assert_eq!(children(), both, "each has its own, and keeps it");
    pool.rest();
    assert_eq!(children().len(), 0);
}

#[test]
fn a_runner_that_dies_while_it_waits_is_replaced_and_fails_nothing() {
    let Some(bytes) = guest("hostile") else { return };
    let pool = processes(runner()).with_pool(1);
    let base = repository(&[("a.txt", "one\n")]);
    let request = request(&pool, &bytes, "good");
    for replaced_before in [true, false] {
        pool.rest();
        pool.prepare();
        let died = *children().first().unwrap();
        assert!(kill(died));
        while !has_ended(died) {
            std::thread::yield_now();
        }
        if replaced_before {
            pool.prepare();
            assert!(children().len() == 1 && !children().contains(&died));
        }
        proposes(&pool, &request, &base);
    }
}

/// The first runner of this program that is started begins only when the test says so.
fn slow_first(folder: &Path) -> (tempfile::TempDir, Program) {
    let (runner, folder) = (env!("CARGO_BIN_EXE_abide-runner"), folder.display());
    impostor(&format!("/bin/mkdir {folder}/first 2>/dev/null && read go < {folder}/go\nexec {runner} \"$@\""))
}

#[test]
fn while_one_component_waits_for_its_runner_others_run() {
    let (Some(one), Some(other)) = (guest("hostile"), guest("codegen")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (first, go) = (folder.path().join("first"), folder.path().join("go"));
    rustix::fs::mknodat(rustix::fs::CWD, &go, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Compiled before, so that the first process of the slow program is the runner of a component.
    let base = repository(&[("a.txt", "one\n"), ("a.rs", "fn one() {}\n")]);
    for bytes in [&one, &other] {
        processes(runner()).load(bytes).unwrap();
    }
    let (_program, slow) = slow_first(folder.path());
    let slow = processes(slow);
    let (one, other) = (request(&slow, &one, "good"), request(&slow, &other, "rename"));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| proposes(&slow, &one, &base));
        while !first.exists() {
            std::thread::yield_now();
        }
        proposes(&slow, &other, &base);
        assert!(!waits.is_finished());
        std::fs::write(&go, "go\n").unwrap();
    });
}
