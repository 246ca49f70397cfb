//! Signed notes with Ed25519 keys, as in C2SP `signed-note`, so that verifiers which nobody here wrote can read them.
//!
//! Entropy comes from the caller; this module makes none and keeps no key longer than its value lives.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// Note keys of this type are plain Ed25519.
const ED25519: u8 = 1;

/// What a signing key begins with when it is written to a file, as in Go's `sumdb/note`.
const PRIVATE: &str = "PRIVATE+KEY+";

/// A note, or a key, that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A name that cannot be the name of a log.
    #[error("the name of a log is 1 to 200 printable ASCII characters without space and `+`")]
    Name,
    /// A key that is malformed.
    #[error("the key is malformed")]
    Key,
    /// A note that is malformed.
    #[error("the signed note is malformed")]
    Shape,
    /// Nobody we know signed it.
    #[error("the note is not signed by the expected key")]
    Signer,
    /// The signature is wrong.
    #[error("the signature does not match the note")]
    Signature,
}

/// Name of a log, for example `abide.example.org/log/site-a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// The text as it stands in checkpoints.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let plain =
            (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        if plain { Ok(Self(text.to_owned())) } else { Err(NoteError::Name) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public half of a note key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vkey {
    name: Origin,
    key: VerifyingKey,
}

impl Vkey {
    /// Whose key it is.
    pub fn name(&self) -> &Origin {
        &self.name
    }

    /// The first four bytes of `SHA-256(name || LF || 0x01 || key)`.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_str())
            .chain_update(b"\n")
            .chain_update(self.coded())
            .finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }

    fn coded(&self) -> Vec<u8> {
        [&[ED25519], self.key.as_bytes().as_slice()].concat()
    }

    /// Opens a note that this key signed, and returns its text. Signatures of others are left alone.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (body, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let text = note.get(..body.len().saturating_add(1)).ok_or(NoteError::Shape)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Shape)?;
        let mut signed = Err(NoteError::Signer);
        for line in lines.split('\n') {
            let (name, coded) = line
                .strip_prefix("\u{2014} ")
                .and_then(|rest| rest.split_once(' '))
                .ok_or(NoteError::Shape)?;
            let bytes = STANDARD.decode(coded).map_err(|_| NoteError::Shape)?;
            let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Shape)?;
            if name == self.name.as_str() && *id == self.id() {
                let signature = Signature::from_slice(signature).map_err(|_| NoteError::Signature)?;
                self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| NoteError::Signature)?;
                signed = Ok(text);
            }
        }
        signed
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), STANDARD.encode(self.coded()))
    }
}

impl FromStr for Vkey {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(coded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(coded).map_err(|_| NoteError::Key)?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(NoteError::Key) };
        let key: &[u8; 32] = key.try_into().map_err(|_| NoteError::Key)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::Key)?;
        let vkey = Self { name: name.parse()?, key };
        if format!("{:08x}", u32::from_be_bytes(vkey.id())) == id { Ok(vkey) } else { Err(NoteError::Key) }
    }
}

/// The private half of a note key. It has no `Display` and its `Debug` shows the public half.
#[derive(Clone)]
pub struct NoteKey {
    name: Origin,
    key: SigningKey,
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoteKey").field(&self.vkey().to_string()).finish()
    }
}

impl NoteKey {
    /// The key that 32 bytes of entropy make.
    pub fn from_seed(name: Origin, seed: &[u8; 32]) -> Self {
        Self { name, key: SigningKey::from_bytes(seed) }
    }

    /// The public half.
    pub fn vkey(&self) -> Vkey {
        Vkey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs `text`, which ends in a newline, and returns the note.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let coded = STANDARD.encode([self.vkey().id().as_slice(), &signature].concat());
        format!("{text}\n\u{2014} {} {coded}\n", self.name)
    }

    /// A key for statements about runs, made from this one, so that one secret is kept and a signature on a note is never one on a statement.
    pub fn sibling(&self, purpose: &str) -> SigningKey {
        let seed = Sha256::new()
            .chain_update(b"abide sibling key\n")
            .chain_update(purpose)
            .chain_update(b"\n")
            .chain_update(self.key.as_bytes());
        SigningKey::from_bytes(&seed.finalize().into())
    }

    /// What is written to the key file.
    pub fn to_secret(&self) -> String {
        let vkey = self.vkey();
        let coded = STANDARD.encode([&[ED25519], self.key.as_bytes().as_slice()].concat());
        format!("{PRIVATE}{}+{:08x}+{coded}", vkey.name, u32::from_be_bytes(vkey.id()))
    }

    /// Reads what [`NoteKey::to_secret`] wrote.
    pub fn from_secret(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.strip_prefix(PRIVATE).ok_or(NoteError::Key)?.splitn(3, '+');
        let (Some(name), Some(id), Some(coded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = STANDARD.decode(coded).map_err(|_| NoteError::Key)?;
        let Some((&ED25519, seed)) = bytes.split_first() else { return Err(NoteError::Key) };
        let key = Self::from_seed(name.parse()?, seed.try_into().map_err(|_| NoteError::Key)?);
        if format!("{:08x}", u32::from_be_bytes(key.vkey().id())) == id {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }
}

#[cfg(test)]
mod tests;
