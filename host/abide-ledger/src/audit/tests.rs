use rusqlite::Connection;

use super::*;
use crate::ledger::Opening;
use crate::testing::{ledger, story};

fn told() -> (tempfile::TempDir, Ledger) {
    let (home, ledger) = ledger();
    story(&|drafts| ledger.append(drafts).unwrap()[0]);
    ledger.checkpoint().unwrap();
    (home, ledger)
}

#[test]
fn an_honest_log_is_accepted() {
    let (_home, ledger) = told();
    let report = verify_log(&ledger).unwrap();
    assert!(report.accepted(), "{report:?}");
    assert_eq!(report.checks.len(), 4);
}

/// Somebody with the file and no key changes history, taking the triggers out of the way first.
fn tampered(sql: &str) -> Option<&'static str> {
    let (home, ledger) = told();
    drop(ledger);
    let db = Connection::open(home.path().join("state/ledger.db")).unwrap();
    let triggers: Vec<String> = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
        .unwrap();
    for name in triggers {
        db.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    db.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    drop(db);
    match Ledger::open(&home.path().join("state"), &Opening::STANDARD) {
        Err(_) => Some("open"),
        Ok(ledger) => verify_log(&ledger).unwrap().refusal().map(|check| check.name),
    }
}

#[test]
fn history_that_was_changed_is_refused() {
    for (sql, found) in [
        (
            "UPDATE leaves SET bytes = CAST(replace(CAST(bytes AS TEXT), 'alice', 'mallo') AS BLOB) WHERE seq = 1",
            "leaves",
        ),
        ("UPDATE leaves SET kind = 'Noted' WHERE seq = 3", "storage"),
        ("UPDATE leaves SET hash = zeroblob(32) WHERE seq = 3", "leaves"),
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 1", "leaves"),
        ("DELETE FROM leaves WHERE seq = 5", "leaves"),
        ("DELETE FROM leaves WHERE seq = (SELECT max(seq) FROM leaves)", "checkpoints"),
        ("UPDATE blobs SET bytes = zeroblob(4) WHERE rowid = 2", "storage"),
        ("UPDATE checkpoints SET note = replace(note, 'example.org/log', 'example.org/lag')", "checkpoints"),
        ("UPDATE checkpoints SET root = zeroblob(32)", "checkpoints"),
        ("UPDATE halts SET halted = 0", "projections"),
        ("DELETE FROM consumed", "projections"),
        ("UPDATE leaves SET bytes = CAST('{}' AS BLOB) WHERE seq = 4", "storage"),
    ] {
        assert_eq!(tampered(sql), Some(found), "{sql}");
    }
}

#[test]
fn history_that_was_rewritten_with_all_its_hashes_fails_at_the_signature() {
    let (home, ledger) = told();
    let size = ledger.size().unwrap();
    drop(ledger);
    // The whole log again, one word changed, every hash right: only the signed root tells.
    let other = tempfile::tempdir().unwrap();
    let forged = Ledger::create(
        &other.path().join("state"),
        &[7; 32],
        "example.org/log",
        abide_core::id::Timestamp(1_001),
        &Opening::STANDARD,
    )
    .unwrap();
    story(&|drafts| forged.append(drafts).unwrap()[0]);
    assert_eq!(forged.size().unwrap(), size);
    drop(forged);
    let db = Connection::open(other.path().join("state/ledger.db")).unwrap();
    let real = home.path().join("state/ledger.db").display().to_string();
    db.execute("ATTACH ?1 AS honest", [real]).unwrap();
    db.execute_batch("INSERT INTO checkpoints SELECT * FROM honest.checkpoints").unwrap();
    drop(db);
    let ledger = Ledger::open(&other.path().join("state"), &Opening::STANDARD).unwrap();
    assert_eq!(verify_log(&ledger).unwrap().refusal().map(|check| check.name), Some("checkpoints"));
}
