//! Statements about a run: in-toto v1 in a DSSE envelope, signed by a sibling of the log's key.

use ed25519_dalek::VerifyingKey;

use crate::note::NoteKey;

/// What the sibling key is for.
const PURPOSE: &str = "attest";

/// The public half of the sibling, as 64 hex digits.
pub(crate) fn key_text(key: &NoteKey) -> String {
    hex(key.sibling(PURPOSE).verifying_key())
}

fn hex(key: VerifyingKey) -> String {
    key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
