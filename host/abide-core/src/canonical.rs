//! One spelling for each value: JSON Canonicalization Scheme (RFC 8785), so that equal values have equal digests.
//!
//! Verifiers hash stored bytes; nothing ever re-canonicalises what it is about to verify.

use serde::Serialize;
use serde_json::Value;

use crate::id::Digest;

/// A value that has no canonical JSON form (a map key that is not text, or a number that JSON cannot carry).
#[derive(Debug, thiserror::Error)]
#[error("value has no canonical form")]
pub struct CanonicalError(#[from] serde_json::Error);

/// The canonical bytes of `value`.
///
/// What we write has ASCII keys and integers only; for that the order and the spelling of RFC 8785 are those of bytes, and a short writer
/// is faster than the general one. Anything else goes to the general one; a property test holds the two together.
pub fn jcs(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    let tree = serde_json::to_value(value)?;
    if !is_plain(&tree) {
        return Ok(serde_jcs::to_vec(value)?);
    }
    let mut out = Vec::new();
    write(&tree, &mut out)?;
    Ok(out)
}

/// Integers beyond this are written as the nearest double by RFC 8785 (ECMAScript numbers).
const SAFE_INTEGER: u64 = 1 << 53;

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::unsigned_abs))
            .is_some_and(|n| n < SAFE_INTEGER),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields.iter().all(|(key, field)| key.is_ascii() && is_plain(field)),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            serde_json::to_writer(out, value)
        }
        Value::Array(items) => {
            let mut before = b'[';
            for item in items {
                out.push(before);
                write(item, out)?;
                before = b',';
            }
            close(out, before, b'[', b']');
            Ok(())
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            let mut before = b'{';
            for (key, field) in sorted {
                out.push(before);
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write(field, out)?;
                before = b',';
            }
            close(out, before, b'{', b'}');
            Ok(())
        }
    }
}

/// Ends a list; one without items was not begun yet.
fn close(out: &mut Vec<u8>, before: u8, first: u8, last: u8) {
    if before == first {
        out.push(first);
    }
    out.push(last);
}

/// Digest of the canonical bytes of `value`.
pub fn digest(value: &impl Serialize) -> Result<Digest, CanonicalError> {
    Ok(Digest::of(&jcs(value)?))
}

#[cfg(test)]
mod tests;
