//! What happened, past tense, immutable: the records of the log (`abide.event/1`).
//!
//! Integers are written as text and there are no floats, so that every verifier in every language reads the same bytes. Events carry digests,
//! never a secret, a prompt or a diff; payloads lie beside the log under their digest.

use serde::{Deserialize, Serialize};

use crate::action::ActionClass;
use crate::decision::Verdict;
use crate::id::{Digest, Environment, Oid, RefName, ReleaseId, RepoId, RunId, Seq};
use crate::input::{RunMode, SafetyLevel, SafetyMode};

mod egress;
mod policy;
mod source;
mod worker;

pub use egress::{EgressRow, EgressUsed, PagesSeen};
pub use policy::{
    LayerActivated, PolicyActivated, PolicySignature, ShadowDiffered, ShadowJudged, ShadowStarted,
};
pub use source::{SourceDemoted, SourcePromoted, SourceSampled};
pub use worker::{TaskRan, WorkerApproved, WorkerOffered, WorkerRevoked};

/// Writes an integer as text and reads it back.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes `value` as text.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads text that is an unsigned decimal integer without a sign or leading zeros.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let value: u64 = text.parse().map_err(D::Error::custom)?;
        if value.to_string() == text {
            Ok(value)
        } else {
            Err(D::Error::custom("integer is not in its shortest form"))
        }
    }
}

/// A number in an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Count(#[serde(with = "text")] pub u64);

/// Place in the log of the decision that an effect cites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cites(#[serde(with = "text")] pub u64);

impl From<Seq> for Cites {
    fn from(seq: Seq) -> Self {
        Self(seq.0)
    }
}

/// What a run may spend, as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// Tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Count>,
    /// Micro-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_micro: Option<Count>,
    /// Milliseconds of wall time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<Count>,
}

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The repository.
    pub repo: RepoId,
    /// The branch that its changes are for.
    pub target: RefName,
    /// Where that branch stood.
    pub base: Oid,
    /// Name of the profile.
    pub profile: String,
    /// Plan only, or apply.
    pub mode: RunMode,
    /// How `deny` findings count.
    pub safety_mode: SafetyMode,
    /// Which thresholds apply.
    pub safety_level: SafetyLevel,
    /// Ticket, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Digest of the goal text.
    pub goal: Digest,
    /// The person on whose behalf it runs.
    pub sponsor: String,
    /// Reason for access, in the sponsor's words.
    pub reason: String,
    /// What it may spend.
    pub budget: Caps,
    /// Where merged changes are deployed, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploys_to: Option<Environment>,
    /// Digest of the layer that tightens for this run alone, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tighten: Option<Digest>,
}

/// One unit of an adopted plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedUnit {
    /// `u1`, `u2`, …
    pub id: String,
    /// The recipe.
    pub recipe: String,
    /// The component that does it; none for a commit that someone made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Digest>,
    /// One line for people.
    pub title: String,
}

/// A decision became durable. Written by the ledger from the gate's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecorded {
    /// The unit of work, if the action belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Class of the action.
    pub class: ActionClass,
    /// Kind of the action.
    pub kind: String,
    /// How it came out.
    pub verdict: Verdict,
    /// Rules with a finding, sorted.
    pub rules: Vec<String>,
    /// Code of the failure, if no clean answer could be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The action itself: digests and object ids only.
    pub action: serde_json::Value,
    /// Digest of the decision's bytes.
    pub digest: Digest,
    /// Digest of the input's bytes.
    pub input: Digest,
    /// Digest of the policy bundle.
    pub bundle: Digest,
    /// When a permit minted on it ends.
    #[serde(with = "text")]
    pub expires: u64,
    /// The epoch in which it was made.
    #[serde(with = "text")]
    pub epoch: u64,
}

