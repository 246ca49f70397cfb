//! Whether each policy that came into force was signed for, and each layer of an organisation.
//!
//! What signatures and quorums mean is the reader's to judge ([`Judges`]); which one was in force when follows from the order of the log, and
//! `in_force` holds the decisions against it.

use abide_core::id::{Digest, Timestamp};

use super::in_force;
use super::verify::Evidence;
use crate::ledger::{Ledger, LedgerError};
use crate::report::{Check, Report};

/// Why something could not be judged again, in the words of who judged.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What the ledger cannot do itself: judging. Whoever reads evidence brings it.
pub trait Judges {
    /// Judges recorded bytes again: bundle bytes, input bytes and the name of the engine that judged first in, decision bytes out.
    fn decision(&self, bundle: &[u8], input: &[u8], engine: &str) -> Result<Vec<u8>, Fault>;

    /// Judges an activation again, of a policy or of a layer, after the newest one of its kind before it. Everything that the record says must
    /// follow from the bytes that it cites.
    fn activation(
        &self,
        recorded: &Activation<'_>,
        before: Option<&Activation<'_>>,
    ) -> Result<Activated, Fault>;

    /// The parts of a recorded bundle that people signed for.
    fn signed_parts(&self, bundle: &[u8]) -> Result<SignedParts, Fault>;

    /// Whether this is a policy that is built into a program that the reader trusts: nobody signs for that one. `Some(true)` if it may serve
    /// where a newer one is broken.
    fn built_in(&self, base: &Digest) -> Option<bool>;
}

/// An activation on record, with the bytes that it cites.
#[derive(Clone, Copy)]
pub struct Activation<'a> {
    /// Its place in the log.
    pub seq: u64,
    /// The latest time that the log had seen: a clock that was set back makes no key valid again.
    pub at: Timestamp,
    /// The event, as it was hashed.
    pub event: &'a [u8],
    /// Finds bytes by their digest.
    pub cited: &'a dyn Fn(&Digest) -> Option<Vec<u8>>,
}

impl std::fmt::Debug for Activation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Activation").field("seq", &self.seq).field("at", &self.at).finish_non_exhaustive()
    }
}

/// What people signed for in a recorded bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedParts {
    /// Digest of the bundle without what any layer added.
    pub base: Digest,
    /// Digest of what the layer of an organisation added; none if that is nothing.
    pub layer: Option<Digest>,
}

/// What an activation put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// Its version.
    pub version: u64,
    /// The repository that it was put in force for, if the record says so.
    pub repository: Option<String>,
    /// Digest of what it is in a recorded bundle, as [`SignedParts`] has it; none for a layer that adds nothing.
    pub part: Option<Digest>,
    /// Whether it says of itself that it may serve where a newer one is broken.
    pub keeps_serving: bool,
}

