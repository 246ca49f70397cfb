//! Reading commits, files and differences. Raw bytes, no filters, no renames; nothing here changes the repository.

use abide_core::facts::Limits;
use abide_core::facts::delta::{DeltaEntry, DeltaError, Side, TreeDelta, TreePaths};
use abide_core::id::{Oid, RepoPath};

use super::fault::{GitFault, absent, ours, theirs};
use super::names::shown;
use super::repo::Repo;
use super::tree::{self, Leaf};

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The object is not there.
    #[error("object `{oid}` is not in the repository")]
    Missing {
        /// Its id.
        oid: Oid,
    },
    /// The object is of another kind.
    #[error("object `{oid}` is not a {expected}")]
    Kind {
        /// Its id.
        oid: Oid,
        /// What it should be.
        expected: &'static str,
    },
    /// A tree holds a name that no checkout may write.
    #[error("the tree holds `{}`, which cannot be checked out: {why}", .path.escape_default())]
    HostileName {
        /// Where.
        path: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// Folders are nested too deeply.
    #[error("folders below `{path}` are nested deeper than 256 levels")]
    TooDeep {
        /// Where.
        path: String,
    },
    /// More bytes than the caller allows.
    #[error("`{path}` has {len} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Where.
        path: String,
        /// Its size in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// More commits than are copied at once.
    #[error("more than {commits} commits would have to be copied")]
    TooMany {
        /// The limit.
        commits: usize,
    },
    /// The difference cannot be expressed.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
}

impl ReadError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Git(_) => GitFault::CODE,
            Self::Missing { .. } => "AB0321",
            Self::Kind { .. } => "AB0322",
            Self::HostileName { .. } | Self::TooDeep { .. } => "AB0323",
            Self::TooLarge { .. } | Self::TooMany { .. } => "AB0324",
            Self::Delta(error) => error.code(),
        }
    }
}

/// A commit, for people and for checks of ancestry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub oid: Oid,
    /// Its tree.
    pub tree: Oid,
    /// Its parents, the first one first.
    pub parents: Vec<Oid>,
    /// `name <email>`; bytes that are not UTF-8 are replaced.
    pub author: String,
    /// Committer time in seconds since 1970.
    pub time_s: i64,
    /// First line of the message.
    pub title: String,
    /// The whole message.
    pub message: String,
}

impl CommitInfo {
    /// The value of the last trailer `key` in the message.
    pub fn trailer(&self, key: &str) -> Option<&str> {
        self.message.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    }
}

/// Which parents a walk follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// All of them.
    Everything,
    /// The first only: what happened to the branch itself.
    FirstParent,
}

/// How one commit stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ancestry {
    /// They are the same.
    Same,
    /// The first can be fast-forwarded to the second.
    Ancestor,
    /// It cannot.
    Unrelated,
}

/// A file, link or submodule in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// Raw path.
    pub path: Vec<u8>,
    /// Git mode.
    pub mode: u32,
    /// Object id.
    pub oid: Oid,
}

impl Repo {
    /// One commit.
    pub fn commit(&self, oid: &Oid) -> Result<CommitInfo, ReadError> {
        Ok(info(&find_commit(&self.git, oid)?))
    }

    /// The commit that `revision` names, as git spells it; `None` if there is none. Only for reading: nothing is decided by a name.
    pub fn revision(&self, revision: &str) -> Option<Oid> {
        let found = self.git.revparse_single(revision).ok()?;
        Some(ours(found.peel_to_commit().ok()?.id()))
    }

