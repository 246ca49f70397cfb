//! The ledger: a store, the name of its log, and the key that signs for it.
//!
//! A folder holds `ledger.db`, `log.key` (0600, read only when something is signed) and `log.vkey`, which anyone may copy.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abide_core::id::{RunId, Seq, Timestamp};
use serde_json::json;

use crate::checkpoint::Checkpoint;
use crate::leaf::{Draft, Leaf, Record};
use crate::merkle::{NodeHash, Nodes, Tile, consistency, inclusion, root_of};
use crate::note::{NoteError, NoteKey, Origin, Vkey};
use crate::sqlite::{SqliteStore, file_in};
use crate::store::{CheckpointRow, Guard, Limits, RefMove, RefMoveRefusal, Store, StoreError};

/// Why a ledger cannot be made, opened or signed for.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key file is missing, readable by others, or not of this log.
    #[error("the key `{}` {why}", .path.display())]
    Key {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The name of the log, or a note, is malformed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The anchor was signed for a longer log: ours was cut off or rolled back.
    #[error("the anchor `{}` was signed for {anchored} events, and the log has {found}: it was rolled back", .path.display())]
    AnchorAhead {
        /// The anchor.
        path: PathBuf,
        /// Its size.
        anchored: u64,
        /// The size of the log.
        found: u64,
    },
    /// The anchor was signed for another log, or for another history of this one.
    #[error("the anchor `{}` {why}", .path.display())]
    AnchorFork {
        /// The anchor.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} `{}`", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl LedgerError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Key { .. } => "AB0414",
            Self::Note(_) => "AB0415",
            Self::AnchorAhead { .. } => "AB0416",
            Self::AnchorFork { .. } => "AB0417",
            Self::File { .. } => "AB0418",
        }
    }
}

/// How to open a ledger. There is no default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Bounds.
    pub limits: Limits,
    /// A file, best on another machine or medium, that holds the last signed checkpoint. The log must contain it.
    pub anchor: Option<PathBuf>,
}

impl Opening {
    /// Standard bounds, no anchor.
    pub const STANDARD: Self = Self { limits: Limits::STANDARD, anchor: None };
}

/// An open ledger.
#[derive(Clone)]
pub struct Ledger {
    dir: PathBuf,
    store: Arc<dyn Store>,
    vkey: Vkey,
    anchor: Option<PathBuf>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("dir", &self.dir)
            .field("vkey", &self.vkey.to_string())
            .finish_non_exhaustive()
    }
}

/// The tree of a store.
pub(crate) struct Tree<'a>(pub(crate) &'a dyn Store);

impl Nodes for Tree<'_> {
    type Error = StoreError;
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, StoreError> {
        self.0.node(level, index)
    }
}

