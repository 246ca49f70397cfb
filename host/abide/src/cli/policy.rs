//! `ab policy`: the workbench of those who write the rules.

mod explain;
mod replay;
mod test;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use abide_gate::BundleError;
use abide_gate::source::{self, Sources};
use clap::{Args as ClapArgs, Subcommand};

use super::Shell;
use crate::embedded;
use crate::report::{Exit, Failure};
use crate::repository;

/// `ab policy`.
#[derive(Debug, ClapArgs)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Run the tests that stand beside the rules.
    Test(test::TestArgs),
    /// Say why a decision came out as it did, and what would have to change for another.
    Explain(explain::ExplainArgs),
    /// Say what a policy would have decided about past changes.
    Replay(replay::ReplayArgs),
}

/// Which policy.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Which {
    /// The repository whose rules to take; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    pub(crate) repo: Option<PathBuf>,
    /// A policy folder to take instead: a whole one (with `main.rego`), or a repository's own rules.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

pub(crate) fn run(shell: &Shell, args: &PolicyArgs) -> Result<Exit, Failure> {
    match &args.verb {
        PolicyVerb::Test(args) => test::run(shell, args),
        PolicyVerb::Explain(args) => explain::run(shell, args),
        PolicyVerb::Replay(args) => replay::run(shell, args),
    }
}

/// The files of a policy as they lie in the work tree: what ships, and what a repository adds.
#[derive(Debug)]
pub(crate) struct Files {
    /// A whole policy: what ships, or the folder that was named.
    pub(crate) base: BTreeMap<String, Vec<u8>>,
    /// What the repository adds. Empty for a folder that is whole.
    pub(crate) added: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// Reads the policy that is meant. Work in progress counts: the folder is read, not the target branch.
    pub(crate) fn open(shell: &Shell, which: &Which) -> Result<Self, Failure> {
        let folder = if let Some(folder) = &which.dir {
            folder.clone()
        } else {
            let known = repository::open(shell, which.repo.as_deref())?;
            let config = known.config()?;
            let top = known.repo.work_dir().ok_or_else(|| {
                Failure::new("AB0160", "a bare repository has no work tree".to_owned())
                    .help("name a policy folder with --dir")
                    .exit(Exit::Usage)
            })?;
            top.join(config.policies.as_str())
        };
        let files = read(&folder)?;
        let shipped =
            || embedded::POLICIES.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        Ok(if files.contains_key("main.rego") {
            Self { base: files, added: BTreeMap::new() }
        } else {
            Self { base: shipped(), added: files }
        })
    }

    /// Modules, tests and data, those of the layer below `layers/`.
    pub(crate) fn sources(&self) -> Result<Sources, Failure> {
        source::sort_layered(&self.base, &self.added).map_err(|error| refused(&error))
    }
}

/// A bundle that cannot be loaded.
pub(crate) fn refused(error: &BundleError) -> Failure {
    Failure::of(error.code(), error.clone()).exit(Exit::Gate)
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Failure::new("AB0160", format!("`{}` cannot be read: {error}", path.display())).exit(Exit::Usage)
    };
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).map_err(|error| unreadable(&at, error))? {
            let path = entry.map_err(|error| unreadable(&at, error))?.path();
            let kind = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, error))?.file_type();
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).ok().and_then(Path::to_str).filter(|_| kind.is_file());
            let Some(name) = name else {
                let why = format!("`{}` is no plain file with a name in UTF-8", path.display());
                return Err(Failure::new("AB0151", why).exit(Exit::Gate));
            };
            files.insert(name.to_owned(), fs::read(&path).map_err(|error| unreadable(&path, error))?);
        }
    }
    Ok(files)
}
