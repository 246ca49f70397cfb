//! Candidate trees before anything is permitted: a throw-away object store that borrows the repository's objects and keeps new ones to itself.
//!
//! The store is a bare repository in a temporary folder whose `alternates` name the real one; nothing is written there, and the real
//! configuration (hence any merge driver it names) is not read. [`super::Commit`] copies objects over once it holds a permit.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use abide_core::facts::Limits;
use abide_core::facts::delta::TreeDelta;
use abide_core::id::{Oid, RepoPath};
use abide_core::patch::{Before, FileChange, FileMode, PatchDoc, PatchError, PatchLimits};

use super::fault::{GitFault, ours, theirs};
use super::names::shown;
use super::read::{self, Ancestry, CommitInfo, ReadError, find_commit, info};
use super::repo::Repo;
use super::tree::{self, EMPTY_TREE, Leaf};

/// A throw-away object store on top of a repository. Dropping it removes it.
pub struct Scratch {
    pub(super) git: git2::Repository,
    _folder: tempfile::TempDir,
}

/// How a revert or a merge would come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rehearsal {
    /// It applies.
    Clean {
        /// The tree that it gives; its new objects are in the scratch store.
        tree: Oid,
    },
    /// Both sides changed the same lines.
    Conflict {
        /// Where, sorted.
        paths: Vec<String>,
    },
}

impl Rehearsal {
    /// The tree, where it came out clean.
    pub fn tree(&self) -> Option<&Oid> {
        match self {
            Self::Clean { tree } => Some(tree),
            Self::Conflict { .. } => None,
        }
    }
}

/// Why a candidate tree could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The temporary store could not be made.
    #[error("no temporary object store could be made in `{}`", .root.display())]
    Folder {
        /// Where it was to be.
        root: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The patch does not fit the tree.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A file, link or submodule stands where a folder is needed.
    #[error("`{path}` cannot be written: `{blocker}` is a {kind}, not a folder")]
    Blocked {
        /// The path to write.
        path: RepoPath,
        /// What stands in the way.
        blocker: String,
        /// `file`, `symbolic link` or `submodule`.
        kind: &'static str,
    },
    /// A commit with several parents, or with none, has no single change to undo.
    #[error("commit `{0}` is the first one, so undoing it would leave nothing")]
    Root(Oid),
    /// Something could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
}

impl ScratchError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "AB0325",
            Self::Patch(error) => error.code(),
            Self::Blocked { .. } => "AB0326",
            Self::Root(_) => "AB0327",
            Self::Read(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("path", &self.git.path()).finish_non_exhaustive()
    }
}

impl Scratch {
    /// A store on top of `repo`, in a new folder below `root`.
    pub fn new(repo: &Repo, root: &Path) -> Result<Self, ScratchError> {
        Self::over(&[repo.common_dir()], root)
    }

    /// The same, that also sees what [`super::Intake`] put into the store at `incoming`.
    pub fn with_incoming(repo: &Repo, root: &Path, incoming: &Path) -> Result<Self, ScratchError> {
        Self::over(&[repo.common_dir(), incoming], root)
    }

    fn over(stores: &[&Path], root: &Path) -> Result<Self, ScratchError> {
        let fault = |source| ScratchError::Folder { root: root.to_owned(), source };
        let folder = tempfile::Builder::new().prefix("scratch-").tempdir_in(root).map_err(fault)?;
        let git = store(&folder.path().join("store.git"), stores).map_err(|error| match error {
            StoreError::Disk(source) => fault(source),
            StoreError::Git(fault) => fault.into(),
        })?;
        Ok(Self { git, _folder: folder })
    }

    /// One commit, of the repository or handed in.
    pub fn commit(&self, oid: &Oid) -> Result<CommitInfo, ReadError> {
        Ok(info(&find_commit(&self.git, oid)?))
    }

    /// Whether `ancestor` can be fast-forwarded to `descendant`.
    pub fn ancestry(&self, ancestor: &Oid, descendant: &Oid) -> Result<Ancestry, ReadError> {
        read::ancestry(&self.git, ancestor, descendant)
    }

    /// The tree that `doc` makes of the tree of commit `base`. All of it fits, or nothing is made.
    pub fn apply(&self, base: &Oid, doc: &PatchDoc, limits: &PatchLimits) -> Result<Oid, ScratchError> {
        let base_tree = find_commit(&self.git, base)?.tree_id();
        let changes = doc.apply(limits, |path| self.before(base_tree, path, limits.file_bytes_max))??;
        self.edit(&ours(base_tree), &changes)
    }

    /// The tree that `changes` make of `base_tree`.
    pub fn edit(&self, base_tree: &Oid, changes: &[FileChange]) -> Result<Oid, ScratchError> {
        let mut edits = Vec::new();
        for change in changes {
            match change {
                FileChange::Write { path, mode, bytes } => edits.push(self.put(path, *mode, bytes)?),
                FileChange::Delete { path } => edits.push(Edit::new(path, None)),
                FileChange::Rename { from, path, mode, bytes } => {
                    edits.push(Edit::new(from, None));
                    edits.push(self.put(path, *mode, bytes)?);
                }
            }
        }
        let tree = edit_level(&self.git, Some(theirs(base_tree)?), &edits, 0)?;
        Ok(tree.map_or_else(|| self.empty_tree(), |tree| Ok(ours(tree)))?)
    }