    /// At most `limit` commits back from `from`, the newest first.
    pub fn log(&self, from: &Oid, limit: usize, walk: Walk) -> Result<Vec<CommitInfo>, ReadError> {
        find_commit(&self.git, from)?;
        let mut revisions = self.git.revwalk().map_err(GitFault::of("walk the history"))?;
        revisions
            .set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)
            .map_err(GitFault::of("walk the history"))?;
        if walk == Walk::FirstParent {
            revisions.simplify_first_parent().map_err(GitFault::of("walk the history"))?;
        }
        revisions.push(theirs(from)?).map_err(GitFault::of("walk the history"))?;
        let mut commits = Vec::new();
        for oid in revisions.take(limit) {
            let oid = oid.map_err(GitFault::of("walk the history"))?;
            commits.push(info(&self.git.find_commit(oid).map_err(GitFault::of("read a commit"))?));
        }
        Ok(commits)
    }

    /// Whether `ancestor` can be fast-forwarded to `descendant`.
    pub fn ancestry(&self, ancestor: &Oid, descendant: &Oid) -> Result<Ancestry, ReadError> {
        ancestry(&self.git, ancestor, descendant)
    }

    /// The best common ancestor, `None` if the histories are unrelated.
    pub fn merge_base(&self, one: &Oid, two: &Oid) -> Result<Option<Oid>, ReadError> {
        match self.git.merge_base(theirs(one)?, theirs(two)?) {
            Ok(oid) => Ok(Some(ours(oid))),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(GitFault { doing: "find the common ancestor", source: error }.into()),
        }
    }

    /// What differs from `base_tree` to `tree`. Blobs above `limits.blob_bytes_max`, and whatever comes after `limits.total_bytes_max` in all,
    /// are not loaded, only their size is read.
    pub fn delta(&self, base_tree: &Oid, tree: &Oid, limits: &Limits) -> Result<TreeDelta, ReadError> {
        delta(&self.git, base_tree, tree, limits)
    }

    /// The bytes of the file at `path` in `commit`, `None` if there is no plain file there.
    pub fn read_blob_at(
        &self,
        commit: &Oid,
        path: &RepoPath,
        bytes_max: u64,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let mut tree = find_commit(&self.git, commit)?.tree_id();
        let mut steps = path.as_str().split('/').peekable();
        while let Some(step) = steps.next() {
            let Some(leaf) =
                tree::level(&self.git, tree, path.parent().as_bytes())?.get(step.as_bytes()).copied()
            else {
                return Ok(None);
            };
            match (steps.peek().is_some(), leaf.is_folder()) {
                (true, true) => tree = leaf.oid,
                (false, false) if !leaf.is_link() && !leaf.is_submodule() => {
                    return load(&self.git, leaf.oid, path.as_str(), bytes_max).map(Some);
                }
                (true | false, _) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The tree of the folder at `path` in `commit`, `None` if there is no folder there.
    pub fn subtree_at(&self, commit: &Oid, path: &RepoPath) -> Result<Option<Oid>, ReadError> {
        let mut tree = find_commit(&self.git, commit)?.tree_id();
        for step in path.as_str().split('/') {
            match tree::level(&self.git, tree, path.parent().as_bytes())?.get(step.as_bytes()) {
                Some(leaf) if leaf.is_folder() => tree = leaf.oid,
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(ours(tree)))
    }

    /// Every file, link and submodule of `commit` below `folder` (all of them for `None`), by raw path.
    pub fn list_tree_at(
        &self,
        commit: &Oid,
        folder: Option<&RepoPath>,
    ) -> Result<Vec<ListedEntry>, ReadError> {
        let prefix = folder.map_or("", RepoPath::as_str);
        let tree = match folder {
            Some(folder) => self.subtree_at(commit, folder)?,
            None => Some(ours(find_commit(&self.git, commit)?.tree_id())),
        };
        let Some(tree) = tree else { return Ok(Vec::new()) };
        let tree = theirs(&tree)?;
        let mut entries = Vec::new();
        tree::walk(&self.git, tree, prefix.as_bytes(), &mut |path, leaf| {
            entries.push(ListedEntry { path, mode: leaf.mode, oid: ours(leaf.oid) });
            Ok(())
        })?;
        Ok(entries)
    }
}

pub(crate) fn find_commit<'g>(git: &'g git2::Repository, oid: &Oid) -> Result<git2::Commit<'g>, ReadError> {
    git.find_commit(theirs(oid)?).map_err(|error| {
        if absent(&error) && error.class() == git2::ErrorClass::Invalid {
            return ReadError::Kind { oid: oid.clone(), expected: "commit" };
        }
        GitFault::or("read a commit", ReadError::Missing { oid: oid.clone() })(error)
    })
}

pub(crate) fn ancestry(
    git: &git2::Repository,
    ancestor: &Oid,
    descendant: &Oid,
) -> Result<Ancestry, ReadError> {
    find_commit(git, ancestor)?;
    find_commit(git, descendant)?;
    if ancestor == descendant {
        return Ok(Ancestry::Same);
    }
    let descends = git
        .graph_descendant_of(theirs(descendant)?, theirs(ancestor)?)
        .map_err(GitFault::of("compare two histories"))?;
    Ok(if descends { Ancestry::Ancestor } else { Ancestry::Unrelated })
}

pub(crate) fn info(commit: &git2::Commit<'_>) -> CommitInfo {
    let author = commit.author();
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    CommitInfo {
        oid: ours(commit.id()),
        tree: ours(commit.tree_id()),
        parents: commit.parent_ids().map(ours).collect(),
        author: format!(
            "{} <{}>",
            String::from_utf8_lossy(author.name_bytes()),
            String::from_utf8_lossy(author.email_bytes())
        ),
        time_s: commit.time().seconds(),
        title: message.lines().next().unwrap_or_default().to_owned(),
        message,
    }
}

/// The bytes of a blob, refused above `bytes_max` before they are loaded.
pub(crate) fn load(
    git: &git2::Repository,
    oid: git2::Oid,
    path: &str,
    bytes_max: u64,
) -> Result<Vec<u8>, ReadError> {
    let odb = git.odb().map_err(GitFault::of("open the object store"))?;
    let missing = |error| GitFault::or("read a file", ReadError::Missing { oid: ours(oid) })(error);
    let (len, kind) = odb.read_header(oid).map_err(missing)?;
    if kind != git2::ObjectType::Blob {
        return Err(ReadError::Kind { oid: ours(oid), expected: "file" });
    }
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    if len > bytes_max {
        return Err(ReadError::TooLarge { path: path.to_owned(), len, limit: bytes_max });
    }
    Ok(odb.read(oid).map_err(missing)?.data().to_vec())
}

pub(crate) fn delta(
    git: &git2::Repository,
    base_tree: &Oid,
    tree: &Oid,
    limits: &Limits,
) -> Result<TreeDelta, ReadError> {
    let mut entries = Vec::new();
    let mut left = limits.total_bytes_max;
    let mut load = |leaf: Option<Leaf>, path: &[u8]| {
        let side = leaf.map(|leaf| side(git, leaf, path, limits.blob_bytes_max.min(left))).transpose()?;
        let loaded = side
            .as_ref()
            .and_then(Side::bytes)
            .map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        left = left.saturating_sub(loaded);
        Ok::<_, ReadError>(side)
    };
    for change in tree::compare(git, base_tree, tree)? {
        let old = load(change.old, &change.path)?;
        let new = load(change.new, &change.path)?;
        entries.extend(DeltaEntry::of(change.path, old, new));
    }
    let mut paths = Vec::new();
    tree::walk(git, theirs(tree)?, &[], &mut |path, _| {
        paths.push(path);
        Ok(())
    })?;
    Ok(TreeDelta::new(base_tree.clone(), tree.clone(), entries, TreePaths::All(paths))?)
}

fn side(git: &git2::Repository, leaf: Leaf, path: &[u8], blob_bytes_max: u64) -> Result<Side, ReadError> {
    let oid = ours(leaf.oid);
    if leaf.is_submodule() {
        return Ok(Side::submodule(oid));
    }
    match load(git, leaf.oid, &shown(path), blob_bytes_max) {
        Ok(bytes) => Ok(Side::blob(oid, leaf.mode, bytes)),
        Err(ReadError::TooLarge { len, .. }) => Ok(Side::too_large(oid, leaf.mode, len)),
        // An object that is missing or corrupt is a fact about the change, and an unmeasured one is never clean.
        Err(ReadError::Missing { .. } | ReadError::Kind { .. } | ReadError::Git(_)) => {
            Ok(Side::unreadable(oid, leaf.mode))
        }
        Err(
            error @ (ReadError::HostileName { .. }
            | ReadError::TooDeep { .. }
            | ReadError::TooMany { .. }
            | ReadError::Delta(_)),
        ) => Err(error),
    }
}

#[cfg(test)]
mod tests;
