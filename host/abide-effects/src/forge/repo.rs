//! Opening a repository that may be hostile, and naming its branches.
//!
//! libgit2 runs no hook, filter driver, fsmonitor or transport, and ignores `refs/replace`; what is left of a hostile configuration
//! (`core.worktree`, `info/grafts`) is refused here. Reading objects is in `read`.

use std::fmt;
use std::path::{Path, PathBuf};

use abide_core::id::{Oid, RefName, RepoId};

use super::fault::{GitFault, absent, ours};

/// An opened repository. It reads; only hands that were given a permit write.
pub struct Repo {
    pub(super) git: git2::Repository,
    id: RepoId,
    notes: Vec<Note>,
}

/// Something about a repository that is no error but that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Objects are borrowed from another store, which can take them away.
    Alternates(Vec<PathBuf>),
    /// `refs/replace` holds replacements. They are ignored here; git on the command line shows other contents.
    Replacements,
    /// `core.hooksPath` points away from `hooks/`, so hooks that were installed there do not run.
    HooksPath(String),
    /// The repository was opened through a linked work tree.
    LinkedWorktree,
}

/// Why a repository or one of its branches cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is none.
    #[error("`{}` is not a git repository", .0.display())]
    NotARepository(PathBuf),
    /// It has no commits.
    #[error("the repository `{}` has no commits yet", .0.display())]
    NoCommits(PathBuf),
    /// Its objects are named by SHA-256.
    #[error("the repository `{}` uses the object format `{format}`, which Abide cannot read yet", .path.display())]
    ObjectFormat {
        /// Where.
        path: PathBuf,
        /// As configured.
        format: String,
    },
    /// Its references are not files.
    #[error("the repository `{}` stores its references as `{format}`, which Abide cannot read yet", .path.display())]
    RefStorage {
        /// Where.
        path: PathBuf,
        /// As configured.
        format: String,
    },
    /// It uses an extension that nobody here knows.
    #[error("the repository `{}` uses the extension `{extension}`, which Abide does not know", .path.display())]
    Extension {
        /// Where.
        path: PathBuf,
        /// Its key.
        extension: String,
    },
    /// History is cut off.
    #[error("the repository `{}` is a shallow clone, so its history cannot be followed", .0.display())]
    Shallow(PathBuf),
    /// Objects are missing and would be fetched on demand.
    #[error("the repository `{}` is a partial clone, so its contents cannot be measured", .0.display())]
    Partial(PathBuf),
    /// It belongs to somebody else.
    #[error("the repository `{}` belongs to another user", .0.display())]
    Owner(PathBuf),
    /// Its configuration leads elsewhere.
    #[error("the repository `{}` is redirected by `{by}`", .path.display())]
    Redirected {
        /// Where.
        path: PathBuf,
        /// The setting or file.
        by: &'static str,
    },
    /// There is no such branch.
    #[error("there is no branch `{}`{}", .name.short(), others(.near))]
    NoBranch {
        /// The name asked for.
        name: RefName,
        /// Branches that exist, the likeliest first.
        near: Vec<String>,
    },
    /// The branch is a symbolic reference, whose meaning can move.
    #[error("`{0}` is a symbolic reference to `{1}`; name the branch itself")]
    Symbolic(RefName, String),
    /// libgit2 failed.
    #[error(transparent)]
    Git(#[from] GitFault),
}

fn others(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" (there are: {})", names.join(", ")) }
}

impl RepoError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Git(_) => GitFault::CODE,
            Self::NotARepository(_) => "AB0311",
            Self::NoCommits(_) => "AB0312",
            Self::ObjectFormat { .. } => "AB0313",
            Self::RefStorage { .. } => "AB0314",
            Self::NoBranch { .. } | Self::Symbolic(..) => "AB0315",
            Self::Shallow(_) => "AB0316",
            Self::Partial(_) => "AB0317",
            Self::Owner(_) => "AB0318",
            Self::Extension { .. } => "AB0319",
            Self::Redirected { .. } => "AB0320",
        }
    }
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo")
            .field("id", &self.id)
            .field("git_dir", &self.git.path())
            .finish_non_exhaustive()
    }
}