/// One finished check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its name in `ab.yml`.
    pub name: String,
    /// `passed`, `failed`, `timeout`, `missing`, `breach`, `exhausted` or `unproven`.
    pub outcome: String,
    /// Whether the target branch requires it.
    pub required: bool,
    /// Exit status, if it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// Wall time in milliseconds.
    pub wall_ms: Count,
    /// Digest of what it printed.
    pub output: Digest,
    /// Names of the walls of its jail that stood, sorted. None is also what a log from before there was a jail says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub walls: Vec<String>,
    /// What a person should know of how it came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[expect(
    missing_docs,
    reason = "the names are the documentation of their fields; docs/architecture.md has the table"
)]
pub enum Body {
    LogCreated {
        origin: String,
        key: String,
    },
    RunStarted(RunStarted),
    PlanAdopted {
        decision: Cites,
        plan: Digest,
        units: Vec<PlannedUnit>,
    },
    DecisionRecorded(Box<DecisionRecorded>),
    PatchProposed {
        unit: String,
        decision: Cites,
        base: Oid,
        component: Digest,
        patch: Digest,
        receipt: Digest,
    },
    CommitProposed {
        unit: String,
        base: Oid,
        commit: Oid,
        by: String,
    },
    TaskRan(Box<TaskRan>),
    EgressUsed(Box<EgressUsed>),
    WorkerFailed {
        unit: String,
        component: Digest,
        code: String,
        why: String,
    },
    NothingToDo {
        unit: String,
        component: Digest,
        why: String,
    },
    PatchRefused {
        unit: String,
        code: String,
        why: String,
    },
    PatchCommitted {
        unit: String,
        decision: Cites,
        branch: RefName,
        commit: Oid,
        base: Oid,
        tree: Oid,
        facts: Digest,
    },
    ChecksFinished {
        unit: String,
        decision: Cites,
        commit: Oid,
        passed: bool,
        results: Vec<CheckResult>,
    },
    RollbackRehearsed {
        unit: String,
        commit: Oid,
        clean: bool,
    },
    ReviewRequested {
        item: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
        decision: Cites,
        class: ActionClass,
        action: Digest,
        #[serde(with = "text")]
        expires: u64,
        why: String,
    },
    Approved {
        item: String,
        action: Digest,
        by: String,
        role: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    Refused {
        item: String,
        by: String,
        reason: String,
    },
    TargetMoved {
        unit: String,
        expected: Oid,
        found: Oid,
    },
    RefMoveAllowed {
        decision: Cites,
        repo: RepoId,
        #[serde(rename = "ref")]
        name: RefName,
        old: Oid,
        new: Oid,
    },
    RefMoveRefused {
        repo: RepoId,
        #[serde(rename = "ref")]
        name: String,
        old: String,
        new: String,
        code: String,
    },
    Merged {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
        decision: Cites,
        #[serde(rename = "ref")]
        name: RefName,
        old: Oid,
        new: Oid,
    },
    Reverted {
        decision: Cites,
        #[serde(rename = "ref")]
        name: RefName,
        old: Oid,
        new: Oid,
        undoes: Oid,
    },
    UnitDenied {
        unit: String,
        decision: Cites,
        rule: String,
    },
    DeployDenied {
        decision: Cites,
        rule: String,
    },
    CanaryStarted {
        decision: Cites,
        environment: Environment,
        release: ReleaseId,
        commit: Oid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<ReleaseId>,
        steps: Count,
        success_permille: Count,
        #[serde(with = "text")]
        deadline: u64,
    },
    CanaryObserved {
        environment: Environment,
        release: ReleaseId,
        outcome: String,
        detail: String,
    },
    Promoted {
        decision: Cites,
        environment: Environment,
        release: ReleaseId,
    },
    RolledBack {
        decision: Cites,
        environment: Environment,
        from: ReleaseId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<ReleaseId>,
    },
    BudgetReserved {
        reservation: String,
        provider: String,
        tokens: Count,
        usd_micro: Count,
    },
    BudgetSettled {
        reservation: String,
        provider: String,
        tokens: Count,
        usd_micro: Count,
    },
    Frozen {
        repo: RepoId,
        #[serde(rename = "ref")]
        name: RefName,
        found: Oid,
        why: String,
    },
    RefAccepted {
        repo: RepoId,
        #[serde(rename = "ref")]
        name: RefName,
        found: Oid,
        by: String,
        reason: String,
    },
    Unfrozen {
        repo: RepoId,
        by: String,
        reason: String,
    },
    Killed {
        by: String,
        reason: String,
    },
    Resumed {
        by: String,
        reason: String,
    },
    PolicyActivated(Box<PolicyActivated>),
    LayerActivated(Box<LayerActivated>),
    WorkerOffered(Box<WorkerOffered>),
    WorkerApproved(Box<WorkerApproved>),
    WorkerRevoked(Box<WorkerRevoked>),
    SourceSampled(Box<SourceSampled>),
    SourcePromoted(Box<SourcePromoted>),
    SourceDemoted(Box<SourceDemoted>),
    ShadowStarted(Box<ShadowStarted>),
    ShadowJudged(Box<ShadowJudged>),
    ShadowStopped {
        candidate: Digest,
        by: String,
        reason: String,
    },
    RunFinished {
        outcome: String,
        merged: Count,
        queued: Count,
        denied: Count,
    },
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Always `abide.event/1`.
    pub schema: String,
    /// When, in milliseconds since 1970.
    #[serde(with = "text")]
    pub at: u64,
    /// The run that it belongs to; none for the whole system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

impl Event {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.event/1";
}

impl Body {
    /// The value of `type` and the value of `data`, as the log stores them.
    pub fn parts(&self) -> Result<(String, serde_json::Value), serde_json::Error> {
        #[derive(Deserialize)]
        struct Parts {
            r#type: String,
            data: serde_json::Value,
        }
        let parts: Parts = serde_json::from_value(serde_json::to_value(self)?)?;
        Ok((parts.r#type, parts.data))
    }
}

#[cfg(test)]
mod tests;