    /// What differs from `base_tree` to `tree`.
    pub fn delta(&self, base_tree: &Oid, tree: &Oid, limits: &Limits) -> Result<TreeDelta, ReadError> {
        read::delta(&self.git, base_tree, tree, limits)
    }

    /// The three-way merge of two trees, for a target that moved.
    pub fn merge_trees(&self, base: &Oid, ours: &Oid, theirs: &Oid) -> Result<Rehearsal, ScratchError> {
        let index = self
            .git
            .merge_trees(&self.tree(base)?, &self.tree(ours)?, &self.tree(theirs)?, Some(&plain_merge()))
            .map_err(GitFault::of("merge two trees"))?;
        self.rehearsed(index)
    }

    /// What undoing `undoes` on top of `onto` gives. The change of a merge commit is the one against its first parent.
    pub fn rehearse_revert(&self, undoes: &Oid, onto: &Oid) -> Result<Rehearsal, ScratchError> {
        let (undone, head) = (find_commit(&self.git, undoes)?, find_commit(&self.git, onto)?);
        let mainline = match undone.parent_count() {
            0 => return Err(ScratchError::Root(undoes.clone())),
            1 => 0,
            _ => 1,
        };
        let index = self
            .git
            .revert_commit(&undone, &head, mainline, Some(&plain_merge()))
            .map_err(GitFault::of("rehearse a revert"))?;
        self.rehearsed(index)
    }

    fn rehearsed(&self, mut index: git2::Index) -> Result<Rehearsal, ScratchError> {
        if index.has_conflicts() {
            let mut paths = std::collections::BTreeSet::new();
            for conflict in index.conflicts().map_err(GitFault::of("read the conflicts"))? {
                let conflict = conflict.map_err(GitFault::of("read a conflict"))?;
                let sides = [conflict.our, conflict.their, conflict.ancestor];
                paths.extend(sides.into_iter().flatten().map(|entry| shown(&entry.path)));
            }
            return Ok(Rehearsal::Conflict { paths: paths.into_iter().collect() });
        }
        let tree = index.write_tree_to(&self.git).map_err(GitFault::of("write a tree"))?;
        Ok(Rehearsal::Clean { tree: ours(tree) })
    }

    fn tree(&self, oid: &Oid) -> Result<git2::Tree<'_>, ScratchError> {
        if oid.as_str() == EMPTY_TREE {
            self.empty_tree()?;
        }
        Ok(self.git.find_tree(theirs(oid)?).map_err(|_| ReadError::Missing { oid: oid.clone() })?)
    }

    fn empty_tree(&self) -> Result<Oid, GitFault> {
        let builder = self.git.treebuilder(None).map_err(GitFault::of("write a tree"))?;
        builder.write().map(ours).map_err(GitFault::of("write a tree"))
    }

    fn put(&self, path: &RepoPath, mode: FileMode, bytes: &[u8]) -> Result<Edit, ScratchError> {
        let oid = self.git.blob(bytes).map_err(GitFault::of("write a file"))?;
        Ok(Edit::new(path, Some(Leaf { mode: mode.bits(), oid })))
    }

    fn before(&self, tree: git2::Oid, path: &RepoPath, bytes_max: usize) -> Result<Before, ReadError> {
        let mut tree = tree;
        let mut steps = path.as_str().split('/').peekable();
        while let Some(step) = steps.next() {
            let Some(leaf) =
                tree::level(&self.git, tree, path.parent().as_bytes())?.get(step.as_bytes()).copied()
            else {
                return Ok(Before::Absent);
            };
            if steps.peek().is_none() {
                return self.standing(leaf, path, bytes_max);
            }
            if !leaf.is_folder() {
                return Ok(Before::Absent);
            }
            tree = leaf.oid;
        }
        Ok(Before::Absent)
    }

    fn standing(&self, leaf: Leaf, path: &RepoPath, bytes_max: usize) -> Result<Before, ReadError> {
        if leaf.is_folder() {
            return Ok(Before::Folder);
        }
        if leaf.is_link() {
            return Ok(Before::Symlink);
        }
        if leaf.is_submodule() {
            return Ok(Before::Submodule);
        }
        let mode = if leaf.is_executable() { FileMode::Executable } else { FileMode::Plain };
        match read::load(&self.git, leaf.oid, path.as_str(), u64::try_from(bytes_max).unwrap_or(u64::MAX)) {
            Ok(bytes) => Ok(Before::File { mode, bytes: Arc::from(bytes) }),
            Err(ReadError::TooLarge { .. }) => Ok(Before::TooLarge),
            Err(error) => Err(error),
        }
    }
}

/// Why no store could be made.
#[derive(Debug)]
pub(super) enum StoreError {
    Disk(std::io::Error),
    Git(GitFault),
}

