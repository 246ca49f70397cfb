//! Where state lives: outside every repository, for nobody else's eyes.
//!
//! `$ABIDE_HOME/<name>/` holds one repository's log, key and scratch space; `repository.json` in it says which repository that is. Beside them lie
//! `signers.yaml`, the list of those who may sign policy, and `keys/`, the keys of this user.

mod moved;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use abide_core::id::{RefName, RepoId, RunId};
use serde::{Deserialize, Serialize};

use crate::bundles::signers;
use crate::config::env::{self, Env};
use crate::report::{Exit, Failure};
use crate::wiring;

/// The state folder of this user.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

/// The state of one repository.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What it is the state of.
    pub(crate) repository: Registered,
}

/// A registered repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registered {
    /// Its name in the log.
    pub(crate) id: RepoId,
    /// Its git folder, canonical.
    pub(crate) git_dir: PathBuf,
    /// The branch that changes are for.
    pub(crate) target: RefName,
}

impl Home {
    /// The folder that the environment names.
    pub(crate) fn of(env: &Env) -> Result<Self, Failure> {
        let Some(home) = &env.home else {
            return Err(Failure::new("AB0002", "there is no home folder to keep state in")
                .help(format!("set {} to a folder that only you can read", env::HOME))
                .exit(Exit::Usage));
        };
        if !home.is_absolute() {
            return Err(Failure::new("AB0002", format!("`{}` is not an absolute path", home.display()))
                .exit(Exit::Usage));
        }
        Ok(Self(home.clone()))
    }

    /// Folder of the keys of this user.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join(KEYS)
    }

    /// Folder of what was checked about policies.
    pub(crate) fn proofs(&self) -> PathBuf {
        self.0.join(PROOFS)
    }

    /// The list of those who are trusted to sign policy.
    pub(crate) fn signers(&self) -> PathBuf {
        self.0.join(signers::FILE)
    }

    /// Folder of what is compiled for all repositories, and the key under which it is kept.
    pub(crate) fn compiled(&self) -> Result<(PathBuf, [u8; 32]), Failure> {
        let folder = self.0.join(COMPILED);
        private_folder(&folder)?;
        Ok((folder.clone(), secret(&folder, "compiled.key")?))
    }

    /// Makes the state folder of a repository; an error if the name is taken by another one.
    pub(crate) fn register(&self, registered: &Registered) -> Result<State, Failure> {
        if [KEYS, PROOFS, COMPILED, signers::FILE].contains(&registered.id.as_str()) {
            return Err(Failure::new("AB0003", format!("the name `{}` is used by ab itself", registered.id))
                .help("ab init --name NAME gives this repository another name")
                .exit(Exit::Usage));
        }
        // A second state would begin without the policy in force, its floor, its freezes and the kill switch.
        if let Some(other) = self.states().into_iter().find(|state| {
            state.repository.git_dir == registered.git_dir && state.repository.id != registered.id
        }) {
            return Err(Failure::new(
                "AB0003",
                format!(
                    "this repository is known as `{}` already, and its log goes on there",
                    other.repository.id
                ),
            )
            .help("leave out --name")
            .exit(Exit::Usage));
        }
        let folder = self.0.join(registered.id.as_str());
        if let Ok(state) = State::open(&folder) {
            if state.repository.git_dir == registered.git_dir {
                return Ok(state);
            }
            return Err(Failure::new(
                "AB0003",
                format!("the name `{}` is taken by `{}`", registered.id, state.repository.git_dir.display()),
            )
            .help("ab init --name NAME gives this repository another name")
            .exit(Exit::Usage));
        }
        private_folder(&folder)?;
        let file = folder.join(FILE);
        let text = serde_json::to_vec_pretty(registered).map_err(|error| Failure::of("AB0004", error))?;
        let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).and_then(
            |mut out| {
                out.write_all(&text)?;
                out.sync_all()
            },
        );
        written.map_err(|error| {
            Failure::of("AB0004", error).help(format!("{} could not be written", file.display()))
        })?;
        Ok(State { folder, repository: registered.clone() })
    }

    /// The state of the repository whose git folder is `git_dir` (canonical).
    pub(crate) fn find(&self, git_dir: &Path) -> Result<State, Failure> {
        let mut found = self.states();
        found.retain(|state| state.repository.git_dir == git_dir);
        if let [one, other, ..] = found.as_slice() {
            let (one, other) = (&one.repository.id, &other.repository.id);
            return Err(Failure::new("AB0003", format!("this repository has two logs: `{one}` and `{other}`"))
                .help("which of them counts cannot be told: move the folder of the wrong one out of the state folder")
                .exit(Exit::Gate));
        }
        found.into_iter().next().ok_or_else(|| {
            let gone: Vec<String> = self
                .gone()
                .iter()
                .map(|state| {
                    format!(
                        "if it was moved from {0}: ab init --moved {1}",
                        state.repository.git_dir.display(),
                        state.repository.id
                    )
                })
                .collect();
            let help = ["ab init makes it ready".to_owned()].into_iter().chain(gone.into_iter().take(3));
            Failure::new("AB0005", format!("`{}` is not known to ab", git_dir.display()))
                .help(help.collect::<Vec<_>>().join("; "))
                .exit(Exit::Usage)
        })
    }

    /// All states, by their folders.
    fn states(&self) -> Vec<State> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut states: Vec<State> = entries.filter_map(|entry| State::open(&entry.path()).ok()).collect();
        states.sort_by(|a, b| a.folder.cmp(&b.folder));
        states
    }

    /// The state of the repository called `name`.
    pub(crate) fn named(&self, name: &RepoId) -> Result<State, Failure> {
        State::open(&self.0.join(name.as_str()))
    }
}

