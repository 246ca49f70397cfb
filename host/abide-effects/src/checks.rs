//! The hand that runs the named checks of the target branch on a commit, each in its own fresh, filterless checkout.
//!
//! The definitions are read from the target branch by the caller; the permit holds their digest. What a check may see and do beyond
//! ending in time is the business of the jail, which this is not: see `crate::process`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use abide_core::action::RunChecks;
use abide_core::canonical::{self, CanonicalError};
use abide_core::id::{Digest, Oid, RepoId, RepoPath};
use abide_gate::{Permit, Redeemed, Stale};
use serde::{Deserialize, Serialize};

use crate::forge::{Links, Repo, Workspace, WorkspaceError, WorkspaceLimits};
use crate::process::{self, Ended, Ending, Host, Job, Output, ProcessError, ProcessLimits};
use crate::receipt::{Landing, Receipt};
use crate::temporary::Temporary;

/// One check as the target branch defines it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// Its name.
    pub name: String,
    /// Program and arguments. No shell looks at them, unless the program is one.
    pub command: Vec<String>,
    /// Wall time in milliseconds.
    pub timeout_ms: u64,
    /// Names of variables that it may see.
    pub env: Vec<String>,
    /// Whether a change needs it to pass.
    pub required: bool,
    /// Folder to start in, the top for `None`.
    pub workdir: Option<RepoPath>,
}

/// Bounds that hold for every check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckLimits {
    /// The longest `timeout_ms` that counts.
    pub wall_ms_max: u64,
    /// Milliseconds between the request to end and the kill.
    pub grace_ms: u64,
    /// Processor seconds of each process.
    pub cpu_s_max: u64,
    /// Bytes of each file written.
    pub file_bytes_max: u64,
    /// Bytes of output that are kept.
    pub output_bytes_max: usize,
    /// Bounds on the checkout.
    pub workspace: WorkspaceLimits,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckOutcome {
    /// Status 0.
    Passed,
    /// Another status, or a signal.
    Failed,
    /// It ran out of time.
    Timeout,
    /// The target branch does not define it.
    Missing,
}

impl CheckOutcome {
    /// The spelling in policies and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Missing => "missing",
        }
    }
}

/// One finished check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRan {
    /// Its name.
    pub name: String,
    /// How it came out.
    pub outcome: CheckOutcome,
    /// Whether a change needs it to pass. A check that is not defined is.
    pub required: bool,
    /// Exit status or `signal N`, if it ended by itself.
    pub exit: Option<String>,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// What it printed; none if it did not run.
    pub output: Option<Output>,
}

/// All checks of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChecksRan {
    /// The commit that was checked.
    pub commit: Oid,
    /// Results, in the order of the action.
    pub results: Vec<CheckRan>,
}

impl ChecksRan {
    /// Whether every required check passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(|check| !check.required || check.outcome == CheckOutcome::Passed)
    }
}

/// Why checks could not be run. A check that fails is a result, not an error.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The permit no longer counts.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The permit is for another repository.
    #[error("the permit is for repository `{permitted}`, this is `{found}`")]
    WrongRepository {
        /// In the permit.
        permitted: RepoId,
        /// Here.
        found: RepoId,
    },
    /// The definitions are not those that were judged.
    #[error("the check definitions are not those that were judged ({} now)", .found.short())]
    Definitions {
        /// Digest of those that were handed in.
        found: Digest,
    },
    /// Two checks have one name.
    #[error("check `{0}` is defined twice")]
    Twice(String),
    /// The folder to start in is not there.
    #[error("check `{check}`: there is no folder `{folder}` in the checkout")]
    NoFolder {
        /// The check.
        check: String,
        /// Its `workdir`.
        folder: RepoPath,
    },
    /// The kill switch was pulled while a check ran.
    #[error("check `{0}` was stopped by the kill switch")]
    Cancelled(String),
    /// The checkout could not be made.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The program could not be run.
    #[error("check `{check}`: {source}")]
    Process {
        /// The check.
        check: String,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// The private folder could not be made.
    #[error("no private folder could be made in `{}`", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The definitions have no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl CheckError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale(stale) => stale.code(),
            Self::WrongRepository { .. } => "AB0329",
            Self::Definitions { .. } => "AB0501",
            Self::Twice(_) => "AB0502",
            Self::NoFolder { .. } => "AB0503",
            Self::Cancelled(_) => "AB0504",
            Self::Disk { .. } => "AB0505",
            Self::Process { source, .. } => source.code(),
            Self::Workspace(error) => error.code(),
            Self::Canonical(_) => "AB0124",
        }
    }
}

/// The digest that [`RunChecks::definitions`] must hold.
pub fn definitions_digest(specs: &[CheckSpec]) -> Result<Digest, CanonicalError> {
    canonical::digest(&specs)
}

/// Runs named checks.
#[derive(Debug)]
pub struct CheckHand<'r> {
    /// The repository that holds the commit.
    pub repo: &'r Repo,
    /// Folder below which checkouts are made.
    pub root: &'r Path,
    /// Bounds.
    pub limits: CheckLimits,
    /// What this host can do.
    pub host: &'r Host<'r>,
    /// The environment that `CheckSpec::env` picks from.
    pub environment: &'r BTreeMap<String, String>,
}

