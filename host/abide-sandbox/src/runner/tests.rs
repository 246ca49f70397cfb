//! A runner that was taken over, played by the test: nothing that it says is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use abide_core::id::RepoPath;
use serde_bytes::ByteBuf;

use super::task::{Ended, Task};
use super::wire::{Answer, Ask, WireError, receive, send};
use super::{pipe, walls};
use crate::egress::{Egress, EgressFailure, EgressRequest, EgressResponse, NoEgress};
use crate::engine::Execution;
use crate::message::{
    Capability, CapabilityReceipt, ExpectedOutcome, Failure, FailureKind, FilePatch, Limits, LogLevel,
    LogLine, PatchDoc, PatchFormat, Proposal, Rejection, RollbackRecipe, RunOutcome, RunRequest, RunResult,
    Spent, TrapKind, Usage,
};
use crate::run::judged;
use crate::workspace::{Entry, EntryKind, Listing, SearchOptions, SearchResult, Workspace, WorkspaceError};

/// One file, `a.txt`.
#[derive(Debug)]
struct OneFile;

impl Workspace for OneFile {
    fn list(&self, _: &str, _: Option<&str>, _: u32) -> Result<Listing, WorkspaceError> {
        Ok(Listing { entries: Vec::new(), truncated: false })
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        Ok((path.as_str() == "a.txt").then(|| Entry { path: path.clone(), kind: EntryKind::File, bytes: 4 }))
    }

    fn read(&self, _: &RepoPath, _: u64, _: u32) -> Result<Vec<u8>, WorkspaceError> {
        Ok(b"one\n".to_vec())
    }

    fn search(&self, _: &str, _: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        Ok(SearchResult { matches: Vec::new(), truncated: false })
    }
}

fn request() -> RunRequest {
    RunRequest {
        component: abide_core::id::Digest::of(b"x"),
        task: crate::message::Task {
            id: "t".to_owned(),
            recipe: "r".to_owned(),
            parameters: BTreeMap::new(),
            scope: Vec::new(),
            base: "5b1c000000000000000000000000000000000000".parse().unwrap(),
        },
        grants: BTreeSet::from(Capability::ALL),
        stubs: BTreeSet::from(
            ["wasi:cli/exit@0.2.0", "wasi:io/poll@0.2.0", "wasi:random/random@0.2.0"].map(str::to_owned),
        ),
        limits: Limits {
            memory_bytes_max: 1 << 20,
            table_elements_max: 10,
            wall_ms_max: 500,
            hostcall_bytes_max: 1 << 10,
            workspace_calls_max: 3,
            workspace_bytes_max: 10,
            log_calls_max: 5,
            log_bytes_max: 30,
            progress_calls_max: 2,
            files_max: 2,
            output_bytes_max: 1 << 10,
            random_bytes_max: 100,
            http_fields_max: 16,
            http_field_bytes_max: 4_096,
            http_body_bytes_max: 1_000,
            http_outstanding_max: 2,
            browser_pages_max: 2,
            browser_calls_max: 20,
            browser_bytes_max: 100_000,
        },
    }
}

fn proposal(path: &str) -> Proposal {
    let file = FilePatch {
        path: path.to_owned(),
        old_path: None,
        status: abide_core::patch::PatchStatus::Modify,
        new_mode: None,
        hunks: vec!["@@ -1,1 +1,1 @@\n-one\n+two\n".to_owned()],
    };
    Proposal {
        patch: PatchDoc { patch_format: PatchFormat::Unified, files: vec![file] },
        rationale: "because\u{1b}[31m".to_owned(),
        sources: Vec::new(),
        tests: Vec::new(),
        rollback: RollbackRecipe::RevertCommit,
        expected: ExpectedOutcome { summary: "two".to_owned(), files: 1, lines_added: 1, lines_removed: 1 },
    }
}

/// An outcome as a runner would make it up.
fn said(result: RunResult) -> RunOutcome {
    let line = LogLine { level: LogLevel::Info, text: "\u{1b}]0;owned\u{7}123456789".to_owned() };
    let huge = Usage { calls: u64::MAX, bytes: u64::MAX, denied: 3 };
    RunOutcome {
        result,
        receipt: CapabilityReceipt {
            requested: BTreeSet::from(["made:up/all".to_owned()]),
            granted: BTreeSet::new(),
            used: Capability::ALL.into_iter().map(|capability| (capability, huge)).collect(),
            stubs: ["wasi:io/poll@0.2.0", "wasi:random/random@0.2.0", "made:up/all"]
                .map(|name| (name.to_owned(), huge))
                .into(),
        },
        log: vec![line; 100],
        spent: Spent { wall_ms: u64::MAX, memory_bytes: u64::MAX, output_bytes: 7 },
        execution: Execution::Interpreted,
    }
}

/// What this side records of a runner that does as `play` does.
fn recorded(play: impl FnOnce(&mut UnixStream) + Send) -> RunOutcome {
    recorded_with(&request(), &NoEgress, play)
}

