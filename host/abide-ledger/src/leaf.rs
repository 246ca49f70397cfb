//! What the log holds: one canonical JSON event per leaf, and what an append carries beside it.
//!
//! Integers are texts and there are no numbers at all, so that every reader in every language sees the same bytes. A leaf holds digests,
//! never a secret, a prompt or a diff: those are [`Blob`]s in the side store.

use abide_core::canonical::{self, CanonicalError};
use abide_core::id::{Digest, RunId, Seq, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The value of `schema` in every event.
pub const EVENT_SCHEMA: &str = "abide.event/1";

/// Most bytes that one event may have: a C2SP entry bundle counts them in 16 bits.
pub const LEAF_BYTES_MAX: usize = 65_535;

/// Most bytes that one blob may have.
pub const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The kind of a blob with what a worker was answered. It never leaves in a packet: it holds files of the repository.
pub const TRANSCRIPT: &str = "transcript";

/// A value that cannot be an event.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Its kind is not a name.
    #[error("`{kind}` is not an event kind: a capital and at most 63 more letters or digits are expected")]
    Kind {
        /// What was given, cut at 80 characters.
        kind: String,
    },
    /// It is too long.
    #[error("an event of {bytes} bytes is longer than 65,535 bytes")]
    Long {
        /// Its length.
        bytes: usize,
    },
    /// It holds a number.
    #[error("field `{field}` of an event holds a number: integers are written as texts")]
    Number {
        /// The field.
        field: String,
    },
    /// The data is not an object.
    #[error("the data of an event must be an object")]
    Shape,
    /// The bytes are not an event.
    #[error("these bytes are not an event: {why}")]
    Bytes {
        /// What is wrong.
        why: &'static str,
    },
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// One event, as the exact bytes that are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    bytes: Vec<u8>,
    kind: String,
    run: Option<RunId>,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    schema: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    at: String,
    data: Map<String, Value>,
}

impl Leaf {
    /// Puts `data`, an object without numbers, into an envelope.
    pub fn new(run: Option<RunId>, kind: &str, at: Timestamp, data: Value) -> Result<Self, LeafError> {
        let Value::Object(data) = data else { return Err(LeafError::Shape) };
        check_kind(kind)?;
        data.iter().try_for_each(|(field, value)| check_value(field, value))?;
        let (schema, at_text) = (EVENT_SCHEMA.to_owned(), at.0.to_string());
        let bytes =
            canonical::jcs(&Envelope { schema, kind: kind.to_owned(), run: run.clone(), at: at_text, data })?;
        check_length(&bytes)?;
        Ok(Self { bytes, kind: kind.to_owned(), run, at })
    }

    /// Reads stored bytes. They stay exactly as they are; nothing is written anew.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, LeafError> {
        Self::parse_whole(bytes).map(|(leaf, _)| leaf)
    }

    /// The same, with the event's own fields.
    pub(crate) fn parse_whole(bytes: Vec<u8>) -> Result<(Self, Map<String, Value>), LeafError> {
        check_length(&bytes)?;
        let envelope: Envelope = serde_json::from_slice(&bytes)
            .map_err(|_| LeafError::Bytes { why: "the envelope is malformed" })?;
        if envelope.schema != EVENT_SCHEMA {
            return Err(LeafError::Bytes { why: "the schema is not `abide.event/1`" });
        }
        check_kind(&envelope.kind)?;
        envelope.data.iter().try_for_each(|(field, value)| check_value(field, value))?;
        let at = decimal(&envelope.at)
            .ok_or(LeafError::Bytes { why: "the time is not a number of milliseconds" })?;
        Ok((Self { bytes, kind: envelope.kind, run: envelope.run, at: Timestamp(at) }, envelope.data))
    }

    /// The bytes that are hashed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What happened, for example `PatchCommitted`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The run that it belongs to.
    pub fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// When it was written.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The event's own fields. Empty if the bytes are not an event, which [`Leaf::parse`] refuses.
    pub fn data(&self) -> Map<String, Value> {
        serde_json::from_slice::<Envelope>(&self.bytes).map(|envelope| envelope.data).unwrap_or_default()
    }
}

/// A decimal number without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (text == "0" || !text.starts_with('0')) { text.parse().ok() } else { None }
}

fn check_kind(kind: &str) -> Result<(), LeafError> {
    let named = kind.starts_with(|c: char| c.is_ascii_uppercase())
        && kind.len() <= 64
        && kind.bytes().all(|b| b.is_ascii_alphanumeric());
    if named { Ok(()) } else { Err(LeafError::Kind { kind: kind.chars().take(80).collect() }) }
}

fn check_length(bytes: &[u8]) -> Result<(), LeafError> {
    if bytes.len() > LEAF_BYTES_MAX { Err(LeafError::Long { bytes: bytes.len() }) } else { Ok(()) }
}

fn check_value(field: &str, value: &Value) -> Result<(), LeafError> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(_) => Err(LeafError::Number { field: field.to_owned() }),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(field, item)),
        Value::Object(fields) => fields.iter().try_for_each(|(inner, value)| check_value(inner, value)),
    }
}

/// Bytes that an event cites by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    digest: Digest,
    kind: String,
    bytes: Vec<u8>,
}

impl Blob {
    /// Takes `bytes` under their digest; `kind` says what they are, for example `input`.
    pub fn new(kind: &str, bytes: Vec<u8>) -> Self {
        Self { digest: Digest::of(&bytes), kind: kind.to_owned(), bytes }
    }

    /// Digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What they are.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An event about to be appended, with the bytes that it cites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The event.
    pub leaf: Leaf,
    /// What it cites and the log does not hold yet; blobs that are there already are left alone.
    pub blobs: Vec<Blob>,
}

impl From<Leaf> for Draft {
    fn from(leaf: Leaf) -> Self {
        Self { leaf, blobs: Vec::new() }
    }
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// The event.
    pub leaf: Leaf,
}

#[cfg(test)]
mod tests;
