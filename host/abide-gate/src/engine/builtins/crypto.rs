//! `crypto.*`: digests and message authentication codes in lower-case hex, as OPA has them.

use hmac::digest::Digest as _;
use hmac::{EagerHash, Hmac, KeyInit as _, Mac as _};
use regorus::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::two_texts;

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn sha256(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(text)] = arguments.as_slice() else { anyhow::bail!("`crypto.sha256` takes a text") };
    Ok(Value::from(hex(&Sha256::digest(text.as_bytes()))))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_sha1(arguments: Vec<Value>) -> anyhow::Result<Value> {
    mac::<Sha1>("crypto.hmac.sha1", &arguments)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_sha256(arguments: Vec<Value>) -> anyhow::Result<Value> {
    mac::<Sha256>("crypto.hmac.sha256", &arguments)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_sha512(arguments: Vec<Value>) -> anyhow::Result<Value> {
    mac::<Sha512>("crypto.hmac.sha512", &arguments)
}

/// Compares two codes in a time that does not depend on where they differ.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn hmac_equal(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let (first, second) = two_texts("crypto.hmac.equal", &arguments)?;
    Ok(Value::from(bool::from(first.as_bytes().ct_eq(second.as_bytes()))))
}

fn mac<D: EagerHash>(name: &str, arguments: &[Value]) -> anyhow::Result<Value> {
    let (message, key) = two_texts(name, arguments)?;
    let made = keyed::<D>(key.as_bytes())?.chain_update(message.as_bytes()).finalize();
    Ok(Value::from(hex(&made.into_bytes())))
}

/// A code under `key`, which may have any length (RFC 2104).
pub(super) fn keyed<D: EagerHash>(key: &[u8]) -> anyhow::Result<Hmac<D>> {
    Hmac::new_from_slice(key).map_err(|_| anyhow::anyhow!("this key cannot be used"))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
