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
/// `known` holds the moves that were recorded, oldest first, beginning for each branch with where it stood when Abide was set up (`old`
/// zero). Moves that were made before that are not looked at. A move that is listed once may not have landed (its record was used up, and
/// then the transaction was given up); one that is listed twice, as permitted and as done, must have. A branch without any
/// known move has nothing to be compared with: [`unaudited`] names it.
pub fn reconcile(
    repo: &Repo,
    protected: &[RefName],
    known: &[RefMove],
) -> Result<Vec<Stray>, ReconcileError> {
    let mut strays = Vec::new();
    for name in protected {
        let moves: Vec<&RefMove> = known.iter().filter(|step| step.name == *name).collect();
        if !moves.is_empty() {
            strays.extend(reconcile_one(repo, name, &moves)?);
        }
    }
    Ok(strays)
}

/// The `protected` branches that [`reconcile`] can say nothing about, because no place is known where they stood.
pub fn unaudited<'p>(protected: &'p [RefName], known: &[RefMove]) -> Vec<&'p RefName> {
    protected.iter().filter(|name| known.iter().all(|step| step.name != **name)).collect()
}

fn reconcile_one(repo: &Repo, name: &RefName, known: &[&RefMove]) -> Result<Vec<Stray>, ReconcileError> {
    let standing = match repo.find(name) {
        Ok(standing) => standing.unwrap_or_else(Oid::zero),
        // A branch that became an alias means something else whenever its target moves.
        Err(RepoError::Symbolic(..)) => Oid::zero(),
        Err(error) => return Err(error.into()),
    };
    let log = repo.git().reflog(name.as_str()).map_err(GitFault::of("read the log of a reference"))?;
    let mut strays = unknown_entries(&log, name, known);
    let expected = expected(known, log.get(0).map(|entry| crate::forge::our_oid(entry.id_new())));
    let explained = expected.contains(&standing) || strays.iter().any(|stray| stray.new == standing);
    if !explained {
        let old = expected.into_iter().next().unwrap_or_else(Oid::zero);
        strays.push(Stray { name: name.clone(), old, new: standing, time_s: None, log: None });
    }
    Ok(strays)
}

/// Where the branch may stand: where the last known move led, or where that began if nothing says that it landed. The newest entry of its
/// log, if there is one, must agree, so that an edit of the file back to an older place shows.
fn expected(known: &[&RefMove], logged: Option<Oid>) -> Vec<Oid> {
    let Some(last) = known.last() else { return vec![Oid::zero()] };
    let mut places = vec![last.new.clone()];
    let listed = known.iter().filter(|step| step == &last).count();
    if listed == 1 && !last.old.is_zero() {
        places.push(last.old.clone());
    }
    match logged {
        Some(logged) if places.contains(&logged) => vec![logged],
        Some(_) | None => places,
    }
}

/// Entries of the reflog, since the first known place, that are not known moves.
fn unknown_entries(log: &git2::Reflog, name: &RefName, known: &[&RefMove]) -> Vec<Stray> {
    let Some(first) = known.first() else { return Vec::new() };
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
    strays
}

#[cfg(test)]
mod tests;
