//! Where secrets come from. Data and configuration name them (`vault:NAME`); only the broker opens them, when the request that they are for leaves.

pub mod helper;

use std::fmt;

use abide_core::id::{Digest, RunId};
use serde::Serialize;
use zeroize::Zeroizing;

/// What a reference begins with.
pub const PREFIX: &str = "vault:";
/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 64;

/// A secret's bytes. They are shown nowhere, and wiped when they are dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes `bytes` in.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that sends them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Why a secret cannot be had. Says nothing of what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VaultError(pub String);

/// What a secret is opened for: whoever makes one on demand can make it for this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Errand {
    /// The run.
    pub run: RunId,
    /// The unit of work in it.
    pub unit: String,
    /// The component that asks; it never sees the secret.
    pub component: Digest,
    /// Place of the decision that opened the lease.
    pub decision: u64,
    /// Where the secret goes, `scheme://host:port`.
    pub origin: String,
    /// Milliseconds after which the lease is over at the latest.
    pub lease_ms_max: u64,
}

/// Opens secrets by their names.
pub trait Vault: fmt::Debug + Send + Sync {
    /// The secret called `name`, without the prefix of a reference, for `errand` and nothing else.
    fn open(&self, name: &str, errand: &Errand) -> Result<Secret, VaultError>;
}

/// A vault without secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVault;

impl Vault for NoVault {
    fn open(&self, _: &str, _: &Errand) -> Result<Secret, VaultError> {
        Err(VaultError("there is no vault here".to_owned()))
    }
}

/// The name in `vault:NAME`.
pub fn name_of(reference: &str) -> Option<&str> {
    reference.strip_prefix(PREFIX).filter(|name| is_name(name))
}

/// Whether this is a reference, and not a secret that somebody wrote into a file.
pub fn is_reference(text: &str) -> bool {
    name_of(text).is_some()
}

/// Whether a secret can be called this: lower case letters, digits, hyphens and dots, beginning with a letter.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(plain)
}
