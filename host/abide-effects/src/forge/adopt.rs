//! Taking in a commit that someone else made: first beside the repository ([`Intake`]), and into it only on a permit ([`Adopt`]).

use std::path::{Path, PathBuf};

use abide_core::action::AdoptCommit;
use abide_core::id::{Oid, Timestamp};
use abide_gate::Permit;

use super::commit::{CommitError, Committed};
use super::fault::GitFault;
use super::read::{Ancestry, ReadError};
use super::repo::{Repo, RepoError};
use super::scratch::Scratch;
use super::sink::{Move, engine, seconds};
use super::{commit, read, transfer};
use crate::receipt::{Landing, Receipt};

/// Copies commits from a clone into a store beside the repository, where they can be measured and judged.
#[derive(Debug, Clone, Copy)]
pub struct Intake;

/// Why a commit could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is no such commit.
    #[error("`{revision}` is not a commit in `{}`", .from.display())]
    NoCommit {
        /// As given.
        revision: String,
        /// Where it was looked for.
        from: PathBuf,
    },
    /// The store beside the repository could not be made.
    #[error("no object store could be made at `{}`", .at.display())]
    Folder {
        /// Where.
        at: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The clone cannot be used.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// An object could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
}

impl IntakeError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCommit { .. } => "AB0333",
            Self::Folder { .. } => "AB0325",
            Self::Repo(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

impl Intake {
    /// Finds `revision` in the repository at `from` and copies what `repo` lacks of it into a bare store at `incoming`, which is made.
    /// `repo` itself stays as it is. [`Scratch::with_incoming`] sees both.
    pub fn take(repo: &Repo, from: &Path, revision: &str, incoming: &Path) -> Result<Oid, IntakeError> {
        let source = Repo::open(from, repo.id().clone())?;
        let none = || IntakeError::NoCommit { revision: revision.to_owned(), from: from.to_owned() };
        let found = source.git.revparse_single(revision).map_err(|_| none())?;
        let commit = super::fault::ours(found.peel_to_commit().map_err(|_| none())?.id());
        let folder = |source| IntakeError::Folder { at: incoming.to_owned(), source };
        let store = super::scratch::store(incoming, &[repo.common_dir()]).map_err(|error| match error {
            super::scratch::StoreError::Disk(source) => folder(source),
            super::scratch::StoreError::Git(fault) => fault.into(),
        })?;
        let hidden: Vec<Oid> = repo.branches()?.into_iter().map(|(_, tip)| tip).collect();
        transfer::copy_commits(&source.git, &store, &commit, &hidden)?;
        Ok(commit)
    }
}

/// Puts commits that someone else made on work branches.
#[derive(Debug)]
pub struct Adopt<'r> {
    repo: &'r Repo,
}

impl<'r> Adopt<'r> {
    /// A hand on `repo`.
    pub fn new(repo: &'r Repo) -> Self {
        Self { repo }
    }

    /// Copies the judged commit from `scratch` and lets the work branch stand at it.
    pub fn apply(
        &self,
        permit: Permit<AdoptCommit>,
        scratch: &Scratch,
        time: Timestamp,
    ) -> Result<Receipt<Committed>, CommitError> {
        let redeemed = permit.redeem()?;
        let action = &redeemed.action;
        commit::check_place(self.repo, &action.repo, &action.run, &action.unit, &action.branch)?;
        let offered = scratch.commit(&action.commit)?;
        if offered.tree != action.tree {
            let (commit, judged, found) = (action.commit.clone(), action.tree.clone(), offered.tree);
            return Err(CommitError::WrongTree { commit, judged, found });
        }
        if read::ancestry(&scratch.git, &action.base, &action.commit)? != Ancestry::Ancestor {
            return Err(CommitError::NotDescended {
                commit: action.commit.clone(),
                base: action.base.clone(),
            });
        }
        // Only now: a work branch that stands at the commit from an earlier attempt says nothing about this base.
        if let Some(outcome) = self.probe(action)? {
            return Ok(Receipt::of(&redeemed, Landing::Already, outcome));
        }
        let git = &self.repo.git;
        transfer::copy_commits(&scratch.git, git, &action.commit, std::slice::from_ref(&action.base))?;
        let message = format!("ab adopt: run {} decision {}", redeemed.run(), redeemed.decision());
        let by = engine(seconds(time))?;
        let (name, expected) = (&action.branch, &action.expected);
        let step = Move { name, expected, new: &action.commit, by: &by, message: &message };
        step.perform(git, || redeemed.still_stands())
            .map_err(|error| commit::refusal(error, name, expected))?;
        Ok(Receipt::of(&redeemed, Landing::Fresh, adopted(action)))
    }

    /// Whether the commit was adopted earlier: the work branch stands at it.
    pub fn probe(&self, action: &AdoptCommit) -> Result<Option<Committed>, CommitError> {
        let tip = self.repo.find(&action.branch)?;
        Ok((tip.as_ref() == Some(&action.commit)).then(|| adopted(action)))
    }
}

fn adopted(action: &AdoptCommit) -> Committed {
    let (branch, commit) = (action.branch.clone(), action.commit.clone());
    Committed { branch, commit, base: action.base.clone(), tree: action.tree.clone() }
}

#[cfg(test)]
mod tests;
