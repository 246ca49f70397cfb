//! Workers that ask the network by `wasi:http`: the same requests as through the contract's own interface, within limits of their own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use abide_sandbox::message::Usage;
use abide_sandbox::{
    Capability, Egress, EgressFailure, EgressRequest, EgressResponse, Limits, Recorded, Recording,
    RunOutcome, RunRequest, RunResult, Task, TrapKind,
};
use serde_bytes::ByteBuf;

use crate::setup::{Bench, repository, shipped_limits, stock_here, task};

const URL: &str = "https://a.example/list.txt?all=1";

/// Answers what is asked, and remembers it.
#[derive(Debug)]
struct Played {
    heard: Mutex<Vec<EgressRequest>>,
    answer: Result<EgressResponse, EgressFailure>,
}

impl Played {
    fn with(answer: Result<EgressResponse, EgressFailure>) -> &'static Self {
        Box::leak(Box::new(Self { heard: Mutex::default(), answer }))
    }

    fn saying(fields: usize, body: &str) -> &'static Self {
        let fields = (0..fields).map(|at| (format!("x-{at}"), "v".to_owned())).collect();
        Self::with(Ok(EgressResponse { status: 200, fields, body: ByteBuf::from(body.as_bytes().to_vec()) }))
    }

    /// What was asked, of the run here and the one behind the walls.
    fn heard(&self) -> Vec<EgressRequest> {
        let heard = self.heard.lock().unwrap().clone();
        let (here, there) = heard.split_at(heard.len() / 2);
        assert_eq!(here, there);
        here.to_vec()
    }
}

impl Egress for Played {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        self.heard.lock().unwrap().push(request);
        self.answer.clone()
    }

    fn has_read(&self, _: &[u8]) {}
}

/// The worker, with nothing behind the terminal that it imports too.
fn bench() -> Option<Bench> {
    let mut bench = Bench::of("hostile-http")?;
    bench.request.stubs = BTreeSet::from(["wasi:cli/stdout@0.2.12".to_owned()]);
    Some(bench)
}

fn way(way: &str) -> Task {
    task("replace-text", &[("path", "list.txt"), ("old", URL), ("new", way)])
}

