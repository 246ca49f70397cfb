//! The hand that writes a judged tree to a work branch. It can create and move `refs/heads/ab/<run>/<unit>`, and nothing else.

use abide_core::action::CommitPatch;
use abide_core::id::{Oid, RefName, RepoId, RunId, Timestamp};
use abide_gate::{Permit, Redeemed, Stale};
use serde::Serialize;

use super::fault::{GitFault, ours, theirs};
use super::read::{ReadError, find_commit, info};
use super::repo::{Repo, RepoError};
use super::scratch::Scratch;
use super::sink::{Move, MoveError, engine, seconds};
use super::transfer;
use crate::receipt::{Landing, Receipt};

/// Writes judged trees to work branches.
#[derive(Debug)]
pub struct Commit<'r> {
    repo: &'r Repo,
}

/// What a commit says besides what the action holds.
#[derive(Debug, Clone)]
pub struct CommitText {
    /// Name of the worker, for example `codegen`.
    pub author: String,
    /// Rationale, below the title.
    pub body: String,
    /// Time of the commit.
    pub time: Timestamp,
}

/// A commit on a work branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Committed {
    /// The work branch.
    pub branch: RefName,
    /// The commit.
    pub commit: Oid,
    /// Its parent.
    pub base: Oid,
    /// Its tree.
    pub tree: Oid,
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
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
    /// The branch is not the run's own work branch.
    #[error("`{branch}` is not the work branch of this unit, `{expected}` is")]
    NotWorkBranch {
        /// In the permit.
        branch: RefName,
        /// The only branch that this hand may touch.
        expected: String,
    },
    /// The branch does not stand where it was judged.
    #[error("work branch `{}` moved: expected {}, found {}", .branch.short(), .expected.short(), .found.short())]
    BranchMoved {
        /// The branch.
        branch: RefName,
        /// Where it was judged; zero for absent.
        expected: Oid,
        /// Where it stands; zero for absent.
        found: Oid,
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
    /// The offered commit is not a change to what the target branch holds.
    #[error("commit {} does not descend from {}, where the target branch stands", .commit.short(), .base.short())]
    NotDescended {
        /// The commit.
        commit: Oid,
        /// Where the target branch stands.
        base: Oid,
    },
    /// Another process holds the branch.
    #[error("work branch `{}` is locked by another process", .0.short())]
    Locked(RefName),
    /// The branch cannot be read as one.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The tree or the base is missing.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
}

