//! The hand that moves a protected branch: one compare-and-swap, fast-forward only, to exactly the commit that was judged.
//!
//! Order matters: everything that can refuse comes before the reference moves, and what comes after (a checked-out work tree) is reported,
//! never turned into an error, because by then the merge has happened.

use abide_core::action::Merge;
use abide_core::id::{Oid, RefName, RepoId, Timestamp};
use abide_gate::{Permit, Redeemed, Stale};
use serde::Serialize;

use super::checkout::{self, Checkout, CheckoutError};
use super::fault::{GitFault, theirs};
use super::read::{Ancestry, ReadError};
use super::repo::{Repo, RepoError};
use super::sink::{Move, MoveError, engine, seconds};
use crate::receipt::{Landing, Receipt};

/// Records that the permission is used up, while the reference is locked and just before it moves. An error stops the move.
pub type BeforeSink<'a, A> = &'a dyn Fn(&Redeemed<A>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// How the entries of our merges begin in the log of a branch.
const LOG_MARK: &str = "ab merge: ";

/// Moves protected branches.
#[derive(Debug)]
pub struct MergeHand<'r> {
    repo: &'r Repo,
}

/// A branch that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// The branch.
    pub target: RefName,
    /// Where it stood.
    pub old: Oid,
    /// Where it stands.
    pub new: Oid,
    /// What became of work trees that have it checked out.
    pub checkout: Checkout,
}

/// Why nothing was merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The permit no longer counts.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The permit is for another repository.
    #[error("the permit is for repository `{permitted}`, this is `{found}`")]
    WrongRepository {
        /// In the permit.
        permitted: RepoId,
        /// Here.
        found: RepoId,
    },
    /// The branch does not stand where it was judged.
    #[error("`{}` moved while this was judged: expected {}, found {}", .target.short(), .expected.short(), .found.short())]
    TargetMoved {
        /// The branch.
        target: RefName,
        /// Where it was judged.
        expected: Oid,
        /// Where it stands; zero if it is gone.
        found: Oid,
    },
    /// Commits of the branch would be lost.
    #[error("`{}` cannot be fast-forwarded from {} to {}", .target.short(), .expected.short(), .commit.short())]
    NotFastForward {
        /// The branch.
        target: RefName,
        /// Where it stands.
        expected: Oid,
        /// Where it was to go.
        commit: Oid,
    },
    /// The commit does not hold the tree that was judged.
    #[error("commit {} holds tree {}, not the judged {}", .commit.short(), .found.short(), .judged.short())]
    WrongTree {
        /// The commit.
        commit: Oid,
        /// The judged tree.
        judged: Oid,
        /// The tree that it holds.
        found: Oid,
    },
    /// Another process holds the branch.
    #[error("`{}` is locked by another process", .0.short())]
    Locked(RefName),
    /// The use of the permission could not be recorded.
    #[error("the merge could not be recorded, so it did not happen")]
    Unrecorded(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A work tree that has the branch checked out is in the way.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// The branch cannot be read as one.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A commit could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
}

