//! Trees, level by level: reading with hostile names refused, listing, and comparing two of them. No diff engine, no rename guessing.

use std::collections::BTreeMap;

use abide_core::id::Oid;

use super::fault::{GitFault, theirs};
use super::names::{self, hostile, shown};
use super::read::ReadError;

/// The tree without entries; git knows it without storing it.
pub(crate) const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// LIMIT: folders within folders. git itself allows 2,048; nobody works 256 deep, and recursion must end.
pub(super) const DEPTH_MAX: u32 = 256;

/// What a name in a tree stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) mode: u32,
    pub(crate) oid: git2::Oid,
}

impl Leaf {
    pub(crate) fn is_folder(self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    pub(crate) fn is_submodule(self) -> bool {
        self.mode & 0o170_000 == 0o160_000
    }

    pub(crate) fn is_link(self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }

    pub(crate) fn is_executable(self) -> bool {
        !self.is_folder() && !self.is_link() && !self.is_submodule() && self.mode & 0o111 != 0
    }
}

/// A path whose two sides differ; folders are never listed, only what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: Vec<u8>,
    pub(crate) old: Option<Leaf>,
    pub(crate) new: Option<Leaf>,
}

pub(crate) type Level = BTreeMap<Vec<u8>, Leaf>;

/// The entries of one tree object.
pub(crate) fn level(git: &git2::Repository, tree: git2::Oid, folder: &[u8]) -> Result<Level, ReadError> {
    if tree.is_zero() || tree.to_string() == EMPTY_TREE {
        return Ok(Level::new());
    }
    let missing = ReadError::Missing { oid: super::fault::ours(tree) };
    let tree = git.find_tree(tree).map_err(GitFault::or("read a tree", missing))?;
    let mut entries = Level::new();
    for entry in &tree {
        let name = entry.name_bytes();
        let path = || shown(&names::join(folder, name));
        if let Some(why) = hostile(name) {
            return Err(ReadError::HostileName { path: path(), why });
        }
        let mode = u32::try_from(entry.filemode_raw()).unwrap_or(0);
        if entries.insert(name.to_vec(), Leaf { mode, oid: entry.id() }).is_some() {
            return Err(ReadError::HostileName { path: path(), why: "the name stands twice in its folder" });
        }
    }
    Ok(entries)
}

/// Calls `visit` for every file, link and submodule below `tree`, in order of their names.
pub(crate) fn walk(
    git: &git2::Repository,
    tree: git2::Oid,
    folder: &[u8],
    visit: &mut dyn FnMut(Vec<u8>, Leaf) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    descend(git, tree, folder, DEPTH_MAX, visit)
}

fn descend(
    git: &git2::Repository,
    tree: git2::Oid,
    folder: &[u8],
    depth: u32,
    visit: &mut dyn FnMut(Vec<u8>, Leaf) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let depth = depth.checked_sub(1).ok_or_else(|| ReadError::TooDeep { path: shown(folder) })?;
    for (name, leaf) in level(git, tree, folder)? {
        let path = names::join(folder, &name);
        if leaf.is_folder() {
            descend(git, leaf.oid, &path, depth, visit)?;
        } else {
            visit(path, leaf)?;
        }
    }
    Ok(())
}

/// Everything that differs between two trees. Folders with the same id are not entered, so the cost is that of the difference.
pub(crate) fn compare(git: &git2::Repository, old: &Oid, new: &Oid) -> Result<Vec<Change>, ReadError> {
    let mut changes = Vec::new();
    compare_level(git, Some(theirs(old)?), Some(theirs(new)?), &[], DEPTH_MAX, &mut changes)?;
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

fn compare_level(
    git: &git2::Repository,
    old: Option<git2::Oid>,
    new: Option<git2::Oid>,
    folder: &[u8],
    depth: u32,
    changes: &mut Vec<Change>,
) -> Result<(), ReadError> {
    let depth = depth.checked_sub(1).ok_or_else(|| ReadError::TooDeep { path: shown(folder) })?;
    let before = old.map_or(Ok(Level::new()), |tree| level(git, tree, folder))?;
    let mut after = new.map_or(Ok(Level::new()), |tree| level(git, tree, folder))?;
    for (name, old) in before {
        let new = after.remove(&name);
        if new != Some(old) {
            compare_entry(git, names::join(folder, &name), Some(old), new, depth, changes)?;
        }
    }
    for (name, new) in after {
        compare_entry(git, names::join(folder, &name), None, Some(new), depth, changes)?;
    }
    Ok(())
}

fn compare_entry(
    git: &git2::Repository,
    path: Vec<u8>,
    old: Option<Leaf>,
    new: Option<Leaf>,
    depth: u32,
    changes: &mut Vec<Change>,
) -> Result<(), ReadError> {
    let folder_of = |side: Option<Leaf>| side.filter(|leaf| leaf.is_folder()).map(|leaf| leaf.oid);
    let file_of = |side: Option<Leaf>| side.filter(|leaf| !leaf.is_folder());
    if folder_of(old).is_some() || folder_of(new).is_some() {
        compare_level(git, folder_of(old), folder_of(new), &path, depth, changes)?;
    }
    if file_of(old).is_some() || file_of(new).is_some() {
        changes.push(Change { path, old: file_of(old), new: file_of(new) });
    }
    Ok(())
}