/// A new bare store at `at` that borrows the objects of the git folders `borrows`.
pub(super) fn store(at: &Path, borrows: &[&Path]) -> Result<git2::Repository, StoreError> {
    let git = |doing| move |source| StoreError::Git(GitFault { doing, source });
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).mkpath(true).external_template(false).initial_head("none");
    git2::Repository::init_opts(at, &options).map_err(git("make a temporary object store"))?;
    let mut lines = Vec::new();
    for borrowed in borrows {
        let objects = std::fs::canonicalize(borrowed.join("objects")).map_err(StoreError::Disk)?;
        lines.extend_from_slice(std::os::unix::ffi::OsStrExt::as_bytes(objects.as_os_str()));
        lines.push(b'\n');
    }
    std::fs::create_dir_all(at.join("objects/info")).map_err(StoreError::Disk)?;
    std::fs::write(at.join("objects/info/alternates"), lines).map_err(StoreError::Disk)?;
    git2::Repository::open_bare(at).map_err(git("open the temporary object store"))
}

/// No rename guessing: what a merge does must follow from the three trees alone.
fn plain_merge() -> git2::MergeOptions {
    let mut options = git2::MergeOptions::new();
    options.find_renames(false);
    options
}

/// One path to write (`Some`) or to remove (`None`).
#[derive(Debug, Clone)]
struct Edit {
    path: RepoPath,
    steps: Vec<String>,
    leaf: Option<Leaf>,
}

impl Edit {
    fn new(path: &RepoPath, leaf: Option<Leaf>) -> Self {
        Self { path: path.clone(), steps: path.as_str().split('/').map(str::to_owned).collect(), leaf }
    }
}

/// Rewrites one level of a tree; `None` if nothing is left in it.
fn edit_level(
    git: &git2::Repository,
    tree: Option<git2::Oid>,
    edits: &[Edit],
    depth: usize,
) -> Result<Option<git2::Oid>, ScratchError> {
    if u32::try_from(depth).unwrap_or(u32::MAX) >= tree::DEPTH_MAX {
        let path = edits.first().map(|edit| edit.path.to_string()).unwrap_or_default();
        return Err(ReadError::TooDeep { path }.into());
    }
    let mut entries = tree.map_or(Ok(tree::Level::new()), |tree| tree::level(git, tree, &[]))?;
    let mut below: std::collections::BTreeMap<&str, Vec<Edit>> = std::collections::BTreeMap::new();
    // Removals first, so that a folder may take the place of a removed file whatever the order of the document.
    for edit in
        edits.iter().filter(|edit| edit.leaf.is_none()).chain(edits.iter().filter(|edit| edit.leaf.is_some()))
    {
        let Some(step) = edit.steps.get(depth) else { continue };
        if edit.steps.len() > depth.saturating_add(1) {
            below.entry(step).or_default().push(edit.clone());
            continue;
        }
        match edit.leaf {
            Some(leaf) => entries.insert(step.as_bytes().to_vec(), leaf),
            None => entries.remove(step.as_bytes()),
        };
    }
    for (step, edits) in below {
        let standing = entries.get(step.as_bytes()).copied();
        let folder = match (standing, edits.first()) {
            (Some(leaf), Some(edit)) if !leaf.is_folder() => return Err(blocked(edit, step, leaf)),
            (standing, _) => standing.map(|leaf| leaf.oid),
        };
        match edit_level(git, folder, &edits, depth.saturating_add(1))? {
            Some(oid) => entries.insert(step.as_bytes().to_vec(), Leaf { mode: 0o040_000, oid }),
            None => entries.remove(step.as_bytes()),
        };
    }
    write_level(git, &entries)
}

fn blocked(edit: &Edit, step: &str, leaf: Leaf) -> ScratchError {
    let kind = if leaf.is_link() {
        "symbolic link"
    } else if leaf.is_submodule() {
        "submodule"
    } else {
        "file"
    };
    ScratchError::Blocked { path: edit.path.clone(), blocker: step.to_owned(), kind }
}

/// Writes a tree object from its bytes: libgit2's builder refuses modes such as `100664`, which old histories hold and must keep.
fn write_level(git: &git2::Repository, entries: &tree::Level) -> Result<Option<git2::Oid>, ScratchError> {
    if entries.is_empty() {
        return Ok(None);
    }
    let mut sorted: Vec<_> = entries.iter().collect();
    // git sorts a folder as if its name ended in a slash.
    sorted.sort_by_key(|(name, leaf)| {
        let mut key = (*name).clone();
        key.extend(leaf.is_folder().then_some(b'/'));
        key
    });
    let mut bytes = Vec::new();
    for (name, leaf) in sorted {
        bytes.extend_from_slice(format!("{:o} ", leaf.mode).as_bytes());
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(leaf.oid.as_bytes());
    }
    let odb = git.odb().map_err(GitFault::of("open the object store"))?;
    Ok(Some(odb.write(git2::ObjectType::Tree, &bytes).map_err(GitFault::of("write a tree"))?))
}

#[cfg(test)]
mod tests;
