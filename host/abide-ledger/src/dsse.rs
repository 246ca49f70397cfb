//! DSSE v1 with Ed25519: what a person signs for others to check, in the envelope that other tools read.
//!
//! Keys are read and written as those tools do it: the secret half as PKCS#8 in PEM (RFC 8410), the public half as the base64 of its 32 bytes.
//! Entropy comes from the caller.

use std::fmt;
use std::str::FromStr;

use abide_core::id::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What an Ed25519 public key begins with in DER (RFC 8410).
pub(crate) const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The same for a secret key (PKCS#8, version 1).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Something that is no key, or no signature of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// The text of a key is malformed.
    #[error("the key is malformed")]
    Key,
    /// The text of a signature or of a payload is malformed.
    #[error("the signature or its payload is malformed")]
    Shape,
    /// The signature is not one of this key on this payload.
    #[error("the signature does not match what is signed")]
    Signature,
}

/// What is signed: DSSE's pre-authentication encoding.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The public half of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// SHA-256 of the key in DER, as 64 hex digits: what envelopes call `keyid`.
    pub fn id(&self) -> String {
        Digest::of(&[SPKI.as_slice(), self.0.as_bytes()].concat()).hex().to_owned()
    }

    /// Checks one signature on `payload`.
    pub fn verify(&self, payload_type: &str, payload: &[u8], signed: &Signed) -> Result<(), DsseError> {
        let bytes = STANDARD.decode(&signed.sig).map_err(|_| DsseError::Shape)?;
        let signature = Signature::from_slice(&bytes).map_err(|_| DsseError::Shape)?;
        self.0.verify_strict(&pae(payload_type, payload), &signature).map_err(|_| DsseError::Signature)
    }
}

impl FromStr for PublicKey {
    type Err = DsseError;
    fn from_str(text: &str) -> Result<Self, DsseError> {
        let bytes = STANDARD.decode(text).map_err(|_| DsseError::Key)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| DsseError::Key)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| DsseError::Key)?;
        // A key of small order would verify signatures that nobody made.
        if key.is_weak() { Err(DsseError::Key) } else { Ok(Self(key)) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// The secret half of a key. It has no `Display`, and its `Debug` shows the public half.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that 32 bytes of entropy make.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `payload`.
    pub fn sign(&self, payload_type: &str, payload: &[u8]) -> Signed {
        let signature = self.0.sign(&pae(payload_type, payload)).to_bytes();
        Signed { keyid: self.public().id(), sig: STANDARD.encode(signature) }
    }

    /// What is written to a key file: PKCS#8 in PEM.
    pub fn to_pem(&self) -> String {
        let coded = STANDARD.encode([PKCS8.as_slice(), self.0.as_bytes()].concat());
        format!("{PEM_BEGIN}\n{coded}\n{PEM_END}\n")
    }

    /// Reads what [`SecretKey::to_pem`] wrote.
    pub fn from_pem(text: &str) -> Result<Self, DsseError> {
        let inner = text.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
        let coded: String = inner.ok_or(DsseError::Key)?.split_whitespace().collect();
        let bytes = STANDARD.decode(coded).map_err(|_| DsseError::Key)?;
        let seed = bytes.strip_prefix(PKCS8.as_slice()).ok_or(DsseError::Key)?;
        Ok(Self::from_seed(seed.try_into().map_err(|_| DsseError::Key)?))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public()).finish()
    }
}

/// A payload with the signatures of those who stand for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    /// Base64 of what is signed.
    pub payload: String,
    /// Its media type.
    pub payload_type: String,
    /// Who signed it.
    pub signatures: Vec<Signed>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// [`PublicKey::id`] of the key. A hint: what counts is whose key verifies it.
    pub keyid: String,
    /// Base64 of the signature.
    pub sig: String,
}

impl Envelope {
    /// An envelope that nobody signed yet.
    pub fn around(payload_type: &str, payload: &[u8]) -> Self {
        let payload_type = payload_type.to_owned();
        Self { payload: STANDARD.encode(payload), payload_type, signatures: Vec::new() }
    }

    /// What is signed.
    pub fn open(&self) -> Result<Vec<u8>, DsseError> {
        STANDARD.decode(&self.payload).map_err(|_| DsseError::Shape)
    }
}

#[cfg(test)]
mod tests;
