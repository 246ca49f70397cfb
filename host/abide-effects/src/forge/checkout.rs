//! Work trees that have a moving branch checked out: look first, then bring index and files along. Filterless, and only changed paths.
//!
//! Untracked and ignored files are never overwritten or deleted: if one stands in the way, the move is refused before it happens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use abide_core::id::{Oid, RefName};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::Serialize;

use super::fault::GitFault;
use super::names::{on_disk, shown};
use super::read::{self, ReadError, find_commit};
use super::repo::Repo;
use super::tree::{self, Change, Leaf};
use super::workspace::write_leaf;

/// What became of work trees that have the branch checked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Checkout {
    /// There are none.
    Untouched,
    /// They show the new commit.
    Updated {
        /// Paths that changed, over all of them.
        paths: usize,
    },
    /// The branch moved, but a work tree could not be brought along. Its files are as they were.
    Behind {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Checkout {
    /// What a person should be told of it, if anything.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Untouched | Self::Updated { .. } => None,
            Self::Behind { path, why } => {
                Some(format!("the branch moved, but the work tree `{}` is behind it: {why}", path.display()))
            }
        }
    }
}

/// Why a work tree stands in the way of a move.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// Tracked files have changes that are not committed.
    #[error("the work tree `{}` has the branch checked out and is not clean: {}", .path.display(), .what)]
    Dirty {
        /// Where.
        path: PathBuf,
        /// The first thing found.
        what: String,
    },
    /// An untracked file would be lost.
    #[error("`{file}` in the work tree `{}` is not tracked and would be overwritten", .path.display())]
    Untracked {
        /// Where.
        path: PathBuf,
        /// Which.
        file: String,
    },
    /// The work tree shows only a part of the tree.
    #[error("the work tree `{}` is sparse, which Abide does not update", .0.display())]
    Sparse(PathBuf),
    /// Something could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
    /// The disk failed.
    #[error("the work tree `{}` could not be read or written", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl CheckoutError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dirty { .. } => "AB0343",
            Self::Untracked { .. } => "AB0344",
            Self::Sparse(_) => "AB0347",
            Self::Disk { .. } => "AB0346",
            Self::Read(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

/// What is to be done to one work tree.
pub(super) struct Step {
    git: git2::Repository,
    top: PathBuf,
    before: Oid,
    changes: Vec<Change>,
}

/// Looks at every work tree that has `branch` checked out, and refuses if one cannot be brought from `old` to `new`.
pub(super) fn plan(repo: &Repo, branch: &RefName, old: &Oid, new: &Oid) -> Result<Vec<Step>, CheckoutError> {
    let mut steps = Vec::new();
    for git in showing(repo, branch)? {
        steps.extend(plan_one(git, old, new)?);
    }
    Ok(steps)
}

fn plan_one(git: git2::Repository, old: &Oid, new: &Oid) -> Result<Option<Step>, CheckoutError> {
    let Some(top) = git.workdir().map(Path::to_owned) else { return Ok(None) };
    let (before, after) = (
        super::fault::ours(find_commit(&git, old)?.tree_id()),
        super::fault::ours(find_commit(&git, new)?.tree_id()),
    );
    refuse_unclean(&git, &top, &before)?;
    let changes = tree::compare(&git, &before, &after)?;
    refuse_loss(&top, &changes)?;
    Ok(Some(Step { git, top, before, changes }))
}

/// Brings every work tree along. The branch has moved: nothing here may look like a failed merge.
pub(super) fn carry_out(steps: Vec<Step>) -> Checkout {
    let mut paths = 0_usize;
    let mut shown = false;
    for step in steps {
        shown = true;
        if let Err(error) = step.carry_out() {
            tracing::warn!(work_tree = %step.top.display(), %error, "the work tree is behind its branch");
            return Checkout::Behind { path: step.top, why: describe(&error) };
        }
        paths = paths.saturating_add(step.changes.len());
    }
    if shown { Checkout::Updated { paths } } else { Checkout::Untouched }
}

/// After a crash between the move and the work tree: brings along those that still show `old`, leaves the others alone.
pub(super) fn bring_up(repo: &Repo, branch: &RefName, old: &Oid, new: &Oid) -> Checkout {
    match repo.find(branch) {
        Ok(Some(tip)) if tip == *new => {}
        Ok(_) | Err(_) => return Checkout::Untouched,
    }
    match plan(repo, branch, old, new) {
        Ok(steps) => carry_out(steps),
        Err(_) => Checkout::Untouched,
    }
}

fn describe(error: &CheckoutError) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Every work tree, main or linked, whose `HEAD` names `branch`.
fn showing(repo: &Repo, branch: &RefName) -> Result<Vec<git2::Repository>, CheckoutError> {
    let main = git2::Repository::open(repo.common_dir()).map_err(GitFault::of("open the main work tree"))?;
    let mut found = Vec::new();
    for name in main.worktrees().map_err(GitFault::of("list the work trees"))?.iter_bytes() {
        let name = String::from_utf8_lossy(name);
        // A linked work tree whose folder is gone shows nothing to anybody.
        if let Ok(linked) =
            main.find_worktree(&name).and_then(|linked| git2::Repository::open_from_worktree(&linked))
            && heads(&linked, branch)
        {
            found.push(linked);
        }
    }
    if !main.is_bare() && heads(&main, branch) {
        found.push(main);
    }
    Ok(found)
}

fn heads(git: &git2::Repository, branch: &RefName) -> bool {
    git.find_reference("HEAD")
        .is_ok_and(|head| head.symbolic_target_bytes() == Some(branch.as_str().as_bytes()))
}

fn refuse_unclean(git: &git2::Repository, top: &Path, tree: &Oid) -> Result<(), CheckoutError> {
    let dirty = |what: String| CheckoutError::Dirty { path: top.to_owned(), what };
    if git.state() != git2::RepositoryState::Clean {
        return Err(dirty("a merge, rebase or the like is under way".to_owned()));
    }
    let sparse = git.config().and_then(|config| config.get_bool("core.sparsecheckout")).unwrap_or(false);
    if sparse {
        return Err(CheckoutError::Sparse(top.to_owned()));
    }
    let index = git.index().map_err(GitFault::of("read the index"))?;
    let tree = git.find_tree(super::fault::theirs(tree)?).map_err(GitFault::of("read a tree"))?;
    let mut options = git2::DiffOptions::new();
    options.ignore_submodules(true).include_typechange(true).ignore_case(false);
    let staged = git
        .diff_tree_to_index(Some(&tree), Some(&index), Some(&mut options))
        .map_err(GitFault::of("compare the index"))?;
    if let Some(delta) = staged.deltas().next() {
        return Err(dirty(format!("`{}` is staged", first_path(&delta))));
    }
    let changed = git
        .diff_index_to_workdir(Some(&index), Some(&mut options))
        .map_err(GitFault::of("compare the work tree"))?;
    if let Some(delta) = changed.deltas().next() {
        return Err(dirty(format!("`{}` has changes that are not committed", first_path(&delta))));
    }
    Ok(())
}

fn first_path(delta: &git2::DiffDelta<'_>) -> String {
    shown(delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes()).unwrap_or_default())
}

