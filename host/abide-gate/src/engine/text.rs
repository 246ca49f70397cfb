//! The text of a bundle: modules and data as they are stored and digested, which no engine has looked into. It is all that the host needs of a
//! policy that it does not trust, since the sealed judge reads the modules.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use abide_core::canonical;
use abide_core::id::Digest;
use serde_json::Value as Json;

use crate::engine::bundle::{Bundle, SCHEMA, Stored};
use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError};

/// Modules and data of a bundle, within the limits of size and nothing more. Cheap to clone.
#[derive(Clone)]
pub struct BundleText {
    stored: Arc<Stored>,
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl BundleText {
    /// Takes `modules`, paths to Rego, tests left out, and `data`, which becomes the document `data`.
    pub fn new(modules: BTreeMap<String, String>, data: Json) -> Result<Self, BundleError> {
        loader::check_sizes(&modules, &data, SourceLimits::SHIPPED)?;
        let stored = Stored { schema: SCHEMA.to_owned(), modules, data };
        let bytes = canonical::jcs(&stored)
            .map_err(|_| BundleError::Data { why: "it has no canonical form".to_owned() })?;
        let digest = Digest::of(&bytes);
        Ok(Self { stored: Arc::new(stored), bytes: bytes.into(), digest })
    }

    /// Reads the bytes that [`BundleText::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|error| BundleError::Bytes { why: error.to_string() })?;
        if stored.schema != SCHEMA {
            return Err(BundleError::Bytes {
                why: format!("its schema is `{}`, not `{SCHEMA}`", stored.schema),
            });
        }
        loader::check_sizes(&stored.modules, &stored.data, SourceLimits::SHIPPED)?;
        let digest = Digest::of(bytes);
        Ok(Self { stored: Arc::new(stored), bytes: bytes.into(), digest })
    }

    /// Loads it into this process: inspected and ready to answer.
    pub fn load(&self) -> Result<Bundle, BundleError> {
        Bundle::prepare(self)
    }

    /// The bytes to store: canonical JSON of modules and data.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of [`BundleText::to_bytes`].
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The modules, by path.
    pub fn modules(&self) -> &BTreeMap<String, String> {
        &self.stored.modules
    }

    /// The data document.
    pub fn data(&self) -> &Json {
        &self.stored.data
    }
}

impl fmt::Debug for BundleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleText")
            .field("digest", &self.digest)
            .field("modules", &self.stored.modules.len())
            .finish_non_exhaustive()
    }
}
