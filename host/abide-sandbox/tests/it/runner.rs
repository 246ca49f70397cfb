//! The wall between a worker and the program that runs it: what stands, and what a broken or hostile runner can do to this side.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use abide_sandbox::{Program, RunRequest, RunResult, RunnerError, TrapKind};

use crate::setup::{Bench, guest, processes, repository, runner, task};

#[test]
fn every_way_out_is_refused() {
    let (walls, attempts) = processes(runner()).examine().unwrap();
    let names: Vec<&str> = walls.iter().map(|wall| wall.name.as_str()).collect();
    assert_eq!(names, ["bounds", "namespaces", "landlock", "seccomp", "no-exec"]);
    let seccomp = walls.iter().find(|wall| wall.name == "seccomp").unwrap();
    assert!(seccomp.stands, "{seccomp:?}");
    let bounds = walls.iter().find(|wall| wall.name == "bounds").unwrap();
    assert!(bounds.stands, "{bounds:?}");
    assert_eq!(attempts.len(), 13);
    for attempt in attempts {
        assert!(attempt.refused.is_some(), "{attempt:?}");
    }
}

#[test]
fn a_wall_that_policy_requires_and_that_is_not_there_stops_everything() {
    let Some(bytes) = guest("hostile") else { return };
    let strict =
        abide_sandbox::Processes::new(runner(), crate::setup::engine_limits(), vec!["moat".to_owned()]);
    let refused = strict.load(&bytes).unwrap_err();
    assert_eq!(refused.code(), "AB0216");
    assert!(refused.to_string().contains("moat"), "{refused}");
}

#[test]
fn a_runner_that_is_killed_fails_its_task_and_nothing_else() {
    let Some(bench) = Bench::of("hostile") else { return };
    let base = repository(&[("a.txt", "one\n")]);
    let request = |recipe: &str| RunRequest { task: task(recipe, &[]), ..bench.request.clone() };
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| bench.behind.run(&request("spin"), &*base.port()));
        // The task has begun when its process burns time.
        let killed = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            busy_child()
        });
        let pid = killed.take(500).flatten().next().expect("a runner that spins");
        let status = kill(pid);
        assert!(status, "kill {pid}");
        let outcome = spinning.join().unwrap();
        let RunResult::Trapped(trap) = outcome.result else { panic!("{:?}", outcome.result) };
        assert_eq!((trap.kind, trap.kind.code()), (TrapKind::Runner, "AB0215"));
    });
    let after = bench.behind.run(&request("good"), &*base.port());
    assert!(matches!(after.result, RunResult::Proposed(_)), "{:?}", after.result);
}

#[expect(clippy::disallowed_methods, reason = "the test ends a process that it started")]
pub(crate) fn kill(pid: u32) -> bool {
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success()
}

/// A child of this process that has used more than a tenth of a second.
fn busy_child() -> Option<u32> {
    let me = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut stats = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse::<u32>().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name, which is in brackets: state, parent, …; the twelfth is the time in user mode.
        let fields: Vec<String> = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect();
        let used = fields.get(11)?.parse::<u64>().ok()?;
        (fields.get(1) == Some(&me) && used > 10).then_some(pid)
    });
    stats.next()
}

#[test]
fn many_tasks_share_one_runner() {
    let Some(bench) = Bench::of("hostile") else { return };
    let base = repository(&[("a.txt", "one\n")]);
    let request = RunRequest { task: task("good", &[]), ..bench.request.clone() };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..6).map(|_| scope.spawn(|| bench.behind.run(&request, &*base.port()))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for outcome in outcomes {
        assert!(matches!(outcome.result, RunResult::Proposed(_)), "{:?}", outcome.result);
    }
}

/// A program that is no runner, but says something.
pub(crate) fn impostor(script: &str) -> (tempfile::TempDir, Program) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("impostor");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    (folder, Program::at(path))
}

#[test]
fn a_program_that_is_no_runner_is_an_error_and_no_more() {
    for (script, word) in [
        ("exit 0", "hung up"),
        ("printf '\\377\\377\\377\\377' >&0; sleep 60", "4294967295 bytes"),
        ("printf '\\003\\000\\000\\000abc' >&0; sleep 60", "malformed"),
        ("printf '\\003\\000\\000\\000a' >&0", "hung up"),
        ("kill -9 $$", "hung up"),
    ] {
        let (_folder, program) = impostor(script);
        let refused = processes(program).examine().unwrap_err();
        assert_eq!(refused.code(), "AB0215", "{script}");
        assert!(refused.to_string().contains(word), "{script}: {refused}");
    }
    let missing = processes(Program::at("/nowhere/at/all")).examine().unwrap_err();
    assert!(matches!(missing, RunnerError::Start(_)), "{missing}");
}

