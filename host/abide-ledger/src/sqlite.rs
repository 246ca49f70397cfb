//! The first backend: one SQLite file in WAL mode with `synchronous=FULL`.
//!
//! All SQL of this crate lives below this module. One thread writes (`writer`), so that concurrent appends share a commit; reads go through a
//! second connection and see what other processes committed at once.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::id::{Digest, RunId, Seq, Timestamp};
use abide_gate::HaltState;
use rusqlite::{Connection, OpenFlags};

use crate::leaf::{Blob, Draft, Record};
use crate::merkle::{Frontier, NodeHash};
use crate::store::{
    CheckpointRow, DecisionRow, Freeze, Guard, Limits, MoveRow, QueueItem, QueueState, RefMove,
    RefMoveRefusal, Release, RunRow, Store, StoreError, Tables, TaskRow,
};

mod append;
mod check;
mod fault;
mod moves;
mod projection;
mod read;
mod view;
mod writer;

use fault::{damaged, fault};
use writer::{Done, Work, Writer};

/// `AbLg`, so that `file` and we can tell a ledger from any other database.
const APPLICATION_ID: i64 = 0x4162_4c67;

/// Format of the tables.
const FORMAT: i64 = 1;

/// Ledgers up to this size are checked whole when they are opened; larger ones when `ab verify` says so.
const QUICK_CHECK_BYTES_MAX: u64 = 1024 * 1024;

/// A ledger in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    reader: Mutex<Connection>,
    writer: Writer,
    limits: Limits,
}

impl SqliteStore {
    /// Makes an empty store in `dir`, which is made too if need be (mode 0700; the file is 0600).
    pub fn create(dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        let path = file_in(dir);
        if !dir.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(system("make its folder"))?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists { dir: dir.to_owned() });
            }
            Err(error) => return Err(system("make its file")(error)),
        }
        let db = connect(&path, limits)?;
        let making = format!(
            "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {}\n{}\nPRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;",
            include_str!("sqlite/schema.sql"),
            include_str!("sqlite/projections.sql")
        );
        db.execute_batch(&making).map_err(fault("make its tables", limits.wait_ms_max))?;
        drop(db);
        File::open(dir).and_then(|folder| folder.sync_all()).map_err(system("make its folder durable"))?;
        Self::open(dir, limits)
    }

    /// Opens the store in `dir`.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        let path = file_in(dir);
        let meta = path.metadata().map_err(|error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            if missing {
                StoreError::Missing { dir: dir.to_owned() }
            } else {
                system("look at its file")(error)
            }
        })?;
        check_length(&path, meta.len())?;
        let reader = connect(&path, limits)?;
        admit(&reader, &path, limits)?;
        if meta.len() <= QUICK_CHECK_BYTES_MAX {
            quick_check(&reader, limits)?;
        }
        reader
            .execute_batch("PRAGMA query_only = ON")
            .map_err(fault("open for reading", limits.wait_ms_max))?;
        let edge = append::edge(&reader)?;
        let writer = Writer::start(connect(&path, limits)?, edge, limits)?;
        Ok(Self { reader: Mutex::new(reader), writer, limits })
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database file of a ledger in `dir`.
pub(crate) fn file_in(dir: &Path) -> PathBuf {
    dir.join("ledger.db")
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |error| {
        let full =
            matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        if full { StoreError::Full } else { StoreError::System { what, source: Arc::new(error) } }
    }
}

fn connect(path: &Path, limits: Limits) -> Result<Connection, StoreError> {
    let fault = fault("be opened", limits.wait_ms_max);
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(&fault)?;
    db.busy_timeout(Duration::from_millis(limits.wait_ms_max)).map_err(&fault)?;
    db.set_prepared_statement_cache_capacity(128);
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA recursive_triggers = ON;",
    )
    .map_err(&fault)?;
    if let Some(pages) = limits.pages_max {
        db.execute_batch(&format!("PRAGMA max_page_count = {pages}")).map_err(&fault)?;
    }
    Ok(db)
}

/// Refuses a file that is shorter than its header says (SQLite file format, section 1.3). While a write-ahead log is there, another process
/// may just be copying pages into the file, and `quick_check` has the word.
fn check_length(path: &Path, length: u64) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    if Path::new(&name).metadata().is_ok_and(|wal| wal.len() > 0) {
        return Ok(());
    }
    let mut header = [0; 32];
    if File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_err() {
        return Err(damaged("it is empty: it was cut off, or its making was interrupted"));
    }
    // The page size is 16 bits at 16, the number of pages 32 bits at 28.
    let [high, low, _, _, _, _, _, _, _, _, _, _, a, b, c, d] =
        *header.last_chunk::<16>().unwrap_or(&[0; 16]);
    let page = match u64::from(u16::from_be_bytes([high, low])) {
        1 => 65_536,
        other => other,
    };
    let pages = u64::from(u32::from_be_bytes([a, b, c, d]));
    if length < page.saturating_mul(pages) {
        Err(damaged("it is shorter than it says: it was cut off"))
    } else {
        Ok(())
    }
}

