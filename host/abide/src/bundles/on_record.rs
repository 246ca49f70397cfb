//! What came into force by records of the log: whole policies (`active`) and layers of an organisation (`layers::organisation`), read alike.
//!
//! There is no other state. The newest version on record is in force, so two that are recorded at the same moment cannot take it back; and an
//! archive that is not what the record says denies everything.

use std::collections::BTreeMap;
use std::fmt::Debug;

use abide_core::event::{Body, Event, PolicySignature};
use abide_core::id::{Digest, Seq, Timestamp};
use abide_gate::source::Files;
use abide_ledger::Ledger;

use super::contents::{Contents, ContentsError, Parts, Unpacked};
use super::judgement::{InForce, Judgement};
use super::manifest::Manifest;
use crate::report::{Exit, Failure};

/// A record that puts something in force.
pub(crate) trait Record: Debug + Clone {
    /// The kind of its event.
    const KIND: &'static str;
    /// What it puts in force, in a sentence.
    const TOLD: &'static str;

    /// The record in an event of that kind.
    fn of(body: Body) -> Option<Self>;

    /// What every such record says.
    fn cited(&self) -> Cited<'_>;

    /// Why this version of `ab` cannot tell what it is about.
    fn unknown(&self) -> Option<&'static str> {
        None
    }

    /// Whether a bundle with this manifest is of the kind that the record says.
    fn is_of(&self, manifest: &Manifest) -> bool;

    /// What else the record says, field by field, and whether it follows from the bytes.
    fn follows(&self, policy: &Parts, judgement: &Judgement) -> Vec<(&'static str, bool)>;

    /// Digests of its hard part and its invariants, for where its archive cannot be read.
    fn recorded(&self) -> Option<(Digest, Digest)>;

    /// The files where no record says otherwise.
    fn first_files() -> Files;

    /// What the first one may be compared with; `built_in` are the whole policies that nobody signs for.
    fn first(built_in: &[Parts]) -> Result<Vec<Parts>, ContentsError>;

    /// Files of an archive as the next one is compared with them.
    fn parts(files: &Files) -> Result<Parts, ContentsError>;

    /// Digest of what it is in the bundle of a decision; none if it is nothing there.
    fn part(contents: &Contents) -> Result<Option<Digest>, Failure>;
}

/// What every record that puts something in force says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cited<'a> {
    /// Its version.
    pub(crate) version: u64,
    /// Digest of the archive.
    pub(crate) archive: &'a Digest,
    /// Digest of the signatures.
    pub(crate) signatures: &'a Digest,
    /// Digest of the list of those who were trusted.
    pub(crate) signers: &'a Digest,
    /// The signatures that counted.
    pub(crate) signed: &'a [PolicySignature],
    /// Who put it in force.
    pub(crate) by: &'a str,
    /// Why.
    pub(crate) reason: &'a str,
}

/// One activation on record.
#[derive(Debug, Clone)]
pub(crate) struct Activation<R> {
    /// Its place in the log.
    pub(crate) seq: Seq,
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) record: R,
}

/// What is in force, or was.
#[derive(Debug, Clone)]
pub(crate) struct Held<R> {
    /// Its files.
    pub(crate) files: Files,
    /// Its record; none where no record says anything.
    pub(crate) record: Option<R>,
}

impl<R: Record> Held<R> {
    /// Where no record says otherwise.
    pub(crate) fn first() -> Self {
        Self { files: R::first_files(), record: None }
    }

    /// Its version; 0 where there is no record.
    pub(crate) fn version(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.cited().version)
    }
}

/// The activations of one kind on record, oldest version first.
#[derive(Debug)]
pub(crate) struct OnRecord<'a, R> {
    ledger: &'a Ledger,
    records: BTreeMap<u64, Activation<R>>,
}

impl<'a, R: Record> OnRecord<'a, R> {
    /// Reads the log.
    pub(crate) fn of(ledger: &'a Ledger) -> Result<Self, Failure> {
        let found = ledger.store().records_of_kinds(&[R::KIND]);
        let mut records = BTreeMap::new();
        for entry in found.map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))? {
            let event: Event = serde_json::from_slice(entry.leaf.bytes())
                .map_err(|error| Failure::of("AB0409", error).exit(Exit::Gate))?;
            let Some(record) = R::of(event.body) else { continue };
            let version = record.cited().version;
            if let Some(why) = record.unknown() {
                return Err(broken::<R>(version, why));
            }
            // Two of one version: the first counts, the other one came too late.
            let (seq, at) = (entry.seq, Timestamp(event.at));
            records.entry(version).or_insert(Activation { seq, at, record });
        }
        Ok(Self { ledger, records })
    }

    /// The newest version; 0 if there is none.
    pub(crate) fn floor(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// All of them, oldest version first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Activation<R>> {
        self.records.values()
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Result<Held<R>, Failure> {
        self.read(self.records.values().next_back())
    }

    /// What was in force before version `version`.
    pub(crate) fn before(&self, version: u64) -> Result<Held<R>, Failure> {
        self.read(self.records.range(..version).next_back().map(|(_, activation)| activation))
    }

    fn read(&self, one: Option<&Activation<R>>) -> Result<Held<R>, Failure> {
        let Some(Activation { record, .. }) = one else { return Ok(Held::first()) };
        let cited = record.cited();
        let broken = |why: &str| broken::<R>(cited.version, why);
        // The store compares the bytes with their digest.
        let blob = self.ledger.store().blob(cited.archive).map_err(|error| broken(&error.to_string()))?;
        let blob = blob.ok_or_else(|| broken("its archive is missing from the state"))?;
        let unpacked = Unpacked::read(blob.bytes()).map_err(|error| broken(&error.to_string()))?;
        if !record.is_of(&unpacked.manifest) {
            return Err(broken("its archive is of another kind than its record"));
        }
        Ok(Held { files: unpacked.files, record: Some(record.clone()) })
    }

    /// What is in force, as the next one is compared with it.
    pub(crate) fn in_force(&self) -> InForce {
        let record = self.records.values().next_back().map(|one| &one.record);
        InForce {
            version: self.floor(),
            archive: record.map(|record| record.cited().archive.clone()),
            policy: self.current().ok().and_then(|held| R::parts(&held.files).ok()),
            recorded: record.and_then(Record::recorded),
        }
    }
}

impl InForce {
    /// Where no log says otherwise.
    pub(crate) fn first<R: Record>() -> Self {
        Self { version: 0, archive: None, policy: R::parts(&R::first_files()).ok(), recorded: None }
    }
}

fn broken<R: Record>(version: u64, why: &str) -> Failure {
    Failure::new("AB0260", format!("the {} in force, version {version}, cannot be used: {why}", R::TOLD))
        .help("everything is denied until a newer one is put in force: ab policy activate FILE")
        .exit(Exit::Gate)
}
