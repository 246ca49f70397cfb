//! One generation of policy: the modules, the data, their bytes and a prepared engine.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use abide_core::canonical;
use abide_core::id::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError};

/// The rule that answers.
pub const ENTRYPOINT: &str = "data.abide.decision";

/// What is stored and digested (`abide.bundle/1`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    schema: String,
    modules: BTreeMap<String, String>,
    data: Json,
}

const SCHEMA: &str = "abide.bundle/1";

/// One generation of policy, inspected and ready to answer. Cheap to clone.
#[derive(Clone)]
pub struct Bundle {
    stored: Arc<Stored>,
    bytes: Arc<[u8]>,
    digest: Digest,
    engine: regorus::Engine,
}

impl Bundle {
    /// Inspects and prepares policy text. `modules` maps paths to Rego, tests left out; `data` becomes the document `data`.
    pub fn load(modules: BTreeMap<String, String>, data: Json) -> Result<Self, BundleError> {
        let stored = Stored { schema: SCHEMA.to_owned(), modules, data };
        let bytes = canonical::jcs(&stored)
            .map_err(|_| BundleError::Data { why: "it has no canonical form".to_owned() })?;
        Self::prepare(stored, bytes)
    }

    /// Rebuilds a generation from the bytes that [`Bundle::to_bytes`] gave, to recompute what it decided.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|error| BundleError::Bytes { why: error.to_string() })?;
        if stored.schema != SCHEMA {
            return Err(BundleError::Bytes {
                why: format!("its schema is `{}`, not `{SCHEMA}`", stored.schema),
            });
        }
        Self::prepare(stored, bytes.to_vec())
    }

    fn prepare(stored: Stored, bytes: Vec<u8>) -> Result<Self, BundleError> {
        let engine = loader::prepare(&stored.modules, &stored.data, SourceLimits::SHIPPED)?;
        let digest = Digest::of(&bytes);
        Ok(Self { stored: Arc::new(stored), bytes: bytes.into(), digest, engine })
    }

    /// The bytes to store: canonical JSON of modules and data.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of [`Bundle::to_bytes`].
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The modules, by path.
    pub fn modules(&self) -> &BTreeMap<String, String> {
        &self.stored.modules
    }

    /// The data document. The host reads its own settings (zones, secrets, limits) from here, so that they are those that were judged by.
    pub fn data(&self) -> &Json {
        &self.stored.data
    }

    pub(crate) fn engine(&self) -> &regorus::Engine {
        &self.engine
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("digest", &self.digest)
            .field("modules", &self.stored.modules.len())
            .finish_non_exhaustive()
    }
}
