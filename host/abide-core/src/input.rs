//! What a policy is told (`abide.input/1`). Closed and size-bounded: `policies/schemas/input.schema.json` says the same.
//!
//! Numbers are integers. Facts are measured by the host, never reported by a worker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{ActionClass, Manners};
use crate::facts::Facts;
use crate::id::{Digest, RefName, RepoId, RunId};
use crate::source::SourceCase;

/// Whether a run may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunMode {
    /// Propose and judge; change nothing that is protected.
    Plan,
    /// Go as far as policy allows.
    Apply,
}

impl RunMode {
    /// As it is written in the input.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "PLAN",
            Self::Apply => "APPLY",
        }
    }
}

/// How `deny` findings count. Hard findings count the same in all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SafetyMode {
    /// What no rule allows is denied.
    DenyByDefault,
    /// What no rule allows waits for a person.
    Warn,
    /// What no rule forbids is allowed.
    Allow,
}

impl SafetyMode {
    /// As it is written in the input.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DenyByDefault => "deny-by-default",
            Self::Warn => "warn",
            Self::Allow => "allow",
        }
    }
}

/// Which thresholds apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SafetyLevel {
    /// The strictest thresholds.
    High,
    /// The middle ones.
    Medium,
    /// The loosest ones.
    Low,
}

impl SafetyLevel {
    /// As it is written in the input.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// The run that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInput {
    /// Its id.
    pub id: RunId,
    /// Digest of the goal text.
    pub goal: Digest,
    /// Ticket, if there is one.
    pub ticket: Option<String>,
    /// Plan only, or apply.
    pub mode: RunMode,
    /// Counted from 1.
    pub attempt: u32,
    /// Name of the profile.
    pub profile: String,
    /// Whether the system is halted by the kill switch.
    pub halted: bool,
    /// Whether merges are frozen by an unexplained ref move.
    pub frozen: bool,
    /// How `deny` findings count.
    pub safety_mode: SafetyMode,
    /// Which thresholds apply.
    pub safety_level: SafetyLevel,
    /// Highest autonomy level (0 to 5) that this host's walls support.
    pub host_level_max: u8,
    /// Names of the walls that a jail has on this host, sorted. Said where checks are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jail_walls: Vec<String>,
}

/// Kinds of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A component in the sandbox.
    Worker,
    /// A model-driven process outside.
    Agent,
    /// A person.
    Human,
    /// A machine account.
    Service,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What kind of subject.
    pub kind: SubjectKind,
    /// Its name.
    pub id: String,
    /// Its role, for example `sponsor`.
    pub role: String,
    /// The component, for a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Digest>,
    /// The person who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// What the receipts of its component say, where it is to be let loose on a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<ComponentHistory>,
}

/// What the capability receipts in the log say of one component: of its newest tasks, each counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentHistory {
    /// Tasks that were counted.
    pub tasks: u32,
    /// Those that ended with a proposal.
    pub proposed: u32,
    /// Those that the host refused, stopped, or whose answer it rejected.
    pub stopped: u32,
    /// Those in which something was denied: a limit, a path, a request.
    pub denied: u32,
    /// By capability: those in which it was called.
    pub used: BTreeMap<String, u32>,
}

/// Where the action lands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The repository.
    pub repo: RepoId,
    /// The reference, if one would move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<RefName>,
    /// Whether that reference is protected.
    pub protected: bool,
    /// The environment, for deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionInput {
    /// Its class.
    pub class: ActionClass,
    /// Its kind within the class.
    pub kind: String,
    /// Its digest.
    pub digest: Digest,
    /// Reason for access, in words of the one who asks.
    pub reason: String,
    /// Where it lands.
    pub target: Target,
    /// Capabilities that a worker's component imports, sorted (GENERATE), origins (FETCH), or leases of checks (EXECUTE).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
    /// How a task that browses behaves (FETCH).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manners: Option<Manners>,
    /// The source that would be read, or whose state is asked about (FETCH).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceCase>,
}

/// One finished check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckInput {
    /// Its name in `ab.yml`.
    pub name: String,
    /// `passed`, `failed`, `timeout`, `missing`, `breach`, `exhausted` or `unproven`.
    pub outcome: String,
    /// Whether `ab.yml` on the target branch requires it.
    pub required: bool,
    /// Names of the walls of its jail that stood, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub walls: Vec<String>,
}

/// One approval. A fact, never a permit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalInput {
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Digest of the action that was approved.
    pub action: Digest,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// What is left of the run's budget. `None` means no cap was set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetInput {
    /// Tokens left.
    pub tokens_left: Option<u64>,
    /// Micro-dollars left.
    pub usd_micro_left: Option<u64>,
    /// Milliseconds of wall time left.
    pub wall_ms_left: Option<u64>,
    /// Whether any cap is spent.
    pub exhausted: bool,
}

/// Risk as measured by the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskInput {
    /// 0 to 100.
    pub score: u32,
    /// `low`, `medium`, `high` or `critical`.
    pub band: String,
    /// The parts that add up to the score.
    pub parts: BTreeMap<String, u32>,
}

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackInput {
    /// `git-revert`, `release`, `nothing` or `none`.
    pub kind: String,
    /// Whether it was rehearsed and came out clean.
    pub rehearsed: bool,
    /// Whether it leads to a release that was promoted and not yanked (always true for `git-revert` and `nothing`).
    pub trusted: bool,
}

/// State of a canary, for promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryInput {
    /// `none`, `pending`, `healthy` or `failing`. Silence is `pending`.
    pub state: String,
    /// Observations so far.
    pub samples: u32,
    /// Observations that succeeded.
    pub successes: u32,
}

/// The whole input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyInput {
    /// Always `abide.input/1`.
    pub schema: String,
    /// Milliseconds since 1970.
    pub now: u64,
    /// The run.
    pub run: RunInput,
    /// Who asks.
    pub subject: Subject,
    /// What is asked.
    pub action: ActionInput,
    /// What the host measured. `None` where the action carries no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Finished checks.
    pub checks: Vec<CheckInput>,
    /// Approvals so far.
    pub approvals: Vec<ApprovalInput>,
    /// What is left to spend.
    pub budget: BudgetInput,
    /// Risk.
    pub risk: RiskInput,
    /// The way back.
    pub rollback: RollbackInput,
    /// The canary.
    pub canary: CanaryInput,
}

impl PolicyInput {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.input/1";
}
