//! Sources: what the target branch defines, what the log says of each definition, and what both come to.
//!
//! A definition is a ticket in the folder `sources` (or where `sources` in `ab.yml` says) that has `source` in its front matter. How far it has come is
//! the newest `SourcePromoted` or `SourceDemoted` of its digest; what it has shown are its `SourceSampled`. `sample` measures what a task brought back, `page`
//! draws it.

pub(crate) mod page;
pub(crate) mod sample;

use std::collections::BTreeMap;

use abide_core::event::{Body, Event, SourceSampled};
use abide_core::id::{Digest, Oid, RepoPath, RunId};
use abide_core::plan::{Plan, UnitSpec};
use abide_core::safe_text;
use abide_core::source::{Sample, SourceCase, SourceRecord, SourceState};
use abide_effects::forge::Repo;

use crate::config::Config;
use crate::desk::Log;
use crate::report::{Exit, Failure};

/// Kinds of the events that this room reads.
const KINDS: [&str; 3] = ["SourceSampled", "SourcePromoted", "SourceDemoted"];
/// How the names of rules about sources begin.
pub(crate) const RULES: &str = "source-";
/// LIMIT: definitions of one repository.
const DEFINITIONS_MAX: usize = 2_000;
/// LIMIT: bytes of a file that may define one.
const TICKET_BYTES: u64 = 256 * 1024;

/// One source as the target branch defines it.
#[derive(Debug, Clone)]
pub(crate) struct Defined {
    /// The file.
    pub(crate) path: String,
    /// The whole ticket.
    pub(crate) text: String,
    /// Its one unit.
    pub(crate) unit: UnitSpec,
    /// Digest of the definition.
    pub(crate) definition: Digest,
}

impl Defined {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        self.unit.source.as_ref().map_or("", |claim| claim.name.as_str())
    }
}

/// All that the target branch defines: those that can be read, by name, and what is wrong with others.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    /// By name.
    pub(crate) by_name: BTreeMap<String, Defined>,
    /// Files that define nothing, and why.
    pub(crate) broken: Vec<(String, String)>,
}

impl Definitions {
    /// Of `commit`.
    pub(crate) fn at(repo: &Repo, config: &Config, commit: &Oid) -> Result<Self, Failure> {
        let entries = repo
            .list_tree_at(commit, Some(&config.sources))
            .map_err(|error| Failure::of(error.code(), error))?;
        let mut all = Self::default();
        let paths = entries.into_iter().filter_map(|entry| String::from_utf8(entry.path).ok());
        let tickets = paths.filter(|path| path.strip_suffix(".md").is_some());
        for path in tickets.take(DEFINITIONS_MAX) {
            let at: RepoPath = path.parse().map_err(|error| Failure::of("AB0300", error))?;
            let bytes = repo.read_blob_at(commit, &at, TICKET_BYTES);
            let Some(bytes) = bytes.map_err(|error| Failure::of(error.code(), error))? else { continue };
            let defined = String::from_utf8(bytes)
                .map_err(|_| "it is not text".to_owned())
                .and_then(|text| defined(&path, text));
            match defined {
                Ok(None) => {}
                Ok(Some(one)) => match all.by_name.get(one.name()) {
                    Some(first) => {
                        let why = format!("`{}` is defined by `{}` already", one.name(), first.path);
                        all.broken.push((path, why));
                    }
                    None => drop(all.by_name.insert(one.name().to_owned(), one)),
                },
                Err(why) => all.broken.push((path, why)),
            }
        }
        Ok(all)
    }

    /// The one called `name`.
    pub(crate) fn named(&self, name: &str) -> Result<&Defined, Failure> {
        self.by_name.get(name).ok_or_else(|| {
            let shown = safe_text::line(name);
            let broken = self.broken.first().map(|(path, why)| format!("; {}: {why}", safe_text::line(path)));
            Failure::new("AB0885", format!("no source `{shown}` is defined on the target branch"))
                .help(format!("ab source list shows those that are{}", broken.unwrap_or_default()))
                .exit(Exit::Usage)
        })
    }
}

/// What the ticket `text` defines; none if it names no source.
fn defined(path: &str, text: String) -> Result<Option<Defined>, String> {
    let plan = match Plan::of_ticket(&text) {
        Ok(plan) => plan,
        // A text beside the definitions need not be a ticket.
        Err(_) if !text.trim_start_matches('\u{feff}').starts_with("---") => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut units = plan.units.into_iter();
    let (Some(unit), None) = (units.next(), units.next()) else {
        return Err("a source is read by one unit, and there are several".to_owned());
    };
    if unit.source.is_none() {
        return Ok(None);
    }
    let definition = unit.definition().map_err(|error| error.to_string())?;
    Ok(Some(Defined { path: path.to_owned(), text, unit, definition }))
}

/// A step that a definition made.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    /// Its place in the log.
    pub(crate) seq: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Where from.
    pub(crate) from: SourceState,
    /// Where to.
    pub(crate) to: SourceState,
    /// Who: `policy`, a person, or `promotion` with the decision.
    pub(crate) by: String,
    /// Why.
    pub(crate) reasons: Vec<String>,
}

