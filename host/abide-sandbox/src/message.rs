//! What goes to a runner and what comes back. Plain data: the same messages cross a process boundary later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use abide_core::id::{Digest, Oid};
use serde::{Deserialize, Serialize};

use crate::engine::Execution;

mod patch;
mod verdict;

pub use patch::{ExpectedOutcome, FilePatch, PatchDoc, PatchFormat, Proposal, RollbackRecipe, Source};
pub use verdict::{Failure, FailureKind, Refusal, Rejection, RunResult, Trap, TrapKind};

/// One call of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Which component. Its bytes were given to the runner before (`InProcess::load`).
    pub component: Digest,
    /// What to do.
    pub task: Task,
    /// Imports that will be linked. From a decision, never from the component.
    pub grants: BTreeSet<Capability>,
    /// Imports of WASI that will be linked to nothing, by their full names. From the same decision.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stubs: BTreeSet<String>,
    /// How much of everything it may use. From policy data.
    pub limits: Limits,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Chosen by the host.
    pub id: String,
    /// Which of the worker's recipes.
    pub recipe: String,
    /// The recipe's settings.
    pub parameters: BTreeMap<String, String>,
    /// Files, and folders with a trailing `/`, that the patch may touch; empty for the whole repository.
    pub scope: Vec<String>,
    /// The commit that the workspace shows.
    pub base: Oid,
}

/// An interface of `wit/` that the host implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Read the tracked files of the base commit.
    Workspace,
    /// Leave notes in the run.
    Log,
    /// Say how far the work is.
    Progress,
    /// Ask the network, as far as the task's lease allows.
    Egress,
    /// Look at pages, whose requests are judged by the task's lease.
    Browser,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Workspace, Self::Log, Self::Progress, Self::Egress, Self::Browser];

    /// The name of the interface.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Workspace => "abide:worker/workspace@0.1.0",
            Self::Log => "abide:worker/log@0.1.0",
            Self::Progress => "abide:worker/progress@0.1.0",
            Self::Egress => "abide:worker/egress@0.1.0",
            Self::Browser => "abide:worker/browser@0.1.0",
        }
    }

    /// The capability behind an interface, if this host has it.
    pub fn of_interface(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.interface() == name)
    }

    /// The name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Log => "log",
            Self::Progress => "progress",
            Self::Egress => "egress",
            Self::Browser => "browser",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much one run may use. Every number is a maximum; there is no default, they come from policy data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of the instance.
    pub memory_bytes_max: u64,
    /// Elements of all tables.
    pub table_elements_max: u32,
    /// From the call to the answer, in milliseconds; rounded up to a tick of the engine.
    pub wall_ms_max: u64,
    /// Strings and lists that one call from the component may hand to the host ("hostcall fuel").
    pub hostcall_bytes_max: u64,
    /// Calls of `workspace`.
    pub workspace_calls_max: u32,
    /// Bytes that `workspace` gives out.
    pub workspace_bytes_max: u64,
    /// Lines of `log`.
    pub log_calls_max: u32,
    /// Bytes of `log`.
    pub log_bytes_max: u64,
    /// Reports of `progress`.
    pub progress_calls_max: u32,
    /// Files in the patch.
    pub files_max: u32,
    /// Bytes of all texts of the proposal.
    pub output_bytes_max: u64,
    /// Bytes that stubs of `wasi:random` give out. None under a policy from before there were any.
    #[serde(default)]
    pub random_bytes_max: u64,
    /// Fields of one request or answer of `wasi:http`. None of this under a policy from before there was any; the same for the next three.
    #[serde(default)]
    pub http_fields_max: u32,
    /// Bytes of names and values of all header fields that the instance holds.
    #[serde(default)]
    pub http_field_bytes_max: u64,
    /// Bytes of all bodies of requests that the instance has begun and not sent.
    #[serde(default)]
    pub http_body_bytes_max: u64,
    /// Requests that were sent and whose answers the instance still holds, read or not.
    #[serde(default)]
    pub http_outstanding_max: u32,
    /// Pages that are opened. None of this under a policy from before there was any; the same for the next two.
    #[serde(default)]
    pub browser_pages_max: u32,
    /// Calls of `browser`.
    #[serde(default)]
    pub browser_calls_max: u32,
    /// Bytes of texts that `browser` gives out.
    #[serde(default)]
    pub browser_bytes_max: u64,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOutcome {
    /// A proposal, or why there is none.
    pub result: RunResult,
    /// What was asked for, given and used.
    pub receipt: CapabilityReceipt,
    /// What the worker said, cleaned.
    pub log: Vec<LogLine>,
    /// What it cost.
    pub spent: Spent,
    /// How its code was run. Records from before there was a choice say nothing of it.
    #[serde(default)]
    pub execution: Execution,
}

/// Proof of least privilege: what a component imports, what it was granted, what it did with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityReceipt {
    /// Interfaces that the component imports, as it names them.
    pub requested: BTreeSet<String>,
    /// What the decision granted.
    pub granted: BTreeSet<Capability>,
    /// What was called, per capability; one that is absent was never called.
    pub used: BTreeMap<Capability, Usage>,
    /// Which interfaces with nothing behind them were called, by their full names. `denied` were answered with an error, `bytes` are random ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stubs: BTreeMap<String, Usage>,
}

/// How much of one capability was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Calls that were served.
    pub calls: u64,
    /// Bytes that passed, in the direction that the capability is about.
    pub bytes: u64,
    /// Calls that were refused: over a limit, or a path outside of the repository.
    pub denied: u64,
}

/// How grave a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For the worker's author.
    Debug,
    /// For who reads the run.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}

/// One note of the worker: no control characters, at most 2,000 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// The text.
    pub text: String,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Wall time in milliseconds, in whole ticks of the engine.
    pub wall_ms: u64,
    /// The most linear memory that was in use.
    pub memory_bytes: u64,
    /// Bytes of all texts of the proposal.
    pub output_bytes: u64,
}