/// Refuses if anything that git does not track stands where a path will be written.
fn refuse_loss(top: &Path, changes: &[Change]) -> Result<(), CheckoutError> {
    let gone: BTreeSet<&[u8]> =
        changes.iter().filter(|change| change.old.is_some()).map(|change| &*change.path).collect();
    for change in changes.iter().filter(|change| change.new.is_some() && change.old.is_none()) {
        let untracked = |path: &[u8]| CheckoutError::Untracked { path: top.to_owned(), file: shown(path) };
        let mut at = 0;
        while let Some(slash) =
            change.path.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'/'))
        {
            at = at.saturating_add(slash);
            let above = change.path.get(..at).unwrap_or_default();
            let standing = std::fs::symlink_metadata(top.join(on_disk(above)));
            if standing.is_ok_and(|meta| !meta.is_dir()) && !gone.contains(above) {
                return Err(untracked(above));
            }
            at = at.saturating_add(1);
        }
        let Ok(meta) = std::fs::symlink_metadata(top.join(on_disk(&change.path))) else { continue };
        if !meta.is_dir() {
            return Err(untracked(&change.path));
        }
        refuse_leftovers(top, &change.path, &gone)?;
    }
    Ok(())
}

/// A folder gives way to a file: everything in it must be tracked and about to go.
fn refuse_leftovers(top: &Path, folder: &[u8], gone: &BTreeSet<&[u8]>) -> Result<(), CheckoutError> {
    use std::os::unix::ffi::OsStrExt as _;
    let disk = |source| CheckoutError::Disk { path: top.to_owned(), source };
    for entry in std::fs::read_dir(top.join(on_disk(folder))).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let path = super::names::join(folder, entry.file_name().as_bytes());
        if entry.file_type().map_err(disk)?.is_dir() {
            refuse_leftovers(top, &path, gone)?;
        } else if !gone.contains(&*path) {
            return Err(CheckoutError::Untracked { path: top.to_owned(), file: shown(&path) });
        }
    }
    Ok(())
}