#[test]
fn what_is_no_component_is_refused_before_a_process_starts_or_in_it() {
    // A program that does not exist shows that none was asked for.
    let nobody = processes(Program::at("/nowhere/at/all"));
    assert_eq!(nobody.load(b"hello").unwrap_err().code(), "AB0801");
    assert_eq!(nobody.load(b"\0asm\x01\0\0\0").unwrap_err().code(), "AB0802");
    let cut = processes(runner()).load(b"\0asm\x0d\0\x01\0\x07").unwrap_err();
    assert_eq!(cut.code(), "AB0803", "{cut}");
}

#[test]
fn code_of_another_engine_is_refused_by_the_runner() {
    let Some(bytes) = guest("hostile") else { return };
    let (one, base) = (processes(runner()), repository(&[("a.txt", "one\n")]));
    let info = one.load(&bytes).unwrap();
    let request = Arc::new(RunRequest {
        component: info.digest,
        task: task("good", &[]),
        grants: abide_sandbox::Capability::ALL.into(),
        stubs: std::collections::BTreeSet::new(),
        limits: crate::setup::limits(),
    });
    assert!(matches!(one.run(&request, &*base.port()).result, RunResult::Proposed(_)));
    // One that never loaded it knows nothing of it.
    let other = processes(runner());
    let outcome = other.run(&request, &*base.port());
    assert_eq!(outcome.result.code(), Some("AB0805"));
}

/// A host that gives nobody a user namespace: the runner is started inside of one that allows no other.
#[test]
fn a_wall_that_a_host_has_not_is_told_and_can_be_required() {
    let runner = env!("CARGO_BIN_EXE_abide-runner");
    let inside = format!("echo 0 > /proc/sys/user/max_user_namespaces && exec {runner} \"$@\"");
    let (_folder, program) =
        impostor(&format!("exec unshare --user --map-root-user sh -c '{inside}' sh \"$@\""));
    let Ok((walls, attempts)) = processes(program.clone()).examine() else {
        return eprintln!("skipped: no namespace in which there are no others");
    };
    let stands = |name: &str| walls.iter().find(|wall| wall.name == name).unwrap();
    assert!(!stands("namespaces").stands, "{walls:?}");
    assert!(stands("namespaces").what.contains("max_user_namespaces"), "{walls:?}");
    assert!(stands("seccomp").stands, "{walls:?}");
    assert!(attempts.iter().all(|attempt| attempt.refused.is_some()), "{attempts:?}");
    let Some(bytes) = guest("hostile") else { return };
    let required = vec!["seccomp".to_owned(), "namespaces".to_owned()];
    let strict = abide_sandbox::Processes::new(program, crate::setup::engine_limits(), required);
    let refused = strict.load(&bytes).unwrap_err();
    assert_eq!(refused.code(), "AB0216", "{refused}");
    assert!(refused.to_string().contains("namespaces"), "{refused}");
}

#[test]
fn a_component_that_takes_the_compiler_too_much_memory_is_not_compiled() {
    let Some(bytes) = guest("codegen") else { return };
    let limits =
        abide_sandbox::EngineLimits { compile_memory_bytes_max: 8 << 20, ..crate::setup::engine_limits() };
    let refused = abide_sandbox::Processes::new(runner(), limits, Vec::new()).load(&bytes).unwrap_err();
    assert_eq!(refused.code(), "AB0807", "{refused}");
}

#[test]
fn a_file_that_was_left_open_is_closed() {
    let runner = env!("CARGO_BIN_EXE_abide-runner");
    let (_folder, program) = impostor(&format!("exec {runner} \"$@\" 7</etc/passwd 8</"));
    let (walls, _) = processes(program).examine().unwrap();
    let bounds = walls.iter().find(|wall| wall.name == "bounds").unwrap();
    assert!(bounds.stands, "{bounds:?}");
}

#[test]
fn what_was_compiled_for_another_engine_is_compiled_anew() {
    let Some(bytes) = guest("hostile") else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), repository(&[("a.txt", "one\n")]));
    for memory_bytes_max in [64 << 20, 48 << 20, 64 << 20] {
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let cache = abide_sandbox::CompiledCache::new(dir, abide_sandbox::CacheKey::new([7; 32]));
        let limits = abide_sandbox::EngineLimits { memory_bytes_max, ..crate::setup::engine_limits() };
        let one = abide_sandbox::Processes::new(runner(), limits, Vec::new()).with_cache(cache);
        let request = RunRequest {
            component: one.load(&bytes).unwrap().digest,
            task: task("good", &[]),
            grants: abide_sandbox::Capability::ALL.into(),
            stubs: std::collections::BTreeSet::new(),
            limits: crate::setup::limits(),
        };
        let outcome = one.run(&request, &*base.port());
        assert!(matches!(outcome.result, RunResult::Proposed(_)), "{memory_bytes_max}: {:?}", outcome.result);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
