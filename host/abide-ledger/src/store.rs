//! What a backend must do to be a ledger's memory. No database type appears here; [`crate::sqlite`] is the first backend.
//!
//! Every write is one transaction that is durable when the call returns: the event, the blobs that it cites, the hashes of the tree, and
//! the rows of every projection. Several processes may write to one store. `conformance` is the suite that a backend must pass.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use abide_core::id::{Digest, RunId, Seq, Timestamp};
use abide_gate::HaltState;

use crate::leaf::{Blob, Draft, LeafError, Record};
use crate::merkle::NodeHash;

#[cfg(test)]
pub(crate) mod conformance;
mod refusal;
mod view;

pub use refusal::{RefMove, RefMoveRefusal};
pub use view::{
    Approval, DecisionRow, Freeze, Judged, MoveRow, QueueItem, QueueState, Release, RunRow, Tables, TaskRow,
};

/// Bounds of a store. There is no default: the caller names them, usually [`Limits::STANDARD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait for another process that writes, in milliseconds.
    pub wait_ms_max: u64,
    /// Most appends that wait for the writer thread.
    pub queue_max: usize,
    /// Most appends that share a commit.
    pub batch_max: usize,
    /// Most pages that the database may have; `None` means as many as the disk holds.
    pub pages_max: Option<u32>,
}

impl Limits {
    /// What the command line uses.
    pub const STANDARD: Self =
        Self { wait_ms_max: 10_000, queue_max: 1_024, batch_max: 512, pages_max: None };
}

/// What must hold when an append is written, looked at inside its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    Free,
    /// The last event of a run is still this one, so that two processes never carry the same run on.
    RunAt {
        /// The run.
        run: RunId,
        /// Its last event, `None` if it has none.
        last: Option<Seq>,
    },
}

/// A signed root, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: NodeHash,
    /// The signed note.
    pub note: String,
}

/// Why the ledger cannot answer. Nothing was written, unless it says that the outcome is unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process held it for too long.
    #[error("the ledger is locked by another process: waited {waited_ms} ms")]
    Locked {
        /// How long.
        waited_ms: u64,
    },
    /// A newer `ab` wrote it.
    #[error("the ledger has format {found}, and this `ab` knows formats up to {known}")]
    Newer {
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// It is not a ledger.
    #[error("`{}` is not a ledger", .path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
    },
    /// It is damaged.
    #[error("the ledger is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// No room is left.
    #[error("the disk of the ledger is full: nothing was written")]
    Full,
    /// It is not there.
    #[error("there is no ledger in `{}`", .dir.display())]
    Missing {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// It is there already.
    #[error("there is a ledger in `{}` already", .dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// The system refused.
    #[error("the ledger cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The event is malformed.
    #[error(transparent)]
    Leaf(#[from] Arc<LeafError>),
    /// The event lacks what its kind must say.
    #[error("event `{kind}` cannot be recorded: field `{field}` {why}")]
    Malformed {
        /// Its kind.
        kind: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The event contradicts the log.
    #[error("event `{kind}` contradicts the log: {why}")]
    Conflict {
        /// Its kind.
        kind: String,
        /// How.
        why: &'static str,
    },
    /// Another process carried the run on.
    #[error("run `{run}` was carried on by another process")]
    Overtaken {
        /// The run.
        run: RunId,
    },
    /// A blob is too large.
    #[error("a blob of {bytes} bytes is larger than 64 MiB")]
    Blob {
        /// Its length.
        bytes: usize,
    },
    /// Another root was signed for this size.
    #[error("another root was signed for size {size} of this log before")]
    Forked {
        /// The size.
        size: u64,
    },
    /// The writer is gone or too slow: whether the event was written is unknown.
    #[error("the ledger's writer gave no answer: whether the event was recorded is unknown")]
    Silent,
}

impl StoreError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "AB0401",
            Self::Newer { .. } => "AB0402",
            Self::Foreign { .. } => "AB0403",
            Self::Damaged { .. } => "AB0404",
            Self::Full => "AB0405",
            Self::Missing { .. } => "AB0406",
            Self::Exists { .. } => "AB0407",
            Self::System { .. } => "AB0408",
            Self::Leaf(_) | Self::Malformed { .. } | Self::Blob { .. } => "AB0409",
            Self::Conflict { .. } => "AB0410",
            Self::Overtaken { .. } => "AB0411",
            Self::Forked { .. } => "AB0412",
            Self::Silent => "AB0413",
        }
    }
}

