//! No page becomes executable where workers are interpreted: what the wall refuses, which half of it refuses what, and hosts that have only one.

use std::collections::{BTreeMap, BTreeSet};

use abide_sandbox::runner::{Attempt, Wall};
use abide_sandbox::{
    CacheKey, Capability, CompiledCache, Execution, InProcess, Processes, RunOutcome, RunRequest, RunResult,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::setup::{engine_limits, guest, interpreted, limits, processes, repository, runner, task};

/// What only pages that can be executed allow.
const EXECUTING: [&str; 3] =
    ["map a page to write and execute", "make a page executable that it wrote", "execute a file in memory"];

fn no_exec(walls: &[Wall]) -> &Wall {
    walls.iter().find(|wall| wall.name == "no-exec").unwrap()
}

fn open(attempts: &[Attempt]) -> Vec<&str> {
    attempts.iter().filter(|attempt| attempt.refused.is_none()).map(|one| one.what.as_str()).collect()
}

/// A call to the kernel, and the first argument with which it is refused; with any where there is none.
type Call = (libc::c_long, Option<u64>);
const MDWE: Call = (libc::SYS_prctl, Some(65));
const FILTER: Call = (libc::SYS_seccomp, None);

/// On a host whose kernel refuses more calls: a thread under a filter, which what it starts inherits.
fn where_refused<T: Send>(refused: &[Call], run: impl FnOnce() -> T + Send) -> T {
    let rule = |value: u64| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
            .and_then(|condition| SeccompRule::new(vec![condition]))
            .unwrap()
    };
    let calls: BTreeMap<_, Vec<_>> =
        refused.iter().map(|(call, argument)| (*call, argument.map(rule).into_iter().collect())).collect();
    apply_around(calls, run)
}

fn apply_around<T: Send>(calls: BTreeMap<i64, Vec<SeccompRule>>, run: impl FnOnce() -> T + Send) -> T {
    let errno = SeccompAction::Errno(u32::try_from(libc::EINVAL).unwrap());
    let target = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, errno, target).unwrap();
    let program = BpfProgram::try_from(filter).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            seccompiler::apply_filter(&program).unwrap();
            run()
        });
        thread.join().unwrap()
    })
}

#[test]
fn no_page_becomes_executable_where_workers_are_interpreted() {
    let (walls, attempts) = interpreted(runner(), engine_limits()).examine().unwrap();
    assert!(no_exec(&walls).stands, "{walls:?}");
    assert!(walls.iter().any(|wall| wall.name == "seccomp" && wall.stands), "{walls:?}");
    let tried: BTreeSet<&str> = attempts.iter().map(|attempt| attempt.what.as_str()).collect();
    assert!(EXECUTING.iter().all(|what| tried.contains(what)), "{tried:?}");
    assert_eq!(open(&attempts), [""; 0]);
}

#[test]
fn as_machine_code_it_becomes_no_more_once_the_code_is_there() {
    let (walls, attempts) = processes(runner()).examine().unwrap();
    assert!(!no_exec(&walls).stands, "{walls:?}");
    assert_eq!(open(&attempts), [""; 0]);
}

#[test]
fn the_filter_alone_refuses_all_of_it() {
    let processes = interpreted(runner(), engine_limits());
    let (walls, attempts) = where_refused(&[MDWE], || processes.examine().unwrap());
    let wall = no_exec(&walls);
    assert!(wall.stands && wall.what.contains("MDWE takes Linux 6.3"), "{wall:?}");
    assert_eq!(open(&attempts), [""; 0]);
}

#[test]
fn the_kernel_alone_refuses_what_was_written_in_place() {
    let processes = interpreted(runner(), engine_limits());
    let (walls, attempts) = where_refused(&[FILTER], || processes.examine().unwrap());
    let wall = no_exec(&walls);
    if !wall.stands {
        return eprintln!("skipped: this kernel has no MDWE");
    }
    assert!(wall.what.contains("files in memory could"), "{wall:?}");
    // It is told, not hidden: this is why there is a filter as well.
    let open = open(&attempts);
    assert!(open.contains(&EXECUTING[2]), "{open:?}");
    assert!(!open.contains(&EXECUTING[0]) && !open.contains(&EXECUTING[1]), "{open:?}");
}

