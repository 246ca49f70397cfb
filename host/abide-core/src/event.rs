//! What happened, past tense, immutable: the records of the log (`abide.event/1`).
//!
//! Integers are written as text and there are no floats, so that every verifier in every language reads the same bytes. Events carry digests,
//! never a secret, a prompt or a diff; payloads lie beside the log under their digest.

use serde::{Deserialize, Serialize};

use crate::action::ActionClass;
use crate::decision::Verdict;
use crate::id::{Digest, Environment, Oid, RefName, ReleaseId, RepoId, RunId, Seq};
use crate::input::{RunMode, SafetyLevel, SafetyMode};

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
    /// `passed`, `failed`, `timeout` or `missing`.
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
}

/// A signature that counted when a policy was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySignature {
    /// For which part of the policy: `rules`, `hard` or `invariants`.
    pub role: String,
    /// Who.
    pub person: String,
    /// Fingerprint of the key.
    pub key: String,
}

/// A policy bundle was put in force, in place of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyActivated {
    /// Its version: from here on nothing below it is put in force.
    pub version: Count,
    /// Digest of the archive, which lies beside the log.
    pub archive: Digest,
    /// Digest of the signatures as they were given, which lie there too.
    pub signatures: Digest,
    /// Digest of the list of those who were trusted (their public keys), which lies there too.
    pub signers: Digest,
    /// Digest of the modules and the data: what decisions record where a repository adds nothing.
    pub bundle: Digest,
    /// Digest of the hard rules and what they come from.
    pub hard: Digest,
    /// Digest of the invariants.
    pub invariants: Digest,
    /// Whether the hard rules, or what they come from, changed.
    pub hard_changed: bool,
    /// The signatures that counted.
    pub signed: Vec<PolicySignature>,
    /// Who put it in force.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A layer of an organisation was put in force, beside the policy below it and in place of its version before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerActivated {
    /// Which layer: `organisation`.
    pub layer: String,
    /// Its version: from here on nothing below it is put in force as this layer.
    pub version: Count,
    /// Digest of the archive, which lies beside the log.
    pub archive: Digest,
    /// Digest of the signatures as they were given, which lie there too.
    pub signatures: Digest,
    /// Digest of the list of those who were trusted (their public keys), which lies there too.
    pub signers: Digest,
    /// Digest of its files.
    pub files: Digest,
    /// The signatures that counted.
    pub signed: Vec<PolicySignature>,
    /// Who put it in force.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A component was handed in as a worker under a name. It waits for a person other than who handed it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerOffered {
    /// What it will be called.
    pub name: String,
    /// Digest of its file, which lies in the state folder.
    pub component: Digest,
    /// Bytes of its file.
    pub bytes: Count,
    /// What it imports, as it names it, sorted. Types alone are none.
    pub imports: Vec<String>,
    /// Bytes of memory that it begins with.
    pub memory_bytes: Count,
    /// The component that has the name now, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Digest>,
    /// The signatures that counted; empty where somebody said that it need not be signed.
    pub signed: Vec<PolicySignature>,
    /// Digest of the signatures as they were given, which lie beside the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Digest>,
    /// Digest of the list of those who were trusted (their public keys), which lies there too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signers: Option<Digest>,
    /// Who handed it in.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A person agreed that a component may be used as a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerApproved {
    /// Place in the log of its [`WorkerOffered`].
    pub offer: Cites,
    /// What it is called.
    pub name: String,
    /// Digest of its file.
    pub component: Digest,
    /// Who agreed: never who handed it in.
    pub by: String,
    /// In which role.
    pub role: String,
    /// Words for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A component is not used any more under a name, or an offer was turned down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerRevoked {
    /// What it was called.
    pub name: String,
    /// Digest of its file.
    pub component: Digest,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A candidate was put in the shadow: it judges beside the live policy, and nothing follows from what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowStarted {
    /// Digest of its files, which lie beside the log.
    pub candidate: Digest,
    /// In place of what it judges: `policy`, `organisation` or `repository`.
    pub place: String,
    /// What it was called when it was given.
    pub name: String,
    /// Who put it there.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A decision about which the candidate in the shadow said something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowDiffered {
    /// The decision that was made.
    pub decision: Cites,
    /// How it came out.
    pub live: Verdict,
    /// Its leading rule.
    pub live_rule: String,
    /// How the candidate would have had it.
    pub verdict: Verdict,
    /// The candidate's leading rule.
    pub rule: String,
    /// Code of the failure, if the candidate gave no clean answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// The candidate in the shadow judged decisions that had been made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowJudged {
    /// The candidate.
    pub candidate: Digest,
    /// What judged: the candidate with the layers around it. None if it did not load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
    /// Decisions where it agreed, in verdict and leading rule.
    pub agreed: Vec<Cites>,
    /// Those where it did not.
    pub differed: Vec<ShadowDiffered>,
    /// Those that it was not asked about in time.
    pub missed: Vec<Cites>,
    /// Why it did not load, if it did not.
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
