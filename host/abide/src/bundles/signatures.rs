//! Who signed a bundle: one statement for each role, each in a DSSE envelope with the signatures of that role.
//!
//! The statement names the archive by its digest, and the role. It is made anew from the archive and compared to the byte, so that a signature
//! for one role, or on another bundle, is none on this.

use std::collections::BTreeMap;

use abide_core::canonical::{self, CanonicalError};
use abide_core::id::{Digest, Timestamp};
use abide_ledger::dsse::{DsseError, Envelope, SecretKey, Signed};
use serde::{Deserialize, Serialize};

use super::signers::Signers;
use super::{Contents, Role};

/// Media type of the statement.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.abide.policy-bundle.v1+json";
/// The value of `schema` in the file of signatures.
const SCHEMA: &str = "abide.policy-signatures/1";
/// The value of `schema` in a statement.
const STATEMENT: &str = "abide.policy-statement/1";
/// Bytes of the file at most.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// Signatures in one envelope at most.
const SIGNATURES_MAX: usize = 64;
/// Why a key for workers signs no policy.
const NO_PART: &str = "role `worker` is for components, and no part of a policy";

/// Why a file of signatures cannot be taken at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignaturesError {
    /// It cannot be read.
    #[error("the signatures cannot be read: {why}")]
    Shape {
        /// Why.
        why: String,
    },
    /// They are about something else.
    #[error("the signatures for role `{role}` are about another bundle")]
    Other {
        /// The role.
        role: Role,
    },
    /// One of them does not hold.
    #[error("a signature for role `{role}` (key {key}) {why}")]
    Broken {
        /// The role.
        role: Role,
        /// The key that it names.
        key: String,
        /// What is wrong.
        why: DsseError,
    },
    /// The statement has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl SignaturesError {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } | Self::Other { .. } => "AB0250",
            Self::Broken { .. } => "AB0252",
            Self::Canonical(_) => "AB0124",
        }
    }
}

#[derive(Serialize)]
struct Statement<'a> {
    schema: &'static str,
    role: Role,
    archive: &'a Digest,
    version: u64,
    roots: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    bundle: &'a Digest,
    hard: &'a Digest,
    invariants: &'a Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'a str>,
}

/// What people of `role` sign.
pub(crate) fn statement(contents: &Contents, role: Role) -> Result<Vec<u8>, CanonicalError> {
    canonical::jcs(&Statement {
        schema: STATEMENT,
        role,
        archive: &contents.archive,
        version: contents.manifest.version(),
        roots: &contents.manifest.roots,
        audience: contents.manifest.audience(),
        bundle: &contents.policy.bundle,
        hard: &contents.policy.hard,
        invariants: &contents.policy.invariants,
        layer: contents.manifest.layer(),
    })
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    envelopes: BTreeMap<Role, Envelope>,
}

/// The file of signatures beside a bundle.
#[derive(Debug, Clone)]
pub(crate) struct Signatures(File);

impl Signatures {
    /// A file without signatures.
    pub(crate) fn empty() -> Self {
        Self(File { schema: SCHEMA.to_owned(), envelopes: BTreeMap::new() })
    }

    /// Reads the file; its signatures are looked at by [`Signatures::count`].
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SignaturesError> {
        let shape = |why: String| SignaturesError::Shape { why };
        if bytes.len() > BYTES_MAX {
            return Err(shape(format!("they have more than {BYTES_MAX} bytes")));
        }
        abide_gate::source::plain_json(bytes).map_err(shape)?;
        let file: File = serde_json::from_slice(bytes).map_err(|error| shape(error.to_string()))?;
        if file.schema != SCHEMA {
            return Err(shape(format!("their schema is not `{SCHEMA}`")));
        }
        for (role, envelope) in &file.envelopes {
            if *role == Role::Worker {
                return Err(shape(NO_PART.to_owned()));
            }
            if envelope.payload_type != PAYLOAD_TYPE {
                return Err(shape(format!("what is signed is not `{PAYLOAD_TYPE}`")));
            }
            if envelope.signatures.len() > SIGNATURES_MAX {
                return Err(shape(format!("a role has more than {SIGNATURES_MAX} of them")));
            }
        }
        Ok(Self(file))
    }

