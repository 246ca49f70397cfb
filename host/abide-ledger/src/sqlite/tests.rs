use std::os::unix::fs::PermissionsExt as _;

use abide_core::id::Seq;
use serde_json::json;

use super::*;
use crate::store::conformance;
use crate::testing::{event, story};

const LIMITS: Limits = Limits { wait_ms_max: 200, ..Limits::STANDARD };

fn fresh() -> (tempfile::TempDir, SqliteStore) {
    let home = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&home.path().join("state"), LIMITS).unwrap();
    (home, store)
}

fn note(n: u64) -> Draft {
    event(None, "Noted", n, json!({ "n": n.to_string() }))
}

/// The file as another program would open it.
fn raw(home: &tempfile::TempDir) -> Connection {
    Connection::open(home.path().join("state/ledger.db")).unwrap()
}

#[test]
fn conforms() {
    let home = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::all(|| {
        count.set(count.get() + 1);
        SqliteStore::create(&home.path().join(count.get().to_string()), Limits::STANDARD).unwrap()
    });
}

#[test]
fn the_folder_and_the_file_are_for_the_owner_alone() {
    let (home, store) = fresh();
    store.append(vec![note(0)], Guard::Free).unwrap();
    let mode = |name: &str| home.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("state"), 0o700);
    for name in ["state/ledger.db", "state/ledger.db-wal", "state/ledger.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn history_cannot_be_changed_through_sql() {
    let (home, store) = fresh();
    for n in 0..3 {
        let mut draft = note(n);
        draft.blobs = vec![Blob::new("x", b"bytes".to_vec())];
        store.append(vec![draft], Guard::Free).unwrap();
    }
    store
        .put_checkpoint(CheckpointRow {
            origin: "o".to_owned(),
            size: 3,
            root: NodeHash([1; 32]),
            note: "n".to_owned(),
        })
        .unwrap();
    let db = raw(&home);
    for sql in [
        "DELETE FROM leaves",
        "DELETE FROM leaves WHERE seq = 2",
        "UPDATE leaves SET kind = 'Else' WHERE seq = 1",
        "INSERT INTO leaves VALUES (4, zeroblob(32), zeroblob(9), 'Gap', NULL, 1)",
        "INSERT INTO leaves VALUES (1, zeroblob(32), zeroblob(9), 'Again', NULL, 1)",
        "INSERT OR REPLACE INTO leaves VALUES (1, zeroblob(32), zeroblob(9), 'Replaced', NULL, 1)",
        "INSERT OR IGNORE INTO leaves VALUES (9, zeroblob(32), zeroblob(9), 'Ignored', NULL, 1)",
        "REPLACE INTO leaves VALUES (2, zeroblob(32), zeroblob(9), 'Replaced', NULL, 1)",
        "INSERT INTO leaves VALUES (NULL, zeroblob(31), zeroblob(9), 'Short', NULL, 1)",
        "INSERT INTO leaves VALUES (3, 'text', 'text', 'Typed', NULL, 1)",
        "UPDATE nodes SET hash = zeroblob(32)",
        "DELETE FROM nodes",
        "REPLACE INTO nodes VALUES (1, 0, zeroblob(32))",
        "UPDATE blobs SET bytes = zeroblob(5)",
        "DELETE FROM blobs",
        "UPDATE checkpoints SET root = zeroblob(32)",
        "DELETE FROM checkpoints",
        "REPLACE INTO checkpoints VALUES (3, 'o', zeroblob(32), 'n')",
    ] {
        assert!(db.execute(sql, []).is_err(), "{sql}");
    }
    let digest = Digest::of(b"bytes");
    db.execute("REPLACE INTO blobs VALUES (?1, 'x', zeroblob(5))", [digest.as_str()]).unwrap();
    assert_eq!(store.blob(&digest).unwrap().unwrap().bytes(), b"bytes");
    assert_eq!(store.size().unwrap(), 3);
}

#[test]
fn a_locked_ledger_is_waited_for_and_then_refused() {
    let (home, store) = fresh();
    let db = raw(&home);
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.append(vec![note(0)], Guard::Free), Err(StoreError::Locked { waited_ms: 200 })));
    assert_eq!(store.size().unwrap(), 0);
    db.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.append(vec![note(0)], Guard::Free).unwrap(), [Seq(0)]);
}

