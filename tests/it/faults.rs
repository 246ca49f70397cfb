//! Faults of the machine below, made to happen: each is a denial or an error with its own code.

use std::process::Command;

use abide_gate::{Judge as _, NativeJudge, Question};
use abide_tests::gate::shipped;
use abide_tests::world::World;
use serde_json::Value as Json;

/// What the child says before its limit is set, and after it was asked.
const READY: &str = "ready to be asked";

/// A question that the shipped policy allows.
fn question() -> Question {
    let world = World::new(&[("README.md", "x\n")]);
    let example = world.ab(&["policy", "eval", "--print-example", "MERGE"]).exits(0).out;
    Question::from_bytes(serde_json::to_vec(&serde_json::from_str::<Json>(&example).unwrap()).unwrap())
        .unwrap()
}

/// Bytes of address space that this process has.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

/// Run by the test below in a process of its own, because the limit is the process's.
#[test]
#[ignore = "started by where_no_thread_can_be_started_everything_is_denied"]
fn asked_without_room_for_a_thread() {
    let (question, bundle) = (question(), shipped());
    // A first judge has all that it takes: the joined rules are ready, and the policy allows this.
    let first = NativeJudge::over(bundle.clone());
    let allowed = first.decide(&question);
    assert_eq!((allowed.verdict.as_str(), &allowed.fault), ("allow", &None));
    println!("{READY}");
    let room = address_space() + (32 << 20);
    let limit = ["--pid", &std::process::id().to_string(), &format!("--as={room}")].map(str::to_owned);
    assert!(Command::new("prlimit").args(limit).status().unwrap().success());
    // Stacks of threads that have ended may be used again: these take them all, and stay.
    let stay = || std::thread::Builder::new().stack_size(256 << 20).spawn(std::thread::park);
    let taken = (0..64).take_while(|_| stay().is_ok()).count();
    assert!(taken < 64, "the limit does not limit");
    // A second judge needs a thread of its own, with a stack that has no room.
    let denied = NativeJudge::over(bundle).decide(&question);
    println!("{} {}", denied.verdict.as_str(), denied.fault.unwrap_or_default());
}

#[test]
fn where_no_thread_can_be_started_everything_is_denied() {
    let me = std::env::current_exe().unwrap();
    let args = ["--exact", "faults::asked_without_room_for_a_thread", "--ignored", "--nocapture"];
    let said = Command::new(me).args(args).env_remove("RUST_BACKTRACE").output().unwrap();
    let out = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(out.contains(READY), "{out}\n{}", String::from_utf8_lossy(&said.stderr));
    assert!(out.contains("deny AB0119"), "{out}\n{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn where_no_thread_can_be_started_nothing_loads() {
    let world = World::bare_of_ab(&[("README.md", "x\n")]);
    // Enough for the program, and not for the stack of the thread that loads.
    let mut command = world.command(std::path::Path::new("prlimit"));
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    let ab = abide_tests::world::ab();
    command
        .current_dir(world.repo())
        .arg("--as=234881024")
        .arg(ab)
        .args(["policy", "test", "--dir", policies]);
    let said = command.output().unwrap();
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(err.contains("AB0109"), "{err}");
    assert_eq!(said.status.code(), Some(6), "{err}");
}