#[test]
fn a_host_that_has_neither_runs_nothing_unless_it_need_not_stand() {
    let Some(bytes) = guest("hostile") else { return };
    let without =
        Processes::new(runner(), engine_limits(), Vec::new()).with_execution(Execution::Interpreted);
    let strict = interpreted(runner(), engine_limits());
    let base = repository(&[("a.txt", "one\n")]);
    // What was compiled elsewhere is not run here either.
    let component = strict.load(&bytes).unwrap().digest;
    let (walls, refused, ended, outcome) = where_refused(&[MDWE, FILTER], || {
        let walls = without.examine().unwrap().0;
        let refused = strict.check().unwrap_err();
        let ended = run(&strict, &component, &base);
        without.load(&bytes).unwrap();
        (walls, refused, ended, run(&without, &component, &base))
    });
    let wall = no_exec(&walls);
    assert!(!wall.stands && wall.what.contains("no MDWE") && wall.what.contains("no filter"), "{wall:?}");
    assert_eq!(refused.code(), "AB0880", "{refused}");
    assert_eq!(ended.result.code(), Some("AB0216"), "{:?}", ended.result);
    assert!(matches!(outcome.result, RunResult::Proposed(_)), "{:?}", outcome.result);
}

/// A host that makes no page executable for anybody: what is interpreted runs, and machine code is refused by name.
#[test]
fn where_no_page_becomes_executable_only_interpreted_workers_run() {
    let Some(bytes) = guest("hostile") else { return };
    let base = repository(&[("a.txt", "one\n")]);
    let executable = SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(4), 4).unwrap();
    let calls = BTreeMap::from([(libc::SYS_mprotect, vec![SeccompRule::new(vec![executable]).unwrap()])]);
    let (native, interpreted) = (processes(runner()), interpreted(runner(), engine_limits()));
    let component = native.load(&bytes).unwrap().digest;
    let (refused, lost, outcome) = apply_around(calls, || {
        let refused = native.check().unwrap_err();
        let lost = run(&native, &component, &base);
        interpreted.load(&bytes).unwrap();
        (refused, lost, run(&interpreted, &component, &base))
    });
    assert_eq!(refused.code(), "AB0881", "{refused}");
    assert_eq!(lost.result.code(), Some("AB0215"), "{:?}", lost.result);
    assert!(format!("{:?}", lost.result).contains("no page executable"), "{:?}", lost.result);
    assert!(matches!(outcome.result, RunResult::Proposed(_)), "{:?}", outcome.result);
    assert_eq!(outcome.execution, Execution::Interpreted);
}

#[test]
fn bytecode_and_machine_code_of_one_component_lie_side_by_side() {
    let Some(bytes) = guest("hostile-import") else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = || {
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        CompiledCache::new(dir, CacheKey::new([3; 32]))
    };
    let kept = || std::fs::read_dir(folder.path()).unwrap().count();
    for execution in [Execution::Native, Execution::Interpreted, Execution::Native] {
        let processes = Processes::new(runner(), engine_limits(), Vec::new()).with_execution(execution);
        processes.with_cache(cache()).load(&bytes).unwrap();
    }
    assert_eq!(kept(), 2);
    for execution in [Execution::Native, Execution::Interpreted, Execution::Native] {
        let here = InProcess::start_as(engine_limits(), execution).unwrap();
        here.with_cache(cache()).load(&bytes).unwrap();
    }
    assert_eq!(kept(), 4);
}

fn run(
    processes: &Processes,
    component: &abide_core::id::Digest,
    base: &crate::setup::Repository,
) -> RunOutcome {
    let request = RunRequest {
        component: component.clone(),
        task: task("good", &[]),
        grants: BTreeSet::from(Capability::ALL),
        stubs: BTreeSet::new(),
        limits: limits(),
    };
    processes.run(&request, &*base.port())
}
