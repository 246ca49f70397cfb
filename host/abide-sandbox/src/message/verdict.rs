//! How a run ends.

use serde::{Deserialize, Serialize};

use super::{Capability, Proposal};
use crate::run::MESSAGE_BYTES_MAX;
use crate::text::clean_line;

/// How a run ended. Everything but `Proposed` leaves the repository as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "detail")]
pub enum RunResult {
    /// The worker proposes a change.
    Proposed(Box<Proposal>),
    /// The worker says why it has none.
    Failed(Failure),
    /// The host did not start it.
    Refused(Refusal),
    /// The host stopped it.
    Trapped(Trap),
    /// It answered with something that is not a proposal.
    Rejected(Rejection),
}

impl RunResult {
    /// The spelling in the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Proposed(_) => "proposed",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Trapped(_) => "trapped",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The code of what went wrong, if something did. A worker with nothing to do is no fault.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Proposed(_) => None,
            Self::Failed(failure) => failure.code(),
            Self::Refused(refusal) => Some(refusal.code()),
            Self::Trapped(trap) => Some(trap.kind.code()),
            Self::Rejected(rejection) => Some(rejection.code()),
        }
    }
}

/// Why the worker has no proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind of reason.
    pub kind: FailureKind,
    /// The worker's words, cleaned.
    pub message: String,
}

impl Failure {
    /// `AB0811`, unless there was nothing to do.
    pub fn code(&self) -> Option<&'static str> {
        match self.kind {
            FailureKind::NothingToDo => None,
            FailureKind::UnknownRecipe
            | FailureKind::BadParameter
            | FailureKind::Workspace
            | FailureKind::TooLarge
            | FailureKind::Unsupported => Some("AB0811"),
        }
    }
}

/// The kinds of `wit/types.wit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It looked, and there is nothing to change.
    NothingToDo,
    /// No such recipe.
    UnknownRecipe,
    /// A setting is missing, unknown or malformed.
    BadParameter,
    /// The workspace refused something.
    Workspace,
    /// Over the task's limits.
    TooLarge,
    /// Outside of what the recipe can handle.
    Unsupported,
}

/// Why the host did not start a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Refusal {
    /// The digest was never loaded.
    #[error("component `{component}` is not loaded")]
    UnknownComponent {
        /// The digest asked for.
        component: String,
    },
    /// It imports what the decision did not grant.
    #[error("the component imports `{interface}`, and this task was not granted `{capability}`")]
    UngrantedImport {
        /// As the component names it.
        interface: String,
        /// What a policy would have to grant.
        capability: Capability,
    },
    /// It imports what this host does not have.
    #[error("the component imports `{import}`, which this host does not offer to any worker")]
    UnknownImport {
        /// As the component names it.
        import: String,
    },
    /// It imports or exports a known name with another type.
    #[error("the component does not fit `abide:worker@0.1.0`: {why}")]
    Incompatible {
        /// The engine's words.
        why: String,
    },
    /// A limit is above what the engine was built for.
    #[error("limit `{limit}` is {asked}, and this engine was built for {most}")]
    LimitTooHigh {
        /// Field of `Limits`.
        limit: String,
        /// What was asked for.
        asked: u64,
        /// What there is.
        most: u64,
    },
    /// A wall that policy demands does not stand.
    #[error("the wall `{wall}` does not stand on this host: {why}")]
    Wall {
        /// Its name.
        wall: String,
        /// Why not.
        why: String,
    },
    /// As many instances run as the engine holds.
    #[error("all instances of the engine are in use")]
    Busy,
    /// The engine could not make an instance.
    #[error("the engine could not make an instance: {why}")]
    Instantiation {
        /// The engine's words.
        why: String,
    },
}

