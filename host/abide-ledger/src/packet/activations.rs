//! Whether each policy that came into force was signed for, and each decision made by one that was in force.
//!
//! What signatures and quorums mean is the reader's to judge ([`Judges`]); which policy was in force when follows from the order of the log.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Known;

use abide_core::id::{Digest, Timestamp};

use super::verify::{Entry, Evidence};
use crate::ledger::{Ledger, LedgerError};
use crate::report::{Check, Report};

/// Why something could not be judged again, in the words of who judged.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What the ledger cannot do itself: judging. Whoever reads evidence brings it.
pub trait Judges {
    /// Judges recorded bytes again: bundle bytes, input bytes and the name of the engine that judged first in, decision bytes out.
    fn decision(&self, bundle: &[u8], input: &[u8], engine: &str) -> Result<Vec<u8>, Fault>;

    /// Judges an activation again, after the newest one before it. Everything that the record says must follow from the bytes that it cites.
    fn activation(
        &self,
        recorded: &Activation<'_>,
        before: Option<&Activation<'_>>,
    ) -> Result<Activated, Fault>;

    /// Digest of the part of a policy that people signed for: the bundle without the rules of a repository.
    fn base(&self, bundle: &[u8]) -> Result<Digest, Fault>;

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

/// What an activation put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activated {
    /// Its version.
    pub version: u64,
    /// The repository that it was put in force for, if the record says so.
    pub repository: Option<String>,
    /// Digest of its modules and data.
    pub base: Digest,
    /// Whether it says of itself that it may serve where a newer one is broken.
    pub keeps_serving: bool,
}

/// The events that put a policy in force.
pub(super) const KIND: &str = "PolicyActivated";

/// Checks the activations of a packet, and that its decisions were made by what they put in force.
pub(super) fn check(evidence: &Evidence<'_>, judges: &dyn Judges, report: &mut Report) {
    let cited = |digest: &Digest| evidence.blobs.get(digest).map(|bytes| bytes.to_vec());
    let mut latest = Timestamp(0);
    let mut recorded = Vec::new();
    for entry in &evidence.events {
        latest = latest.max(entry.leaf.at());
        if entry.leaf.kind() == KIND {
            recorded.push(Activation {
                seq: entry.seq,
                at: latest,
                event: entry.leaf.bytes(),
                cited: &cited,
            });
        }
    }
    match chain(&recorded, judges) {
        Err(why) => report.refused("activations", "AB0444", why),
        Ok(chain) => {
            report.add("activations", "AB0444", meant(evidence, &chain).map(|()| story(chain.len())));
            report.add("in-force", "AB0445", made_in_force(evidence, &chain, judges));
        }
    }
}

/// The same for a whole log. `Err` means that the log cannot be read.
pub fn verify_activations(ledger: &Ledger, judges: &dyn Judges) -> Result<Check, LedgerError> {
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
            if record.leaf.kind() == KIND {
                found.push((record, latest));
            }
        }
    }
    let cited = |digest: &Digest| store.blob(digest).ok().flatten().map(|blob| blob.bytes().to_vec());
    let recorded: Vec<Activation<'_>> = found
        .iter()
        .map(|(record, at)| Activation {
            seq: record.seq.0,
            at: *at,
            event: record.leaf.bytes(),
            cited: &cited,
        })
        .collect();
    let mut report = Report::default();
    report.add("activations", "AB0444", chain(&recorded, judges).map(|chain| story(chain.len())));
    report
        .checks
        .pop()
        .ok_or_else(|| crate::store::StoreError::Damaged { what: "nothing was looked at".to_owned() }.into())
}

/// Events read at a time.
const STRIDE: u64 = 4_096;

fn story(count: usize) -> String {
    match count {
        0 => "no policy was put in force but the built-in one".to_owned(),
        1 => "1 policy was put in force, signed by enough different people".to_owned(),
        count => {
            format!("{count} policies were put in force, each newer, each signed by enough different people")
        }
    }
}

