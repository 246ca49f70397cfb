//! What differs between two git trees, as bytes. Built by whoever can read git; measured by [`super::Meter`].
//!
//! This is not a diff: it holds both sides of every changed path, and the meter counts the lines. The status of an entry follows from its
//! sides, so it cannot contradict them. Renames are a deletion and an addition, which never counts less than the rename would.
//!
//! ```text
//! let entries = vec![
//!     DeltaEntry::added(b"docs/a.md".to_vec(), Side::blob(oid, 0o100644, bytes)),
//!     DeltaEntry::changed(path, Side::blob(..), Side::too_large(oid, mode, len)),
//!     DeltaEntry::deleted(path, Side::submodule(oid)),
//! ];
//! let delta = TreeDelta::new(base_tree, tree, entries, TreePaths::All(paths_after))?;
//! let facts = meter.measure(&delta, earlier_changes);
//! ```

use std::sync::Arc;

use super::FileStatus;
use crate::id::Oid;

/// Git mode of an ordinary file.
pub const MODE_FILE: u32 = 0o100_644;
/// Git mode of an executable file.
pub const MODE_EXECUTABLE: u32 = 0o100_755;
/// Git mode of a symbolic link.
pub const MODE_SYMLINK: u32 = 0o120_000;
/// Git mode of a submodule.
pub const MODE_SUBMODULE: u32 = 0o160_000;

/// What is known of the bytes of one side.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// All of them.
    Bytes(Arc<[u8]>),
    /// They were not loaded because there are too many; how many is known.
    TooLarge {
        /// Size in bytes.
        len: u64,
    },
    /// The object could not be read (missing in a partial clone, corrupt).
    Unreadable,
    /// There are none: a submodule is a commit elsewhere.
    Elsewhere,
}

impl std::fmt::Debug for Content {
    // Contents may hold secrets: they are never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::TooLarge { len } => write!(f, "TooLarge({len} bytes)"),
            Self::Unreadable => f.write_str("Unreadable"),
            Self::Elsewhere => f.write_str("Elsewhere"),
        }
    }
}

/// One side of a changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Object id.
    pub oid: Oid,
    /// Git mode as stored in the tree, for example `0o100644`.
    pub mode: u32,
    /// Its bytes; for a symbolic link the target.
    pub content: Content,
}

impl Side {
    /// A file or symbolic link whose bytes were read.
    pub fn blob(oid: Oid, mode: u32, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { oid, mode, content: Content::Bytes(bytes.into()) }
    }

    /// A file that was not read because it is larger than [`super::Limits::blob_bytes_max`].
    pub fn too_large(oid: Oid, mode: u32, len: u64) -> Self {
        Self { oid, mode, content: Content::TooLarge { len } }
    }

    /// A file that could not be read.
    pub fn unreadable(oid: Oid, mode: u32) -> Self {
        Self { oid, mode, content: Content::Unreadable }
    }

    /// A submodule at a commit.
    pub fn submodule(commit: Oid) -> Self {
        Self { oid: commit, mode: MODE_SUBMODULE, content: Content::Elsewhere }
    }