impl From<LeafError> for StoreError {
    fn from(error: LeafError) -> Self {
        Self::Leaf(Arc::new(error))
    }
}

/// A ledger's memory.
pub trait Store: fmt::Debug + Send + Sync {
    /// Appends all of `drafts` in order, or none, and returns their places once they would survive a power cut.
    fn append(&self, drafts: Vec<Draft>, guard: Guard) -> Result<Vec<Seq>, StoreError>;
    /// Keeps `blobs` that no event cites yet.
    fn put_blobs(&self, blobs: Vec<Blob>) -> Result<(), StoreError>;
    /// Spends the record that allows one ref move, in one transaction with the event `RefMoveAllowed`, and returns the decision.
    fn spend_ref_move(
        &self,
        claim: &RefMove,
        now: Timestamp,
    ) -> Result<Result<Seq, RefMoveRefusal>, StoreError>;
    /// What [`Store::spend_ref_move`] would answer at this moment; nothing is spent.
    fn peek_ref_move(
        &self,
        claim: &RefMove,
        now: Timestamp,
    ) -> Result<Result<Seq, RefMoveRefusal>, StoreError>;
    /// Keeps a signed root, durably; refuses another root for the same size.
    fn put_checkpoint(&self, row: CheckpointRow) -> Result<(), StoreError>;
    /// Throws every projection away and makes it anew from the log.
    fn rebuild(&self) -> Result<(), StoreError>;

    /// Number of events.
    fn size(&self) -> Result<u64, StoreError>;
    /// Events by place.
    fn records(&self, places: Range<u64>) -> Result<Vec<Record>, StoreError>;
    /// Events of one run, in order.
    fn records_of(&self, run: &RunId) -> Result<Vec<Record>, StoreError>;
    /// Events of any of `kinds`, in order.
    fn records_of_kinds(&self, kinds: &[&str]) -> Result<Vec<Record>, StoreError>;
    /// A stored hash of a complete subtree.
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, StoreError>;
    /// Bytes by digest.
    fn blob(&self, digest: &Digest) -> Result<Option<Blob>, StoreError>;
    /// The signed root of the largest size.
    fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError>;
    /// The signed root of one size.
    fn checkpoint_at(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError>;

    /// Every signed root, smallest size first.
    fn checkpoints(&self) -> Result<Vec<CheckpointRow>, StoreError>;
    /// Checks what the backend keeps beside the bytes of events: pages, columns, and blobs against their digests.
    fn check_storage(&self) -> Result<(), StoreError>;
    /// Makes every projection anew, aside, and compares.
    fn projections_agree(&self) -> Result<(), StoreError>;

    /// The kill switch for the whole system and for `run`, as it stands in the log at this moment.
    fn halt(&self, run: &RunId) -> Result<HaltState, StoreError>;
    /// Every run, oldest first.
    fn runs(&self) -> Result<Vec<RunRow>, StoreError>;
    /// Units of one run.
    fn tasks(&self, run: &RunId) -> Result<Vec<TaskRow>, StoreError>;
    /// One decision.
    fn decision(&self, seq: Seq) -> Result<Option<DecisionRow>, StoreError>;
    /// Decisions of one run, in order.
    fn decisions_of(&self, run: &RunId) -> Result<Vec<DecisionRow>, StoreError>;
    /// Items in the queue, oldest first; only those that wait for a person if `waiting`.
    fn queue(&self, which: QueueState) -> Result<Vec<QueueItem>, StoreError>;
    /// One item of the queue, whatever its state.
    fn queue_item(&self, item: &str) -> Result<Option<QueueItem>, StoreError>;
    /// Moves of references that the log knows, in order; `repo` narrows them down.
    fn ref_moves(&self, repo: &str) -> Result<Vec<MoveRow>, StoreError>;
    /// Freezes that stand.
    fn freezes(&self) -> Result<Vec<Freeze>, StoreError>;
    /// Releases of an environment, oldest first.
    fn releases(&self, environment: &str) -> Result<Vec<Release>, StoreError>;
    /// Every row of every projection, as text, for comparison.
    fn tables(&self) -> Result<Tables, StoreError>;
}
