//! The hand that runs the named checks of the target branch on a commit, each in its own fresh, filterless checkout.
//!
//! The definitions are read from the target branch by the caller; the permit holds their digest. What a check may see and do is the business of the
//! jail, a port of `crate::process`; what its outcome counts for is said here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use abide_core::action::RunChecks;
use abide_core::canonical::{self, CanonicalError};
use abide_core::id::{Digest, Oid, RepoPath};
use abide_gate::{Permit, Redeemed, Stale};
use serde::{Deserialize, Serialize};

pub use harness::{Canary, Proof, ReportAt};
pub use ran::{CheckError, CheckOutcome, CheckRan, ChecksRan};
use ran::{judged, missing, proven};
use report::{Tests, Verdict};

use crate::egress::Door;
use crate::forge::{Links, Repo, Workspace, WorkspaceLimits};
use crate::process::{self, Came, Cell, Host, Jail, Jailed, ProcessLimits};
use crate::receipt::{Landing, Receipt};
use crate::temporary::Temporary;

mod harness;
mod ran;
mod report;

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
    /// Paths of the host that it may read besides what every check sees, absolute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<PathBuf>,
    /// The lease of the policy's data by which it may ask the network; none at all without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// What its report takes to count; the status alone counts without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
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
    /// Bytes of output after which a check is ended.
    pub printed_bytes_max: u64,
    /// Bounds on the checkout.
    pub workspace: WorkspaceLimits,
}

/// The digest that [`RunChecks::definitions`] must hold.
pub fn definitions_digest(specs: &[CheckSpec]) -> Result<Digest, CanonicalError> {
    canonical::digest(&specs)
}

