//! The layer of the organisation: what the log says is in force, with the archive that lies beside it.
//!
//! As with a whole policy there is no other state: the newest version on record is in force, and one that cannot be read denies everything.
//! A layer is never left out because it is broken: without it the policy would be looser.

use std::collections::BTreeMap;

use abide_core::event::{Body, Event, LayerActivated};
use abide_core::id::{Seq, Timestamp};
use abide_gate::source::{Files, Layer};
use abide_ledger::Ledger;

use crate::bundles::contents::{Parts, Unpacked};
use crate::bundles::judgement::InForce;
use crate::report::{Exit, Failure};

/// One activation on record.
#[derive(Debug, Clone)]
pub(crate) struct Activation {
    /// Its place in the log.
    pub(crate) seq: Seq,
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) record: LayerActivated,
}

/// The layer in force; empty where there is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Organisation {
    /// Its files.
    pub(crate) files: Files,
    /// Its record.
    pub(crate) record: Option<LayerActivated>,
}

impl Organisation {
    /// What the log says.
    pub(crate) fn of(ledger: &Ledger) -> Result<Self, Failure> {
        Activations::of(ledger)?.current()
    }
}

/// The activations on record, oldest version first.
#[derive(Debug)]
pub(crate) struct Activations<'a> {
    ledger: &'a Ledger,
    records: BTreeMap<u64, Activation>,
}

impl<'a> Activations<'a> {
    /// Reads the log.
    pub(crate) fn of(ledger: &'a Ledger) -> Result<Self, Failure> {
        let records = ledger.store().records_of_kinds(&["LayerActivated"]);
        let mut found = BTreeMap::new();
        for record in records.map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))? {
            let event: Event = serde_json::from_slice(record.leaf.bytes())
                .map_err(|error| Failure::of("AB0409", error).exit(Exit::Gate))?;
            let Body::LayerActivated(activated) = event.body else { continue };
            if activated.layer != Layer::Organisation.name() {
                return Err(broken(
                    activated.version.0,
                    "it is of a layer that this version of ab does not know",
                ));
            }
            // Two of one version: the first counts, the other one came too late.
            let (seq, at, version) = (record.seq, Timestamp(event.at), activated.version.0);
            found.entry(version).or_insert(Activation { seq, at, record: *activated });
        }
        Ok(Self { ledger, records: found })
    }

    /// The newest version; 0 if there is none.
    pub(crate) fn floor(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(version, _)| *version)
    }

    /// All of them, oldest version first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Activation> {
        self.records.values()
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Result<Organisation, Failure> {
        let Some((version, activation)) = self.records.last_key_value() else {
            return Ok(Organisation::default());
        };
        let record = activation.record.clone();
        // The store compares the bytes with their digest.
        let blob = self
            .ledger
            .store()
            .blob(&record.archive)
            .map_err(|error| broken(*version, &error.to_string()))?;
        let blob = blob.ok_or_else(|| broken(*version, "its archive is missing from the state"))?;
        let unpacked = Unpacked::read(blob.bytes()).map_err(|error| broken(*version, &error.to_string()))?;
        if unpacked.manifest.layer() != Some(record.layer.as_str()) {
            return Err(broken(*version, "its archive is no layer"));
        }
        Ok(Organisation { files: unpacked.files, record: Some(record) })
    }

    /// What is in force, as the next one is compared with it.
    pub(crate) fn in_force(&self) -> Result<InForce, Failure> {
        let none = none()?;
        let record = self.records.last_key_value().map(|(_, activation)| &activation.record);
        let files = self.current().map(|organisation| organisation.files).unwrap_or_default();
        let recorded = Some((none.hard.clone(), none.invariants.clone()));
        Ok(InForce {
            version: self.floor(),
            archive: record.map(|record| record.archive.clone()),
            policy: Some(Parts { files, ..none }),
            recorded,
        })
    }
}

impl InForce {
    /// No layer, where no log says otherwise.
    pub(crate) fn no_layer() -> Result<Self, Failure> {
        Ok(Self { version: 0, archive: None, policy: Some(none()?), recorded: None })
    }
}

fn none() -> Result<Parts, Failure> {
    Parts::no_layer().map_err(|error| Failure::of(error.code(), error))
}

fn broken(version: u64, why: &str) -> Failure {
    Failure::new(
        "AB0260",
        format!("the organisation's layer in force, version {version}, cannot be used: {why}"),
    )
    .help("everything is denied until a newer one is put in force: ab policy activate FILE")
    .exit(Exit::Gate)
}
