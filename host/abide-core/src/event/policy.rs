//! Records of policies: put in force, and judged beside the one in force.

use serde::{Deserialize, Serialize};

use super::{Cites, Count};
use crate::decision::Verdict;
use crate::id::Digest;

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