/// Folder of keys beside the states of repositories.
const KEYS: &str = "keys";
/// Folder of compiled code beside the states of repositories.
const COMPILED: &str = "compiled";

/// Folder of what was checked about policies.
const PROOFS: &str = "proofs";

/// The file that says which repository a state folder belongs to.
const FILE: &str = "repository.json";

impl State {
    /// Opens a state folder. Refuses one that others may enter.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let text = fs::read(folder.join(FILE)).map_err(|error| {
            Failure::of("AB0005", error).help(format!("there is no state in {}", folder.display()))
        })?;
        let repository = serde_json::from_slice(&text).map_err(|error| {
            Failure::of("AB0004", error).help(format!("{} is damaged", folder.join(FILE).display()))
        })?;
        let mode = fs::metadata(folder).map_err(|error| Failure::of("AB0004", error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Failure::new(
                "AB0006",
                format!("others may enter `{}` (mode {:o})", folder.display(), mode & 0o777),
            )
            .help(format!("chmod 700 {}", folder.display())));
        }
        Ok(Self { folder: folder.to_path_buf(), repository })
    }

    /// The 32 random bytes of the file `name`, made when they are first asked for. Two processes that make them agree on one of them.
    pub(crate) fn secret(&self, name: &str) -> Result<[u8; 32], Failure> {
        secret(&self.folder, name)
    }

    /// Folder of the log.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// Where the evidence of `run` is written if nobody says where.
    pub(crate) fn packet(&self, run: &RunId) -> PathBuf {
        self.folder.join("packets").join(format!("packet-{run}.abide"))
    }

    /// Where objects lie that were handed in for `run`.
    pub(crate) fn incoming(&self, run: &RunId) -> PathBuf {
        self.folder.join("incoming").join(format!("{run}.git"))
    }

    /// A folder for work in progress; made if it is missing.
    pub(crate) fn scratch(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder.join("work");
        private_folder(&folder)?;
        Ok(folder)
    }
}

/// The 32 random bytes of the file `name` in `folder`, made when they are first asked for.
fn secret(folder: &Path, name: &str) -> Result<[u8; 32], Failure> {
    let path = folder.join(name);
    let fault = |error| {
        Failure::of("AB0004", error).help(format!("{} is this state folder's own secret", path.display()))
    };
    if !path.exists() {
        let mode = fs::Permissions::from_mode(0o600);
        let mut fresh = tempfile::Builder::new().permissions(mode).tempfile_in(folder).map_err(fault)?;
        let bytes = wiring::entropy::<32>()?;
        fresh.write_all(&bytes).and_then(|()| fresh.as_file().sync_all()).map_err(fault)?;
        // Another process may have been faster: then its secret counts.
        drop(fresh.persist_noclobber(&path));
    }
    let damaged = || {
        Failure::new("AB0004", format!("{} is damaged", path.display())).help("remove it; a new one is made")
    };
    fs::read(&path).map_err(fault)?.try_into().map_err(|_| damaged())
}

/// Makes `folder` and its parents, each for the owner only where it is new.
pub(crate) fn private_folder(folder: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::of("AB0004", error).help(format!("{} could not be made", folder.display())))
}
