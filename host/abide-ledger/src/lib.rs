//! Remembers: an append-only Merkle log, its checkpoints, and the evidence that anyone can check.
//!
//! Not a judge and not a hand: it stores what it is told if that does not contradict the log. Read `ledger` first, then `store` (what a
//! backend must do) and `sqlite` (the first one); `merkle`, `note` and `checkpoint` are the published formats it speaks.

mod attest;
pub mod audit;
pub mod checkpoint;
pub mod dsse;
pub mod leaf;
mod ledger;
pub mod merkle;
pub mod note;
pub mod packet;
mod ports;
pub mod report;
pub mod sqlite;
pub mod store;

#[cfg(test)]
mod crash;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
mod testing;

pub use audit::verify_log;
pub use checkpoint::Checkpoint;
pub use leaf::{Blob, Draft, Leaf, LeafError, Record, TRANSCRIPT};
pub use ledger::{Ledger, LedgerError, Opening};
pub use note::{NoteError, NoteKey, Origin, Vkey};
pub use packet::{export, verify_activations, verify_packet};
pub use report::{Check, Outcome, Report};
pub use store::{Guard, Limits, QueueState, RefMove, RefMoveRefusal, Store, StoreError};