impl Step {
    fn carry_out(&self) -> Result<(), CheckoutError> {
        // Somebody may have typed on while the reference moved.
        refuse_unclean(&self.git, &self.top, &self.before)?;
        refuse_loss(&self.top, &self.changes)?;
        let disk = |source| CheckoutError::Disk { path: self.top.clone(), source };
        let dir = Dir::open_ambient_dir(&self.top, ambient_authority()).map_err(disk)?;
        for change in self.changes.iter().filter(|change| change.old.is_some()) {
            remove(&dir, &change.path).map_err(disk)?;
        }
        let mut index = self.git.index().map_err(GitFault::of("read the index"))?;
        for change in &self.changes {
            match change.new {
                Some(leaf) => {
                    self.write(&dir, &change.path, leaf)?;
                    index
                        .add(&entry(&dir, &change.path, leaf).map_err(disk)?)
                        .map_err(GitFault::of("update the index"))?;
                }
                None => index.remove(&on_disk(&change.path), 0).map_err(GitFault::of("update the index"))?,
            }
        }
        index.write().map_err(GitFault::of("write the index"))?;
        Ok(())
    }

    fn write(&self, dir: &Dir, path: &[u8], leaf: Leaf) -> Result<(), CheckoutError> {
        let disk = |source| CheckoutError::Disk { path: self.top.clone(), source };
        let to = on_disk(path);
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            dir.create_dir_all(folder).map_err(disk)?;
        }
        if dir.symlink_metadata(&to).is_ok_and(|meta| meta.is_dir()) && !leaf.is_submodule() {
            dir.remove_dir(&to).map_err(disk)?;
        }
        let bytes = if leaf.is_submodule() {
            Vec::new()
        } else {
            read::load(&self.git, leaf.oid, &shown(path), u64::MAX)?
        };
        write_leaf(dir, &to, leaf, &bytes, super::workspace::Links::AsLinks).map_err(disk)
    }
}

/// Removes a tracked path and the folders that become empty. A submodule's folder stays, as with git.
fn remove(dir: &Dir, path: &[u8]) -> std::io::Result<()> {
    let path = on_disk(path);
    match dir.symlink_metadata(&path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => dir.remove_file(&path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    for folder in path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty()) {
        if dir.remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

/// The index entry for what was just written, so that git need not read it again.
fn entry(dir: &Dir, path: &[u8], leaf: Leaf) -> std::io::Result<git2::IndexEntry> {
    use cap_std::fs::MetadataExt as _;
    let meta = dir.symlink_metadata(on_disk(path))?;
    let low = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0);
    let time = |seconds: i64, nanos: i64| {
        git2::IndexTime::new(i32::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0))
    };
    Ok(git2::IndexEntry {
        ctime: time(meta.ctime(), meta.ctime_nsec()),
        mtime: time(meta.mtime(), meta.mtime_nsec()),
        dev: low(meta.dev()),
        ino: low(meta.ino()),
        mode: leaf.mode,
        uid: meta.uid(),
        gid: meta.gid(),
        file_size: low(meta.size()),
        id: leaf.oid,
        flags: 0,
        flags_extended: 0,
        path: path.to_vec(),
    })
}

#[cfg(test)]
mod tests;
