//! One spelling for each value: JSON Canonicalization Scheme (RFC 8785), so that equal values have equal digests.
//!
//! Verifiers hash stored bytes; nothing ever re-canonicalises what it is about to verify.

use serde::Serialize;

use crate::id::Digest;

/// A value that has no canonical JSON form (a map key that is not text, or a number that JSON cannot carry).
#[derive(Debug, thiserror::Error)]
#[error("value has no canonical form")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The canonical bytes of `value`.
pub fn jcs(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_jcs::to_vec(value)?)
}

/// Digest of the canonical bytes of `value`.
pub fn digest(value: &impl Serialize) -> Result<Digest, CanonicalError> {
    Ok(Digest::of(&jcs(value)?))
}