#[test]
fn two_stores_on_one_file_share_one_log() {
    let (home, short) = fresh();
    drop(short);
    let one = SqliteStore::open(&home.path().join("state"), Limits::STANDARD).unwrap();
    let two = SqliteStore::open(&home.path().join("state"), Limits::STANDARD).unwrap();
    let both = [&one, &two];
    std::thread::scope(|scope| {
        for store in both {
            scope
                .spawn(move || (0..20).for_each(|n| drop(store.append(vec![note(n)], Guard::Free).unwrap())));
        }
    });
    assert_eq!(one.size().unwrap(), 40);
    let mut edge = Frontier::default();
    for record in two.records(0..40).unwrap() {
        edge.push(NodeHash::leaf(record.leaf.bytes()));
    }
    assert_eq!(edge_of(&one.reader(), 40).unwrap(), edge);
}

#[test]
fn a_full_disk_refuses_the_append_and_loses_nothing() {
    let (home, store) = fresh();
    store.append(vec![note(0)], Guard::Free).unwrap();
    drop(store);
    let pages = raw(&home).pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0)).unwrap();
    let store =
        SqliteStore::open(&home.path().join("state"), Limits { pages_max: Some(pages + 8), ..LIMITS })
            .unwrap();
    let big = |n| Draft { leaf: note(n).leaf, blobs: vec![Blob::new("x", vec![n as u8; 3_000])] };
    let mut written = 1;
    while store.append(vec![big(written)], Guard::Free).map(|_| written += 1).is_ok() {}
    assert!(matches!(store.append(vec![big(99)], Guard::Free), Err(StoreError::Full)));
    assert_eq!(store.size().unwrap(), written);
    // A batch that does not fit does not take down a job that does.
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let large = scope.spawn(|| {
            store
                .append(
                    vec![Draft { leaf: note(1).leaf, blobs: vec![Blob::new("x", vec![3; 200_000])] }],
                    Guard::Free,
                )
                .is_ok()
        });
        vec![large.join().unwrap()]
    });
    assert_eq!(outcomes, [false]);
    drop(store);
    let roomy = SqliteStore::open(&home.path().join("state"), LIMITS).unwrap();
    assert_eq!(roomy.append(vec![big(1)], Guard::Free).unwrap(), [Seq(written)]);
    roomy.check_storage().unwrap();
}

/// Where the small disk is mounted; without it `small_disk` is a test that has nothing to do.
const DISK: &str = "ABIDE_LEDGER_SMALL_DISK";

/// A file system that is full, where the test may mount one: in a mount namespace that ends with the process.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test runs itself again where it may mount a small disk")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn a_disk_that_is_really_full_refuses_the_append_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("unshare")
        .arg("--mount")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::small_disk", "--nocapture"])
        .env(DISK, home.path())
        .output();
    match output {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("mounted") => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        _ => eprintln!("skipped: no right to mount"),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test mounts a small disk")]
#[expect(clippy::print_stdout, reason = "the test that started this one listens")]
fn small_disk() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else { return };
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&disk)
        .status();
    if mount.is_ok_and(|status| status.success()) {
        println!("mounted");
        no_room_to_open(&disk);
        fill(&disk);
    }
}

/// A log that was closed, on a disk without room for one page more, cannot even be opened, and says why.
fn no_room_to_open(disk: &Path) {
    let (dir, ballast) = (disk.join("closed"), disk.join("ballast"));
    drop(SqliteStore::create(&dir, LIMITS).unwrap());
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut file, &[1; 4096]).is_ok_and(|count| count > 0) {}
    let refusal = SqliteStore::open(&dir, LIMITS).unwrap_err();
    assert!(matches!(refusal, StoreError::Full), "{refusal:?}");
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    SqliteStore::open(&dir, LIMITS).unwrap().check_storage().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}

