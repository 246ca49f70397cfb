//! What survives when the process is killed in the middle of a write: everything that was acknowledged, and a log that verifies.
//!
//! The test binary runs itself again as a writer that never stops, and kills it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use abide_core::decision::Verdict;
use abide_core::id::Timestamp;
use abide_gate::DecisionLog;
use serde_json::json;

use crate::audit::verify_log;
use crate::leaf::{Blob, Draft};
use crate::ledger::{Ledger, Opening};
use crate::testing::{claim, event, ledger, merge, record, run};

/// Says where the writer writes; without it the writer is a test that has nothing to do.
const WHERE: &str = "ABIDE_LEDGER_CRASH_TEST_DIR";

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let (home, ledger) = ledger();
    drop(ledger);
    let dir = home.path().join("state");
    let mut acknowledged = Vec::new();
    for patience in [1, 9, 30, 4] {
        acknowledged.extend(killed_after(&dir, patience));
        let ledger = Ledger::open(&dir, &Opening::STANDARD).unwrap();
        let report = verify_log(&ledger).unwrap();
        assert!(report.accepted(), "{report:#?}");
        for (seq, text) in &acknowledged {
            let found = ledger.read(*seq..seq.saturating_add(1)).unwrap().remove(0).leaf;
            assert_eq!(
                found.data().get("text").and_then(|text| text.as_str()),
                Some(text.as_str()),
                "event {seq}"
            );
        }
        let spent = ledger.store().records_of_kinds(&["RefMoveAllowed"]).unwrap();
        let once: std::collections::BTreeSet<String> =
            spent.iter().map(|found| found.leaf.data()["decision"].to_string()).collect();
        assert_eq!(once.len(), spent.len(), "a decision was spent twice");
    }
    assert!(acknowledged.len() >= 44);
}

/// Starts the writer, waits for `patience` acknowledgements, kills it, and returns all that it had acknowledged.
#[expect(clippy::disallowed_methods, reason = "the test kills a process of its own")]
fn killed_after(dir: &Path, patience: usize) -> Vec<(u64, String)> {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writer", "--nocapture", "--test-threads", "1"])
        .env(WHERE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let parse = |line: String| {
        let (seq, text) = line.strip_prefix("ack ")?.split_once(' ')?;
        Some((seq.parse().ok()?, text.to_owned()))
    };
    let mut seen: Vec<(u64, String)> = lines.by_ref().filter_map(parse).take(patience).collect();
    writer.kill().unwrap();
    writer.wait().unwrap();
    seen.extend(lines.filter_map(parse));
    seen
}

/// The writer: two threads that append, sign and spend until they are killed.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test tells its writer where to write")]
fn writer() {
    let Some(dir) = std::env::var_os(WHERE).map(PathBuf::from) else { return };
    let ledger = Ledger::open(&dir, &Opening::STANDARD).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..2_u8 {
            let ledger = &ledger;
            scope.spawn(move || {
                for n in 0_u64.. {
                    work(ledger, thread, n);
                }
            });
        }
    });
}

fn work(ledger: &Ledger, thread: u8, n: u64) {
    let text = format!("{thread}/{n}/{}", std::process::id());
    let mut draft: Draft = event(None, "Noted", n, json!({ "text": text }));
    draft.blobs = vec![Blob::new("x", text.repeat(200).into_bytes())];
    let seq = ledger.append(vec![draft]).unwrap()[0];
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {seq} {text}").unwrap();
    out.flush().unwrap();
    drop(out);
    DecisionLog::append(ledger, &record(&run(1), &merge('a', 'b'), Verdict::Allow, 10_000, 0)).unwrap();
    if n.is_multiple_of(5) {
        // Two threads may sign one size; that is one root and one note.
        ledger.checkpoint().unwrap();
    }
    ledger.consume_ref_move(&claim('a', 'b'), Timestamp(10_001)).unwrap().ok();
}
