//! Statements about a run: in-toto v1 in a DSSE envelope and a sigstore v0.3 bundle, signed by a sibling of the log's key.
//!
//! Formats: in-toto Statement v1, DSSE v1 (`PAE`), sigstore bundle v0.3 with a bare public key. Every text here has one spelling, so that a
//! verifier makes it anew and compares bytes.

use abide_core::canonical::{self, CanonicalError};
use abide_core::id::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use serde::Serialize;
use serde_json::{Value, json};

use crate::dsse::{self, Envelope, SPKI, Signed};
use crate::note::NoteKey;

/// What the sibling key is for.
const PURPOSE: &str = "attest";

/// Media type of the payload.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Media type of the bundle.
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What the statement says about its subjects.
const PREDICATE_TYPE: &str = "urn:abide:run-evidence:1";

/// The public half of the sibling, as the log's first event names it.
pub(crate) fn key_text(key: &NoteKey) -> String {
    STANDARD.encode(key.sibling(PURPOSE).verifying_key().as_bytes())
}

/// Reads what [`key_text`] wrote.
pub(crate) fn key_from_text(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

fn spki(key: &VerifyingKey) -> Vec<u8> {
    [SPKI.as_slice(), key.as_bytes()].concat()
}

/// SHA-256 of the key in DER: what sigstore calls its hint.
fn key_id(key: &VerifyingKey) -> String {
    Digest::of(&spki(key)).hex().to_owned()
}

/// The key as other tools read it.
pub(crate) fn pem(key: &VerifyingKey) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki(key)))
}

/// A statement as it is written. The fields stand in canonical order, and every text in it is plain ASCII, so that plain JSON is canonical.
#[derive(Serialize)]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'static str,
    predicate: &'a Value,
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    subject: Vec<Subject<'a>>,
}

#[derive(Serialize)]
struct Subject<'a> {
    digest: Sha256Of,
    name: &'a str,
}

#[derive(Serialize)]
struct Sha256Of {
    sha256: String,
}

/// The statement about `files`.
pub(crate) fn statement<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
    predicate: &Value,
) -> Result<Vec<u8>, serde_json::Error> {
    let subject = files.map(|(name, bytes)| Subject {
        digest: Sha256Of { sha256: Digest::of(bytes).hex().to_owned() },
        name,
    });
    serde_json::to_vec(&Statement {
        kind: "https://in-toto.io/Statement/v1",
        predicate,
        predicate_type: PREDICATE_TYPE,
        subject: subject.collect(),
    })
}

/// What is signed.
pub(crate) fn pae(payload: &[u8]) -> Vec<u8> {
    dsse::pae(PAYLOAD_TYPE, payload)
}

/// A signed statement in every spelling that verifiers ask for.
pub(crate) struct Attestation {
    /// `evidence.dsse.json`.
    pub(crate) envelope: Vec<u8>,
    /// `evidence.sigstore.json`.
    pub(crate) bundle: Vec<u8>,
    /// `evidence.pae`.
    pub(crate) pae: Vec<u8>,
    /// `evidence.sig`.
    pub(crate) signature: Vec<u8>,
}

/// Signs a statement.
pub(crate) fn sign(key: &NoteKey, statement: &[u8]) -> Result<Attestation, CanonicalError> {
    let signing = key.sibling(PURPOSE);
    attestation(&signing.verifying_key(), statement, &signing.sign(&pae(statement)))
}

fn attestation(
    key: &VerifyingKey,
    statement: &[u8],
    signature: &Signature,
) -> Result<Attestation, CanonicalError> {
    let signed = Signed { keyid: key_id(key), sig: STANDARD.encode(signature.to_bytes()) };
    let envelope = Envelope {
        payload: STANDARD.encode(statement),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: vec![signed],
    };
    let bundle = json!({
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": { "publicKey": { "hint": key_id(key) }, "tlogEntries": [] },
        "dsseEnvelope": envelope,
    });
    Ok(Attestation {
        envelope: canonical::jcs(&envelope)?,
        bundle: canonical::jcs(&bundle)?,
        pae: pae(statement),
        signature: signature.to_bytes().to_vec(),
    })
}

/// Opens an envelope that `key` signed: its statement, and everything that it must look like.
pub(crate) fn open(key: &VerifyingKey, envelope: &[u8]) -> Result<(Vec<u8>, Attestation), &'static str> {
    let parsed: Envelope = serde_json::from_slice(envelope).map_err(|_| "the envelope is malformed")?;
    let statement =
        STANDARD.decode(&parsed.payload).map_err(|_| "the payload of the envelope is malformed")?;
    let [signed] = parsed.signatures.as_slice() else {
        return Err("the envelope has not exactly one signature");
    };
    let bytes = STANDARD.decode(&signed.sig).map_err(|_| "the signature is malformed")?;
    let signature = Signature::from_slice(&bytes).map_err(|_| "the signature is malformed")?;
    key.verify_strict(&pae(&statement), &signature)
        .map_err(|_| "the signature does not match the statement")?;
    let expected =
        attestation(key, &statement, &signature).map_err(|_| "the envelope has no canonical form")?;
    if expected.envelope == envelope {
        Ok((statement, expected))
    } else {
        Err("the envelope is not spelled as it was signed")
    }
}

#[cfg(test)]
mod tests;
