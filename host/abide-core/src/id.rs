//! Names, digests and units. Each is parsed once, at the edge, and then trusted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

mod path;
mod refs;

pub use path::{PathError, RepoPath};
pub use refs::{RefError, RefName};

/// A text that is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {why}")]
pub struct IdError {
    /// Which identifier was expected.
    pub what: &'static str,
    /// What was given, cut at 80 characters.
    pub text: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl IdError {
    fn new(what: &'static str, text: &str, why: &'static str) -> Self {
        Self { what, text: text.chars().take(80).collect(), why }
    }
}

/// Declares a newtype over a validated `String` with the usual text traits.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as it is written in logs and policies.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(text) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(why) => Err(IdError::new(stringify!($name), text, why)),
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

fn is_lower_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !text.starts_with(['.', '-'])
}

text_id!(
    /// A run: a ULID (26 characters of Crockford base 32), so that runs sort by the time they began.
    RunId,
    |text| if text.len() == 26
        && text.bytes().all(|b| b.is_ascii_digit() || (b.is_ascii_uppercase() && !matches!(b, b'I' | b'L' | b'O' | b'U')))
    {
        Ok(())
    } else {
        Err("26 characters of Crockford base 32 are expected")
    }
);
text_id!(
    /// A SHA-1 git object id: 40 lower-case hex digits.
    Oid,
    |text| if is_lower_hex(text, 40) { Ok(()) } else { Err("40 lower-case hex digits are expected") }
);
text_id!(
    /// A SHA-256 digest, written `sha256:` and 64 lower-case hex digits.
    Digest,
    |text| match text.strip_prefix("sha256:") {
        Some(hex) if is_lower_hex(hex, 64) => Ok(()),
        _ => Err("`sha256:` and 64 lower-case hex digits are expected"),
    }
);
text_id!(
    /// A repository as Abide knows it: the name under which it was registered by `ab init`.
    RepoId,
    |text| if is_slug(text) { Ok(()) } else { Err("1 to 64 letters, digits, `-`, `_` or `.` are expected") }
);
text_id!(
    /// Where a release is put, for example `production`.
    Environment,
    |text| if is_slug(text) { Ok(()) } else { Err("1 to 64 letters, digits, `-`, `_` or `.` are expected") }
);
text_id!(
    /// A release on disk: `r` and the first 16 digits of the commit it was made from.
    ReleaseId,
    |text| if text.strip_prefix('r').is_some_and(|hex| is_lower_hex(hex, 16)) {
        Ok(())
    } else {
        Err("`r` and 16 lower-case hex digits are expected")
    }
);

impl Oid {
    /// The oid that git writes for "no object": forty zeros.
    pub fn zero() -> Self {
        Self("0".repeat(40))
    }

    /// Whether this stands for "no object".
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl Digest {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hex = String::with_capacity(71);
        hex.push_str("sha256:");
        for byte in Sha256::digest(bytes) {
            hex.push(nibble(byte >> 4));
            hex.push(nibble(byte & 15));
        }
        Self(hex)
    }

    /// The hex digits without the `sha256:` prefix.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or_default()
    }
}

fn nibble(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

impl ReleaseId {
    /// The release that is made from `commit`.
    pub fn of(commit: &Oid) -> Self {
        Self(format!("r{}", commit.as_str().get(..16).unwrap_or_default()))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, read only by the shell (`host/abide`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time, `ms` milliseconds later; the last representable time if that overflows.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Bumped by the kill switch; a permit from an older epoch is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// The place of a record in the log, counted from 0: its leaf index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests;
