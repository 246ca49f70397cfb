//! Which policy is in force: what the log says, with the archive that lies beside it.
//!
//! There is no other state. The newest version among the activations on record is in force, so two that are recorded at the same moment cannot
//! take the policy back; and an archive that is not what the record says denies everything.

use std::collections::BTreeMap;

use abide_core::event::{Body, Event, PolicyActivated};
use abide_core::id::{Seq, Timestamp};
use abide_ledger::Ledger;

use super::contents::{Parts, Unpacked};
use super::judgement::InForce;
use crate::embedded;
use crate::report::{Exit, Failure};

/// The policy that everything else is added to.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// Its files.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Its record; none for what is built in.
    pub(crate) record: Option<PolicyActivated>,
}

impl Base {
    /// What ships with this binary.
    pub(crate) fn built_in() -> Self {
        let files = embedded::POLICIES.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
        Self { files: files.collect(), record: None }
    }

    /// Its version; 0 for what is built in.
    pub(crate) fn version(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.version.0)
    }
}

impl InForce {
    /// What is built in, where no log says otherwise.
    pub(crate) fn built_in() -> Self {
        let parts = Parts::of(&Base::built_in().files).ok();
        Self { version: 0, archive: None, policy: parts.map(|(parts, _, _)| parts), recorded: None }
    }
}

/// One activation on record.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    /// Its place in the log.
    pub(crate) seq: Seq,
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) record: PolicyActivated,
}

/// The activations on record, oldest version first.
#[derive(Debug)]
pub(crate) struct Generations<'a> {
    ledger: &'a Ledger,
    records: BTreeMap<u64, Generation>,
}

impl<'a> Generations<'a> {
    /// Reads the log.
    pub(crate) fn of(ledger: &'a Ledger) -> Result<Self, Failure> {
        let records = ledger.store().records_of_kinds(&["PolicyActivated"]);
        let mut found = BTreeMap::new();
        for record in records.map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))? {
            let event: Event = serde_json::from_slice(record.leaf.bytes())
                .map_err(|error| Failure::of("AB0409", error).exit(Exit::Gate))?;
            if let Body::PolicyActivated(activated) = event.body {
                // Two of one version: the first counts, the other one came too late.
                let (seq, at, version) = (record.seq, Timestamp(event.at), activated.version.0);
                found.entry(version).or_insert(Generation { seq, at, record: *activated });
            }
        }
        Ok(Self { ledger, records: found })
    }

    /// The newest version; 0 if there is none.
    pub(crate) fn floor(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Result<Base, Failure> {
        match self.records.last_key_value() {
            None => Ok(Base::built_in()),
            Some((_, generation)) => self.read(&generation.record),
        }
    }

    /// All of them, oldest version first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Generation> {
        self.records.values()
    }

    /// What was in force before version `version`.
    pub(crate) fn before(&self, version: u64) -> Result<Base, Failure> {
        match self.records.range(..version).next_back() {
            None => Ok(Base::built_in()),
            Some((_, generation)) => self.read(&generation.record),
        }
    }

    fn read(&self, record: &PolicyActivated) -> Result<Base, Failure> {
        let version = record.version.0;
        let broken = |why: String| {
            Failure::new("AB0260", format!("the policy in force, version {version}, cannot be used: {why}"))
                .help("everything is denied until a newer bundle is put in force: ab policy activate FILE")
                .exit(Exit::Gate)
        };
        // The store compares the bytes with their digest.
        let blob = self.ledger.store().blob(&record.archive).map_err(|error| broken(error.to_string()))?;
        let blob = blob.ok_or_else(|| broken("its archive is missing from the state".to_owned()))?;
        let unpacked = Unpacked::read(blob.bytes()).map_err(|error| broken(error.to_string()))?;
        Ok(Base { files: unpacked.files, record: Some(record.clone()) })
    }

    /// What is in force, as the next one is compared with it.
    pub(crate) fn in_force(&self) -> InForce {
        let record = self.records.last_key_value().map(|(_, generation)| &generation.record);
        let archive = record.map(|record| record.archive.clone());
        let recorded = record.map(|record| (record.hard.clone(), record.invariants.clone()));
        let parts = self.current().ok().and_then(|base| Parts::of(&base.files).ok());
        InForce { version: self.floor(), archive, policy: parts.map(|(parts, _, _)| parts), recorded }
    }
}
