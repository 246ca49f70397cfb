//! An input together with its canonical bytes and their digest, so that what is judged, recorded and recomputed is one thing.

use std::sync::Arc;

use abide_core::canonical::{self, CanonicalError};
use abide_core::id::Digest;
use abide_core::input::PolicyInput;

/// What a judge is asked.
#[derive(Debug, Clone)]
pub struct Question {
    input: PolicyInput,
    bytes: Arc<[u8]>,
    digest: Digest,
}

/// Stored bytes are not an input.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// They do not parse as `abide.input/1`.
    #[error("these bytes are not a policy input")]
    Parse(#[source] serde_json::Error),
    /// Another version.
    #[error("the input's schema is `{0}`, which this version does not know")]
    Schema(String),
}

impl QuestionError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Parse(_) | Self::Schema(_) => "AB0126",
        }
    }
}

impl Question {
    /// Canonicalises an input.
    pub fn new(input: PolicyInput) -> Result<Self, CanonicalError> {
        let bytes = canonical::jcs(&input)?;
        let digest = Digest::of(&bytes);
        Ok(Self { input, bytes: bytes.into(), digest })
    }

    /// Reads stored bytes. They are not canonicalised again: what was stored is what is judged.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, QuestionError> {
        let input: PolicyInput = serde_json::from_slice(&bytes).map_err(QuestionError::Parse)?;
        if input.schema != PolicyInput::SCHEMA {
            return Err(QuestionError::Schema(input.schema));
        }
        let digest = Digest::of(&bytes);
        Ok(Self { input, bytes: bytes.into(), digest })
    }

    /// The input.
    pub fn input(&self) -> &PolicyInput {
        &self.input
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of its bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn shared(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }
}
