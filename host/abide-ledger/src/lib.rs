//! Remembers: an append-only Merkle log, its checkpoints, and the evidence that anyone can check.
//!
//! Not a judge and not a hand: it stores what it is told if that does not contradict the log. Read `ledger` first, then `store` (what a
//! backend must do) and `sqlite` (the first one); `merkle`, `note` and `checkpoint` are the published formats it speaks.

mod attest;
pub mod checkpoint;
pub mod leaf;
mod ledger;
pub mod merkle;
pub mod note;
mod ports;
pub mod sqlite;
pub mod store;

#[cfg(test)]
mod testing;

pub use checkpoint::Checkpoint;
pub use leaf::{Blob, Draft, Leaf, LeafError, Record};
pub use ledger::{Ledger, LedgerError, Opening};
pub use note::{NoteError, NoteKey, Origin, Vkey};
pub use store::{Guard, Limits, QueueState, RefMove, RefMoveRefusal, Store, StoreError};