impl MergeError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale(stale) => stale.code(),
            Self::WrongRepository { .. } => "AB0329",
            Self::TargetMoved { .. } => "AB0340",
            Self::NotFastForward { .. } => "AB0341",
            Self::WrongTree { .. } => "AB0342",
            Self::Locked(_) => "AB0332",
            Self::Unrecorded(_) => "AB0345",
            Self::Checkout(error) => error.code(),
            Self::Repo(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

/// Why the last look said no.
pub(super) enum LastLook {
    Stale(Stale),
    Unrecorded(Box<dyn std::error::Error + Send + Sync>),
}

impl<'r> MergeHand<'r> {
    /// A hand on `repo`.
    pub fn new(repo: &'r Repo) -> Self {
        Self { repo }
    }

    /// Moves the branch to the judged commit.
    pub fn apply(
        &self,
        permit: Permit<Merge>,
        time: Timestamp,
        before_sink: BeforeSink<'_, Merge>,
    ) -> Result<Receipt<Merged>, MergeError> {
        let redeemed = permit.redeem()?;
        let action = &redeemed.action;
        if action.repo != *self.repo.id() {
            return Err(MergeError::WrongRepository {
                permitted: action.repo.clone(),
                found: self.repo.id().clone(),
            });
        }
        let judged = self.repo.commit(&action.commit)?;
        if judged.tree != action.tree {
            let (commit, judged_tree) = (action.commit.clone(), action.tree.clone());
            return Err(MergeError::WrongTree { commit, judged: judged_tree, found: judged.tree });
        }
        if !self.fast_forwards(action)? {
            let (target, expected, commit) =
                (action.target.clone(), action.expected.clone(), action.commit.clone());
            return Err(MergeError::NotFastForward { target, expected, commit });
        }
        if let Some(landed) = self.probe(action)? {
            let checkout = checkout::bring_up(self.repo, &action.target, &action.expected, &landed.new);
            return Ok(Receipt::of(&redeemed, Landing::Already, Merged { checkout, ..landed }));
        }
        self.check_target(action)?;
        let plan = checkout::plan(self.repo, &action.target, &action.expected, &action.commit)?;
        let message = format!("{LOG_MARK}run {} decision {}", redeemed.run(), redeemed.decision());
        let by = engine(seconds(time))?;
        let (name, expected, new) = (&action.target, &action.expected, &action.commit);
        let step = Move { name, expected, new, by: &by, message: &message };
        step.perform(&self.repo.git, || last_look(&redeemed, before_sink))
            .map_err(|error| refusal(error, name, expected))?;
        let checkout = checkout::carry_out(plan);
        let outcome = Merged { target: name.clone(), old: expected.clone(), new: new.clone(), checkout };
        Ok(Receipt::of(&redeemed, Landing::Fresh, outcome))
    }

    /// Whether the merge landed earlier: the branch stands at the commit or has gone on from it, and its log says that a merge of ours
    /// took it there. The same commit brought by somebody else is their move, not ours.
    pub fn probe(&self, action: &Merge) -> Result<Option<Merged>, MergeError> {
        let Some(found) = self.repo.find(&action.target)? else { return Ok(None) };
        if found == action.expected || !self.fast_forwards(action)? || !self.logged(action)? {
            return Ok(None);
        }
        Ok(match self.repo.ancestry(&action.commit, &found)? {
            Ancestry::Same | Ancestry::Ancestor => {
                let (target, old, new) =
                    (action.target.clone(), action.expected.clone(), action.commit.clone());
                Some(Merged { target, old, new, checkout: Checkout::Untouched })
            }
            Ancestry::Unrelated => None,
        })
    }

    fn fast_forwards(&self, action: &Merge) -> Result<bool, MergeError> {
        Ok(self.repo.ancestry(&action.expected, &action.commit)? == Ancestry::Ancestor)
    }

    fn logged(&self, action: &Merge) -> Result<bool, MergeError> {
        let (old, new) = (theirs(&action.expected)?, theirs(&action.commit)?);
        let log = self
            .repo
            .git
            .reflog(action.target.as_str())
            .map_err(GitFault::of("read the log of a reference"))?;
        Ok(log.iter().any(|entry| {
            let ours = entry.message_bytes().is_some_and(|said| said.starts_with(LOG_MARK.as_bytes()));
            ours && entry.id_old() == old && entry.id_new() == new
        }))
    }

    /// The same is asked again under the lock; asked first here so that the answer names what moved.
    fn check_target(&self, action: &Merge) -> Result<(), MergeError> {
        let found = self.repo.find(&action.target)?.unwrap_or_else(Oid::zero);
        if found == action.expected && !found.is_zero() {
            return Ok(());
        }
        Err(MergeError::TargetMoved {
            target: action.target.clone(),
            expected: action.expected.clone(),
            found,
        })
    }
}

/// What is asked while the reference is locked: is it still permitted, and is its use on record?
pub(super) fn last_look<A: abide_core::action::Action>(
    redeemed: &Redeemed<A>,
    before_sink: BeforeSink<'_, A>,
) -> Result<(), LastLook> {
    redeemed.still_stands().map_err(LastLook::Stale)?;
    before_sink(redeemed).map_err(LastLook::Unrecorded)?;
    // Recording takes a commit to disk, in which the kill switch may have been pulled.
    redeemed.still_stands().map_err(LastLook::Stale)
}

pub(super) fn refusal(error: MoveError<LastLook>, target: &RefName, expected: &Oid) -> MergeError {
    match error {
        MoveError::Moved { found } => {
            MergeError::TargetMoved { target: target.clone(), expected: expected.clone(), found }
        }
        MoveError::Symbolic => RepoError::Symbolic(target.clone(), "another reference".to_owned()).into(),
        MoveError::Locked => MergeError::Locked(target.clone()),
        MoveError::Refused(LastLook::Stale(stale)) => stale.into(),
        MoveError::Refused(LastLook::Unrecorded(source)) => MergeError::Unrecorded(source),
        MoveError::Git(fault) => fault.into(),
    }
}

#[cfg(test)]
mod tests;
