//! Checking a packet, from nothing but its bytes and, if there is one, a key that the reader trusts.

use std::collections::BTreeMap;

use abide_core::id::{Digest, RunId};
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{EVIDENCE, PROOF_HEAD, Views, archive, decisions, event_name, export, law};
use crate::attest;
use crate::checkpoint::Checkpoint;
use crate::leaf::{Leaf, decimal};
use crate::merkle::{NodeHash, verify_inclusion};
use crate::note::Vkey;
use crate::report::Report;

/// Judges recorded bytes again: bundle bytes, input bytes and the name of the engine that judged first in, decision bytes out.
pub type Recompute<'a> =
    &'a dyn Fn(&[u8], &[u8], &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

/// An event of the packet, read once.
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) leaf: Leaf,
    pub(super) data: Map<String, Value>,
}

impl Entry {
    /// A field of the event; empty if it is absent, which equals nothing that matters.
    pub(super) fn text(&self, field: &str) -> &str {
        self.data.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What the law reads: the run, its events in order, and the bytes that they cite.
pub(super) struct Evidence<'a> {
    pub(super) run: RunId,
    pub(super) events: Vec<Entry>,
    pub(super) blobs: BTreeMap<Digest, &'a [u8]>,
}

/// Checks everything that a packet says. `trusted` is the log's key as the reader knows it; `recompute` judges an input again.
///
/// Any one changed byte is refused. What cannot be looked at because something before it failed is not listed.
pub fn verify_packet(bytes: &[u8], trusted: Option<&Vkey>, recompute: Recompute<'_>) -> Report {
    let mut report = Report::default();
    let Some(evidence) = authentic(bytes, trusted, &mut report) else { return report };
    decisions::check(&evidence, recompute, &mut report);
    law::check(&evidence, &mut report);
    report
}

/// Everything about bytes and signatures. `None` after the first refusal: nothing in such a packet is worth reading.
fn authentic<'a>(bytes: &'a [u8], trusted: Option<&Vkey>, report: &mut Report) -> Option<Evidence<'a>> {
    let files = match archive::read(bytes) {
        Ok(files) => files,
        Err(error) => {
            report.refused("archive", "AB0431", error.to_string());
            return None;
        }
    };
    report.ok("archive", format!("{} files, spelled in the one way", files.len()));
    let (vkey, note, checkpoint) = settle(report, "checkpoint", "AB0432", signed_root(&files, trusted))?;
    match trusted {
        Some(_) => report.ok("key", format!("the log is signed by the trusted key {vkey}")),
        None => {
            report.unchecked("key", format!("no trusted key was given: compare {vkey} with the log's owner"));
        }
    }
    report.ok(
        "checkpoint",
        format!("log `{}` of size {} with root {:?}", checkpoint.origin, checkpoint.size, checkpoint.root),
    );
    let events = settle(report, "events", "AB0433", read_events(&files, &note, &checkpoint))?;
    report.ok("events", format!("{} events are in the log, each in its place", events.len()));
    let blobs = settle(report, "blobs", "AB0434", read_blobs(&files))?;
    report.ok("blobs", format!("{} cited documents match their digests", blobs.len()));
    let run = settle(report, "statement", "AB0435", check_statement(&files, &events, &vkey, &checkpoint))?;
    report.ok("statement", format!("run {run}: the signed statement is about exactly these files"));
    Some(Evidence { run, events, blobs })
}

fn settle<T>(
    report: &mut Report,
    name: &'static str,
    code: &'static str,
    outcome: Result<T, String>,
) -> Option<T> {
    outcome.map_err(|why| report.refused(name, code, why)).ok()
}

fn file<'a>(files: &Views<'a>, name: &str) -> Result<&'a [u8], String> {
    files.get(name).copied().ok_or_else(|| format!("file `{name}` is missing"))
}

fn text<'a>(files: &Views<'a>, name: &str) -> Result<&'a str, String> {
    std::str::from_utf8(file(files, name)?).map_err(|_| format!("file `{name}` is not text"))
}

fn signed_root(files: &Views<'_>, trusted: Option<&Vkey>) -> Result<(Vkey, String, Checkpoint), String> {
    let line = text(files, "log.vkey")?.strip_suffix('\n').ok_or("file `log.vkey` is cut off")?;
    let vkey: Vkey = line.parse().map_err(|_| "file `log.vkey` is malformed")?;
    if vkey.to_string() != line {
        return Err("file `log.vkey` is not spelled as it was written".to_owned());
    }
    if trusted.is_some_and(|trusted| *trusted != vkey) {
        return Err(format!("the packet is of log key {vkey}, which is not the trusted one"));
    }
    let note = text(files, "checkpoint")?;
    let checkpoint = Checkpoint::open(note, &vkey).map_err(|error| error.to_string())?;
    Ok((vkey, note.to_owned(), checkpoint))
}