impl Repo {
    /// Opens the repository at exactly `path`: a bare one, a work tree's top folder, a linked work tree or a `.git` folder.
    pub fn open(path: &Path, id: RepoId) -> Result<Self, RepoError> {
        let common = common_dir(path).ok_or_else(|| RepoError::NotARepository(path.to_owned()))?;
        let config = Settings::read(&common)?;
        config.refuse(path)?;
        let git = git2::Repository::open(path).map_err(|error| {
            if error.code() == git2::ErrorCode::Owner {
                return RepoError::Owner(path.to_owned());
            }
            GitFault::or("open the repository", RepoError::NotARepository(path.to_owned()))(error)
        })?;
        let repo = Self { notes: notes(&git, &common, &config), git, id };
        repo.refuse_cut_history(path, &common)?;
        Ok(repo)
    }

    /// The repository that holds `path`: `path` itself or the nearest folder above it. Reads nothing but folder names.
    pub fn discover(path: &Path) -> Option<PathBuf> {
        path.ancestors().find(|folder| common_dir(folder).is_some()).map(Path::to_owned)
    }

    fn refuse_cut_history(&self, path: &Path, common: &Path) -> Result<(), RepoError> {
        if self.git.is_shallow() {
            return Err(RepoError::Shallow(path.to_owned()));
        }
        // Grafts rewrite ancestry, on which every fast-forward check stands.
        if is_filled(&common.join("info/grafts")) {
            return Err(RepoError::Redirected { path: path.to_owned(), by: "info/grafts" });
        }
        Ok(())
    }

    /// libgit2's own view, for the rooms of this crate.
    pub(crate) fn git(&self) -> &git2::Repository {
        &self.git
    }

    /// The name under which it was registered.
    pub fn id(&self) -> &RepoId {
        &self.id
    }

    /// Its git folder; for a linked work tree the private one.
    pub fn git_dir(&self) -> &Path {
        self.git.path()
    }

    /// The git folder that all its work trees share.
    pub fn common_dir(&self) -> &Path {
        self.git.commondir()
    }

    /// Its work tree, if it has one.
    pub fn work_dir(&self) -> Option<&Path> {
        self.git.workdir()
    }

    /// What a person should know about it.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The branch that `HEAD` names, whether or not it exists yet; `None` where `HEAD` is detached.
    pub fn head_branch(&self) -> Result<Option<RefName>, RepoError> {
        let head = self.git.find_reference("HEAD").map_err(GitFault::of("read `HEAD`"))?;
        Ok(head.symbolic_target().ok().flatten().and_then(|name| name.parse().ok()))
    }

    /// The commit that `branch` stands at.
    pub fn branch(&self, branch: &RefName) -> Result<Oid, RepoError> {
        self.find(branch)?.ok_or_else(|| self.missing(branch))
    }

    /// The commit that `name` stands at, `None` if there is no such reference. A symbolic one is refused: its meaning can move.
    pub fn find(&self, name: &RefName) -> Result<Option<Oid>, RepoError> {
        let reference = match self.git.find_reference(name.as_str()) {
            Ok(reference) => reference,
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(GitFault { doing: "read a reference", source: error }.into()),
        };
        match reference.target() {
            Some(oid) => Ok(Some(ours(oid))),
            None => Err(RepoError::Symbolic(
                name.clone(),
                String::from_utf8_lossy(reference.symbolic_target_bytes().unwrap_or_default()).into_owned(),
            )),
        }
    }

    /// Every branch with the commit it stands at, sorted by name. Names that are not UTF-8 or break git's own rules are left out.
    pub fn branches(&self) -> Result<Vec<(RefName, Oid)>, RepoError> {
        let mut branches = Vec::new();
        for reference in
            self.git.references_glob("refs/heads/*").map_err(GitFault::of("list the branches"))?
        {
            let reference = reference.map_err(GitFault::of("read a reference"))?;
            if let (Ok(name), Some(oid)) =
                (String::from_utf8_lossy(reference.name_bytes()).parse(), reference.target())
            {
                branches.push((name, ours(oid)));
            }
        }
        branches.sort();
        Ok(branches)
    }

    fn missing(&self, name: &RefName) -> RepoError {
        let branches = match self.branches() {
            Ok(branches) => branches,
            Err(error) => return error,
        };
        if branches.is_empty() && self.git.head().is_err() {
            return RepoError::NoCommits(self.git.path().to_owned());
        }
        let near = branches
            .iter()
            .filter(|(branch, _)| !branch.is_work())
            .take(5)
            .map(|(branch, _)| branch.short().to_owned())
            .collect();
        RepoError::NoBranch { name: name.clone(), near }
    }
}