impl Refusal {
    /// The same with texts that can be shown: a runner's words are nobody's.
    pub(crate) fn cleaned(self) -> Self {
        let line = |text: String| clean_line(&text, MESSAGE_BYTES_MAX);
        match self {
            Self::UnknownComponent { component } => Self::UnknownComponent { component: line(component) },
            Self::UngrantedImport { interface, capability } => {
                Self::UngrantedImport { interface: line(interface), capability }
            }
            Self::UnknownImport { import } => Self::UnknownImport { import: line(import) },
            Self::Incompatible { why } => Self::Incompatible { why: line(why) },
            Self::LimitTooHigh { limit, asked, most } => {
                Self::LimitTooHigh { limit: line(limit), asked, most }
            }
            Self::Wall { wall, why } => Self::Wall { wall: line(wall), why: line(why) },
            Self::Busy => Self::Busy,
            Self::Instantiation { why } => Self::Instantiation { why: line(why) },
        }
    }

    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wall { .. } => "AB0216",
            Self::UngrantedImport { .. } => "AB0201",
            Self::UnknownImport { .. } => "AB0202",
            Self::LimitTooHigh { .. } => "AB0203",
            Self::Busy => "AB0204",
            Self::Instantiation { .. } => "AB0205",
            Self::UnknownComponent { .. } => "AB0805",
            Self::Incompatible { .. } => "AB0806",
        }
    }
}

/// The host stopped the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// Why.
    pub kind: TrapKind,
    /// The engine's words, cut at 500 bytes.
    pub message: String,
}

/// Why a component was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrapKind {
    /// It ran longer than `wall_ms_max`.
    Deadline,
    /// It failed after it was refused memory or table elements.
    Memory,
    /// Its stack ran over.
    Stack,
    /// It handed the host more than `hostcall_bytes_max` in one call.
    HostcallBytes,
    /// It asked stubs for more than `random_bytes_max`.
    RandomBytes,
    /// It holds more resources of stubs than are kept track of.
    Handles,
    /// It ended itself (`wasi:cli/exit`) instead of answering.
    Exit,
    /// It broke off: a panic, an `unreachable`, an access out of bounds.
    Fault,
    /// The process that ran it ended, did not answer, or said what it must not.
    Runner,
}

impl TrapKind {
    /// The code that `ab explain` knows.
    pub fn code(self) -> &'static str {
        match self {
            Self::Deadline => "AB0211",
            Self::Memory => "AB0212",
            Self::Stack => "AB0213",
            Self::HostcallBytes => "AB0214",
            Self::RandomBytes => "AB0854",
            Self::Handles => "AB0855",
            Self::Exit => "AB0856",
            Self::Fault => "AB0812",
            Self::Runner => "AB0215",
        }
    }
}

/// What the component returned is not a proposal that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Rejection {
    /// The patch is malformed, leaves the repository, changes nothing, or does not apply to the base.
    #[error("{message}")]
    Patch {
        /// The core's code for it, `AB07xx`.
        code: String,
        /// The core's words.
        message: String,
    },
    /// A path is outside of the task's scope.
    #[error("`{path}` is outside of the task's scope")]
    OutOfScope {
        /// The path.
        path: String,
    },
    /// Too many files or bytes.
    #[error("the proposal has {amount} {unit}, and the limit is {limit}")]
    TooLarge {
        /// How much it is.
        amount: u64,
        /// How much may be.
        limit: u64,
        /// Of what.
        unit: String,
    },
    /// A person could not judge it: no rationale, or no expected outcome.
    #[error("the proposal has no {field}")]
    Missing {
        /// Which field is empty.
        field: String,
    },
    /// The base could not be read to try the patch on it.
    #[error("the patch could not be tried on the base commit: {why}")]
    Untried {
        /// What the workspace said.
        why: String,
    },
}

impl Rejection {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &str {
        match self {
            Self::Patch { code, .. } => code,
            Self::OutOfScope { .. } => "AB0821",
            Self::TooLarge { .. } => "AB0822",
            Self::Missing { .. } => "AB0823",
            Self::Untried { .. } => "AB0824",
        }
    }
}
