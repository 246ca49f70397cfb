//! Finding the repository, its state, and what its target branch says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abide_core::id::{Oid, RefName, RepoPath};
use abide_effects::forge::Repo;

use crate::cli::Shell;
use crate::config::{self, Config};
use crate::home::{Home, State};
use crate::report::{Exit, Failure};

/// Bytes of one policy file at most.
const POLICY_FILE_BYTES_MAX: u64 = 13 << 20;

/// A repository that `ab` knows.
#[derive(Debug)]
pub(crate) struct Known {
    /// The repository.
    pub(crate) repo: Repo,
    /// Its state.
    pub(crate) state: State,
}

/// The git folder around `path`, or around the current folder.
pub(crate) fn git_dir(path: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = path.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let here = std::fs::canonicalize(&here).map_err(|error| {
        Failure::of("AB0300", error).help(format!("{} cannot be entered", here.display())).exit(Exit::Usage)
    })?;
    let found = Repo::discover(&here).ok_or_else(|| {
        Failure::new("AB0300", format!("`{}` is not inside a git repository", here.display()))
            .help("git init makes one here; --repo PATH names one elsewhere")
            .exit(Exit::Usage)
    })?;
    std::fs::canonicalize(found).map_err(|error| Failure::of("AB0300", error))
}

/// Opens the repository at `path` (or around the current folder) with its state.
pub(crate) fn open(shell: &Shell, path: Option<&Path>) -> Result<Known, Failure> {
    let git_dir = git_dir(path)?;
    let state = Home::of(&shell.env)?.find(&git_dir)?;
    let repo = Repo::open(&git_dir, state.repository.id.clone())
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
    Ok(Known { repo, state })
}

impl Known {
    /// Where the target branch stands.
    pub(crate) fn head(&self, target: &RefName) -> Result<Oid, Failure> {
        self.repo.branch(target).map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))
    }

    /// `ab.yml` of the target branch.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let target = &self.state.repository.target;
        let head = self.head(target)?;
        let Some(bytes) = self.file(&head, config::FILE)? else { return Ok(Config::absent(target.clone())?) };
        let text =
            String::from_utf8(bytes).map_err(|error| Failure::of("AB0010", error).exit(Exit::Usage))?;
        Ok(Config::parse(&text, target)?)
    }

    /// Files of the repository's own rules on the target branch, by path below their folder.
    pub(crate) fn policies(&self, config: &Config) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let head = self.head(&config.target)?;
        let entries = self
            .repo
            .list_tree_at(&head, Some(&config.policies))
            .map_err(|error| Failure::of(error.code(), error))?;
        let top = format!("{}/", config.policies);
        let mut files = BTreeMap::new();
        for entry in entries {
            let Ok(path) = String::from_utf8(entry.path.clone()) else {
                return Err(Failure::new("AB0151", format!("a file in {top} has a name that is not UTF-8"))
                    .exit(Exit::Gate));
            };
            let Some(below) = path.strip_prefix(&top) else { continue };
            let bytes = self
                .file(&head, &path)?
                .ok_or_else(|| Failure::new("AB0151", format!("`{path}` is not a file")).exit(Exit::Gate))?;
            files.insert(below.to_owned(), bytes);
        }
        Ok(files)
    }

    /// A file at a commit.
    pub(crate) fn file(&self, commit: &Oid, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path: RepoPath = path.parse().map_err(|error| Failure::of("AB0300", error))?;
        self.repo
            .read_blob_at(commit, &path, POLICY_FILE_BYTES_MAX)
            .map_err(|error| Failure::of(error.code(), error))
    }
}
