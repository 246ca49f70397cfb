//! The candidate: the files that were given, kept in the log, and put together with the layers that stand around it.

use std::collections::BTreeMap;

use abide_core::canonical;
use abide_core::event::{Body, Event, ShadowStarted};
use abide_core::id::{Digest, Seq, Timestamp};
use abide_gate::source::{Added, Files, Layer};
use abide_ledger::Ledger;
use serde::{Deserialize, Serialize};

use crate::bundles::active::Generations;
use crate::config::Config;
use crate::layers::organisation::Organisation;
use crate::policy::Unloaded;
use crate::report::{Exit, Failure};

/// In place of what the candidate judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// The whole policy below all layers.
    Policy,
    /// The organisation's layer.
    Organisation,
    /// The repository's own rules.
    Repository,
}

impl Place {
    /// In words.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Policy => "the whole policy",
            Self::Organisation => "the organisation's layer",
            Self::Repository => "the repository's own rules",
        }
    }
}

/// A candidate as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Candidate {
    schema: String,
    /// In place of what it judges.
    pub(crate) place: Place,
    files: BTreeMap<String, String>,
}

const SCHEMA: &str = "abide.shadow-candidate/1";

impl Candidate {
    /// The candidate made of these files, which are texts.
    pub(crate) fn of(place: Place, files: &Files) -> Result<Self, Failure> {
        let text = |(path, bytes): (&String, &Vec<u8>)| {
            let text = String::from_utf8(bytes.clone()).map_err(|_| {
                Failure::new("AB0185", format!("`{path}` of the candidate is not UTF-8")).exit(Exit::Usage)
            })?;
            Ok((path.clone(), text))
        };
        let files = files.iter().map(text).collect::<Result<_, Failure>>()?;
        Ok(Self { schema: SCHEMA.to_owned(), place, files })
    }

    /// The bytes to keep.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Failure> {
        canonical::jcs(self).map_err(|error| Failure::of("AB0124", error))
    }

    /// Reads what was kept under `digest`.
    pub(crate) fn read(ledger: &Ledger, digest: &Digest) -> Result<Self, Failure> {
        let broken = |why: String| {
            Failure::new("AB0187", format!("the candidate in the shadow cannot be used: {why}"))
                .exit(Exit::Evidence)
        };
        // The store compares the bytes with their digest.
        let blob = ledger.store().blob(digest).map_err(|error| broken(error.to_string()))?;
        let blob = blob.ok_or_else(|| broken("its files are missing from the state".to_owned()))?;
        let found: Self = serde_json::from_slice(blob.bytes()).map_err(|error| broken(error.to_string()))?;
        if found.schema == SCHEMA { Ok(found) } else { Err(broken(format!("it is no `{SCHEMA}`"))) }
    }

    /// The policy that it makes with everything else as it stands.
    ///
    /// It is put together and not loaded: whoever judges by it does that behind the wall.
    pub(crate) fn policy(&self, ledger: &Ledger, around: &Around) -> Result<Unloaded, Failure> {
        let own: Files =
            self.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
        let base = match self.place {
            Place::Policy => own.clone(),
            Place::Organisation | Place::Repository => Generations::of(ledger)?.current()?.files,
        };
        let mut added = Added {
            organisation: Organisation::of(ledger)?.files,
            repository: around.repository.clone(),
            run: around.run.clone(),
        };
        match self.place {
            Place::Policy => {}
            Place::Organisation => added.organisation = own,
            Place::Repository => *added.of_mut(Layer::Repository) = own,
        }
        Unloaded::over(&base, &added, &around.config)
    }
}

/// What stands around a candidate.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    /// The repository's own rules on its target branch.
    pub(crate) repository: Files,
    /// `ab.yml` there.
    pub(crate) config: Config,
    /// The layer of the run.
    pub(crate) run: Files,
}

/// A candidate on record.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    /// Its place in the log.
    pub(crate) seq: Seq,
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) record: ShadowStarted,
    /// Where it was stopped, if it was.
    pub(crate) stopped: Option<Seq>,
}

/// The candidate that was started last.
pub(crate) fn last(ledger: &Ledger) -> Result<Option<Started>, Failure> {
    let records = ledger.store().records_of_kinds(&["ShadowStarted", "ShadowStopped"]);
    let mut found: Option<Started> = None;
    for record in records.map_err(|error| Failure::of(error.code(), error))? {
        let event: Event =
            serde_json::from_slice(record.leaf.bytes()).map_err(|error| Failure::of("AB0409", error))?;
        if let Body::ShadowStarted(started) = event.body {
            found =
                Some(Started { seq: record.seq, at: Timestamp(event.at), record: *started, stopped: None });
        } else if let Some(found) = &mut found {
            found.stopped = Some(record.seq);
        }
    }
    Ok(found)
}