fn fill(disk: &Path) {
    let (dir, ballast) = (disk.join("state"), disk.join("ballast"));
    std::fs::write(&ballast, vec![1; 200_000]).unwrap();
    let store = SqliteStore::create(&dir, LIMITS).unwrap();
    let big = |n: u64| Draft {
        leaf: note(n).leaf,
        blobs: vec![Blob::new("x", n.to_string().repeat(9_000).into_bytes())],
    };
    let mut written = 0;
    let refusal = loop {
        match store.append(vec![big(written)], Guard::Free) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, StoreError::Full), "{refusal:?}");
    assert!(written > 5);
    assert!(matches!(store.append(vec![big(1_000)], Guard::Free), Err(StoreError::Full)));
    drop(store);
    let store = SqliteStore::open(&dir, LIMITS).unwrap();
    assert_eq!(store.size().unwrap(), written);
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(store.append(vec![big(written)], Guard::Free).unwrap(), [Seq(written)]);
    store.check_storage().unwrap();
}

#[test]
fn what_is_no_ledger_is_not_opened() {
    let home = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(home.path(), LIMITS).map(|_| ()).unwrap_err();
    assert!(matches!(open(), StoreError::Missing { .. }));
    let path = home.path().join("ledger.db");
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(open(), StoreError::Damaged { .. }));
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    assert!(matches!(open(), StoreError::Damaged { .. }));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x); PRAGMA application_id = 9").unwrap();
    assert!(matches!(open(), StoreError::Foreign { .. }));
    assert!(matches!(SqliteStore::create(home.path(), LIMITS), Err(StoreError::Exists { .. })));
}

#[test]
fn a_newer_format_is_refused() {
    let (home, store) = fresh();
    drop(store);
    raw(&home).pragma_update(None, "user_version", 2).unwrap();
    let error = SqliteStore::open(&home.path().join("state"), LIMITS).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1 }), "{error}");
    assert_eq!(error.code(), "AB0402");
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let (home, store) = fresh();
    for n in 0..50 {
        store
            .append(
                vec![Draft { leaf: note(n).leaf, blobs: vec![Blob::new("x", vec![n as u8; 2_000])] }],
                Guard::Free,
            )
            .unwrap();
    }
    drop(store);
    let path = home.path().join("state/ledger.db");
    let whole = std::fs::read(&path).unwrap();
    for keep in [4096, whole.len() / 3, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        std::fs::write(&path, &whole[..keep]).unwrap();
        let error = SqliteStore::open(&home.path().join("state"), LIMITS).map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{keep}: {error}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(SqliteStore::open(&home.path().join("state"), LIMITS).unwrap().size().unwrap(), 50);
}

#[test]
fn a_projection_that_was_changed_is_found_and_made_anew() {
    let (home, store) = fresh();
    story(&|drafts| store.append(drafts, Guard::Free).unwrap()[0]);
    let tables = store.tables().unwrap();
    store.projections_agree().unwrap();
    raw(&home).execute("UPDATE decisions SET verdict = 'allow'", []).unwrap();
    assert!(
        matches!(store.projections_agree(), Err(StoreError::Damaged { what }) if what.contains("decisions"))
    );
    store.rebuild().unwrap();
    store.projections_agree().unwrap();
    assert_eq!(store.tables().unwrap(), tables);
}

#[test]
fn the_roadmap_tables_read_as_the_roadmap_says() {
    let (home, store) = fresh();
    story(&|drafts| store.append(drafts, Guard::Free).unwrap()[0]);
    let text = |sql: &str| raw(&home).query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(
        text("SELECT mode || ' ' || status || ' ' || budget_tokens || ' ' || budget_usd FROM runs"),
        "APPLY halted 200000 50.250000"
    );
    assert_eq!(
        text(
            "SELECT group_concat(type || ' ' || status || ' ' || attempt, ', ') FROM (SELECT * FROM tasks ORDER BY id)"
        ),
        "links merged 1, spdx failed 1"
    );
    assert_eq!(
        text("SELECT provider || ' ' || tokens_used || ' ' || usd_spent FROM budgets"),
        "local 400 1.250000"
    );
    assert_eq!(
        text(
            "SELECT level || ' ' || message || ' ' || json_extract(payload, '$.why') FROM events WHERE task_id LIKE '%/u2'"
        ),
        "error WorkerFailed it trapped"
    );
}