/// The same with a way to the network.
fn recorded_with(
    request: &RunRequest,
    egress: &dyn Egress,
    play: impl FnOnce(&mut UnixStream) + Send,
) -> RunOutcome {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || play(&mut theirs));
        let mut task = Task::new(request, &OneFile, egress, (Duration::from_secs(2), Execution::Native));
        let ended = task.serve(&mut ours).map_err(|error| Ended::Lost(error.to_string()));
        let outcome = task.outcome(ended, BTreeSet::from(["abide:worker/log@0.1.0".to_owned()]));
        judged(outcome, request, &OneFile)
    })
}

fn last_word(result: RunResult) -> RunOutcome {
    recorded(|socket| {
        let outcome = serde_json::to_vec(&said(result)).unwrap();
        send(socket, &Ask::Done(ByteBuf::from(outcome))).unwrap();
    })
}

#[test]
fn what_a_runner_counts_and_says_is_bounded_and_cleaned() {
    let failure = Failure { kind: FailureKind::Unsupported, message: "\u{1b}[2Jno\nway".to_owned() };
    let outcome = last_word(RunResult::Failed(failure));
    let RunResult::Failed(failure) = &outcome.result else { panic!("{:?}", outcome.result) };
    assert_eq!(failure.message, "no way");
    assert_eq!(outcome.receipt.requested, BTreeSet::from(["abide:worker/log@0.1.0".to_owned()]));
    assert_eq!(outcome.receipt.granted, BTreeSet::from(Capability::ALL));
    // Three lines of nine bytes fit into thirty.
    assert_eq!(outcome.log.len(), 3);
    assert!(outcome.log.iter().all(|line| line.text == "123456789"), "{:?}", outcome.log);
    assert_eq!(outcome.receipt.used[&Capability::Log], Usage { calls: 3, bytes: 27, denied: 3 });
    assert_eq!(outcome.receipt.used[&Capability::Workspace], Usage { calls: 3, bytes: 0, denied: 3 });
    assert_eq!(outcome.receipt.used[&Capability::Progress], Usage { calls: 2, bytes: 0, denied: 3 });
    // Of stubs, only those that were linked; a hundred bytes may be random, whoever gave them; and nobody asks so often in half a second.
    let stubs = [("wasi:io/poll@0.2.0", 100), ("wasi:random/random@0.2.0", 0)]
        .map(|(name, bytes)| (name.to_owned(), Usage { calls: 50_000_000, bytes, denied: 3 }));
    assert_eq!(outcome.receipt.stubs, stubs.into());
    assert_eq!(outcome.spent, Spent { wall_ms: 3_000, memory_bytes: 1 << 20, output_bytes: 0 });
    // How it was run is known here.
    assert_eq!(outcome.execution, Execution::Native);
}

#[test]
fn a_proposal_is_checked_on_this_side() {
    let good = last_word(RunResult::Proposed(Box::new(proposal("a.txt"))));
    let RunResult::Proposed(checked) = &good.result else { panic!("{:?}", good.result) };
    assert_eq!(checked.rationale, "because");
    for (path, code) in [("../x", "AB0723"), (".git/config", "AB0723"), ("b.txt", "AB0731")] {
        let outcome = last_word(RunResult::Proposed(Box::new(proposal(path))));
        assert_eq!(outcome.result.code(), Some(code), "{path}: {:?}", outcome.result);
    }
    let rejection = Rejection::Missing { field: "\u{1b}[31mjudgement".to_owned() };
    let outcome = last_word(RunResult::Rejected(rejection));
    assert_eq!(outcome.result.code(), Some("AB0215"), "{:?}", outcome.result);
}

#[test]
fn what_a_runner_takes_is_counted_on_this_side() {
    let outcome = recorded(|socket| {
        let mut read = |path: &str| -> Answer {
            send(socket, &Ask::Read { path: path.to_owned(), offset: 0, limit: 9 }).unwrap();
            receive(socket, 1 << 20).unwrap()
        };
        assert!(matches!(read("a.txt"), Answer::Bytes(Ok(_))));
        assert!(matches!(read("../x"), Answer::Bytes(Err(WorkspaceError::InvalidPath))));
        assert!(matches!(read("a.txt"), Answer::Bytes(Ok(_))));
        // The limits of the task end it here, whatever the runner believes.
        assert!(matches!(read("a.txt"), Answer::Bytes(Err(WorkspaceError::Exhausted))));
    });
    assert_eq!(outcome.receipt.used[&Capability::Workspace], Usage { calls: 3, bytes: 8, denied: 2 });
    let RunResult::Trapped(trap) = &outcome.result else { panic!("{:?}", outcome.result) };
    assert_eq!(trap.kind, TrapKind::Runner);
}