/// Every activation judged after the newest version before it.
fn chain(recorded: &[Activation<'_>], judges: &dyn Judges) -> Result<Vec<(u64, Activated)>, String> {
    let mut held: Vec<(u64, Activated)> = Vec::new();
    let mut before: Option<&Activation<'_>> = None;
    for one in recorded {
        let activated =
            judges.activation(one, before).map_err(|why| format!("event {} `{KIND}`: {why}", one.seq))?;
        // The reader has judged this too; what follows rests on it, so it is not left to the reader alone.
        if held.last().is_some_and(|(_, last)| last.version >= activated.version) {
            return Err(format!(
                "event {} `{KIND}`: version {} is not above the one before",
                one.seq, activated.version
            ));
        }
        held.push((one.seq, activated));
        before = Some(one);
    }
    Ok(held)
}

/// Each activation is for the repository of the run, if it says for which one.
fn meant(evidence: &Evidence<'_>, chain: &[(u64, Activated)]) -> Result<(), String> {
    let started = evidence.events.iter().find(|entry| entry.leaf.kind() == "RunStarted");
    let Some(repository) = started.map(|entry| entry.text("repo")) else { return Ok(()) };
    let other = |(_, one): &&(u64, Activated)| one.repository.as_ref().is_some_and(|name| name != repository);
    match chain.iter().find(other) {
        Some((seq, _)) => Err(format!("event {seq} `{KIND}`: it is for another repository than the run's")),
        None => Ok(()),
    }
}

/// What could decide: built into the program, or one of the activations.
#[derive(Clone, Copy)]
enum InForce<'a> {
    BuiltIn,
    Version(&'a Activated),
}

/// A run keeps the policy that it began with, until it is taken up again. So each decision was made by a policy that was in force when the run
/// began or later; or by the one before such a one, where that says of itself that it keeps serving.
fn made_in_force(
    evidence: &Evidence<'_>,
    chain: &[(u64, Activated)],
    judges: &dyn Judges,
) -> Result<String, String> {
    let own = |entry: &&Entry| entry.leaf.run().is_some();
    let began = evidence.events.iter().find(own).map_or(0, |entry| entry.seq);
    let mut bases: BTreeMap<&str, Digest> = BTreeMap::new();
    let mut count: usize = 0;
    for entry in evidence.events.iter().filter(|entry| entry.leaf.kind() == "DecisionRecorded") {
        let bundle = entry.text("bundle");
        let base = match bases.entry(bundle) {
            Known::Occupied(known) => known.into_mut(),
            Known::Vacant(place) => place.insert(
                base_of(evidence, bundle, judges).map_err(|why| format!("decision {}: {why}", entry.seq))?,
            ),
        };
        let known = judges.built_in(base);
        let mut possible = could_serve(chain, began, entry.seq).into_iter();
        if !possible.any(|(one, fell_back)| serves(one, base, known, fell_back)) {
            return Err(format!(
                "decision {} was made by policy {}, and nobody put that in force",
                entry.seq,
                base.short()
            ));
        }
        count = count.saturating_add(1);
    }
    Ok(format!("{count} decisions, each by a policy that was in force"))
}

fn base_of(evidence: &Evidence<'_>, bundle: &str, judges: &dyn Judges) -> Result<Digest, String> {
    let digest: Digest = bundle.parse().map_err(|_| "it names no policy".to_owned())?;
    let bytes = evidence.blobs.get(&digest).ok_or("its policy is missing")?;
    judges.base(bytes).map_err(|why| format!("its policy cannot be read: {why}"))
}

/// What could have decided at place `seq` of a run that began at place `began`, and whether only by falling back.
fn could_serve(chain: &[(u64, Activated)], began: u64, seq: u64) -> Vec<(InForce<'_>, bool)> {
    let at = |index: Option<usize>| {
        index.and_then(|index| chain.get(index)).map_or(InForce::BuiltIn, |(_, one)| InForce::Version(one))
    };
    let older = chain.partition_point(|(place, _)| *place < began);
    let newest = chain.partition_point(|(place, _)| *place < seq);
    let mut possible: Vec<(InForce<'_>, bool)> =
        (older..=newest).map(|count| (at(count.checked_sub(1)), false)).collect();
    if let Some(first) = older.checked_sub(1) {
        possible.push((at(first.checked_sub(1)), true));
    }
    // Within the run, the one before each is in the list already.
    possible
}

fn serves(one: InForce<'_>, base: &Digest, built_in: Option<bool>, fell_back: bool) -> bool {
    match one {
        InForce::BuiltIn => built_in.is_some_and(|keeps| keeps || !fell_back),
        InForce::Version(version) => version.base == *base && (version.keeps_serving || !fell_back),
    }
}

#[cfg(test)]
mod tests;
