//! Records of workers: of those that others wrote (handed in, approved, taken back), and of what each did with its task.

use serde::{Deserialize, Serialize};

use super::{Cites, Count, PolicySignature};
use crate::id::Digest;

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

/// A component was run on a task. What follows from it is a record of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRan {
    /// The unit of work.
    pub unit: String,
    /// Place in the log of the decision that let it run.
    pub decision: Cites,
    /// Digest of its file.
    pub component: Digest,
    /// `proposed`, `failed`, `refused`, `trapped` or `rejected`.
    pub result: String,
    /// Digest of the outcome with the capability receipt.
    pub receipt: Digest,
    /// Digest of what it takes to run the task again: the request, every answer of the host, and the outcome.
    pub transcript: Digest,
}
