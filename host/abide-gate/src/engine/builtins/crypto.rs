//! `crypto.*`: digests and message authentication codes in lower-case hex, as OPA has them.

use regorus::Value;
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

use super::two_texts;

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn sha256(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(text)] = arguments.as_slice() else { anyhow::bail!("`crypto.sha256` takes a text") };
    Ok(Value::from(hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_sha1(arguments: Vec<Value>) -> anyhow::Result<Value> {
    mac("crypto.hmac.sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &arguments)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_sha256(arguments: Vec<Value>) -> anyhow::Result<Value> {
    mac("crypto.hmac.sha256", hmac::HMAC_SHA256, &arguments)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_sha512(arguments: Vec<Value>) -> anyhow::Result<Value> {
    mac("crypto.hmac.sha512", hmac::HMAC_SHA512, &arguments)
}

/// Compares two codes in a time that does not depend on where they differ.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_equal(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let (first, second) = two_texts("crypto.hmac.equal", &arguments)?;
    Ok(Value::from(bool::from(first.as_bytes().ct_eq(second.as_bytes()))))
}

fn mac(name: &str, algorithm: hmac::Algorithm, arguments: &[Value]) -> anyhow::Result<Value> {
    let (message, key) = two_texts(name, arguments)?;
    let key = hmac::Key::new(algorithm, key.as_bytes());
    Ok(Value::from(hex(hmac::sign(&key, message.as_bytes()).as_ref())))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