impl CheckHand<'_> {
    /// Runs the permitted checks one after the other. Each sees the commit as it is, not what another check left.
    pub fn apply(
        &self,
        permit: Permit<RunChecks>,
        specs: &[CheckSpec],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Receipt<ChecksRan>, CheckError> {
        let redeemed = permit.redeem()?;
        let action = &redeemed.action;
        if action.repo != *self.repo.id() {
            return Err(CheckError::WrongRepository {
                permitted: action.repo.clone(),
                found: self.repo.id().clone(),
            });
        }
        let found = definitions_digest(specs)?;
        if found != action.definitions {
            return Err(CheckError::Definitions { found });
        }
        let defined = by_name(specs)?;
        let mut results = Vec::new();
        for name in &action.checks {
            still_alive(&redeemed)?;
            results.push(match defined.get(name.as_str()) {
                Some(spec) => self.check(spec, &action.commit, cancelled)?,
                None => missing(name),
            });
        }
        let outcome = ChecksRan { commit: action.commit.clone(), results };
        Ok(Receipt::of(&redeemed, Landing::Fresh, outcome))
    }

    /// Whether the checks ran earlier: never known, for they change nothing that lasts. Running them again is harmless.
    pub fn probe(&self, _action: &RunChecks) -> Result<Option<ChecksRan>, CheckError> {
        Ok(None)
    }

    fn check(
        &self,
        spec: &CheckSpec,
        commit: &Oid,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CheckRan, CheckError> {
        let disk = |source| CheckError::Disk { path: self.root.to_owned(), source };
        let workspace =
            Workspace::of_commit(self.repo, commit, self.root, Links::AsLinks, self.limits.workspace)?;
        let private = Temporary::new("check-", self.root).map_err(disk)?;
        let private_path = private.path().canonicalize().map_err(disk)?;
        let folder = start_folder(spec, workspace.path())?;
        let env = self.environment.iter().filter(|(name, _)| spec.env.contains(name));
        let env = env.map(|(name, value)| (name.clone(), value.clone())).collect();
        let limits = ProcessLimits {
            wall_ms_max: spec.timeout_ms.min(self.limits.wall_ms_max),
            grace_ms: self.limits.grace_ms,
            cpu_s_max: self.limits.cpu_s_max,
            file_bytes_max: self.limits.file_bytes_max,
            output_bytes_max: self.limits.output_bytes_max,
        };
        let job = Job { argv: &spec.command, folder: &folder, private: &private_path, env: &env, limits };
        let ended = process::run(&job, self.host, cancelled);
        let ended = ended.map_err(|source| CheckError::Process { check: spec.name.clone(), source })?;
        tracing::info!(check = %spec.name, ending = ?ended.ending, wall_ms = ended.wall_ms, "effect.check");
        judged(spec, ended)
    }
}

/// A long list of checks may outlive the permit's minute, which was spent at its start; a halt still stops it.
fn still_alive(redeemed: &Redeemed<RunChecks>) -> Result<(), Stale> {
    match redeemed.still_stands() {
        Ok(()) | Err(Stale::Expired) => Ok(()),
        Err(stale @ (Stale::Halted | Stale::Unreadable)) => Err(stale),
    }
}

fn by_name(specs: &[CheckSpec]) -> Result<BTreeMap<&str, &CheckSpec>, CheckError> {
    let mut defined = BTreeMap::new();
    for spec in specs {
        if defined.insert(spec.name.as_str(), spec).is_some() {
            return Err(CheckError::Twice(spec.name.clone()));
        }
    }
    Ok(defined)
}

fn missing(name: &str) -> CheckRan {
    CheckRan {
        name: name.to_owned(),
        outcome: CheckOutcome::Missing,
        required: true,
        exit: None,
        wall_ms: 0,
        output: None,
    }
}

fn judged(spec: &CheckSpec, ended: Ended) -> Result<CheckRan, CheckError> {
    let (outcome, exit) = match ended.ending {
        Ending::Exit(0) => (CheckOutcome::Passed, Some("0".to_owned())),
        Ending::Exit(status) => (CheckOutcome::Failed, Some(status.to_string())),
        Ending::Signal(signal) => (CheckOutcome::Failed, Some(format!("signal {signal}"))),
        Ending::Timeout => (CheckOutcome::Timeout, None),
        Ending::Cancelled => return Err(CheckError::Cancelled(spec.name.clone())),
    };
    let (name, required, wall_ms) = (spec.name.clone(), spec.required, ended.wall_ms);
    Ok(CheckRan { name, outcome, required, exit, wall_ms, output: Some(ended.output) })
}

/// The folder to start in: a real folder of the checkout, not one that a link leads to outside.
fn start_folder(spec: &CheckSpec, top: &Path) -> Result<PathBuf, CheckError> {
    let Some(folder) = &spec.workdir else { return Ok(top.to_owned()) };
    let none = || CheckError::NoFolder { check: spec.name.clone(), folder: folder.clone() };
    let top = top.canonicalize().map_err(|_| none())?;
    let path = top.join(folder.as_str()).canonicalize().map_err(|_| none())?;
    if path.starts_with(&top) && path.is_dir() { Ok(path) } else { Err(none()) }
}

#[cfg(test)]
mod tests;
