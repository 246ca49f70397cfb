//! Records of sources: what a task brought back from one, and how far one has come.

use serde::{Deserialize, Serialize};

use super::{Cites, Count};
use crate::id::Digest;
use crate::source::SourceState;

/// A task of a source ended. Measured by the host from what the task proposed or found unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSampled {
    /// The unit of work.
    pub unit: String,
    /// Name of the source.
    pub source: String,
    /// Digest of its definition.
    pub definition: Digest,
    /// `records`, `unchanged` or `failed`.
    pub outcome: String,
    /// Code of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One line on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Digest of the file of records, which lies beside the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Digest>,
    /// Digest of the names and types of their fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Digest>,
    /// How many records there are.
    pub count: Count,
    /// Of 1,000 of their fields, those that hold something.
    pub filled_permille: Count,
    /// Records that were not there the time before.
    pub added: Count,
    /// Records of which something else is said.
    pub changed: Count,
    /// Records that were there the time before.
    pub vanished: Count,
    /// The same, of 1,000 records of the time before.
    pub vanished_permille: Count,
    /// Requests that were refused.
    pub refused: Count,
    /// Those among them that `robots.txt` forbids.
    pub forbidden: Count,
    /// Wall time in milliseconds.
    pub wall_ms: Count,
}

/// A source has come further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePromoted {
    /// The unit of work that asked for it.
    pub unit: String,
    /// The decision that let it.
    pub decision: Cites,
    /// Name of the source.
    pub source: String,
    /// Digest of its definition.
    pub definition: Digest,
    /// Where it was.
    pub from: SourceState,
    /// Where it is.
    pub to: SourceState,
}

/// A source has lost its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDemoted {
    /// Name of the source.
    pub source: String,
    /// Digest of its definition.
    pub definition: Digest,
    /// Where it was.
    pub from: SourceState,
    /// The decision that would not let it stay; none where a person took it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Cites>,
    /// Who: `policy`, or a person.
    pub by: String,
    /// Rules that stand against it, or the person's words.
    pub reasons: Vec<String>,
}
