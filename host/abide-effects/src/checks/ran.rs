//! How checks come out, and why they could not be run.

use std::path::PathBuf;

use abide_core::canonical::CanonicalError;
use abide_core::id::{Digest, Oid, RepoId, RepoPath};
use abide_gate::Stale;
use serde::Serialize;

use super::CheckSpec;
use super::report::Verdict;
use crate::forge::WorkspaceError;
use crate::process::{Came, Jailed, Output, ProcessError};

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
    /// It tried to leave the jail.
    Breach,
    /// It took more than its caps.
    Exhausted,
    /// Its report does not show that the tests ran.
    Unproven,
}

impl CheckOutcome {
    /// The spelling in policies and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Missing => "missing",
            Self::Breach => "breach",
            Self::Exhausted => "exhausted",
            Self::Unproven => "unproven",
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
    /// Names of the walls that stood around it, sorted.
    pub walls: Vec<String>,
    /// What a person should know of how it came out.
    pub why: Option<String>,
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
    /// A check and the lease that was opened for it do not belong together.
    #[error("check `{0}` was not judged with the lease that it has, or has not the one that it asks for")]
    Lease(String),
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
            Self::Lease(_) => "AB0958",
            Self::NoFolder { .. } => "AB0503",
            Self::Cancelled(_) => "AB0504",
            Self::Disk { .. } => "AB0505",
            Self::Process { source, .. } => source.code(),
            Self::Workspace(error) => error.code(),
            Self::Canonical(_) => "AB0124",
        }
    }
}

/// A check that the target branch does not define.
pub(super) fn missing(name: &str) -> CheckRan {
    CheckRan {
        name: name.to_owned(),
        outcome: CheckOutcome::Missing,
        required: true,
        exit: None,
        wall_ms: 0,
        output: None,
        walls: Vec::new(),
        why: None,
    }
}

/// What came of a check by its status and by what the jail says.
pub(super) fn judged(spec: &CheckSpec, ran: Jailed) -> Result<CheckRan, CheckError> {
    let missed = ran.report.missed.join(", ");
    let missed = (!missed.is_empty()).then(|| format!("it asked for {missed}"));
    let (outcome, exit, why) = match ran.report.came {
        Came::Exit(0) => (CheckOutcome::Passed, Some("0".to_owned()), None),
        Came::Exit(status) => (CheckOutcome::Failed, Some(status.to_string()), missed),
        Came::Signal(signal) => (CheckOutcome::Failed, Some(format!("signal {signal}")), missed),
        Came::Unstarted(why) => (CheckOutcome::Failed, None, Some(format!("{why} [AB0952]"))),
        Came::Breach(ways) => {
            (CheckOutcome::Breach, None, Some(format!("it tried to {} [AB0953]", ways.join(", to "))))
        }
        Came::Exhausted(what) => (CheckOutcome::Exhausted, None, Some(format!("{what} [AB0954]"))),
        Came::Timeout => (CheckOutcome::Timeout, None, missed),
        Came::Cancelled => return Err(CheckError::Cancelled(spec.name.clone())),
    };
    Ok(CheckRan {
        name: spec.name.clone(),
        outcome,
        required: spec.required,
        exit,
        wall_ms: ran.wall_ms,
        output: Some(ran.output),
        walls: ran.report.walls,
        why,
    })
}

/// What its report makes of a check that ended by itself.
pub(super) fn proven(ran: CheckRan, verdict: Verdict, pinned: &[String]) -> CheckRan {
    // LIMIT: how many names a message has.
    let some = |names: &[String]| names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let (outcome, said) = match verdict {
        Verdict::Passed => (CheckOutcome::Passed, None),
        Verdict::Failed(tests) => (CheckOutcome::Failed, Some(format!("{} failed", some(&tests)))),
        Verdict::Unproven(why) => (CheckOutcome::Unproven, Some(format!("{why} [AB0956]"))),
    };
    let pinned = (!pinned.is_empty()).then(|| format!("taken from the target branch: {}", some(pinned)));
    let why: Vec<String> = [said, pinned, ran.why].into_iter().flatten().collect();
    CheckRan { outcome, why: (!why.is_empty()).then(|| why.join("; ")), ..ran }
}
