//! A commit's tree as files in a temporary folder: raw bytes, no smudge, no hooks, no submodules. The folder goes when its guard is dropped.

use std::path::{Path, PathBuf};

use abide_core::id::Oid;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, OpenOptions, Permissions};

use super::fault::{GitFault, theirs};
use super::names::{on_disk, shown};
use super::read::{self, ReadError, find_commit};
use super::repo::Repo;
use super::tree::{self, Leaf};
use crate::temporary::Temporary;

/// How symbolic links are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// As links, verbatim: for builds, which need them. Nothing is written through one.
    AsLinks,
    /// As plain files that hold the target: for readers that must not be led anywhere.
    AsFiles,
    /// As links where they stay inside; a link that is absolute or climbs out is refused. For what is put in front of users.
    Inside,
}

/// Bounds on what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkspaceLimits {
    /// Files, links and submodules.
    pub files_max: u64,
    /// Bytes over all files.
    pub bytes_max: u64,
    /// Bytes of one file.
    pub file_bytes_max: u64,
}

/// A tree as files. Dropping it removes them.
#[derive(Debug)]
pub struct Workspace {
    folder: Temporary,
}

/// Why a tree could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// More than the caller allows.
    #[error("the tree has more than {limit} {what}")]
    Limit {
        /// `files` or `bytes`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A link leads out.
    #[error("`{path}` is a symbolic link to `{}`, which leads out of the tree", .target.escape_default())]
    LinkOut {
        /// Where.
        path: String,
        /// Its target.
        target: String,
    },
    /// Something could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk failed.
    #[error("`{}` could not be written", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl WorkspaceError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "AB0350",
            Self::Limit { .. } => "AB0351",
            Self::LinkOut { .. } => "AB0352",
            Self::Read(error) => error.code(),
        }
    }
}

impl Workspace {
    /// Writes the tree of `commit` to a new folder below `root`.
    pub fn of_commit(
        repo: &Repo,
        commit: &Oid,
        root: &Path,
        links: Links,
        limits: WorkspaceLimits,
    ) -> Result<Self, WorkspaceError> {
        let disk = |source| WorkspaceError::Disk { path: root.to_owned(), source };
        let folder = Temporary::new("tree-", root).map_err(disk)?;
        let tree = super::fault::ours(find_commit(&repo.git, commit)?.tree_id());
        export(&repo.git, &tree, folder.path(), links, limits)?;
        Ok(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder as an authority: nothing outside can be reached through it.
    pub fn dir(&self) -> Result<Dir, WorkspaceError> {
        Dir::open_ambient_dir(self.path(), ambient_authority())
            .map_err(|source| WorkspaceError::Disk { path: self.path().to_owned(), source })
    }
}

/// Writes `tree` into the existing, empty folder `to`, refusing links that lead out. Only a hand with a permit calls this.
pub(crate) fn export_tree(
    repo: &Repo,
    tree: &Oid,
    to: &Path,
    limits: WorkspaceLimits,
) -> Result<(), WorkspaceError> {
    export(&repo.git, tree, to, Links::Inside, limits)
}

/// Writes `tree` into the existing, empty folder `to`.
fn export(
    git: &git2::Repository,
    tree: &Oid,
    to: &Path,
    links: Links,
    limits: WorkspaceLimits,
) -> Result<(), WorkspaceError> {
    let disk = |path: &Path, source| WorkspaceError::Disk { path: to.join(path), source };
    let dir = Dir::open_ambient_dir(to, ambient_authority()).map_err(|source| disk(Path::new(""), source))?;
    let mut leaves = Vec::new();
    tree::walk(git, theirs(tree).map_err(ReadError::from)?, &[], &mut |path, leaf| {
        leaves.push((path, leaf));
        Ok(())
    })?;
    if u64::try_from(leaves.len()).unwrap_or(u64::MAX) > limits.files_max {
        return Err(WorkspaceError::Limit { what: "files", limit: limits.files_max });
    }
    let mut left = limits.bytes_max;
    for (path, leaf) in leaves {
        let at = on_disk(&path);
        let bytes = if leaf.is_submodule() {
            Vec::new()
        } else {
            read::load(git, leaf.oid, &shown(&path), limits.file_bytes_max)?
        };
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        left =
            left.checked_sub(len).ok_or(WorkspaceError::Limit { what: "bytes", limit: limits.bytes_max })?;
        if links == Links::Inside && leaf.is_link() && leads_out(&path, &bytes) {
            return Err(WorkspaceError::LinkOut { path: shown(&path), target: shown(&bytes) });
        }
        if let Some(folder) = at.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            dir.create_dir_all(folder).map_err(|source| disk(folder, source))?;
        }
        write_leaf(&dir, &at, leaf, &bytes, links).map_err(|source| disk(&at, source))?;
    }
    Ok(())
}

/// Writes one entry at `at`, whose folder exists. Files are made anew, never opened, so an existing link is not followed.
pub(super) fn write_leaf(
    dir: &Dir,
    at: &Path,
    leaf: Leaf,
    bytes: &[u8],
    links: Links,
) -> std::io::Result<()> {
    use cap_std::fs::{OpenOptionsExt as _, PermissionsExt as _};
    use std::io::Write as _;
    if leaf.is_submodule() {
        return match dir.create_dir_with(at, &DirBuilder::new()) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        };
    }
    if leaf.is_link() && links != Links::AsFiles {
        return dir.symlink_contents(on_disk(bytes), at);
    }
    let mode = if leaf.is_executable() { 0o755 } else { 0o644 };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = dir.open_with(at, &options)?;
    file.write_all(bytes)?;
    // The umask of whoever runs this must not decide what a release looks like.
    file.set_permissions(Permissions::from_mode(mode))
}

/// Whether a link at `path` with `target` may leave the tree: it is absolute, climbs above the top, or climbs after a step down, where
/// another link may stand. Links that pass lead, one after the other, to places inside.
fn leads_out(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return true;
    }
    let folders = path.split(|byte| *byte == b'/').skip(1).count();
    let steps: Vec<&[u8]> =
        target.split(|byte| *byte == b'/').filter(|step| !matches!(*step, b"" | b".")).collect();
    let climbs = steps.iter().take_while(|step| **step == b"..").count();
    climbs > folders || steps.iter().skip(climbs).any(|step| *step == b"..")
}

impl From<GitFault> for WorkspaceError {
    fn from(fault: GitFault) -> Self {
        Self::Read(fault.into())
    }
}

#[cfg(test)]
mod tests;