/// What comes into force by records of its own, each version above the one before.
struct Line {
    /// The kind of its events.
    kind: &'static str,
    check: &'static str,
    code: &'static str,
    /// What is said of none, of one, and of `{}` of them.
    told: [&'static str; 3],
}

/// The events that put a policy in force.
pub(super) const POLICY: &str = "PolicyActivated";
/// The events that put the layer of an organisation in force.
pub(super) const LAYER: &str = "LayerActivated";

const LINES: [Line; 2] = [
    Line {
        kind: POLICY,
        check: "activations",
        code: "AB0444",
        told: [
            "no policy was put in force but the built-in one",
            "1 policy was put in force, signed by enough different people",
            "{} policies were put in force, each newer, each signed by enough different people",
        ],
    },
    Line {
        kind: LAYER,
        check: "layers",
        code: "AB0453",
        told: [
            "no layer of an organisation was put in force",
            "1 layer of the organisation was put in force, signed by enough different people",
            "{} layers of the organisation were put in force, each newer, each signed by enough different people",
        ],
    },
];

impl Line {
    fn story(&self, count: usize) -> String {
        let [none, one, more] = self.told;
        match count {
            0 => none.to_owned(),
            1 => one.to_owned(),
            count => more.replace("{}", &count.to_string()),
        }
    }
}

/// Activations by the place of their event, oldest first.
pub(super) type Chain = Vec<(u64, Activated)>;

/// Checks the activations of a packet, and that its decisions were made by what they put in force.
pub(super) fn check(evidence: &Evidence<'_>, judges: &dyn Judges, report: &mut Report) {
    let cited = |digest: &Digest| evidence.blobs.get(digest).map(|bytes| bytes.to_vec());
    let [policies, layers] = LINES.map(|line| {
        let mut latest = Timestamp(0);
        let mut recorded = Vec::new();
        for entry in &evidence.events {
            latest = latest.max(entry.leaf.at());
            if entry.leaf.kind() == line.kind {
                let event = entry.leaf.bytes();
                recorded.push(Activation { seq: entry.seq, at: latest, event, cited: &cited });
            }
        }
        let held = line.judged(&recorded, judges);
        let held = held.and_then(|chain| meant(evidence, &line, &chain).map(|()| chain));
        let told = held.as_ref().map(|chain| line.story(chain.len())).map_err(Clone::clone);
        report.add(line.check, line.code, told);
        held.ok()
    });
    in_force::check(evidence, policies.as_deref(), layers.as_deref(), judges, report);
}

/// The same for a whole log, policies first. `Err` means that the log cannot be read.
pub fn verify_activations(ledger: &Ledger, judges: &dyn Judges) -> Result<Vec<Check>, LedgerError> {
    let store = ledger.store();
    let size = store.size()?;
    let (mut latest, mut next, mut found) = (Timestamp(0), 0, Vec::new());
    while next < size {
        let records = store.records(next..next.saturating_add(STRIDE).min(size))?;
        if records.is_empty() {
            break;
        }
        next = next.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX));
        for record in records {
            latest = latest.max(record.leaf.at());
            if LINES.iter().any(|line| line.kind == record.leaf.kind()) {
                found.push((record, latest));
            }
        }
    }
    let cited = |digest: &Digest| store.blob(digest).ok().flatten().map(|blob| blob.bytes().to_vec());
    let mut report = Report::default();
    for line in LINES {
        let own = found.iter().filter(|(record, _)| record.leaf.kind() == line.kind);
        let recorded: Vec<Activation<'_>> = own
            .map(|(record, at)| {
                let event = record.leaf.bytes();
                Activation { seq: record.seq.0, at: *at, event, cited: &cited }
            })
            .collect();
        let told = line.judged(&recorded, judges).map(|chain| line.story(chain.len()));
        report.add(line.check, line.code, told);
    }
    Ok(report.checks)
}

/// Events read at a time.
const STRIDE: u64 = 4_096;

impl Line {
    /// Every activation judged after the newest version before it.
    fn judged(&self, recorded: &[Activation<'_>], judges: &dyn Judges) -> Result<Chain, String> {
        let mut held = Chain::new();
        let mut before: Option<&Activation<'_>> = None;
        for one in recorded {
            let told = |why: &dyn std::fmt::Display| format!("event {} `{}`: {why}", one.seq, self.kind);
            let activated = judges.activation(one, before).map_err(|why| told(&why))?;
            // The reader has judged this too; what follows rests on it, so it is not left to the reader alone.
            if held.last().is_some_and(|(_, last)| last.version >= activated.version) {
                let version = activated.version;
                return Err(told(&format!("version {version} is not above the one before")));
            }
            held.push((one.seq, activated));
            before = Some(one);
        }
        Ok(held)
    }
}

/// Each activation is for the repository of the run, if it says for which one.
fn meant(evidence: &Evidence<'_>, line: &Line, chain: &[(u64, Activated)]) -> Result<(), String> {
    let started = evidence.events.iter().find(|entry| entry.leaf.kind() == "RunStarted");
    let Some(repository) = started.map(|entry| entry.text("repo")) else { return Ok(()) };
    let other = |(_, one): &&(u64, Activated)| one.repository.as_ref().is_some_and(|name| name != repository);
    match chain.iter().find(other) {
        Some((seq, _)) => {
            Err(format!("event {seq} `{}`: it is for another repository than the run's", line.kind))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