/// What the repository's own configuration says, read before libgit2 may refuse it without saying why.
struct Settings {
    object_format: Option<String>,
    ref_storage: Option<String>,
    unknown: Option<String>,
    partial: bool,
    worktree: bool,
    hooks_path: Option<String>,
}

/// Extensions that libgit2 can live with or that are judged one by one.
const KNOWN_EXTENSIONS: [&str; 7] = [
    "objectformat",
    "refstorage",
    "partialclone",
    "noop",
    "worktreeconfig",
    "preciousobjects",
    "relativeworktrees",
];

impl Settings {
    fn read(common: &Path) -> Result<Self, RepoError> {
        let mut settings = Self {
            object_format: None,
            ref_storage: None,
            unknown: None,
            partial: false,
            worktree: false,
            hooks_path: None,
        };
        let path = common.join("config");
        if !path.exists() {
            return Ok(settings);
        }
        let config =
            git2::Config::open(&path).map_err(GitFault::of("read the repository's configuration"))?;
        let mut entries =
            config.entries(None).map_err(GitFault::of("read the repository's configuration"))?;
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(GitFault::of("read the repository's configuration"))?;
            let name = String::from_utf8_lossy(entry.name_bytes()).to_lowercase();
            let value =
                String::from_utf8_lossy(if entry.has_value() { entry.value_bytes() } else { b"true" })
                    .into_owned();
            settings.take(&name, value);
        }
        Ok(settings)
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            "extensions.objectformat" if value != "sha1" => self.object_format = Some(value),
            "extensions.refstorage" if value != "files" => self.ref_storage = Some(value),
            "extensions.partialclone" => self.partial = true,
            "core.worktree" => self.worktree = true,
            "core.hookspath" => self.hooks_path = Some(value),
            _ if name.starts_with("remote.") && name.ends_with(".promisor") => {
                self.partial |= value != "false";
            }
            _ => {
                if let Some(extension) = name.strip_prefix("extensions.")
                    && !KNOWN_EXTENSIONS.contains(&extension)
                {
                    self.unknown = Some(extension.to_owned());
                }
            }
        }
    }

    fn refuse(&self, path: &Path) -> Result<(), RepoError> {
        let path = path.to_owned();
        if let Some(format) = self.object_format.clone() {
            return Err(RepoError::ObjectFormat { path, format });
        }
        if let Some(format) = self.ref_storage.clone() {
            return Err(RepoError::RefStorage { path, format });
        }
        if let Some(extension) = self.unknown.clone() {
            return Err(RepoError::Extension { path, extension });
        }
        if self.partial {
            return Err(RepoError::Partial(path));
        }
        if self.worktree {
            return Err(RepoError::Redirected { path, by: "core.worktree" });
        }
        Ok(())
    }
}

/// The git folder shared by all work trees of the repository at `path`, by the layout alone.
pub(crate) fn common_dir(path: &Path) -> Option<PathBuf> {
    let git = path.join(".git");
    let private = if git.is_dir() {
        git
    } else if let Ok(text) = std::fs::read_to_string(&git) {
        path.join(text.strip_prefix("gitdir:")?.trim())
    } else {
        path.to_owned()
    };
    if !private.join("HEAD").exists() && !private.join("HEAD").is_symlink() {
        return None;
    }
    let common = match std::fs::read_to_string(private.join("commondir")) {
        Ok(text) => private.join(text.trim()),
        Err(_) => private,
    };
    common.join("objects").is_dir().then_some(common)
}

fn is_filled(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0)
}

/// Object stores that `objects` borrows from, as listed (relative ones are resolved).
pub(crate) fn alternates(objects: &Path) -> Vec<PathBuf> {
    let Ok(text) = std::fs::read_to_string(objects.join("info/alternates")) else { return Vec::new() };
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| objects.join(line))
        .collect()
}

fn notes(git: &git2::Repository, common: &Path, config: &Settings) -> Vec<Note> {
    let mut notes = Vec::new();
    let borrowed = alternates(&common.join("objects"));
    if !borrowed.is_empty() {
        notes.push(Note::Alternates(borrowed));
    }
    if git.references_glob("refs/replace/*").is_ok_and(|mut names| names.next().is_some()) {
        notes.push(Note::Replacements);
    }
    if let Some(path) = config.hooks_path.clone() {
        notes.push(Note::HooksPath(path));
    }
    if git.is_worktree() {
        notes.push(Note::LinkedWorktree);
    }
    notes
}

#[cfg(test)]
mod tests;
