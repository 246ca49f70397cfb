//! Evidence of one run in one file that a disconnected machine can check: a tar archive with fixed metadata.
//!
//! | file | what |
//! |---|---|
//! | `log.vkey`, `checkpoint` | the log's key and its signed root |
//! | `events/<seq>.json`, `events/<seq>.tlog-proof` | each event as it was hashed, with its C2SP inclusion proof |
//! | `blobs/<hex>` | what events cite: inputs, decisions, actions, the policy bundle, receipts; of each policy and each layer that was put in force its archive, signatures and signers |
//! | `attest.pub.pem`, `evidence.*` | an in-toto statement over all of the above, as DSSE envelope, sigstore bundle, and plain signature |
//!
//! A packet proves what it holds. That nothing was left out of the log is proved by the log itself (`verify_log`) and by its witnesses; that
//! no turn of the kill switch was left out of the packet, by the epoch in every decision. That no activation of a newer policy or layer was left
//! out of the packet, nothing in it proves: whoever doubts it asks for the log.

use std::collections::BTreeMap;

mod activations;
mod archive;
mod decisions;
mod export;
mod in_force;
mod law;
mod verify;

pub use activations::{Activated, Activation, Fault, Judges, SignedParts, verify_activations};
pub use archive::ArchiveError;
pub use export::{ExportError, export};
pub use verify::verify_packet;

/// Files by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Files by name, in place.
pub(crate) type Views<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Names of the files that hold the statement; it cannot be about them.
const EVIDENCE: [&str; 4] = ["evidence.dsse.json", "evidence.pae", "evidence.sig", "evidence.sigstore.json"];

/// First line of an inclusion proof (C2SP `tlog-proof`).
const PROOF_HEAD: &str = "c2sp.org/tlog-proof@v1";

fn event_name(seq: u64) -> String {
    format!("events/{seq:012}.json")
}

fn proof_name(seq: u64) -> String {
    format!("events/{seq:012}.tlog-proof")
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_wrap,
    reason = "numbers of a test are small"
)]
mod tests;
