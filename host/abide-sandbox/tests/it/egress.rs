//! Workers that ask the network, in an engine of this process and behind the walls, over a port that the test plays.

use std::sync::{Arc, Mutex};

use abide_sandbox::{
    Capability, Egress, EgressFailure, EgressRequest, EgressResponse, RunRequest, RunResult, Usage,
};
use serde_bytes::ByteBuf;

use crate::setup::{Bench, repository, task};

/// Answers `GET` with two lines, and remembers what it was told.
#[derive(Debug, Default)]
struct Played(Mutex<Vec<String>>);

impl Egress for Played {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        self.0.lock().unwrap().push(format!("{} {} {}", request.method, request.url, request.body.len()));
        if request.method == "GET" {
            return Ok(EgressResponse {
                status: 200,
                fields: vec![],
                body: ByteBuf::from(b"one\ntwo\n".to_vec()),
            });
        }
        Err(EgressFailure::Refused("no [AB0903]".to_owned()))
    }

    fn has_read(&self, content: &[u8]) {
        self.0.lock().unwrap().push(format!("read {}", String::from_utf8_lossy(content).trim_end()));
    }
}

#[test]
fn what_it_asks_is_asked_on_this_side_wherever_it_runs() {
    let Some(bench) = Bench::of("extract") else { return };
    let base = repository(&[("list.txt", "one\n")]);
    let url = "https://a.example/list.txt";
    let request = RunRequest {
        task: task("refresh-file", &[("path", "list.txt"), ("url", url)]),
        ..bench.request.clone()
    };
    let here = Arc::new(Played::default());
    let there = Played::default();
    let outcomes = [
        bench.runner.run_with(&request, base.port(), here.clone()),
        bench.behind.run_with(&request, &*base.port(), &there),
    ];
    for (outcome, played) in outcomes.into_iter().zip([&*here, &there]) {
        let RunResult::Proposed(proposal) = &outcome.result else { panic!("{:?}", outcome.result) };
        assert_eq!(proposal.patch.files[0].hunks, ["@@ -1 +1,2 @@\n one\n+two\n"]);
        assert_eq!(outcome.receipt.used[&Capability::Egress], Usage { calls: 1, bytes: 8, denied: 0 });
        let told = played.0.lock().unwrap().clone();
        assert_eq!(told[0], format!("GET {url} 0"), "it asks before it reads");
        assert_eq!(told[1..3], ["read list.txt", "read one"]);
    }
}

#[test]
fn without_a_port_or_a_grant_there_is_no_answer() {
    let Some(mut bench) = Bench::of("extract") else { return };
    let base = repository(&[("list.txt", "one\n")]);
    let ask = task("refresh-file", &[("path", "list.txt"), ("url", "https://a.example/")]);
    let outcome = bench.run(ask.clone(), &base);
    let RunResult::Failed(failure) = &outcome.result else { panic!("{:?}", outcome.result) };
    assert!(failure.message.contains("this task has no lease"), "{failure:?}");
    assert_eq!(outcome.receipt.used[&Capability::Egress].denied, 1);
    // The import alone gives nothing.
    bench.request.grants.remove(&Capability::Egress);
    let played = Arc::new(Played::default());
    let request = RunRequest { task: ask, ..bench.request.clone() };
    let outcome = bench.runner.run_with(&request, base.port(), played.clone());
    assert_eq!(outcome.result.code(), Some("AB0201"), "{:?}", outcome.result);
    let outcome = bench.behind.run_with(&request, &*base.port(), &*played);
    assert_eq!(outcome.result.code(), Some("AB0201"), "{:?}", outcome.result);
    assert!(played.0.lock().unwrap().is_empty());
}

#[test]
fn more_than_a_call_may_hand_over_never_gets_here() {
    let Some(bench) = Bench::of("hostile-egress") else { return };
    let base = repository(&[("a.txt", "one\n")]);
    let request = RunRequest {
        task: task("x", &[("new", "huge"), ("old", "https://a.example/")]),
        limits: abide_sandbox::Limits {
            memory_bytes_max: 64 << 20,
            hostcall_bytes_max: 1 << 20,
            ..bench.request.limits.clone()
        },
        ..bench.request.clone()
    };
    let there = Played::default();
    let outcome = bench.behind.run_with(&request, &*base.port(), &there);
    assert!(matches!(outcome.result, RunResult::Trapped(_)), "{:?}", outcome.result);
    assert!(there.0.lock().unwrap().is_empty());
}
