//! Copying objects from one store to another, what they name before they are named. Nothing is copied that is there already.

use abide_core::id::Oid;

use super::fault::{GitFault, ours, theirs};
use super::read::ReadError;
use super::tree;

/// LIMIT: bytes of one object; it is held in memory while it is copied.
const OBJECT_BYTES_MAX: u64 = 512 << 20;
/// LIMIT: commits in one transfer.
const COMMITS_MAX: usize = 10_000;

/// Copies `tree` and what it holds.
pub(super) fn copy_tree(from: &git2::Repository, to: &git2::Repository, tree: &Oid) -> Result<(), ReadError> {
    Transfer::new(from, to)?.tree(theirs(tree)?, tree::DEPTH_MAX)
}

/// Copies `commit` and every commit before it, except those reachable from `hidden`, with their trees.
pub(super) fn copy_commits(
    from: &git2::Repository,
    to: &git2::Repository,
    commit: &Oid,
    hidden: &[Oid],
) -> Result<(), ReadError> {
    let transfer = Transfer::new(from, to)?;
    let fault = || GitFault::of("walk the history");
    let mut commits = from.revwalk().map_err(fault())?;
    commits.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).map_err(fault())?;
    commits.push(theirs(commit)?).map_err(fault())?;
    for known in hidden {
        let known = theirs(known)?;
        if transfer.from.exists(known) {
            commits.hide(known).map_err(fault())?;
        }
    }
    for (count, oid) in commits.enumerate() {
        let oid = oid.map_err(fault())?;
        if transfer.to.exists(oid) {
            continue;
        }
        if count >= COMMITS_MAX {
            return Err(ReadError::TooMany { commits: COMMITS_MAX });
        }
        let tree = from.find_commit(oid).map_err(GitFault::of("read a commit"))?.tree_id();
        transfer.tree(tree, tree::DEPTH_MAX)?;
        transfer.object(oid)?;
    }
    Ok(())
}

struct Transfer<'g> {
    git: &'g git2::Repository,
    from: git2::Odb<'g>,
    to: git2::Odb<'g>,
}

impl<'g> Transfer<'g> {
    fn new(from: &'g git2::Repository, to: &'g git2::Repository) -> Result<Self, GitFault> {
        let store = |git: &'g git2::Repository| git.odb().map_err(GitFault::of("open the object store"));
        Ok(Self { git: from, from: store(from)?, to: store(to)? })
    }

    fn tree(&self, tree: git2::Oid, depth: u32) -> Result<(), ReadError> {
        let depth = depth.checked_sub(1).ok_or_else(|| ReadError::TooDeep { path: tree.to_string() })?;
        if self.to.exists(tree) {
            return Ok(());
        }
        for leaf in tree::level(self.git, tree, &[])?.into_values() {
            if leaf.is_folder() {
                self.tree(leaf.oid, depth)?;
            } else if !leaf.is_submodule() && !self.to.exists(leaf.oid) {
                self.object(leaf.oid)?;
            }
        }
        // Last, so that a tree that is there never lacks what it names.
        self.object(tree)
    }

    fn object(&self, oid: git2::Oid) -> Result<(), ReadError> {
        let missing = |_| ReadError::Missing { oid: ours(oid) };
        let (len, kind) = self.from.read_header(oid).map_err(missing)?;
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        if len > OBJECT_BYTES_MAX {
            return Err(ReadError::TooLarge { path: oid.to_string(), len, limit: OBJECT_BYTES_MAX });
        }
        let object = self.from.read(oid).map_err(missing)?;
        self.to.write(kind, object.data()).map_err(GitFault::of("store an object"))?;
        Ok(())
    }
}
