//! What is not a worker is told apart before anything of it runs.

use abide_sandbox::{Capability, InProcess, LoadError, RunRequest, RunResult};

use crate::setup::{engine_limits, guest, limits, repository, task};

fn load(bytes: &[u8]) -> LoadError {
    InProcess::start(engine_limits()).unwrap().load(bytes).unwrap_err()
}

#[test]
fn not_a_component() {
    for (bytes, code) in [
        (&b""[..], "AB0801"),
        (b"#!/bin/sh\nexit 0\n", "AB0801"),
        (b"(component)", "AB0801"),
        (b"\x7fELF\x02\x01\x01", "AB0801"),
        (b"\0asm\x01\0\0\0", "AB0802"),
        (b"\0asm\x0d\0\x01\0", "AB0804"),
        (b"\0asm\x0d\0\x01\0\x07\xff\xff", "AB0803"),
    ] {
        let error = load(bytes);
        assert_eq!(error.code(), code, "{bytes:?}: {error}");
    }
}

#[test]
fn a_truncated_or_oversized_component() {
    let Some(bytes) = guest("codegen") else { return };
    assert_eq!(load(&bytes[..bytes.len() / 2]).code(), "AB0803");
    let mut engine = engine_limits();
    engine.component_bytes_max = 100;
    assert!(matches!(
        InProcess::start(engine).unwrap().load(&bytes).unwrap_err(),
        LoadError::TooLarge { limit: 100, .. }
    ));
}

#[test]
fn a_component_that_nobody_loaded() {
    let runner = InProcess::start(engine_limits()).unwrap();
    let request = RunRequest {
        component: abide_core::id::Digest::of(b"never loaded"),
        task: task("x", &[]),
        grants: Capability::ALL.into(),
        stubs: std::collections::BTreeSet::new(),
        limits: limits(),
    };
    let outcome = runner.run(&request, repository(&[]).port());
    assert!(
        matches!(&outcome.result, RunResult::Refused(refusal) if refusal.code() == "AB0805"),
        "{outcome:?}"
    );
}

#[test]
fn messages_survive_the_wire() {
    let Some(bytes) = guest("hostile") else { return };
    let runner = InProcess::start(engine_limits()).unwrap();
    let request = RunRequest {
        component: runner.load(&bytes).unwrap().digest,
        task: task("good", &[]),
        grants: Capability::ALL.into(),
        stubs: std::collections::BTreeSet::new(),
        limits: limits(),
    };
    let sent = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<RunRequest>(&sent).unwrap(), request);
    let repository = repository(&[("a.txt", "one\n")]);
    for recipe in ["good", "trap", "parent", "no-such-recipe"] {
        let outcome =
            runner.run(&RunRequest { task: task(recipe, &[]), ..request.clone() }, repository.port());
        let sent = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<abide_sandbox::RunOutcome>(&sent).unwrap(), outcome);
    }
}