    /// The file.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        let mut bytes = canonical::jcs(&self.0)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Adds the signature of `key` for `role`. Signing twice changes nothing.
    pub(crate) fn add(
        &mut self,
        contents: &Contents,
        role: Role,
        key: &SecretKey,
    ) -> Result<(), SignaturesError> {
        if role == Role::Worker {
            return Err(SignaturesError::Shape { why: NO_PART.to_owned() });
        }
        self.fits(contents)?;
        let payload = statement(contents, role)?;
        let envelope =
            self.0.envelopes.entry(role).or_insert_with(|| Envelope::around(PAYLOAD_TYPE, &payload));
        let signed = key.sign(PAYLOAD_TYPE, &payload);
        if !envelope.signatures.contains(&signed) {
            envelope.signatures.push(signed);
        }
        Ok(())
    }

    /// Refuses statements about anything but this bundle.
    fn fits(&self, contents: &Contents) -> Result<(), SignaturesError> {
        for (role, envelope) in &self.0.envelopes {
            let payload =
                envelope.open().map_err(|error| SignaturesError::Shape { why: error.to_string() })?;
            if payload != statement(contents, *role)? {
                return Err(SignaturesError::Other { role: *role });
            }
        }
        Ok(())
    }

    /// Looks at every signature: whose it is, and whether it counts.
    pub(crate) fn count(
        &self,
        contents: &Contents,
        signers: &Signers,
        now: Timestamp,
    ) -> Result<Vec<Counted>, SignaturesError> {
        self.fits(contents)?;
        let mut counted: Vec<Counted> = Vec::new();
        for (role, envelope) in &self.0.envelopes {
            let payload = statement(contents, *role)?;
            for signed in &envelope.signatures {
                let mut one = look(*role, &payload, signed, signers, now)?;
                let again = |other: &Counted| {
                    (other.role, other.standing) == (*role, Standing::Counts) && other.person == one.person
                };
                if one.standing == Standing::Counts && counted.iter().any(again) {
                    one.standing = Standing::Again;
                }
                counted.push(one);
            }
        }
        Ok(counted)
    }
}

/// Whether a signature counts for its role, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does.
    Counts,
    /// The same person signed for this role already.
    Again,
    /// The key ended.
    Expired,
    /// The key is trusted for another role.
    WrongRole,
    /// Nobody knows the key.
    Unknown,
}

impl Standing {
    /// The code for `ab explain`, for one that does not count.
    pub(crate) fn code(self) -> Option<&'static str> {
        match self {
            Self::Counts => None,
            Self::Again => Some("AB0256"),
            Self::Expired => Some("AB0255"),
            Self::WrongRole => Some("AB0253"),
            Self::Unknown => Some("AB0254"),
        }
    }

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Again => "the same person signed for this role already",
            Self::Expired => "the key has ended",
            Self::WrongRole => "the key is not trusted for this role",
            Self::Unknown => "the key is not trusted",
        }
    }
}

/// A signature with what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// For which role it was given.
    pub(crate) role: Role,
    /// Whose it is, if the key is known.
    pub(crate) person: Option<String>,
    /// Fingerprint of the key.
    pub(crate) key: String,
    /// Whether it counts.
    pub(crate) standing: Standing,
}

fn look(
    role: Role,
    payload: &[u8],
    signed: &Signed,
    signers: &Signers,
    now: Timestamp,
) -> Result<Counted, SignaturesError> {
    let known = |role: Role| {
        let keys = signers.roles.get(&role).into_iter().flat_map(|bench| &bench.keys);
        keys.into_iter().find(|key| key.public.id() == signed.keyid)
    };
    let own = known(role);
    let elsewhere = || Role::ALL.into_iter().filter(|other| *other != role).find_map(known);
    let shown = abide_core::safe_text::line(&signed.keyid);
    let Some(trusted) = own.or_else(elsewhere) else {
        return Ok(Counted { role, person: None, key: shown, standing: Standing::Unknown });
    };
    trusted.public.verify(PAYLOAD_TYPE, payload, signed).map_err(|why| SignaturesError::Broken {
        role,
        key: shown.chars().take(12).collect(),
        why,
    })?;
    let standing = match (own, trusted.is_over(now)) {
        (None, _) => Standing::WrongRole,
        (Some(_), true) => Standing::Expired,
        (Some(_), false) => Standing::Counts,
    };
    Ok(Counted { role, person: Some(trusted.person.clone()), key: shown, standing })
}

#[cfg(test)]
pub(crate) mod tests;
