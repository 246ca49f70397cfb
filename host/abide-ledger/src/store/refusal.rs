//! The question that a git hook asks, and the reasons for saying no.

use abide_core::decision::Verdict;
use abide_core::id::{Oid, RefName, RepoId, Seq};

/// A move of one reference: where it stands and where it would stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefMove {
    /// The repository.
    pub repo: RepoId,
    /// The reference.
    pub reference: RefName,
    /// Where it stands.
    pub old: Oid,
    /// Where it would stand.
    pub new: Oid,
}

/// Why a reference may not move. A refusal is an answer, not a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefMoveRefusal {
    /// Nobody decided on exactly this move.
    #[error("no decision allows exactly this move of exactly this reference")]
    NoDecision,
    /// It was judged, and the answer was not yes.
    #[error("decision {seq} on this move is `{}`, not `allow`", .verdict.as_str())]
    NotAllowed {
        /// The decision.
        seq: Seq,
        /// Its verdict.
        verdict: Verdict,
    },
    /// The only decision on this reference is about a work branch.
    #[error("decision {seq} allows a work branch to be written, which is not a merge")]
    OnlyWrite {
        /// The decision.
        seq: Seq,
    },
    /// The decision is too old.
    #[error("decision {seq} on this move has expired")]
    Expired {
        /// The decision.
        seq: Seq,
    },
    /// The decision was used before.
    #[error("decision {seq} on this move was used before, at {by}")]
    AlreadyUsed {
        /// The decision.
        seq: Seq,
        /// The event that used it.
        by: Seq,
    },
    /// The kill switch is pulled.
    #[error("the kill switch is pulled")]
    Halted,
    /// The kill switch was pulled after the decision.
    #[error("the kill switch was pulled after decision {seq} on this move")]
    WrongEpoch {
        /// The decision.
        seq: Seq,
    },
    /// Merges are frozen.
    #[error("merges in this repository are frozen since {since}: a reference moved without a record")]
    Frozen {
        /// The event that froze them.
        since: Seq,
    },
}

impl RefMoveRefusal {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDecision => "AB0420",
            Self::NotAllowed { .. } => "AB0421",
            Self::OnlyWrite { .. } => "AB0422",
            Self::Expired { .. } => "AB0423",
            Self::AlreadyUsed { .. } => "AB0424",
            Self::Halted => "AB0425",
            Self::WrongEpoch { .. } => "AB0426",
            Self::Frozen { .. } => "AB0427",
        }
    }
}