impl CommitError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale(stale) => stale.code(),
            Self::WrongRepository { .. } => "AB0329",
            Self::NotWorkBranch { .. } => "AB0330",
            Self::BranchMoved { .. } => "AB0331",
            Self::Locked(_) => "AB0332",
            Self::NotDescended { .. } => "AB0334",
            Self::WrongTree { .. } => "AB0342",
            Self::Repo(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

impl<'r> Commit<'r> {
    /// A hand on `repo`.
    pub fn new(repo: &'r Repo) -> Self {
        Self { repo }
    }

    /// Commits the tree that was judged. Its new objects come from `scratch`.
    pub fn apply(
        &self,
        permit: Permit<CommitPatch>,
        scratch: &Scratch,
        text: &CommitText,
    ) -> Result<Receipt<Committed>, CommitError> {
        let redeemed = permit.redeem()?;
        let place = &redeemed.action;
        check_place(self.repo, &place.repo, &place.run, &place.unit, &place.branch)?;
        if let Some(outcome) = self.probe(&redeemed.action)? {
            return Ok(Receipt::of(&redeemed, Landing::Already, outcome));
        }
        let git = &self.repo.git;
        find_commit(git, &redeemed.action.base)?;
        transfer::copy_tree(&scratch.git, git, &redeemed.action.tree)?;
        let commit = self.write(&redeemed, text)?;
        let action = &redeemed.action;
        let message = format!("ab commit: run {} decision {}", redeemed.run(), redeemed.decision());
        let by = engine(seconds(text.time))?;
        let step = Move {
            name: &action.branch,
            expected: &action.expected,
            new: &commit,
            by: &by,
            message: &message,
        };
        step.perform(git, || redeemed.still_stands())
            .map_err(|error| refusal(error, &action.branch, &action.expected))?;
        let outcome = Committed {
            branch: action.branch.clone(),
            commit,
            base: action.base.clone(),
            tree: action.tree.clone(),
        };
        Ok(Receipt::of(&redeemed, Landing::Fresh, outcome))
    }

    /// Whether the commit landed earlier: the branch stands at a commit of exactly this tree, base, run and component.
    pub fn probe(&self, action: &CommitPatch) -> Result<Option<Committed>, CommitError> {
        let Some(tip) = self.repo.find(&action.branch)? else { return Ok(None) };
        let commit = self.repo.commit(&tip)?;
        let same = commit.tree == action.tree
            && commit.parents == [action.base.clone()]
            && commit.trailer("Abide-Run") == Some(action.run.as_str())
            && commit.trailer("Abide-Component") == Some(action.component.as_str());
        let outcome = Committed {
            branch: action.branch.clone(),
            commit: tip,
            base: action.base.clone(),
            tree: commit.tree,
        };
        Ok(same.then_some(outcome))
    }

    fn write(&self, redeemed: &Redeemed<CommitPatch>, text: &CommitText) -> Result<Oid, CommitError> {
        let git = &self.repo.git;
        let action = &redeemed.action;
        let base = find_commit(git, &action.base)?;
        let tree = git
            .find_tree(theirs(&action.tree)?)
            .map_err(|_| ReadError::Missing { oid: action.tree.clone() })?;
        let time = git2::Time::new(seconds(text.time), 0);
        let email = format!("sha256-{}@workers.abide.invalid", action.component.hex());
        let author =
            git2::Signature::new(&one_line(&text.author.replace(['<', '>'], ""), "worker"), &email, &time)
                .map_err(GitFault::of("sign as the worker"))?;
        let message = message(redeemed, &text.body);
        let committer = engine(seconds(text.time))?;
        let oid = git
            .commit(None, &author, &committer, &message, &tree, &[&base])
            .map_err(GitFault::of("write a commit"))?;
        debug_assert_eq!(info(&base).oid, action.base, "INVARIANT: the parent is the judged base");
        Ok(ours(oid))
    }
}

/// Whether `branch` is the unit's own work branch in this repository: the only reference that these hands touch.
pub(super) fn check_place(
    repo: &Repo,
    permitted: &RepoId,
    run: &RunId,
    unit: &str,
    branch: &RefName,
) -> Result<(), CommitError> {
    if permitted != repo.id() {
        return Err(CommitError::WrongRepository { permitted: permitted.clone(), found: repo.id().clone() });
    }
    let expected = format!("refs/heads/ab/{run}/{unit}");
    if branch.as_str() != expected {
        return Err(CommitError::NotWorkBranch { branch: branch.clone(), expected });
    }
    Ok(())
}

pub(super) fn refusal(error: MoveError<Stale>, branch: &RefName, expected: &Oid) -> CommitError {
    let branch = branch.clone();
    match error {
        MoveError::Moved { found } => CommitError::BranchMoved { branch, expected: expected.clone(), found },
        MoveError::Symbolic => RepoError::Symbolic(branch, "another reference".to_owned()).into(),
        MoveError::Locked => CommitError::Locked(branch),
        MoveError::Refused(stale) => stale.into(),
        MoveError::Git(fault) => fault.into(),
    }
}

/// Title, body and trailers. Trailer-like lines of the body are quoted, so a worker cannot cite a decision that is not its own.
fn message(redeemed: &Redeemed<CommitPatch>, body: &str) -> String {
    let action = &redeemed.action;
    let mut text = one_line(&action.title, "change without a title");
    text.push_str("\n\n");
    let body = quote_trailers(body);
    if !body.is_empty() {
        text.push_str(&body);
        text.push_str("\n\n");
    }
    let (run, decision, component) = (&action.run, redeemed.decision(), &action.component);
    format!("{text}Abide-Run: {run}\nAbide-Decision: {decision}\nAbide-Component: {component}\n")
}

/// `body` without control characters, its trailer-like lines quoted.
pub(super) fn quote_trailers(body: &str) -> String {
    let clean: String = body.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
    let mut lines = Vec::new();
    for line in clean.trim().lines() {
        let quoted = line.trim_start().to_lowercase().starts_with("abide-");
        lines.push(if quoted { format!("> {line}") } else { line.to_owned() });
    }
    lines.join("\n")
}

/// The first line of `text` without control characters, or `otherwise`.
pub(super) fn one_line(text: &str, otherwise: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    let line = line.trim();
    if line.is_empty() { otherwise.to_owned() } else { line.to_owned() }
}

#[cfg(test)]
mod tests;
