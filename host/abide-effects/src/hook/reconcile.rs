//! Did every protected branch get where it is by moves that the log knows? What it does not know is a stray.
//!
//! Two things are compared: the reflog, move by move, and where the branch stands now, which also shows an edit that left no log.

use std::collections::BTreeSet;

use abide_core::id::{Oid, RefName};

use super::verdict::RefMove;
use crate::forge::{GitFault, Repo, RepoError};

/// A move that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The branch.
    pub name: RefName,
    /// Where it stood.
    pub old: Oid,
    /// Where it went; zero if it is gone.
    pub new: Oid,
    /// When, in seconds since 1970, as the reflog says. `None` if there is no entry.
    pub time_s: Option<i64>,
    /// Who and with what message, as the reflog says: whoever moved it may have written anything.
    pub log: Option<String>,
}

/// Why the branches could not be audited.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A branch cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// Its log cannot be read.
    #[error(transparent)]
    Git(#[from] GitFault),
}

impl ReconcileError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repo(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

/// Every move of the `protected` branches that is not among the `known` ones.
///
/// `known` holds the moves that the log has receipts for, oldest first, beginning for each branch with where it stood when Abide was set
/// up (`old` zero). Moves that were made before that are not looked at. A branch without any known move has only its existence to show.
pub fn reconcile(
    repo: &Repo,
    protected: &[RefName],
    known: &[RefMove],
) -> Result<Vec<Stray>, ReconcileError> {
    let mut strays = Vec::new();
    for name in protected {
        let moves: Vec<&RefMove> = known.iter().filter(|step| step.name == *name).collect();
        strays.extend(reconcile_one(repo, name, &moves)?);
    }
    Ok(strays)
}

fn reconcile_one(repo: &Repo, name: &RefName, known: &[&RefMove]) -> Result<Vec<Stray>, ReconcileError> {
    let standing = match repo.find(name) {
        Ok(standing) => standing.unwrap_or_else(Oid::zero),
        // A branch that became an alias means something else whenever its target moves.
        Err(RepoError::Symbolic(..)) => Oid::zero(),
        Err(error) => return Err(error.into()),
    };
    let expected = known.last().map_or_else(Oid::zero, |step| step.new.clone());
    let mut strays = unknown_entries(repo, name, known)?;
    if standing != expected && !strays.iter().any(|stray| stray.new == standing) {
        strays.push(Stray { name: name.clone(), old: expected, new: standing, time_s: None, log: None });
    }
    Ok(strays)
}

/// Entries of the reflog, since the first known place, that are not known moves.
fn unknown_entries(repo: &Repo, name: &RefName, known: &[&RefMove]) -> Result<Vec<Stray>, ReconcileError> {
    let Some(first) = known.first() else { return Ok(Vec::new()) };
    let log = repo.git().reflog(name.as_str()).map_err(GitFault::of("read the log of a reference"))?;
    let pairs: BTreeSet<(&Oid, &Oid)> = known.iter().map(|step| (&step.old, &step.new)).collect();
    let mut strays = Vec::new();
    let mut begun = false;
    // The newest entry comes first.
    for entry in (0..log.len()).rev().filter_map(|index| log.get(index)) {
        let (old, new) = (crate::forge::our_oid(entry.id_old()), crate::forge::our_oid(entry.id_new()));
        if !begun {
            begun = old == first.new || new == first.new;
            if new == first.new || !begun {
                continue;
            }
        }
        if old == new || pairs.contains(&(&old, &new)) {
            continue;
        }
        let by = entry.committer();
        let who = format!(
            "{} <{}>",
            String::from_utf8_lossy(by.name_bytes()),
            String::from_utf8_lossy(by.email_bytes())
        );
        let said = String::from_utf8_lossy(entry.message_bytes().unwrap_or_default()).into_owned();
        let (time_s, log) = (Some(by.when().seconds()), Some(format!("{who}: {said}")));
        strays.push(Stray { name: name.clone(), old, new, time_s, log });
    }
    Ok(strays)
}

#[cfg(test)]
mod tests;