/// The leases that checks ask for, sorted, each once: what [`RunChecks::egress`] must hold.
pub fn leases(specs: &[CheckSpec]) -> Vec<String> {
    let asked: BTreeSet<&String> = specs.iter().filter_map(|spec| spec.egress.as_ref()).collect();
    asked.into_iter().cloned().collect()
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
    /// The commit of the target branch on which the checked one stands: its harness and its tests count.
    pub base: &'r Oid,
    /// Where checks run.
    pub jail: &'r dyn Jail,
    /// The clock and the path.
    pub host: &'r Host<'r>,
    /// The environment that `CheckSpec::env` picks from.
    pub environment: &'r BTreeMap<String, String>,
    /// By name of the check: the leases that were opened for those that ask for one.
    pub doors: &'r BTreeMap<String, Door>,
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
        if let Some(spec) = specs.iter().find(|spec| !self.has_its_lease(spec, &action.egress)) {
            return Err(CheckError::Lease(spec.name.clone()));
        }
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

    /// Whether a check that asks for a lease was judged with it and has exactly that one; and no other has any.
    fn has_its_lease(&self, spec: &CheckSpec, judged: &[String]) -> bool {
        let door = self.doors.get(&spec.name).map(Door::lease);
        door == spec.egress.as_deref() && spec.egress.as_ref().is_none_or(|lease| judged.contains(lease))
    }

    fn check(
        &self,
        spec: &CheckSpec,
        commit: &Oid,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CheckRan, CheckError> {
        let ran = self.outcome(spec, commit, cancelled)?;
        let stopped = self.doors.get(&spec.name).and_then(Door::stopped);
        let why: Vec<String> = [ran.why, stopped].into_iter().flatten().collect();
        Ok(CheckRan { why: (!why.is_empty()).then(|| why.join("; ")), ..ran })
    }

    fn outcome(
        &self,
        spec: &CheckSpec,
        commit: &Oid,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CheckRan, CheckError> {
        let Some(proof) = &spec.proof else {
            return judged(spec, self.once(spec, commit, None, cancelled)?.jailed);
        };
        let before = self.once(spec, self.base, Some((proof, Whose::Base)), cancelled)?;
        let now = self.once(spec, commit, Some((proof, Whose::Proposed)), cancelled)?;
        let exit_ok = matches!(now.jailed.report.came, Came::Exit(0));
        let exited = matches!(now.jailed.report.came, Came::Exit(_));
        let ran = judged(spec, now.jailed)?;
        if !exited {
            return Ok(ran);
        }
        let verdict = match (now.tests, before.tests) {
            (Err(why), _) => Verdict::Unproven(why),
            (Ok(_), Err(why)) => {
                Verdict::Unproven(format!("the tests of the target branch are not known: {why}"))
            }
            (Ok(now_tests), Ok(before)) => report::judge(&now_tests, &before, now.canary.as_deref(), exit_ok),
        };
        Ok(proven(ran, verdict, &now.pinned))
    }

    /// One run in a fresh checkout of `commit`, and in a fresh jail.
    fn once(
        &self,
        spec: &CheckSpec,
        commit: &Oid,
        proof: Option<(&Proof, Whose)>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Once, CheckError> {
        let disk = |source| CheckError::Disk { path: self.root.to_owned(), source };
        let workspace = self.checkout(commit)?;
        let private = Temporary::new("check-", self.root).map_err(disk)?;
        let private_path = private.path().canonicalize().map_err(disk)?;
        let top = workspace.path().canonicalize().map_err(disk)?;
        start_folder(spec, &top)?;
        let tree = workspace.dir()?;
        let (mut pinned, mut canary) = (Vec::new(), None);
        if let Some((proof, whose)) = proof {
            if let ReportAt::Junit(report) = &proof.report {
                harness::forget(&tree, report).map_err(disk)?;
            }
            if whose == Whose::Proposed {
                pinned =
                    harness::pin(&tree, &self.checkout(self.base)?.dir()?, &proof.harness).map_err(disk)?;
                if let Some(planted) = &proof.canary {
                    let name = unknown_name(&private_path);
                    harness::plant(&tree, planted, &name).map_err(disk)?;
                    canary = Some(name);
                }
            }
        }
        let start = spec.workdir.as_ref().map(|folder| Path::new(folder.as_str()));
        let limits = ProcessLimits {
            wall_ms_max: spec.timeout_ms.min(self.limits.wall_ms_max),
            grace_ms: self.limits.grace_ms,
            cpu_s_max: self.limits.cpu_s_max,
            file_bytes_max: self.limits.file_bytes_max,
            output_bytes_max: self.limits.output_bytes_max,
            printed_bytes_max: self.limits.printed_bytes_max,
        };
        let (argv, private, env) = (&spec.command, private_path.as_path(), self.env(spec));
        let cell = Cell {
            argv,
            env,
            work: &top,
            start,
            private,
            read: &spec.read,
            limits,
            door: self.doors.get(&spec.name),
        };
        let jailed = process::run_jailed(&cell, self.jail, self.host, cancelled);
        let jailed = jailed.map_err(|source| CheckError::Process { check: spec.name.clone(), source })?;
        tracing::info!(check = %spec.name, came = ?jailed.report.came, wall_ms = jailed.wall_ms, "effect.check");
        let tests = match proof.map(|(proof, _)| &proof.report) {
            None => Ok(Tests::default()),
            Some(ReportAt::Junit(report)) => {
                harness::take(&tree, report).and_then(|text| Tests::junit(&text))
            }
            Some(ReportAt::Libtest) if jailed.output.skipped > 0 => {
                Err("it printed so much that its list of tests was cut".to_owned())
            }
            Some(ReportAt::Libtest) => Tests::libtest(&jailed.output.text()),
        };
        Ok(Once { jailed, tests, pinned, canary })
    }

    fn checkout(&self, commit: &Oid) -> Result<Workspace, CheckError> {
        Ok(Workspace::of_commit(self.repo, commit, self.root, Links::AsLinks, self.limits.workspace)?)
    }

    fn env(&self, spec: &CheckSpec) -> BTreeMap<String, String> {
        let picked = self.environment.iter().filter(|(name, _)| spec.env.contains(name));
        let own = [("PATH", self.host.path.as_str()), ("LANG", "C.UTF-8")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        picked.map(|(name, value)| (name.clone(), value.clone())).chain(own).collect()
    }
}

/// On which side of the change a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Base,
    Proposed,
}

/// One run of a check.
struct Once {
    jailed: Jailed,
    tests: Result<Tests, String>,
    /// Files of the harness that the change would have had otherwise.
    pinned: Vec<String>,
    /// Name of the test that has to fail.
    canary: Option<String>,
}

/// A name for the test that has to fail. The folder's name was drawn by the system.
fn unknown_name(private: &Path) -> String {
    let drawn = private.file_name().unwrap_or_default().to_string_lossy();
    let drawn: String = drawn.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("abide_canary_{}", drawn.to_lowercase())
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

/// The folder to start in: a real folder of the checkout, not one that a link leads to outside.
fn start_folder(spec: &CheckSpec, top: &Path) -> Result<(), CheckError> {
    let Some(folder) = &spec.workdir else { return Ok(()) };
    let none = || CheckError::NoFolder { check: spec.name.clone(), folder: folder.clone() };
    let path = top.join(folder.as_str()).canonicalize().map_err(|_| none())?;
    if path.starts_with(top) && path.is_dir() { Ok(()) } else { Err(none()) }
}

#[cfg(test)]
mod tests;
