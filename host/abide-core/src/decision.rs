//! The gate's answer, as plain data. A denial is a value, not an error.

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// How it came out. The order is by severity, so the worst of several is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Go ahead.
    Allow,
    /// A person must look first.
    Review,
    /// No.
    Deny,
}

impl Verdict {
    /// The spelling in policies and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Review => "review",
            Self::Deny => "deny",
        }
    }
}

/// What a finding does to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingLevel {
    /// Shown, changes nothing.
    Warn,
    /// A person must look.
    Review,
    /// No; a safety mode may soften it.
    Deny,
    /// No; nothing softens it.
    Hard,
}

impl FindingLevel {
    /// The verdict that this finding forces at least.
    pub fn floor(self) -> Verdict {
        match self {
            Self::Warn => Verdict::Allow,
            Self::Review => Verdict::Review,
            Self::Deny | Self::Hard => Verdict::Deny,
        }
    }
}

/// One reason, from one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Rule id in kebab case, for example `no-direct-push`.
    pub rule: String,
    /// What it does to the verdict.
    pub level: FindingLevel,
    /// One sentence for a person.
    pub msg: String,
    /// The file that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What must also happen for the answer to stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Obligation {
    /// People must approve first.
    Approvals {
        /// How many distinct people.
        count: u32,
        /// Roles that count; empty means any.
        #[serde(default)]
        roles: Vec<String>,
        /// Whether the requester is excluded.
        #[serde(default)]
        separation: bool,
    },
    /// The deployment goes out as a canary first.
    Canary {
        /// Observations that must succeed before promotion.
        steps: u32,
        /// Share of observations that must succeed, in thousandths.
        success_permille: u32,
        /// Milliseconds after which silence means roll back.
        deadline_ms: u64,
    },
    /// The change must sit behind a feature flag.
    Flag {
        /// Name of the flag; empty means any.
        #[serde(default)]
        name: String,
    },
    /// The payload must be redacted before it is stored or sent.
    Redact {
        /// What to redact.
        what: String,
    },
    /// The permit expires sooner than usual.
    Expire {
        /// Time to live in milliseconds.
        ttl_ms: u64,
    },
}

/// An exception that was applied. Never hidden.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waived {
    /// The rule that was waived.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// When the waiver ends, in milliseconds since 1970.
    pub expires: u64,
    /// Who granted it.
    pub by: String,
}

/// What a worker task may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Capabilities by name, sorted.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Name of the limit set in data.
    #[serde(default)]
    pub limits: String,
    /// Name of the lease in data, where the network is granted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub egress: String,
    /// Imports of WASI that are linked to nothing, by their full names, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stubs: Vec<String>,
}

/// The answer (`abide.decision/1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Always `abide.decision/1`.
    pub schema: String,
    /// The worst of everything.
    pub verdict: Verdict,
    /// Set when no clean answer could be had: the code of the failure. The verdict is then `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Reasons, sorted.
    pub findings: Vec<Finding>,
    /// Conditions, sorted.
    pub obligations: Vec<Obligation>,
    /// What a worker task may use.
    pub grants: Grants,
    /// Exceptions applied, sorted.
    pub waived: Vec<Waived>,
    /// Risk score, 0 to 100.
    pub risk: u32,
    /// Digest of the action.
    pub action: Digest,
    /// Digest of the canonical input.
    pub input: Digest,
    /// Digest of the bundle: modules and data.
    pub bundle: Digest,
    /// Engine and version, for example `regorus 0.14.1`.
    pub engine: String,
}

impl Decision {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.decision/1";

    /// The finding to show first: the most severe, then the first by rule.
    pub fn lead(&self) -> Option<&Finding> {
        self.findings.iter().max_by(|a, b| a.level.cmp(&b.level).then_with(|| b.rule.cmp(&a.rule)))
    }
}