/// What a task brought back, and when.
#[derive(Debug, Clone)]
pub(crate) struct Sampled {
    /// Its place in the log.
    pub(crate) seq: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// The run.
    pub(crate) run: Option<RunId>,
    /// What.
    pub(crate) sample: SourceSampled,
}

/// What the log says of one definition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    /// How far it has come.
    pub(crate) state: SourceState,
    /// Its steps, oldest first.
    pub(crate) moves: Vec<Move>,
    /// What its tasks brought back, oldest first.
    pub(crate) samples: Vec<Sampled>,
}

impl Life {
    /// Whether it has a place that it can lose.
    pub(crate) fn has_place(&self) -> bool {
        matches!(self.state, SourceState::Probation | SourceState::Active)
    }

    /// Of the definition `definition`. One of which nothing is written is proposed.
    pub(crate) fn of(log: &Log, definition: &Digest) -> Result<Self, Failure> {
        Ok(Self::all(log)?.remove(definition).unwrap_or_default())
    }

    /// Of every definition that the log knows.
    pub(crate) fn all(log: &Log) -> Result<BTreeMap<Digest, Self>, Failure> {
        let mut lives = BTreeMap::new();
        for (seq, event) in log.of_kinds(&KINDS)? {
            fold(&mut lives, seq.0, event);
        }
        Ok(lives)
    }

    /// What it has shown, since it lost its place the last time.
    pub(crate) fn record(&self) -> SourceRecord {
        let demoted = self.moves.iter().rev().find(|step| step.to == SourceState::Demoted);
        let since = demoted.map_or(0, |step| step.seq);
        let newer = self.samples.iter().filter(|sampled| sampled.seq > since);
        let samples: Vec<Sample<'_>> = newer.map(told).collect();
        SourceRecord::of(&samples)
    }

    /// The newest records of it, by digest of their file.
    pub(crate) fn newest_records(&self) -> Option<&Digest> {
        self.samples.iter().rev().find_map(|sampled| sampled.sample.records.as_ref())
    }

    /// As policy is told, of a use or, with `to`, of a place that it would have.
    pub(crate) fn case(
        &self,
        unit: &UnitSpec,
        definition: &Digest,
        to: Option<SourceState>,
    ) -> Option<SourceCase> {
        let claim = unit.source.clone()?;
        Some(SourceCase {
            name: claim.name,
            definition: definition.clone(),
            state: self.state,
            to,
            licence: claim.licence,
            terms: claim.terms,
            fresh_hours: claim.fresh_hours,
            record: to.map(|_| self.record()),
        })
    }
}

fn told(sampled: &Sampled) -> Sample<'_> {
    let sample = &sampled.sample;
    Sample {
        at: sampled.at,
        succeeded: sample.records.is_some(),
        records: sample.records.as_ref().map(Digest::as_str),
        shape: sample.shape.as_ref().map(Digest::as_str),
        count: sample.count.0,
        filled_permille: sample.filled_permille.0,
        vanished_permille: sample.vanished_permille.0,
        refused: sample.refused.0,
        forbidden: sample.forbidden.0,
        wall_ms: sample.wall_ms.0,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is about other things")]
fn fold(lives: &mut BTreeMap<Digest, Life>, seq: u64, event: Event) {
    let at = event.at;
    match event.body {
        Body::SourceSampled(sample) => {
            let life = lives.entry(sample.definition.clone()).or_default();
            life.samples.push(Sampled { seq, at, run: event.run, sample: *sample });
        }
        Body::SourcePromoted(promoted) => {
            let life = lives.entry(promoted.definition).or_default();
            life.state = promoted.to;
            let by = format!("decision {}", promoted.decision.0);
            life.moves.push(Move { seq, at, from: promoted.from, to: promoted.to, by, reasons: Vec::new() });
        }
        Body::SourceDemoted(demoted) => {
            let life = lives.entry(demoted.definition).or_default();
            life.state = SourceState::Demoted;
            let (by, reasons) = (demoted.by, demoted.reasons);
            life.moves.push(Move { seq, at, from: demoted.from, to: SourceState::Demoted, by, reasons });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
