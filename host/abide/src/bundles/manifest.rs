//! `.manifest`: what a bundle says of itself, as OPA reads it, with our version and origin under `metadata`.
//!
//! Format: OPA's bundle manifest. What OPA would do with a field and `ab` would not (WebAssembly, other versions of Rego) is refused, so that
//! both see the same policy.

use abide_core::id::Digest;
use serde::{Deserialize, Serialize};

use super::audience;

/// Name of the file.
pub(crate) const NAME: &str = ".manifest";
/// The value of `metadata.abide.schema`.
const SCHEMA: &str = "abide.policy-bundle/1";
/// The only version of the language.
const REGO_VERSION: u8 = 1;
/// Versions go up to what every JSON reader takes as an integer.
pub(crate) const VERSION_MAX: u64 = (1 << 53) - 1;

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// For people and for OPA's status.
    pub(crate) revision: String,
    /// Paths under `data` that the bundle owns; everything if there are none.
    #[serde(default = "everything")]
    pub(crate) roots: Vec<String>,
    rego_version: Option<u8>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Metadata {
    abide: Option<About>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    schema: String,
    version: u64,
    bundle: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    /// Which layer it is; none for a whole policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<String>,
}

fn everything() -> Vec<String> {
    vec![String::new()]
}

impl Manifest {
    /// The manifest of version `version` of the policy whose modules and data have the digest `bundle`, for `audience` or for anybody.
    pub(crate) fn new(version: u64, bundle: &Digest, roots: Vec<String>, audience: Option<String>) -> Self {
        Self::about_files(version, bundle, roots, (audience, None))
    }

    /// The same of a layer, whose files have the digest `bundle`.
    pub(crate) fn of_layer(
        layer: &str,
        version: u64,
        bundle: &Digest,
        roots: Vec<String>,
        audience: Option<String>,
    ) -> Self {
        Self::about_files(version, bundle, roots, (audience, Some(layer.to_owned())))
    }

    fn about_files(
        version: u64,
        bundle: &Digest,
        roots: Vec<String>,
        (audience, layer): (Option<String>, Option<String>),
    ) -> Self {
        let about = About { schema: SCHEMA.to_owned(), version, bundle: bundle.clone(), audience, layer };
        Self {
            revision: format!("v{version}-{}", bundle.short()),
            roots,
            rego_version: Some(REGO_VERSION),
            metadata: Some(Metadata { abide: Some(about) }),
        }
    }

    /// Reads the file. The words of an error go behind «the manifest».
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        abide_gate::source::plain_json(bytes).map_err(|error| format!("cannot be read: {error}"))?;
        let mut found: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("cannot be taken: {error}"))?;
        for root in &mut found.roots {
            *root = root.trim_matches('/').to_owned();
        }
        if found.rego_version != Some(REGO_VERSION) {
            return Err(format!("must say `\"rego_version\": {REGO_VERSION}`"));
        }
        let about = found.about()?;
        if about.schema != SCHEMA {
            return Err(format!("has the schema `{}` under `metadata.abide`, not `{SCHEMA}`", about.schema));
        }
        if !(1..=VERSION_MAX).contains(&about.version) {
            return Err("has no version between 1 and 2^53 - 1".to_owned());
        }
        if about.audience.as_deref().is_some_and(|name| !audience::is_name(name)) {
            return Err(format!("has an audience that is no name: {}", audience::NAMES));
        }
        if let Some(layer) = about.layer.as_ref().filter(|layer| *layer != "organisation") {
            let layer: String = layer.chars().take(40).collect();
            return Err(format!("is of a layer `{layer}`; only `organisation` comes in a bundle"));
        }
        for (place, root) in found.roots.iter().enumerate() {
            let others = found.roots.iter().skip(place.saturating_add(1));
            if let Some(other) = others.clone().find(|other| below(root, other) || below(other, root)) {
                return Err(format!("has roots that overlap: `{root}` and `{other}`"));
            }
        }
        Ok(found)
    }

    fn about(&self) -> Result<&About, String> {
        let about = self.metadata.as_ref().and_then(|metadata| metadata.abide.as_ref());
        about.ok_or_else(|| {
            "has no `metadata.abide` with a version: nobody could tell an old bundle from a new one"
                .to_owned()
        })
    }

    /// The version.
    pub(crate) fn version(&self) -> u64 {
        self.about().map_or(0, |about| about.version)
    }

    /// For whom it is; nobody in particular if it does not say.
    pub(crate) fn audience(&self) -> Option<&str> {
        self.about().ok().and_then(|about| about.audience.as_deref())
    }

    /// Which layer it is; none for a whole policy.
    pub(crate) fn layer(&self) -> Option<&str> {
        self.about().ok()?.layer.as_deref()
    }

    /// Whether it was made from modules and data of this digest.
    pub(crate) fn is_of(&self, bundle: &Digest) -> bool {
        self.about().is_ok_and(|about| about.bundle == *bundle)
    }

    /// Whether `path`, written with `/`, is at or below a root.
    pub(crate) fn owns(&self, path: &str) -> bool {
        self.roots.iter().any(|root| below(path, root))
    }
}

/// Whether `path` is `root` or below it.
fn below(path: &str, root: &str) -> bool {
    root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