    /// The bytes, where they were read.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::TooLarge { .. } | Content::Unreadable | Content::Elsewhere => None,
        }
    }

    /// Size in bytes, 0 where it is unknown.
    pub fn len(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::TooLarge { len } => *len,
            Content::Unreadable | Content::Elsewhere => 0,
        }
    }

    /// Whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        matches!(&self.content, Content::Bytes(bytes) if bytes.is_empty())
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.file_type() == MODE_SYMLINK
    }

    /// Whether it is a submodule.
    pub fn is_submodule(&self) -> bool {
        self.file_type() == MODE_SUBMODULE
    }

    /// Whether it is a file with an executable bit.
    pub fn is_executable(&self) -> bool {
        self.file_type() == 0o100_000 && self.mode & 0o111 != 0
    }

    fn file_type(&self) -> u32 {
        self.mode & 0o170_000
    }
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaEntry {
    path: Vec<u8>,
    sides: Sides,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sides {
    New(Side),
    Old(Side),
    Both(Side, Side),
}

impl DeltaEntry {
    /// A path that is new.
    pub fn added(path: impl Into<Vec<u8>>, new: Side) -> Self {
        Self { path: path.into(), sides: Sides::New(new) }
    }

    /// A path that is gone.
    pub fn deleted(path: impl Into<Vec<u8>>, old: Side) -> Self {
        Self { path: path.into(), sides: Sides::Old(old) }
    }

    /// A path whose contents, mode or type changed.
    pub fn changed(path: impl Into<Vec<u8>>, old: Side, new: Side) -> Self {
        Self { path: path.into(), sides: Sides::Both(old, new) }
    }

    /// The entry for whichever sides exist; `None` if neither does.
    pub fn of(path: impl Into<Vec<u8>>, old: Option<Side>, new: Option<Side>) -> Option<Self> {
        let sides = match (old, new) {
            (None, None) => return None,
            (None, Some(new)) => Sides::New(new),
            (Some(old), None) => Sides::Old(old),
            (Some(old), Some(new)) => Sides::Both(old, new),
        };
        Some(Self { path: path.into(), sides })
    }

    /// The raw path, `/`-separated, as git stores it; any bytes but NUL.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The side before.
    pub fn old(&self) -> Option<&Side> {
        match &self.sides {
            Sides::Old(old) | Sides::Both(old, _) => Some(old),
            Sides::New(_) => None,
        }
    }

    /// The side after.
    pub fn new_side(&self) -> Option<&Side> {
        match &self.sides {
            Sides::New(new) | Sides::Both(_, new) => Some(new),
            Sides::Old(_) => None,
        }
    }

    /// What happened, as the sides tell.
    pub fn status(&self) -> FileStatus {
        match &self.sides {
            Sides::New(_) => FileStatus::Added,
            Sides::Old(_) => FileStatus::Deleted,
            Sides::Both(old, new) if old.file_type() == new.file_type() => FileStatus::Modified,
            Sides::Both(..) => FileStatus::TypeChanged,
        }
    }
}

/// The paths of the tree after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreePaths {
    /// Every path of every blob, link and submodule, raw bytes, in any order.
    All(Vec<Vec<u8>>),
    /// They could not be listed: `collisions` will be unmeasured.
    Unread,
}

/// Two trees that cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// One path has two entries.
    #[error("path `{}` is listed twice in one change", .0.escape_default())]
    Duplicate(String),
    /// A path that git could not have stored.
    #[error("`{}` cannot be a path in a git tree", .0.escape_default())]
    Path(String),
}

impl DeltaError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Duplicate(_) => "AB0701",
            Self::Path(_) => "AB0702",
        }
    }
}

/// What differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeDelta {
    base_tree: Oid,
    tree: Oid,
    entries: Vec<DeltaEntry>,
    tree_paths: TreePaths,
}

impl TreeDelta {
    /// The difference from `base_tree` to `tree`. Entries may come in any order; a path may come once. An empty tree as base is git's
    /// `4b825dc642cb6eb9a060e54bf8d69288fbee4904`.
    pub fn new(
        base_tree: Oid,
        tree: Oid,
        mut entries: Vec<DeltaEntry>,
        tree_paths: TreePaths,
    ) -> Result<Self, DeltaError> {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        for entry in &entries {
            if entry.path.is_empty() || entry.path.contains(&0) {
                return Err(DeltaError::Path(super::paths::shown(&entry.path)));
            }
        }
        for pair in entries.windows(2) {
            if let [a, b] = pair
                && a.path == b.path
            {
                return Err(DeltaError::Duplicate(super::paths::shown(&a.path)));
            }
        }
        Ok(Self { base_tree, tree, entries, tree_paths })
    }

    /// Tree before.
    pub fn base_tree(&self) -> &Oid {
        &self.base_tree
    }

    /// Tree after.
    pub fn tree(&self) -> &Oid {
        &self.tree
    }

    /// Changed paths, sorted by their bytes.
    pub fn entries(&self) -> &[DeltaEntry] {
        &self.entries
    }

    /// The paths of the tree after the change.
    pub fn tree_paths(&self) -> &TreePaths {
        &self.tree_paths
    }
}
