//! What the gate needs from the rest of the world. Each port is implemented elsewhere and joined in `host/abide/src/wiring.rs`.

use std::fmt;

use abide_core::action::ActionClass;
use abide_core::decision::Decision;
use abide_core::id::{Digest, Epoch, RunId, Seq, Timestamp};

/// A port could not answer. Every caller fails closed on it.
#[derive(Debug, thiserror::Error)]
#[error("{port} could not answer")]
pub struct PortError {
    /// Which port.
    pub port: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Reads the wall clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// State of the kill switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HaltState {
    /// Grows with every kill and every resume.
    pub epoch: Epoch,
    /// Whether only the way back is open.
    pub halted: bool,
}

/// Reads the kill switch. An unreadable switch counts as pulled.
pub trait Halt: fmt::Debug + Send + Sync {
    /// The state as it is now, for the whole system and for `run`.
    fn state(&self, run: &RunId) -> Result<HaltState, PortError>;
}

/// Everything about a decision that must be durable before its permit exists.
#[derive(Debug, Clone)]
pub struct DecisionRecord {
    /// The run that asked.
    pub run: RunId,
    /// The unit of work, if the action belongs to one.
    pub unit: Option<String>,
    /// Class of the action.
    pub class: ActionClass,
    /// Kind of the action.
    pub kind: &'static str,
    /// Canonical bytes of the action; their digest is `decision.action`.
    pub action_bytes: Vec<u8>,
    /// Canonical bytes of the input; their digest is `decision.input`.
    pub input_bytes: Vec<u8>,
    /// Canonical bytes of the decision.
    pub decision_bytes: Vec<u8>,
    /// Digest of `decision_bytes`.
    pub digest: Digest,
    /// The decision.
    pub decision: Decision,
    /// When it was made.
    pub at: Timestamp,
    /// When a permit minted on it ends.
    pub expires: Timestamp,
    /// The epoch in which it was made.
    pub epoch: Epoch,
}

/// Where decisions become durable before anything happens.
pub trait DecisionLog: fmt::Debug + Send + Sync {
    /// Appends and returns the place in the log once the record would survive a power cut.
    fn append(&self, record: &DecisionRecord) -> Result<Seq, PortError>;
}
