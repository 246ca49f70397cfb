//! Records of what left: counts, and the digest of the archive that has each request.

use serde::{Deserialize, Serialize};

use super::{Cites, Count};
use crate::id::Digest;

/// A task asked the network, or tried to, under one lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressUsed {
    /// The unit of work.
    pub unit: String,
    /// The decision that opened the lease.
    pub decision: Cites,
    /// The component that asked; for a check, the digest of its definition.
    pub component: Digest,
    /// The check that asked, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Name of the lease in the policy's data.
    pub lease: String,
    /// Digest of the HTTP archive (HAR 1.2, redacted), which lies beside the log.
    pub archive: Digest,
    /// What was asked, by origin and method, sorted.
    pub rows: Vec<EgressRow>,
    /// What was seen, where it was pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PagesSeen>,
}

/// Pages that a task looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagesSeen {
    /// Digest of the list of them, of what is kept of each, and of what they asked for in vain. It lies beside the log.
    pub album: Digest,
    /// How often a page was looked at as a whole.
    pub looked: Count,
    /// Requests of pages that were refused.
    pub refused: Count,
}

/// What was asked of one origin by one method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressRow {
    /// The origin; none for all that the lease has no rule about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The method; `other` for unusual ones.
    pub method: String,
    /// Requests, refused ones included.
    pub requests: Count,
    /// Those that were refused, or had no answer.
    pub stopped: Count,
    /// Bytes of bodies, both ways.
    pub bytes: Count,
}
