//! The hand that undoes a merged commit by a new commit, and moves the branch to it by the same compare-and-swap as a merge.

use abide_core::action::Revert;
use abide_core::id::{Oid, RefName, Timestamp};
use abide_gate::{Permit, Redeemed};
use serde::Serialize;

use super::checkout::{self, Checkout};
use super::fault::{GitFault, ours, theirs};
use super::merge::{BeforeSink, MergeError, last_look, refusal};
use super::read::{CommitInfo, ReadError, Walk, find_commit};
use super::repo::Repo;
use super::scratch::{Rehearsal, Scratch, ScratchError};
use super::sink::{Move, engine, seconds};
use super::transfer;
use crate::receipt::{Landing, Receipt};

/// LIMIT: commits looked at to find an earlier revert that landed.
const PROBE_DEPTH: usize = 1000;

/// Undoes merged commits.
#[derive(Debug)]
pub struct RevertHand<'r> {
    repo: &'r Repo,
}

/// A commit that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reverted {
    /// The branch.
    pub target: RefName,
    /// Where it stood.
    pub old: Oid,
    /// The commit that undoes.
    pub new: Oid,
    /// The commit that is undone.
    pub undoes: Oid,
    /// What became of work trees that have the branch checked out.
    pub checkout: Checkout,
}

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub enum RevertError {
    /// The revert does not give the tree that was judged.
    #[error("undoing {} gives another tree than the judged {}: {}", .undoes.short(), .judged.short(), .found)]
    NotAsRehearsed {
        /// The commit to undo.
        undoes: Oid,
        /// The judged tree.
        judged: Oid,
        /// What it gives.
        found: String,
    },
    /// It could not be rehearsed.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// Moving the branch failed.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

impl RevertError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAsRehearsed { .. } => "AB0328",
            Self::Scratch(error) => error.code(),
            Self::Merge(error) => error.code(),
        }
    }
}

impl<'r> RevertHand<'r> {
    /// A hand on `repo`.
    pub fn new(repo: &'r Repo) -> Self {
        Self { repo }
    }

    /// Undoes the commit. It is rehearsed once more in `scratch`: only the judged tree is committed.
    pub fn apply(
        &self,
        permit: Permit<Revert>,
        scratch: &Scratch,
        time: Timestamp,
        before_sink: BeforeSink<'_, Revert>,
    ) -> Result<Receipt<Reverted>, RevertError> {
        let redeemed = permit.redeem().map_err(MergeError::from)?;
        let action = &redeemed.action;
        if action.repo != *self.repo.id() {
            let (permitted, found) = (action.repo.clone(), self.repo.id().clone());
            return Err(MergeError::WrongRepository { permitted, found }.into());
        }
        if let Some(outcome) = self.probe(action)? {
            return Ok(Receipt::of(&redeemed, Landing::Already, outcome));
        }
        Self::check_tree(action, scratch)?;
        let new = self.write(&redeemed, scratch, time)?;
        let plan =
            checkout::plan(self.repo, &action.target, &action.expected, &new).map_err(MergeError::from)?;
        let message = format!("ab revert: run {} decision {}", redeemed.run(), redeemed.decision());
        let by = engine(seconds(time)).map_err(MergeError::from)?;
        let (name, expected) = (&action.target, &action.expected);
        let step = Move { name, expected, new: &new, by: &by, message: &message };
        step.perform(&self.repo.git, || last_look(&redeemed, before_sink))
            .map_err(|error| refusal(error, name, expected))?;
        let checkout = checkout::carry_out(plan);
        let outcome = Reverted {
            target: name.clone(),
            old: expected.clone(),
            new,
            undoes: action.undoes.clone(),
            checkout,
        };
        Ok(Receipt::of(&redeemed, Landing::Fresh, outcome))
    }

    /// Whether the revert landed earlier: a commit on the branch sits on `expected`, holds the tree and says what it undoes.
    pub fn probe(&self, action: &Revert) -> Result<Option<Reverted>, RevertError> {
        let Some(tip) = self.repo.find(&action.target).map_err(MergeError::from)? else { return Ok(None) };
        let history = self.repo.log(&tip, PROBE_DEPTH, Walk::FirstParent).map_err(MergeError::from)?;
        let undoes = |commit: &&CommitInfo| {
            commit.tree == action.tree
                && commit.parents == [action.expected.clone()]
                && commit.trailer("Abide-Reverts") == Some(action.undoes.as_str())
        };
        Ok(history.iter().find(undoes).map(|commit| Reverted {
            target: action.target.clone(),
            old: action.expected.clone(),
            new: commit.oid.clone(),
            undoes: action.undoes.clone(),
            checkout: Checkout::Untouched,
        }))
    }

    fn check_tree(action: &Revert, scratch: &Scratch) -> Result<(), RevertError> {
        let found = match scratch.rehearse_revert(&action.undoes, &action.expected)? {
            Rehearsal::Clean { tree } if tree == action.tree => return Ok(()),
            Rehearsal::Clean { tree } => tree.short().to_owned(),
            Rehearsal::Conflict { paths } => format!("a conflict in {}", paths.join(", ")),
        };
        Err(RevertError::NotAsRehearsed { undoes: action.undoes.clone(), judged: action.tree.clone(), found })
    }

    fn write(
        &self,
        redeemed: &Redeemed<Revert>,
        scratch: &Scratch,
        time: Timestamp,
    ) -> Result<Oid, MergeError> {
        let git = &self.repo.git;
        let action = &redeemed.action;
        transfer::copy_tree(&scratch.git, git, &action.tree)?;
        let parent = find_commit(git, &action.expected)?;
        let tree = git
            .find_tree(theirs(&action.tree)?)
            .map_err(|_| ReadError::Missing { oid: action.tree.clone() })?;
        let title =
            super::commit::one_line(&self.repo.commit(&action.undoes)?.title, "a commit without a title");
        let (run, decision, undoes) = (redeemed.run(), redeemed.decision(), &action.undoes);
        let message = format!(
            "Revert \"{title}\"\n\nThis reverts commit {undoes}.\n\nAbide-Run: {run}\nAbide-Decision: {decision}\nAbide-Reverts: {undoes}\n"
        );
        let by = engine(seconds(time))?;
        let oid = git
            .commit(None, &by, &by, &message, &tree, &[&parent])
            .map_err(GitFault::of("write a commit"))?;
        Ok(ours(oid))
    }
}

#[cfg(test)]
mod tests;