/// Answers everything, and remembers what it was told.
#[derive(Debug, Default)]
struct Open(std::sync::Mutex<Vec<String>>);

impl Egress for Open {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        self.0.lock().unwrap().push(request.url);
        if request.method == "POST" {
            return Err(EgressFailure::Refused("\u{1b}[31mno".to_owned()));
        }
        Ok(EgressResponse { status: 200, fields: Vec::new(), body: ByteBuf::from(b"body".to_vec()) })
    }

    fn has_read(&self, content: &[u8]) {
        self.0.lock().unwrap().push(format!("read {}", String::from_utf8_lossy(content)));
    }
}

#[test]
fn what_a_runner_asks_of_the_network_is_asked_and_counted_on_this_side() {
    let ask = |socket: &mut UnixStream, method: &str| {
        let (method, url) = (method.to_owned(), "https://a.example/".to_owned());
        send(socket, &Ask::Fetch(EgressRequest { method, url, fields: Vec::new(), body: ByteBuf::new() }))
            .unwrap();
        let answer: Answer = receive(socket, 1 << 20).unwrap();
        answer
    };
    let play = |socket: &mut UnixStream| {
        assert!(matches!(ask(socket, "GET"), Answer::Fetched(Ok(_))));
        let Answer::Fetched(Err(EgressFailure::Refused(why))) = ask(socket, "POST") else {
            panic!("refused")
        };
        assert_eq!(why, "no");
        send(socket, &Ask::Read { path: "a.txt".to_owned(), offset: 0, limit: 1 }).unwrap();
        let _: Answer = receive(socket, 1 << 20).unwrap();
    };
    let open = Open::default();
    let outcome = recorded_with(&request(), &open, play);
    assert_eq!(outcome.receipt.used[&Capability::Egress], Usage { calls: 2, bytes: 4, denied: 1 });
    let told = open.0.lock().unwrap().clone();
    assert_eq!(told, ["https://a.example/", "https://a.example/", "read a.txt", "read one\n"]);

    // A runner that was granted none asks in vain, whatever is there.
    let mut none = request();
    none.grants.remove(&Capability::Egress);
    let open = Open::default();
    let outcome = recorded_with(&none, &open, |socket| {
        assert!(matches!(ask(socket, "GET"), Answer::Fetched(Err(EgressFailure::Refused(_)))));
    });
    assert_eq!(outcome.receipt.used[&Capability::Egress].denied, 1);
    assert_eq!(*open.0.lock().unwrap(), [""; 0]);
}

#[test]
fn a_message_that_is_none_ends_the_task() {
    use std::io::Write as _;
    let plays: [(&[u8], &str); 4] = [
        (&[0xff; 4], "4294967295 bytes"),
        (&[1, 0, 0, 0, 0xee], "malformed"),
        (&[9, 0, 0, 0, 1], "hung up"),
        (&[], "hung up"),
    ];
    for (bytes, word) in plays {
        let outcome = recorded(|socket| socket.write_all(bytes).unwrap());
        let RunResult::Trapped(trap) = &outcome.result else { panic!("{:?}", outcome.result) };
        assert!(trap.message.contains(word), "{word}: {}", trap.message);
    }
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let outcome = recorded(|socket| {
        let sent = send(socket, &Ask::Done(ByteBuf::from(nested.into_bytes())));
        assert!(sent.is_ok() || matches!(sent, Err(WireError::Closed)), "{sent:?}");
    });
    assert_eq!(outcome.result.code(), Some("AB0215"), "{:?}", outcome.result);
}

#[test]
fn a_socket_is_given_over_a_socket() {
    use std::io::{Read as _, Write as _};
    let (one, other) = UnixStream::pair().unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    pipe::send(&one, far).unwrap();
    let mut got = pipe::receive(&other).unwrap();
    got.write_all(b"hello").unwrap();
    let mut text = [0; 5];
    near.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"hello");
    // A byte with nothing beside it is no gift.
    (&one).write_all(&[0]).unwrap();
    assert!(pipe::receive(&other).is_err());
}

/// Each wall by itself, on a thread of its own: the others do not hide that it does not stand.
#[test]
fn each_wall_refuses_by_itself() {
    let raised = std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        walls::landlock().map(|_| std::fs::File::open("/etc/passwd").map(drop).unwrap_err().kind())
    });
    match raised.join().unwrap() {
        Ok(kind) => assert_eq!(kind, std::io::ErrorKind::PermissionDenied),
        Err(error) => assert!(error.to_string().contains("none"), "{error}"),
    }
    let refused = std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        walls::seccomp(Execution::Interpreted).unwrap();
        let open: Vec<_> =
            walls::attempts().into_iter().filter(|attempt| attempt.refused.is_none()).collect();
        // A thread can still be started, and a process not.
        (open, std::thread::spawn(|| 7).join().unwrap())
    });
    let (open, seven) = refused.join().unwrap();
    assert_eq!((open, seven), (Vec::new(), 7));
}