/// Every event with its proof, and nothing else in their folder.
fn read_events(files: &Views<'_>, note: &str, checkpoint: &Checkpoint) -> Result<Vec<Entry>, String> {
    let mut events = Vec::new();
    let mut proofs: u64 = 0;
    for (name, bytes) in files.range("events/".."events0") {
        if let Some(stem) = name.strip_suffix(".tlog-proof") {
            proofs = proofs.saturating_add(1);
            if !files.contains_key(format!("{stem}.json").as_str()) {
                return Err(format!("proof `{name}` has no event"));
            }
            continue;
        }
        let event = read_event(files, name, bytes, note, checkpoint)
            .map_err(|why| format!("event `{name}`: {why}"))?;
        events.push(event);
    }
    let first = events.first().filter(|entry| entry.seq == 0 && entry.leaf.kind() == "LogCreated");
    if first.is_none_or(|entry| entry.text("origin") != checkpoint.origin.as_str()) {
        return Err("the first event of the log is missing or names another log".to_owned());
    }
    if u64::try_from(events.len()) == Ok(proofs) {
        Ok(events)
    } else {
        Err("some event has no proof".to_owned())
    }
}

fn read_event(
    files: &Views<'_>,
    name: &str,
    bytes: &[u8],
    note: &str,
    checkpoint: &Checkpoint,
) -> Result<Entry, String> {
    let stem = name.strip_suffix(".json").ok_or("it is neither an event nor a proof")?;
    let proof = text(files, &format!("{stem}.tlog-proof"))?;
    let (head, rest) = proof.split_once("\n\n").ok_or("its proof is cut off")?;
    if rest != note {
        return Err("its proof leads to another checkpoint".to_owned());
    }
    let mut lines = head.split('\n');
    if lines.next() != Some(PROOF_HEAD) {
        return Err("its proof is of an unknown kind".to_owned());
    }
    let seq = lines
        .next()
        .and_then(|line| line.strip_prefix("index "))
        .and_then(decimal)
        .ok_or("its proof names no place")?;
    let hashes: Option<Vec<NodeHash>> = lines.map(NodeHash::from_base64).collect();
    let hashes = hashes.ok_or("its proof is malformed")?;
    // Decimal and base 64 are read strictly, so this is the one spelling of such a proof.
    if event_name(seq) != name {
        return Err("its proof is of another place".to_owned());
    }
    verify_inclusion(seq, checkpoint.size, &NodeHash::leaf(bytes), &hashes, &checkpoint.root)
        .map_err(|error| error.to_string())?;
    let (leaf, data) = Leaf::parse_whole(bytes.to_vec()).map_err(|error| error.to_string())?;
    Ok(Entry { seq, leaf, data })
}

fn read_blobs<'a>(files: &Views<'a>) -> Result<BTreeMap<Digest, &'a [u8]>, String> {
    let mut blobs = BTreeMap::new();
    for (name, bytes) in files.range("blobs/".."blobs0") {
        let digest = Digest::of(bytes);
        if name.strip_prefix("blobs/") != Some(digest.hex()) {
            return Err(format!("document `{name}` does not match its digest"));
        }
        blobs.insert(digest, *bytes);
    }
    Ok(blobs)
}

/// The statement must be what these files make, signed by the key that the log's first event names.
fn check_statement(
    files: &Views<'_>,
    events: &[Entry],
    vkey: &Vkey,
    checkpoint: &Checkpoint,
) -> Result<RunId, String> {
    let first = events.first().ok_or("the first event of the log is missing")?;
    if first.text("key") != vkey.to_string() {
        return Err("the log's first event names another key".to_owned());
    }
    let key: VerifyingKey = attest::key_from_text(first.text("attest"))
        .ok_or("the log's first event names no key for statements")?;
    if file(files, "attest.pub.pem")? != attest::pem(&key).as_bytes() {
        return Err("`attest.pub.pem` is not the key that the log's first event names".to_owned());
    }
    let (statement, expected) = attest::open(&key, file(files, "evidence.dsse.json")?)?;
    let spelled = [&expected.envelope, &expected.pae, &expected.signature, &expected.bundle];
    for (name, bytes) in EVIDENCE.into_iter().zip(spelled) {
        if file(files, name)? != bytes {
            return Err(format!("`{name}` does not say what the envelope says"));
        }
    }
    let run = run_of(&statement)?;
    let views = files.iter().map(|(name, bytes)| (*name, *bytes));
    let made = export::statement(views, &run, checkpoint).map_err(|error| error.to_string())?;
    if made != statement {
        return Err("the signed statement is about other files than these".to_owned());
    }
    match events.iter().find(|entry| entry.leaf.run().is_some_and(|other| *other != run)) {
        Some(entry) => Err(format!("event {} is of another run", entry.seq)),
        None => Ok(run),
    }
}

/// The part of a statement that says which run it is about.
#[derive(Deserialize)]
struct About {
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Predicate {
    run: RunId,
}

fn run_of(statement: &[u8]) -> Result<RunId, String> {
    let about: Result<About, _> = serde_json::from_slice(statement);
    about.map(|about| about.predicate.run).map_err(|_| "the statement names no run".to_owned())
}
