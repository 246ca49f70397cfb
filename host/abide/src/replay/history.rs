//! Changes from a repository's own history, measured from its trees.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use abide_core::facts::Meter;
use abide_core::id::{Oid, RepoId};
use abide_effects::forge::{CommitInfo, Repo, Walk};

use super::{Change, Fixed, Past, measured};
use crate::report::{Exit, Failure};

/// The last `count` commits that moved `head` (first parents only), back to `until` if that is given, without it.
pub(crate) fn read(
    git_dir: &Path,
    id: &RepoId,
    meter: &Meter,
    head: &Oid,
    (count, until): (usize, Option<&Oid>),
    origin: String,
) -> Result<Past, Failure> {
    let open = || {
        Repo::open(git_dir, id.clone()).map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))
    };
    let repo = open()?;
    let all = repo
        .log(head, count, Walk::FirstParent)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
    let commits: Vec<CommitInfo> = all.into_iter().take_while(|commit| Some(&commit.oid) != until).collect();
    let reverted = reverted(&commits);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = commits.len().div_ceil(cores).max(1);
    let results = thread::scope(|scope| {
        let threads: Vec<_> = commits
            .chunks(share)
            .map(|commits| {
                scope.spawn(|| {
                    let repo = open()?;
                    Ok(commits.iter().map(|commit| change(&repo, meter, commit)).collect::<Vec<_>>())
                })
            })
            .collect();
        let died = |_| Failure::new("AB0171", "a thread of the replay died".to_owned());
        threads.into_iter().map(|thread| thread.join().map_err(died)?).collect::<Result<Vec<_>, Failure>>()
    })?;
    let (mut changes, mut unread) = (Vec::new(), Vec::new());
    for result in results.into_iter().flatten() {
        match result {
            Ok(change) => changes.push(change),
            Err(why) => unread.push(why),
        }
    }
    for change in &mut changes {
        change.reverted_by = reverted.get(change.commit.as_str()).cloned();
    }
    changes.reverse();
    let base = commits.last().and_then(|commit| commit.parents.first());
    let fixed = Fixed::Range(base.map_or_else(|| head.to_string(), |base| format!("{base}..{head}")));
    Ok(Past { repo: id.clone(), origin, changes, unread, fixed })
}

fn change(repo: &Repo, meter: &Meter, commit: &CommitInfo) -> Result<Change, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", commit.oid.short());
    let before = match commit.parents.first() {
        Some(parent) => repo.commit(parent).map_err(|error| told(&error))?.tree,
        None => Oid::zero(),
    };
    let delta = repo.delta(&before, &commit.tree, meter.limits()).map_err(|error| told(&error))?;
    Ok(Change {
        commit: commit.oid.clone(),
        at: u64::try_from(commit.time_s).unwrap_or(0).saturating_mul(1000),
        author: commit.author.clone(),
        title: commit.title.clone(),
        facts: measured(meter, &delta),
        reverted_by: None,
    })
}

/// Commits that a later one says it takes back, as `git revert` words it.
fn reverted(commits: &[CommitInfo]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for commit in commits {
        for line in commit.message.lines() {
            let Some((_, after)) = line.split_once("This reverts commit ") else { continue };
            let oid: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
            found.insert(oid, commit.oid.to_string());
        }
    }
    found
}
