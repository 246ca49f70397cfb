//! Rows of the projections, as plain data. Each can be made anew from the log at any time.

use std::collections::BTreeMap;

use abide_core::action::ActionClass;
use abide_core::decision::Verdict;
use abide_core::id::{Digest, Epoch, Oid, RefName, ReleaseId, RepoId, RunId, Seq, Timestamp};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Digest of the goal text.
    pub goal: String,
    /// `PLAN` or `APPLY`.
    pub mode: String,
    /// `running`, `halted`, or the outcome that `RunFinished` says.
    pub status: String,
    /// The profile.
    pub profile: String,
    /// The repository.
    pub repo: String,
    /// The target branch.
    pub target: String,
    /// The commit that it began on.
    pub base: String,
    /// The ticket, if there is one.
    pub ticket: Option<String>,
    /// Who asked for it.
    pub sponsor: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// A unit of work of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// `<run>/<unit>`.
    pub id: String,
    /// The unit's id within the run.
    pub unit: String,
    /// The recipe.
    pub recipe: String,
    /// What it is for.
    pub title: String,
    /// `planned`, `proposed`, `failed`, `committed`, `checked`, `waiting`, `approved`, `refused`, `denied` or `merged`.
    pub status: String,
    /// Times a worker was tried.
    pub attempt: u64,
    /// The last thing that went wrong.
    pub error: Option<String>,
}

/// What was judged, in which class and kind, and how it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Class of the action.
    pub class: ActionClass,
    /// Kind of the action.
    pub kind: String,
    /// How it came out.
    pub verdict: Verdict,
    /// Digest of the action.
    pub action: Digest,
}

/// A recorded decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// Its place in the log.
    pub seq: Seq,
    /// The run that asked.
    pub run: Option<RunId>,
    /// The unit that asked.
    pub unit: Option<String>,
    /// What was judged.
    pub judged: Judged,
    /// Digest of the decision.
    pub digest: Digest,
    /// When a permit on it ends.
    pub expires: Timestamp,
    /// The epoch in which it was made.
    pub epoch: Epoch,
    /// The repository that the action lands in.
    pub repo: Option<RepoId>,
    /// The reference that would move.
    pub reference: Option<RefName>,
    /// Where the reference must stand.
    pub old: Option<Oid>,
    /// Where it would stand.
    pub new: Option<Oid>,
    /// The event that spent it.
    pub consumed_by: Option<Seq>,
}

/// Which items of the queue are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// Those that wait for a person.
    Waiting,
    /// All of them.
    All,
}

/// Something that waits, or waited, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueItem {
    /// Its name.
    pub item: String,
    /// The run.
    pub run: RunId,
    /// The unit.
    pub unit: Option<String>,
    /// The decision that said review.
    pub decision: Seq,
    /// Class of the action.
    pub class: String,
    /// Digest of the action.
    pub action: Digest,
    /// When the question ends.
    pub expires: Timestamp,
    /// The rule that stopped it.
    pub why: String,
    /// `waiting`, `approved`, `refused`, `superseded` or `done`.
    pub status: String,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Approvals of exactly this action.
    pub approvals: Vec<Approval>,
}

/// A person said yes to one exact action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its place in the log.
    pub seq: Seq,
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Digest of the action.
    pub action: Digest,
    /// When.
    pub at: Timestamp,
    /// What they said.
    pub note: Option<String>,
}

/// A move of a reference that the log knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// Its place in the log.
    pub seq: Seq,
    /// The reference.
    pub reference: String,
    /// Where it stood.
    pub old: String,
    /// Where it stands.
    pub new: String,
    /// The decision that allowed it.
    pub decision: Option<Seq>,
    /// The kind of the event: `RefMoveAllowed`, `RefMoveRefused`, `PatchCommitted`, `Merged` or `Reverted`.
    pub kind: String,
}

/// Merges in a repository are frozen until a person looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its place in the log.
    pub seq: Seq,
    /// The repository.
    pub repo: String,
    /// The reference that moved without a record.
    pub reference: String,
    /// Where it was found.
    pub found: String,
    /// What is wrong.
    pub why: String,
}

/// A release in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub release: ReleaseId,
    /// The commit that it was made from.
    pub commit: Oid,
    /// `canary`, `promoted` or `rolled-back`.
    pub state: String,
    /// The event that put it into this state.
    pub seq: Seq,
}

/// Every row of every projection as text: table name to rows in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables(pub BTreeMap<String, Vec<Vec<String>>>);