/// Refuses what is no ledger, or a ledger of a format that we do not know.
fn admit(db: &Connection, path: &Path, limits: Limits) -> Result<(), StoreError> {
    let pragma = |name| {
        db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(fault("be read", limits.wait_ms_max))
    };
    let (application, format) = match (pragma("application_id"), pragma("user_version")) {
        (Ok(application), Ok(format)) => (application, format),
        (Err(StoreError::Damaged { what }), _) | (_, Err(StoreError::Damaged { what })) => {
            return Err(StoreError::Damaged { what });
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    match (application, format) {
        (APPLICATION_ID, FORMAT) => Ok(()),
        (APPLICATION_ID, newer) if newer > FORMAT => Err(StoreError::Newer { found: newer, known: FORMAT }),
        (APPLICATION_ID, _) => Err(damaged("its format number is unknown")),
        (0, 0) => Err(damaged("it is empty: it was cut off, or its making was interrupted")),
        _ => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

fn quick_check(db: &Connection, limits: Limits) -> Result<(), StoreError> {
    let fault = fault("be checked", limits.wait_ms_max);
    let first: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fault)?;
    if first == "ok" { Ok(()) } else { Err(StoreError::Damaged { what: first }) }
}

impl Store for SqliteStore {
    fn append(&self, drafts: Vec<Draft>, guard: Guard) -> Result<Vec<Seq>, StoreError> {
        match self.writer.submit(Work::Append { drafts, guard })? {
            Done::Appended(places) => Ok(places),
            Done::Quiet | Done::Answered(_) => Err(StoreError::Silent),
        }
    }

    fn put_blobs(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        self.writer.submit(Work::Blobs(blobs)).map(|_| ())
    }

    fn spend_ref_move(
        &self,
        claim: &RefMove,
        now: Timestamp,
    ) -> Result<Result<Seq, RefMoveRefusal>, StoreError> {
        match self.writer.submit(Work::Spend { claim: claim.clone(), now })? {
            Done::Answered(answer) => Ok(answer),
            Done::Quiet | Done::Appended(_) => Err(StoreError::Silent),
        }
    }

    fn peek_ref_move(
        &self,
        claim: &RefMove,
        now: Timestamp,
    ) -> Result<Result<Seq, RefMoveRefusal>, StoreError> {
        moves::peek(&self.reader(), claim, now)
    }

    fn put_checkpoint(&self, row: CheckpointRow) -> Result<(), StoreError> {
        self.writer.submit(Work::Checkpoint(row)).map(|_| ())
    }

    fn rebuild(&self) -> Result<(), StoreError> {
        self.writer.submit(Work::Rebuild).map(|_| ())
    }

    fn size(&self) -> Result<u64, StoreError> {
        read::size(&self.reader())
    }

    fn records(&self, places: Range<u64>) -> Result<Vec<Record>, StoreError> {
        read::records(&self.reader(), places)
    }

    fn records_of(&self, run: &RunId) -> Result<Vec<Record>, StoreError> {
        read::records_of(&self.reader(), run)
    }

    fn records_of_kinds(&self, kinds: &[&str]) -> Result<Vec<Record>, StoreError> {
        read::records_of_kinds(&self.reader(), kinds)
    }

    fn node(&self, level: u32, index: u64) -> Result<NodeHash, StoreError> {
        read::node(&self.reader(), level, index)
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Blob>, StoreError> {
        read::blob(&self.reader(), digest)
    }

    fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError> {
        read::last_checkpoint(&self.reader())
    }

    fn checkpoint_at(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
        read::checkpoint_at(&self.reader(), size)
    }

    fn checkpoints(&self) -> Result<Vec<CheckpointRow>, StoreError> {
        read::checkpoints(&self.reader())
    }

    fn check_storage(&self) -> Result<(), StoreError> {
        let db = self.reader();
        quick_check(&db, self.limits)?;
        check::columns(&db)?;
        check::blobs(&db)
    }

    fn projections_agree(&self) -> Result<(), StoreError> {
        check::projections(&self.reader())
    }

    fn halt(&self, run: &RunId) -> Result<HaltState, StoreError> {
        read::halt(&self.reader(), run)
    }

    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        view::runs(&self.reader())
    }

    fn tasks(&self, run: &RunId) -> Result<Vec<TaskRow>, StoreError> {
        view::tasks(&self.reader(), run)
    }

    fn decision(&self, seq: Seq) -> Result<Option<DecisionRow>, StoreError> {
        view::decision(&self.reader(), seq)
    }

    fn decisions_of(&self, run: &RunId) -> Result<Vec<DecisionRow>, StoreError> {
        view::decisions_of(&self.reader(), run)
    }

    fn queue(&self, which: QueueState) -> Result<Vec<QueueItem>, StoreError> {
        view::queue(&self.reader(), which)
    }

    fn queue_item(&self, item: &str) -> Result<Option<QueueItem>, StoreError> {
        view::queue_item(&self.reader(), item)
    }

    fn ref_moves(&self, repo: &str) -> Result<Vec<MoveRow>, StoreError> {
        view::ref_moves(&self.reader(), repo)
    }

    fn freezes(&self) -> Result<Vec<Freeze>, StoreError> {
        view::freezes(&self.reader())
    }

    fn releases(&self, environment: &str) -> Result<Vec<Release>, StoreError> {
        view::releases(&self.reader(), environment)
    }

    fn tables(&self) -> Result<Tables, StoreError> {
        view::tables(&self.reader())
    }
}

/// The growing edge as stored.
fn edge_of(db: &Connection, size: u64) -> Result<Frontier, StoreError> {
    Frontier::load(size, &read::StoredNodes(db))
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "numbers of a test are small"
)]
mod tests;