impl Ledger {
    /// Makes a ledger in `dir`: the signing key from 32 bytes of entropy, the tables, and the first event.
    pub fn create(
        dir: &Path,
        seed: &[u8; 32],
        origin: &str,
        at: Timestamp,
        opening: &Opening,
    ) -> Result<Self, LedgerError> {
        if file_in(dir).exists() {
            return Err(StoreError::Exists { dir: dir.to_owned() }.into());
        }
        let key = NoteKey::from_seed(origin.parse()?, seed);
        let vkey = key.vkey();
        if !dir.is_dir() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(|source| LedgerError::File { what: "make", path: dir.to_owned(), source })?;
        }
        replace(&dir.join("log.key"), &format!("{}\n", key.to_secret()), 0o600)?;
        replace(&dir.join("log.vkey"), &format!("{vkey}\n"), 0o644)?;
        let store = SqliteStore::create(dir, opening.limits)?;
        let data =
            json!({ "origin": origin, "key": vkey.to_string(), "attest": crate::attest::key_text(&key) });
        store.append(
            vec![Draft::from(Leaf::new(None, "LogCreated", at, data).map_err(StoreError::from)?)],
            Guard::Free,
        )?;
        Ok(Self { dir: dir.to_owned(), store: Arc::new(store), vkey, anchor: opening.anchor.clone() })
    }

    /// Opens the ledger in `dir` and looks whether the anchor is part of it.
    pub fn open(dir: &Path, opening: &Opening) -> Result<Self, LedgerError> {
        let store = SqliteStore::open(dir, opening.limits)?;
        let vkey = first_key(&store)?;
        let path = dir.join("log.vkey");
        if std::fs::read_to_string(&path).is_ok_and(|known| known.trim_end() != vkey.to_string()) {
            return Err(LedgerError::Key { path, why: "is not the key that the log's first event names" });
        }
        let ledger =
            Self { dir: dir.to_owned(), store: Arc::new(store), vkey, anchor: opening.anchor.clone() };
        ledger.check_anchor()?;
        Ok(ledger)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its memory, for the projections.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The key that its checkpoints are verified with.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Appends all of `drafts` in order, or none; they would survive a power cut when this returns.
    pub fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Seq>, StoreError> {
        self.store.append(drafts, Guard::Free)
    }

    /// The same, if the last event of the run is still `last`.
    pub fn append_after(
        &self,
        run: &RunId,
        last: Option<Seq>,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Seq>, StoreError> {
        self.store.append(drafts, Guard::RunAt { run: run.clone(), last })
    }

    /// Events by place.
    pub fn read(&self, places: Range<u64>) -> Result<Vec<Record>, StoreError> {
        self.store.records(places)
    }

    /// Events of one run, in order.
    pub fn events_of(&self, run: &RunId) -> Result<Vec<Record>, StoreError> {
        self.store.records_of(run)
    }

    /// Number of events.
    pub fn size(&self) -> Result<u64, StoreError> {
        self.store.size()
    }

    /// Root of the tree.
    pub fn root(&self) -> Result<NodeHash, StoreError> {
        self.root_at(self.size()?)
    }

    /// Root of the first `size` events.
    pub fn root_at(&self, size: u64) -> Result<NodeHash, StoreError> {
        root_of(size, &Tree(self.store()))
    }

    /// Proof that event `seq` is among the first `size`; `None` if it is not.
    pub fn prove_inclusion(&self, seq: Seq, size: u64) -> Result<Option<Vec<NodeHash>>, StoreError> {
        inclusion(seq.0, size, &Tree(self.store()))
    }

    /// Proof that the first `old` events are the beginning of the first `new`; `None` if they cannot be.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Option<Vec<NodeHash>>, StoreError> {
        consistency(old, new, &Tree(self.store()))
    }

    /// The hashes of one tile, as mirrors serve it.
    pub fn tile(&self, tile: &Tile) -> Result<Vec<u8>, StoreError> {
        tile.read(&Tree(self.store()))
    }

    /// The events under one tile of level 0, each after its length in 16 bits (C2SP `tlog-tiles`, entry bundles).
    pub fn entries(&self, tile: &Tile) -> Result<Vec<u8>, StoreError> {
        let first = tile.index.saturating_mul(256);
        let mut bundle = Vec::new();
        for record in self.read(first..first.saturating_add(tile.width))? {
            let bytes = record.leaf.bytes();
            bundle.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
            bundle.extend_from_slice(bytes);
        }
        Ok(bundle)
    }

    /// Spends the record that allows one ref move and returns its decision; or says why there is none.
    pub fn consume_ref_move(
        &self,
        claim: &RefMove,
        now: Timestamp,
    ) -> Result<Result<Seq, RefMoveRefusal>, StoreError> {
        self.store.spend_ref_move(claim, now)
    }

    /// What [`Ledger::consume_ref_move`] would answer at this moment; nothing is spent, so nothing may be done on the answer.
    pub fn peek_ref_move(
        &self,
        claim: &RefMove,
        now: Timestamp,
    ) -> Result<Result<Seq, RefMoveRefusal>, StoreError> {
        self.store.peek_ref_move(claim, now)
    }

    /// Throws the projections away and makes them anew from the log.
    pub fn rebuild_projections(&self) -> Result<(), StoreError> {
        self.store.rebuild()
    }

    /// Signs the log as it stands. The row is durable before the signature leaves, and a size is signed once: asking again gives the same note.
    pub fn checkpoint(&self) -> Result<(Checkpoint, String), LedgerError> {
        let size = self.size()?;
        let checkpoint = Checkpoint { origin: self.vkey.name().clone(), size, root: self.root_at(size)? };
        let note = match self.store.checkpoint_at(size)? {
            Some(row) if row.root == checkpoint.root => row.note,
            Some(_) => return Err(StoreError::Forked { size }.into()),
            None => {
                let note = checkpoint.sign(&self.key()?);
                let origin = checkpoint.origin.as_str().to_owned();
                self.store.put_checkpoint(CheckpointRow {
                    origin,
                    size,
                    root: checkpoint.root,
                    note: note.clone(),
                })?;
                note
            }
        };
        self.move_anchor(size, &note)?;
        Ok((checkpoint, note))
    }

    /// The signing key, read from its file, which nobody else may be able to read.
    pub(crate) fn key(&self) -> Result<NoteKey, LedgerError> {
        let path = self.dir.join("log.key");
        let wrong = |why| LedgerError::Key { path: path.clone(), why };
        let file = File::open(&path).map_err(|_| wrong("cannot be read"))?;
        let mode = file.metadata().map_err(|_| wrong("cannot be looked at"))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("can be read by others: its mode must be 0600"));
        }
        let text = std::io::read_to_string(file).map_err(|_| wrong("cannot be read"))?;
        let key = NoteKey::from_secret(text.trim_end()).map_err(|_| wrong("is malformed"))?;
        if key.vkey() == self.vkey { Ok(key) } else { Err(wrong("is not the key of this log")) }
    }

    fn check_anchor(&self) -> Result<(), LedgerError> {
        let Some((path, anchored)) = self.anchored()? else { return Ok(()) };
        let found = self.size()?;
        if anchored.size > found {
            return Err(LedgerError::AnchorAhead { path, anchored: anchored.size, found });
        }
        if self.root_at(anchored.size)? == anchored.root {
            Ok(())
        } else {
            Err(LedgerError::AnchorFork { path, why: "was signed for another history of this log" })
        }
    }

    fn anchored(&self) -> Result<Option<(PathBuf, Checkpoint)>, LedgerError> {
        let Some(path) = &self.anchor else { return Ok(None) };
        let note = match std::fs::read_to_string(path) {
            Ok(note) => note,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(LedgerError::File { what: "read the anchor", path: path.clone(), source });
            }
        };
        let checkpoint = Checkpoint::open(&note, &self.vkey);
        let checkpoint = checkpoint.map_err(|_| LedgerError::AnchorFork {
            path: path.clone(),
            why: "is not a checkpoint of this log",
        })?;
        Ok(Some((path.clone(), checkpoint)))
    }

    fn move_anchor(&self, size: u64, note: &str) -> Result<(), LedgerError> {
        let Some(path) = &self.anchor else { return Ok(()) };
        self.check_anchor()?;
        match self.anchored()? {
            Some((_, anchored)) if anchored.size >= size => Ok(()),
            _ => replace(path, note, 0o644),
        }
    }
}

/// The key that the first event names.
fn first_key(store: &dyn Store) -> Result<Vkey, LedgerError> {
    let damaged = |what: &str| LedgerError::Store(StoreError::Damaged { what: what.to_owned() });
    let first = store.records(0..1)?.pop().filter(|record| record.leaf.kind() == "LogCreated");
    let first = first.ok_or_else(|| damaged("its first event is missing"))?;
    let data = first.leaf.data();
    let key = data
        .get("key")
        .and_then(serde_json::Value::as_str)
        .ok_or_else(|| damaged("its first event names no key"))?;
    let vkey: Vkey = key.parse().map_err(|_| damaged("its first event names a malformed key"))?;
    let origin = data
        .get("origin")
        .and_then(serde_json::Value::as_str)
        .and_then(|origin| origin.parse::<Origin>().ok());
    if origin.as_ref() == Some(vkey.name()) {
        Ok(vkey)
    } else {
        Err(damaged("its first event names another log than its key"))
    }
}

/// Replaces a file whole: a reader sees the old one or the new one, also after a power cut.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), LedgerError> {
    let failed = |source| LedgerError::File { what: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = folder.join(name);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(failed)
}

#[cfg(test)]
mod tests;