/// What the worker said of it.
fn log(outcome: &RunOutcome) -> Vec<&str> {
    outcome.log.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_request_and_its_answer() {
    let Some(bench) = bench() else { return };
    let base = repository(&[("list.txt", "one\n")]);
    let played = Played::saying(2, "one\ntwo and more\n");
    let outcome = bench.run_over(way("fetch"), &base, played);
    let RunResult::Proposed(proposal) = &outcome.result else { panic!("{:?}", outcome.result) };
    assert_eq!(proposal.patch.files[0].hunks, ["@@ -1 +1,2 @@\n one\n+two and more\n"]);
    assert_eq!(outcome.receipt.used[&Capability::Egress], Usage { calls: 1, bytes: 17, denied: 0 });
    assert!(outcome.receipt.stubs.is_empty(), "{:?}", outcome.receipt.stubs);
    let (method, body) = ("GET".to_owned(), ByteBuf::new());
    assert_eq!(played.heard(), [EgressRequest { method, url: URL.to_owned(), fields: Vec::new(), body }]);

    let played = Played::saying(0, "taken");
    let outcome = bench.run_over(way("post"), &base, played);
    assert_eq!(log(&outcome), ["200 taken"]);
    let (method, body) = ("POST".to_owned(), ByteBuf::from(b"a body".to_vec()));
    let fields = vec![("content-type".to_owned(), "text/plain".to_owned())];
    assert_eq!(played.heard(), [EgressRequest { method, url: URL.to_owned(), fields, body }]);
}

#[test]
fn what_the_broker_says_is_said_in_the_words_of_wasi() {
    let Some(bench) = bench() else { return };
    let base = repository(&[]);
    let said = |failure| log(&bench.run_over(way("post"), &base, Played::with(Err(failure)))).join(" ");
    assert_eq!(
        said(EgressFailure::Refused("no [AB0903]".to_owned())),
        "answer: ErrorCode::HttpRequestDenied"
    );
    let failed = said(EgressFailure::Failed("the peer went away [AB0912]".to_owned()));
    assert!(failed.contains("the peer went away [AB0912]"), "{failed}");
    let played = Played::with(Err(EgressFailure::Refused(String::new())));
    let outcome = bench.run_over(way("impersonate"), &base, played);
    assert_eq!(played.heard().len(), 3, "the broker alone refuses fields");
    assert_eq!(outcome.receipt.used[&Capability::Egress], Usage { calls: 3, bytes: 0, denied: 3 });
}

#[test]
fn fields_are_bounded() {
    let Some(mut bench) = bench() else { return };
    let base = repository(&[]);
    let played = Played::saying(0, "");
    assert_eq!(log(&bench.run_over(way("many-fields"), &base, played)), ["16 fields", "Ok(200)"]);
    assert_eq!(played.heard()[0].fields.len(), 16);
    assert_eq!(
        log(&bench.run_over(way("wide-field"), &base, played)),
        ["Err(\"field: HeaderError::Forbidden\")"]
    );
    // Four copies of a thousand bytes fit, and there is no way to say no to a fifth.
    let outcome = bench.run_over(way("copies"), &base, played);
    let RunResult::Trapped(trap) = &outcome.result else { panic!("{outcome:?}") };
    assert_eq!((trap.kind, trap.message.contains("header fields")), (TrapKind::Handles, true), "{trap:?}");
    // The answer's count as well.
    let said = |fields| log(&bench.run_over(way("post"), &base, Played::saying(fields, "x"))).join(" ");
    assert_eq!(said(16), "200 x");
    assert_eq!(said(17), "answer: ErrorCode::HttpResponseHeaderSectionSize(Some(75))");
    // None at all, as under a policy from before there was a limit.
    bench.request.limits.http_fields_max = 0;
    assert_eq!(log(&bench.run_over(way("many-fields"), &base, played))[0], "0 fields");
}

#[test]
fn bodies_are_bounded_and_whole() {
    let Some(bench) = bench() else { return };
    let base = repository(&[]);
    let played = Played::saying(0, "");
    let said = |name| log(&bench.run_over(way(name), &base, played)).join(" ");
    assert!(said("long-body").starts_with("write: "), "{}", said("long-body"));
    assert_eq!(said("unfinished"), "Err(ErrorCode::ConnectionWriteTimeout)");
    assert_eq!(said("dropped"), "Err(ErrorCode::HttpProtocolError)");
    assert_eq!(said("length"), "answer: ErrorCode::HttpRequestBodySize(Some(3))");
    assert!(played.heard().is_empty(), "nothing of these leaves");
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let Some(mut bench) = bench() else { return };
    let base = repository(&[]);
    let played = Played::saying(0, "never read");
    let outcome = bench.run_over(way("never-read"), &base, played);
    assert_eq!(log(&outcome), ["2 are held, then ErrorCode::ConnectionLimitReached", "after that: Ok(())"]);
    assert_eq!(played.heard().len(), 3);
    bench.request.limits = Limits { http_outstanding_max: 5, ..bench.request.limits };
    let outcome = bench.run_over(way("never-read"), &base, played);
    assert!(log(&outcome)[0].starts_with("5 are held"), "{:?}", log(&outcome));
}

/// How long an answer took is nothing that a worker could see.
#[test]
fn the_clock_counts_questions() {
    let Some(bench) = bench() else { return };
    let outcome = bench.run_over(way("clock"), &repository(&[]), Played::saying(0, ""));
    assert_eq!(log(&outcome), ["200 ", "1000000 ns"]);
}

#[test]
fn without_a_grant_it_is_as_any_other_import_of_wasi() {
    let Some(mut bench) = bench() else { return };
    let (base, played) = (repository(&[]), Played::saying(0, ""));
    bench.request.grants.remove(&Capability::Egress);
    let outcome = bench.run_over(way("post"), &base, played);
    assert_eq!(outcome.result.code(), Some("AB0202"), "{outcome:?}");
    let imports = bench.runner.info(&bench.request.component).unwrap().imports;
    bench.request.stubs = imports.into_iter().filter(|name| name.starts_with("wasi:")).collect();
    let outcome = bench.run_over(way("post"), &base, played);
    assert!(!outcome.receipt.used.contains_key(&Capability::Egress), "{outcome:?}");
    assert!(played.heard().is_empty());
    // The grant goes first where both are named.
    bench.request.grants.insert(Capability::Egress);
    let outcome = bench.run_over(way("post"), &base, played);
    assert_eq!((log(&outcome), outcome.receipt.stubs.len()), (vec!["200 "], 0));
    assert_eq!(played.heard().len(), 1);
}

/// A stream that a stub gives is the client's kind of stream, and has nothing behind it.
#[test]
fn stubs_beside_it() {
    let Some(bench) = bench() else { return };
    let outcome = bench.run_over(way("stdout"), &repository(&[]), Played::saying(0, ""));
    assert_eq!(log(&outcome), ["Err(\"closed\") Err(\"closed\")"]);
    assert_eq!(outcome.receipt.stubs["wasi:cli/stdout@0.2.12"], Usage { calls: 1, bytes: 0, denied: 0 });
    // What sends no requests has no client, whatever it was granted.
    let Some(bench) = Bench::of("hostile-wasi") else { return };
    let outcome = bench.run(task("answers", &[]), &repository(&[]));
    assert_eq!(outcome.result.code(), Some("AB0202"), "{outcome:?}");
}

/// `fetch` of componentize-js, as its toolchain makes it: nothing in it was written for this host but the worker's own lines. In this process alone: it
/// takes minutes to compile, and the walls are not what is tried here.
#[test]
fn a_stock_toolchain_fetches() {
    let Some((runner, component)) = stock_here("js-web") else { return };
    let base = repository(&[]);
    let limits = Limits {
        http_fields_max: 64,
        http_field_bytes_max: 65_536,
        http_body_bytes_max: 1 << 20,
        ..shipped_limits()
    };
    let run = |name: &str, played: &'static Played| {
        let (grants, stubs) = (BTreeSet::from(Capability::ALL), BTreeSet::new());
        let (component, limits) = (component.clone(), limits.clone());
        let request = RunRequest { component, task: way(name), grants, stubs, limits };
        let recording = Arc::new(Recording::over(base.port()));
        let outcome = runner.run_with(&request, recording.clone(), Arc::new(recording.egress(played)));
        // And once more from what was answered.
        let recorded = Arc::new(Recorded::of(&recording.transcript(request.clone(), outcome.clone())));
        let again = runner.run_with(&request, recorded.clone(), recorded.clone());
        assert_eq!((recorded.departure(), recorded.left()), (None, 0));
        assert_eq!(
            (&again.result, &again.receipt, &again.log),
            (&outcome.result, &outcome.receipt, &outcome.log)
        );
        outcome
    };
    let message = |outcome: &RunOutcome| {
        let RunResult::Failed(failure) = &outcome.result else { panic!("{outcome:?}") };
        failure.message.clone()
    };
    let played = Played::saying(1, "one and two");
    let outcome = run("get", played);
    assert_eq!(message(&outcome), "one and two", "{outcome:?}");
    assert_eq!(outcome.receipt.used[&Capability::Egress], Usage { calls: 1, bytes: 11, denied: 0 });
    let heard = played.heard.lock().unwrap()[0].clone();
    assert_eq!((&*heard.url, &*heard.method, heard.body.len()), (URL, "GET", 0));
    let played = Played::saying(0, "taken");
    assert_eq!(message(&run("post", played)), "taken");
    let heard = played.heard.lock().unwrap()[0].clone();
    assert_eq!((&*heard.method, &heard.body[..]), ("POST", &b"a body"[..]));
    assert!(heard.fields.contains(&("content-type".to_owned(), "text/plain".to_owned())), "{heard:?}");
    let refused = Played::with(Err(EgressFailure::Refused("no [AB0903]".to_owned())));
    assert_eq!(message(&run("get", refused)), "no answer");
}
