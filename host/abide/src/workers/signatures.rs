//! Who stands for a component: one DSSE envelope over a statement that names the file by its digest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use abide_core::canonical::{self, CanonicalError};
use abide_core::event::PolicySignature;
use abide_core::id::{Digest, Timestamp};
use abide_core::safe_text;
use abide_ledger::dsse::{Envelope, SecretKey};
use serde::Serialize;

use crate::bundles::Role;
use crate::bundles::signers::Signers;

/// Media type of the statement.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.abide.worker.v1+json";
/// The value of `schema` in it.
const STATEMENT: &str = "abide.worker-statement/1";
/// Bytes of an envelope at most.
pub(crate) const BYTES_MAX: usize = 256 << 10;
/// Signatures in it at most.
const SIGNATURES_MAX: usize = 64;

/// Why a component counts as unsigned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsigned {
    /// Not an envelope of ours.
    #[error("the signatures cannot be read: {0}")]
    Shape(String),
    /// They are about other bytes.
    #[error("the signatures are about another file")]
    Other,
    /// One does not hold.
    #[error("a signature of key {key} does not hold: {why}")]
    Broken {
        /// The key that it names.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Nobody may sign.
    #[error("nobody is trusted to sign for `worker`")]
    Nobody,
    /// Too few did.
    #[error("role `worker` asks for the signatures of {quorum} (different people), and has {people} that count{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    TooFew {
        /// How many there must be.
        quorum: usize,
        /// How many there are.
        people: usize,
        /// Why the nearest one does not count.
        why: Option<String>,
    },
    /// The statement has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl Unsigned {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) | Self::Other | Self::Broken { .. } => "AB0845",
            Self::Nobody | Self::TooFew { .. } => "AB0844",
            Self::Canonical(_) => "AB0124",
        }
    }
}

#[derive(Serialize)]
struct Statement<'a> {
    schema: &'static str,
    component: &'a Digest,
}

fn statement(component: &Digest) -> Result<Vec<u8>, CanonicalError> {
    canonical::jcs(&Statement { schema: STATEMENT, component })
}

/// Where the signatures of `file` are: beside it.
pub(crate) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".dsse");
    name.into()
}

/// Reads an envelope that is about `component`.
fn open(bytes: &[u8], component: &Digest) -> Result<(Envelope, Vec<u8>), Unsigned> {
    if bytes.len() > BYTES_MAX {
        return Err(Unsigned::Shape(format!("they have more than {BYTES_MAX} bytes")));
    }
    abide_gate::source::plain_json(bytes).map_err(Unsigned::Shape)?;
    let envelope: Envelope =
        serde_json::from_slice(bytes).map_err(|error| Unsigned::Shape(error.to_string()))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Unsigned::Shape(format!("what is signed is not `{PAYLOAD_TYPE}`")));
    }
    if envelope.signatures.len() > SIGNATURES_MAX {
        return Err(Unsigned::Shape(format!("there are more than {SIGNATURES_MAX} of them")));
    }
    let payload = statement(component)?;
    let signed = envelope.open().map_err(|error| Unsigned::Shape(error.to_string()))?;
    if signed == payload { Ok((envelope, payload)) } else { Err(Unsigned::Other) }
}

/// Adds the signature of `key` to the envelope in `old`, or to a new one. Signing twice changes nothing.
pub(crate) fn add(old: Option<&[u8]>, component: &Digest, key: &SecretKey) -> Result<Vec<u8>, Unsigned> {
    let payload = statement(component)?;
    let mut envelope = match old {
        Some(bytes) => open(bytes, component)?.0,
        None => Envelope::around(PAYLOAD_TYPE, &payload),
    };
    let signed = key.sign(PAYLOAD_TYPE, &payload);
    if !envelope.signatures.contains(&signed) {
        envelope.signatures.push(signed);
    }
    let mut bytes = canonical::jcs(&envelope)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The signatures that count for `component`, if there are enough of different people.
pub(crate) fn count(
    bytes: &[u8],
    component: &Digest,
    signers: &Signers,
    now: Timestamp,
) -> Result<Vec<PolicySignature>, Unsigned> {
    let (envelope, payload) = open(bytes, component)?;
    let bench = signers.roles.get(&Role::Worker).ok_or(Unsigned::Nobody)?;
    let (mut counted, mut people, mut why) = (Vec::new(), BTreeSet::new(), None);
    for signed in &envelope.signatures {
        let shown: String = safe_text::line(&signed.keyid).chars().take(12).collect();
        let Some(key) = bench.keys.iter().find(|key| key.public.id() == signed.keyid) else {
            why = Some(format!("key {shown} is not trusted for `worker`"));
            continue;
        };
        key.public
            .verify(PAYLOAD_TYPE, &payload, signed)
            .map_err(|error| Unsigned::Broken { key: shown.clone(), why: error.to_string() })?;
        if key.is_over(now) {
            why = Some(format!("the key of `{}` has ended", key.person));
        } else if people.insert(key.person.clone()) {
            let (role, person) = (Role::Worker.name().to_owned(), key.person.clone());
            counted.push(PolicySignature { role, person, key: signed.keyid.clone() });
        }
    }
    if people.len() < bench.quorum {
        return Err(Unsigned::TooFew { quorum: bench.quorum, people: people.len(), why });
    }
    Ok(counted)
}
