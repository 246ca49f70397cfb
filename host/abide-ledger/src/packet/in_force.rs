//! Whether each decision was made by the policy that was in force, with the layer of the organisation that was in force.
//!
//! A packet shows that what decided was signed for and in force as far as its own activations say. That it leaves none out is shown by the log.

use std::collections::BTreeMap;

use abide_core::id::Digest;

use super::activations::{Activated, Judges, SignedParts};
use super::verify::{Entry, Evidence};
use crate::report::Report;

/// Activations by the place of their event, oldest first.
type Chain = [(u64, Activated)];

/// Holds every decision against `policies` and `layers`; what could not be judged is none and was refused before.
pub(super) fn check(
    evidence: &Evidence<'_>,
    policies: Option<&Chain>,
    layers: Option<&Chain>,
    judges: &dyn Judges,
    report: &mut Report,
) {
    let decided = Decided { evidence, judges, began: began(evidence) };
    let mut known = BTreeMap::new();
    let parts = decided.decisions().try_for_each(|entry| decided.read(entry, &mut known));
    if let Err(why) = parts {
        // Without its parts a decision is by nothing that anybody signed for.
        report.refused("in-force", "AB0445", why);
        return;
    }
    if let Some(chain) = policies {
        report.add("in-force", "AB0445", decided.by_policies(chain, &known));
    }
    if let Some(chain) = layers {
        report.add("layered", "AB0454", decided.with_layers(chain, &known));
    }
}

/// Place of the first event of the run.
fn began(evidence: &Evidence<'_>) -> u64 {
    let own = |entry: &&Entry| entry.leaf.run().is_some();
    evidence.events.iter().find(own).map_or(0, |entry| entry.seq)
}

/// What people signed for in the bundles that decisions cite, by digest.
type Known<'a> = BTreeMap<&'a str, SignedParts>;

struct Decided<'a> {
    evidence: &'a Evidence<'a>,
    judges: &'a dyn Judges,
    began: u64,
}

impl<'a> Decided<'a> {
    fn decisions(&self) -> impl Iterator<Item = &'a Entry> {
        self.evidence.events.iter().filter(|entry| entry.leaf.kind() == "DecisionRecorded")
    }

    fn read(&self, entry: &'a Entry, known: &mut Known<'a>) -> Result<(), String> {
        let told = |why: String| format!("decision {}: {why}", entry.seq);
        let bundle = entry.text("bundle");
        if !known.contains_key(bundle) {
            let digest: Digest = bundle.parse().map_err(|_| told("it names no policy".to_owned()))?;
            let bytes = self.evidence.blobs.get(&digest);
            let bytes = bytes.ok_or_else(|| told("its policy is missing".to_owned()))?;
            let parts = self.judges.signed_parts(bytes);
            let parts = parts.map_err(|why| told(format!("its policy cannot be read: {why}")))?;
            known.insert(bundle, parts);
        }
        Ok(())
    }

    /// Each decision with what people signed for in its bundle.
    fn parts<'k>(&self, known: &'k Known<'_>) -> impl Iterator<Item = (&'a Entry, &'k SignedParts)> {
        self.decisions().filter_map(|entry| Some((entry, known.get(entry.text("bundle"))?)))
    }

    /// A run keeps the policy that it began with, until it is taken up again. So each decision was made by a policy that was in force when the
    /// run began or later; or by the one before such a one, where that says of itself that it keeps serving.
    fn by_policies(&self, chain: &Chain, known: &Known<'_>) -> Result<String, String> {
        let mut count: usize = 0;
        for (entry, SignedParts { base, .. }) in self.parts(known) {
            let built_in = self.judges.built_in(base);
            let mut possible = could_serve(chain, self.began, entry.seq).into_iter();
            if !possible.any(|(one, fell_back)| serves(one, base, built_in, fell_back)) {
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

    /// The layer of the organisation is part of what a run began with, and is never fallen back from: no older one serves in place of one that
    /// is broken.
    fn with_layers(&self, chain: &Chain, known: &Known<'_>) -> Result<String, String> {
        let (mut count, mut before): (usize, usize) = (0, 0);
        for (entry, SignedParts { layer, .. }) in self.parts(known) {
            let possible = could_hold(chain, self.began, entry.seq);
            let newest = possible.first().copied().flatten();
            if !possible.iter().any(|one| part(*one) == layer.as_ref()) {
                return Err(unlayered(entry.seq, newest, layer.as_ref()));
            }
            count = count.saturating_add(1);
            before = before.saturating_add(usize::from(part(newest) != layer.as_ref()));
        }
        Ok(layered(chain.is_empty(), count, before))
    }
}

fn layered(none: bool, count: usize, before: usize) -> String {
    let all = if none {
        format!("{count} decisions, none with a layer of an organisation")
    } else {
        format!("{count} decisions, each with the organisation's layer that was in force")
    };
    match before {
        0 => all,
        before => format!("{all}; {before} of them by a process that had begun with an older one, or none"),
    }
}

/// What is wrong with the layer of a decision, where `newest` was in force.
fn unlayered(seq: u64, newest: Option<&Activated>, held: Option<&Digest>) -> String {
    let held = match held {
        None => "without a layer of an organisation".to_owned(),
        Some(layer) => format!("with layer {}", layer.short()),
    };
    match newest {
        None => format!("decision {seq} was made {held}, and none was in force"),
        Some(newest) => {
            format!("decision {seq} was made {held}, and version {} was in force", newest.version)
        }
    }
}

fn part(one: Option<&Activated>) -> Option<&Digest> {
    one.and_then(|one| one.part.as_ref())
}

/// What could decide: built into the program, or one of the activations.
#[derive(Clone, Copy)]
enum InForce<'a> {
    BuiltIn,
    Version(&'a Activated),
}

impl<'a> InForce<'a> {
    fn of(one: Option<&'a Activated>) -> Self {
        one.map_or(Self::BuiltIn, Self::Version)
    }
}

/// What was in force at any place from `began` to `seq`, newest first; none stands for no activation.
fn could_hold(chain: &Chain, began: u64, seq: u64) -> Vec<Option<&Activated>> {
    let at = |count: usize| count.checked_sub(1).and_then(|index| chain.get(index)).map(|(_, one)| one);
    let older = chain.partition_point(|(place, _)| *place < began);
    let newest = chain.partition_point(|(place, _)| *place < seq);
    (older..=newest).rev().map(at).collect()
}

/// What could have decided at place `seq` of a run that began at place `began`, and whether only by falling back.
fn could_serve(chain: &Chain, began: u64, seq: u64) -> Vec<(InForce<'_>, bool)> {
    let held = could_hold(chain, began, seq);
    let mut possible: Vec<(InForce<'_>, bool)> =
        held.into_iter().map(|one| (InForce::of(one), false)).collect();
    // Within the run, the one before each is in the list already.
    let older = chain.partition_point(|(place, _)| *place < began);
    if let Some(first) = older.checked_sub(1) {
        let before = first.checked_sub(1).and_then(|index| chain.get(index));
        possible.push((InForce::of(before.map(|(_, one)| one)), true));
    }
    possible
}

fn serves(one: InForce<'_>, base: &Digest, built_in: Option<bool>, fell_back: bool) -> bool {
    match one {
        InForce::BuiltIn => built_in.is_some_and(|keeps| keeps || !fell_back),
        InForce::Version(version) => {
            version.part.as_ref() == Some(base) && (version.keeps_serving || !fell_back)
        }
    }
}

#[cfg(test)]
mod tests;
