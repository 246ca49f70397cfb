//! `.signatures.json`: what OPA signed. It is checked and told; it never counts for a quorum.
//!
//! Format: OPA's bundle signatures, one JSON Web Token whose payload lists each file with its hash. JSON files are hashed by their contents
//! with keys in order, everything else by its bytes. Of the algorithms, HS256 is verified; for the others the list alone is held against the
//! files, which says that nothing was added, taken away or changed since the list was made, and not by whom.

use std::collections::BTreeMap;

use abide_core::id::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::archive::Entries;

/// Name of the file.
pub(crate) const NAME: &str = ".signatures.json";

/// Why what OPA signed does not fit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpaError {
    /// It cannot be read.
    #[error("`.signatures.json` cannot be used: {why}")]
    Shape {
        /// Why.
        why: String,
    },
    /// A file that is not in the list.
    #[error("`{path}` is not among the files that `.signatures.json` lists")]
    Unlisted {
        /// The file.
        path: String,
    },
    /// A file that is in the list and not in the bundle.
    #[error("`.signatures.json` lists `{path}`, which is not in the bundle")]
    Missing {
        /// The file.
        path: String,
    },
    /// A file that was changed.
    #[error("`{path}` is not what `.signatures.json` lists: its hash differs")]
    Changed {
        /// The file.
        path: String,
    },
    /// The token was not made with the key that is known under its name.
    #[error("the token in `.signatures.json` was not made with the key `{key}` of the signers file")]
    Signature {
        /// Name of the key.
        key: String,
    },
}

impl OpaError {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } | Self::Unlisted { .. } | Self::Missing { .. } | Self::Changed { .. } => {
                "AB0248"
            }
            Self::Signature { .. } => "AB0249",
        }
    }
}

fn shape(why: impl Into<String>) -> OpaError {
    OpaError::Shape { why: why.into() }
}

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    files: Vec<File>,
    keyid: Option<String>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    hash: String,
    algorithm: Option<String>,
}

/// A list of files that fits the bundle.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Files in it.
    pub(crate) files: usize,
    /// Algorithm of the signature.
    pub(crate) algorithm: String,
    /// Name of the key, if it gives one.
    pub(crate) key: Option<String>,
    signed: String,
    signature: Vec<u8>,
}

impl Listed {
    /// Reads the file and holds its list against the others.
    pub(crate) fn read(text: &[u8], entries: &Entries) -> Result<Self, OpaError> {
        abide_gate::source::plain_json(text).map_err(shape)?;
        let found: Signatures = serde_json::from_slice(text).map_err(|error| shape(error.to_string()))?;
        let [token] = found.signatures.as_slice() else {
            return Err(shape("it has not exactly one token"));
        };
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(shape("its token is malformed"));
        };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| shape("its token is malformed"));
        let head: Header =
            serde_json::from_slice(&decoded(header)?).map_err(|error| shape(error.to_string()))?;
        let body = decoded(payload)?;
        abide_gate::source::plain_json(&body).map_err(shape)?;
        let body: Payload = serde_json::from_slice(&body).map_err(|error| shape(error.to_string()))?;
        let signature = decoded(signature)?;
        compare(&body.files, entries)?;
        Ok(Self {
            files: body.files.len(),
            algorithm: head.alg,
            key: head.kid.or(body.keyid),
            signed: format!("{header}.{payload}"),
            signature,
        })
    }

    /// Whether the token was made with the secret that is known under its key's name: `Some(true)` if so, `None` if that cannot be told here.
    pub(crate) fn verify(&self, secrets: &BTreeMap<String, String>) -> Result<bool, OpaError> {
        let Some((key, secret)) = self.key.as_ref().and_then(|key| Some((key, secrets.get(key)?))) else {
            return Ok(false);
        };
        let refused = || OpaError::Signature { key: abide_core::safe_text::line(key) };
        if self.algorithm != "HS256" {
            return Err(refused());
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| refused())?;
        mac.update(self.signed.as_bytes());
        mac.verify_slice(&self.signature).map_err(|_| refused())?;
        Ok(true)
    }
}

fn compare(files: &[File], entries: &Entries) -> Result<(), OpaError> {
    let mut listed = BTreeMap::new();
    for file in files {
        if file.algorithm.as_deref() != Some("SHA-256") {
            let name = abide_core::safe_text::line(&file.name);
            return Err(shape(format!("`{name}` is not listed with its SHA-256")));
        }
        if listed.insert(file.name.trim_start_matches('/'), &file.hash).is_some() {
            let name = abide_core::safe_text::line(&file.name);
            return Err(shape(format!("it lists `{name}` twice")));
        }
    }
    for (path, bytes) in entries {
        let Some(hash) = listed.remove(path.as_str()) else {
            return Err(OpaError::Unlisted { path: path.clone() });
        };
        if hashed(path, bytes)?.hex() != hash.to_ascii_lowercase() {
            return Err(OpaError::Changed { path: path.clone() });
        }
    }
    match listed.into_keys().next() {
        Some(path) => Err(OpaError::Missing { path: abide_core::safe_text::line(path) }),
        None => Ok(()),
    }
}

/// OPA hashes JSON by its contents.
fn hashed(path: &str, bytes: &[u8]) -> Result<Digest, OpaError> {
    let base = path.rsplit('/').next().unwrap_or(path);
    if !matches!(base, "data.json" | super::manifest::NAME) {
        return Ok(Digest::of(bytes));
    }
    let value = abide_gate::source::plain_json(bytes).map_err(shape)?;
    let mut text = String::new();
    spell(&value, &mut text).map_err(|error| shape(error.to_string()))?;
    Ok(Digest::of(text.as_bytes()))
}

/// The spelling that OPA hashes: keys in order, no space, and Go's way with the two separators that JavaScript once did not take.
fn spell(value: &Value, text: &mut String) -> Result<(), serde_json::Error> {
    let scalar = |value: &Value| {
        serde_json::to_string(value)
            .map(|text| text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
    };
    match value {
        Value::Object(fields) => {
            let ordered: BTreeMap<&String, &Value> = fields.iter().collect();
            text.push('{');
            for (place, (key, field)) in ordered.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&scalar(&Value::String(key.clone()))?);
                text.push(':');
                spell(field, text)?;
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                spell(item, text)?;
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&scalar(value)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
