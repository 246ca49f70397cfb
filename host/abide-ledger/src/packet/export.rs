//! Gathering what a packet holds.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use abide_core::canonical::CanonicalError;
use abide_core::id::{Digest, RunId};
use serde_json::{Value, json};

use super::{ArchiveError, EVIDENCE, Files, PROOF_HEAD, activations, archive, event_name, proof_name};
use crate::attest;
use crate::checkpoint::Checkpoint;
use crate::leaf::{Record, TRANSCRIPT};
use crate::ledger::{Ledger, LedgerError, Tree};
use crate::merkle::{NodeHash, Nodes, inclusion};
use crate::store::StoreError;

/// Events of the whole system that belong into every packet, because the law of a run depends on them.
const SYSTEM: [&str; 7] =
    ["LogCreated", "Killed", "Resumed", "Frozen", "Unfrozen", activations::POLICY, activations::LAYER];

/// Why no packet could be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger cannot be read or signed for.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is no such run.
    #[error("the log has no run `{run}`")]
    NoRun {
        /// What was asked for.
        run: RunId,
    },
    /// It cannot be written as an archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl ExportError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::NoRun { .. } => "AB0419",
            Self::Archive(_) | Self::Canonical(_) => "AB0430",
        }
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

/// The evidence of `run`, up to now, in one file. Two exports of one size are the same bytes.
pub fn export(ledger: &Ledger, run: &RunId) -> Result<Vec<u8>, ExportError> {
    let (checkpoint, note) = ledger.checkpoint()?;
    let records = gather(ledger, run, checkpoint.size)?;
    let mut files = Files::new();
    files.insert("log.vkey".to_owned(), format!("{}\n", ledger.vkey()).into_bytes());
    files.insert("checkpoint".to_owned(), note.clone().into_bytes());
    let mut cited = BTreeSet::new();
    let tree = Remembered { tree: Tree(ledger.store()), seen: RefCell::default() };
    for record in &records {
        let proof = inclusion(record.seq.0, checkpoint.size, &tree)?.unwrap_or_default();
        files.insert(event_name(record.seq.0), record.leaf.bytes().to_vec());
        files.insert(proof_name(record.seq.0), proof_text(record.seq.0, &proof, &note).into_bytes());
        record.leaf.data().values().for_each(|value| digests(value, &mut cited));
    }
    for digest in &cited {
        // What a worker read of the repository stays here; the receipt says how much it was.
        if let Some(blob) = ledger.store().blob(digest)?.filter(|blob| blob.kind() != TRANSCRIPT) {
            files.insert(format!("blobs/{}", digest.hex()), blob.bytes().to_vec());
        }
    }
    let key = ledger.key()?;
    let public = attest::key_from_text(&attest::key_text(&key))
        .ok_or_else(|| StoreError::Damaged { what: "its key is malformed".to_owned() })?;
    files.insert("attest.pub.pem".to_owned(), attest::pem(&public).into_bytes());
    let views = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let about = statement(views, run, &checkpoint).map_err(CanonicalError::from)?;
    let signed = attest::sign(&key, &about)?;
    let evidence = [signed.envelope, signed.pae, signed.signature, signed.bundle];
    files.extend(EVIDENCE.into_iter().map(str::to_owned).zip(evidence));
    Ok(archive::write(&files)?)
}

/// The tree of the log, each hash read once: proofs of neighbours share most of theirs.
struct Remembered<'a> {
    tree: Tree<'a>,
    seen: RefCell<BTreeMap<(u32, u64), NodeHash>>,
}

impl Nodes for Remembered<'_> {
    type Error = StoreError;
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, StoreError> {
        let seen = self.seen.borrow().get(&(level, index)).copied();
        if let Some(hash) = seen {
            return Ok(hash);
        }
        let hash = self.tree.node(level, index)?;
        self.seen.borrow_mut().insert((level, index), hash);
        Ok(hash)
    }
}

/// Events of the run and of the system below `size`, in order.
fn gather(ledger: &Ledger, run: &RunId, size: u64) -> Result<Vec<Record>, ExportError> {
    let own = ledger.events_of(run)?;
    if own.is_empty() {
        return Err(ExportError::NoRun { run: run.clone() });
    }
    let system =
        ledger.store().records_of_kinds(&SYSTEM)?.into_iter().filter(|record| record.leaf.run().is_none());
    let all: BTreeMap<u64, Record> =
        own.into_iter().chain(system).map(|record| (record.seq.0, record)).collect();
    Ok(all.into_values().filter(|record| record.seq.0 < size).collect())
}

/// An inclusion proof with the checkpoint that it leads to.
pub(super) fn proof_text(seq: u64, proof: &[NodeHash], note: &str) -> String {
    let mut lines = vec![PROOF_HEAD.to_owned(), format!("index {seq}")];
    lines.extend(proof.iter().map(|hash| hash.to_base64()));
    format!("{}\n\n{note}", lines.join("\n"))
}

/// What is said about the files: nothing that they do not say themselves.
pub(super) fn statement<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
    run: &RunId,
    checkpoint: &Checkpoint,
) -> Result<Vec<u8>, serde_json::Error> {
    let (origin, size, root) =
        (checkpoint.origin.as_str(), checkpoint.size.to_string(), checkpoint.root.to_base64());
    let log = json!({ "origin": origin, "size": size, "root": root });
    let subjects = files.filter(|(name, _)| !EVIDENCE.contains(name));
    attest::statement(subjects, &json!({ "run": run.as_str(), "log": log }))
}

/// Every text in an event that is a digest.
fn digests(value: &Value, found: &mut BTreeSet<Digest>) {
    match value {
        Value::String(text) => found.extend(text.parse::<Digest>().ok()),
        Value::Array(items) => items.iter().for_each(|item| digests(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| digests(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
