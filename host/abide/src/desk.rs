//! The desk: the log, the gate, and the policy in force. Everything that is written down goes through here.

use std::ops::Deref;
use std::sync::Arc;

use abide_core::action::Action;
use abide_core::canonical;
use abide_core::event::{Body, Event};
use abide_core::id::{Digest, RunId, Seq, Timestamp};
use abide_gate::{Admission, Ask, Clock as _, Gate, Halt as _, HaltState};
use abide_ledger::{Blob, Guard, Ledger};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::env::{Drill, Moment};
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::shadow::Shadow;
use crate::wiring::{self, SystemClock};

/// The log and the clock: enough to read what happened, and to write down what did.
#[derive(Debug)]
pub(crate) struct Log {
    /// The log.
    pub(crate) ledger: Arc<Ledger>,
    /// The only clock.
    pub(crate) clock: Arc<SystemClock>,
    /// Where to die, for drills.
    pub(crate) drill: Option<Drill>,
}

/// The log, the gate and the policy in force.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The log.
    pub(crate) log: Log,
    /// The policy in force.
    pub(crate) policy: Policy,
    /// The gate over both.
    pub(crate) gate: Gate,
    /// A policy that judges beside it, if one was put in the shadow.
    pub(crate) shadow: Option<Arc<Shadow>>,
}

impl Deref for Desk {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

/// A payload that lies beside the log.
#[derive(Debug, Clone)]
pub(crate) struct Payload {
    /// Its digest, to be cited.
    pub(crate) digest: Digest,
    blob: Blob,
}

impl Payload {
    /// `bytes` as a payload of `kind`.
    pub(crate) fn bytes(kind: &str, bytes: Vec<u8>) -> Self {
        let blob = Blob::new(kind, bytes);
        Self { digest: blob.digest().clone(), blob }
    }

    /// The canonical bytes of `value`.
    pub(crate) fn json(kind: &str, value: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self::bytes(kind, canonical::jcs(value).map_err(|error| Failure::of("AB0124", error))?))
    }
}

impl Desk {
    /// Asks the gate; the answer is durable when this returns.
    pub(crate) fn admit<A: Action>(&self, action: A, ask: Ask) -> Result<Admission<A>, Failure> {
        let admission = self.gate.admit(action, ask).map_err(|error| {
            Failure::of(error.code(), error)
                .help("nothing happened: without a recorded answer there is no permit")
                .exit(Exit::Gate)
        })?;
        self.drill(Moment::After);
        Ok(admission)
    }
}

impl Log {
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes down what happened, with the payloads that it cites.
    pub(crate) fn record(
        &self,
        run: Option<&RunId>,
        body: &Body,
        payloads: Vec<Payload>,
    ) -> Result<Seq, Failure> {
        let blobs = payloads.into_iter().map(|payload| payload.blob).collect();
        self.drill(Moment::Before);
        let seq = wiring::record(&self.ledger, run, body, blobs, Guard::Free)?;
        self.drill(Moment::After);
        Ok(seq)
    }

    /// The same, if `last` is still the last event of the run: two processes never carry one run on.
    pub(crate) fn record_after(
        &self,
        run: &RunId,
        last: Option<Seq>,
        body: &Body,
        payloads: Vec<Payload>,
    ) -> Result<Seq, Failure> {
        let blobs = payloads.into_iter().map(|payload| payload.blob).collect();
        self.drill(Moment::Before);
        let guard = Guard::RunAt { run: run.clone(), last };
        let seq = wiring::record(&self.ledger, Some(run), body, blobs, guard)?;
        self.drill(Moment::After);
        Ok(seq)
    }

    /// Ends this process as `kill -9` would, if the drill that it was started with says so. Nothing in a release build.
    pub(crate) fn drill(&self, moment: Moment) {
        let Some(drill) = self.drill.filter(|drill| drill.moment == moment) else { return };
        if cfg!(debug_assertions) && self.ledger.size().is_ok_and(|size| size >= drill.size) {
            // A drill that fails shows in its test: the process then goes on.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .unwrap_or(());
        }
    }

    /// Events of `run`, and the kills of the whole system, in log order.
    pub(crate) fn history(&self, run: &RunId) -> Result<Vec<(Seq, Event)>, Failure> {
        let mut records = self.ledger.events_of(run).map_err(|error| Failure::of(error.code(), error))?;
        let system = self
            .ledger
            .store()
            .records_of_kinds(&["Killed"])
            .map_err(|error| Failure::of(error.code(), error))?;
        records.extend(system.into_iter().filter(|record| record.leaf.run().is_none()));
        records.sort_by_key(|record| record.seq);
        records.iter().map(|record| Ok((record.seq, decode(record.leaf.bytes())?))).collect()
    }

    /// Every event, in log order.
    pub(crate) fn all(&self) -> Result<Vec<(Seq, Event)>, Failure> {
        let size = self.ledger.size().map_err(|error| Failure::of(error.code(), error))?;
        let records = self.ledger.read(0..size).map_err(|error| Failure::of(error.code(), error))?;
        records.iter().map(|record| Ok((record.seq, decode(record.leaf.bytes())?))).collect()
    }

    /// Events of these kinds, in log order.
    pub(crate) fn of_kinds(&self, kinds: &[&str]) -> Result<Vec<(Seq, Event)>, Failure> {
        let records = self.ledger.store().records_of_kinds(kinds);
        let records = records.map_err(|error| Failure::of(error.code(), error))?;
        records.iter().map(|record| Ok((record.seq, decode(record.leaf.bytes())?))).collect()
    }

    /// The payload called `digest`.
    pub(crate) fn payload(&self, digest: &Digest) -> Result<Vec<u8>, Failure> {
        let blob = self.ledger.store().blob(digest).map_err(|error| Failure::of(error.code(), error))?;
        let missing = || {
            Failure::new("AB0404", format!("payload {} is missing from the log's side store", digest.short()))
                .exit(Exit::Evidence)
        };
        Ok(blob.ok_or_else(missing)?.bytes().to_vec())
    }

    /// The payload called `digest`, as a value.
    pub(crate) fn value<T: DeserializeOwned>(&self, digest: &Digest) -> Result<T, Failure> {
        serde_json::from_slice(&self.payload(digest)?)
            .map_err(|error| Failure::of("AB0404", error).exit(Exit::Evidence))
    }

    /// Whether merges in `repo` are frozen. What cannot be read counts as frozen.
    pub(crate) fn is_frozen(&self, repo: &str) -> bool {
        self.ledger.store().freezes().map_or(true, |freezes| freezes.iter().any(|freeze| freeze.repo == repo))
    }

    /// State of the kill switch for `run`.
    pub(crate) fn halt(&self, run: &RunId) -> Result<HaltState, Failure> {
        self.ledger.state(run).map_err(|error| Failure::of("AB0122", error).exit(Exit::Gate))
    }
}

fn decode(bytes: &[u8]) -> Result<Event, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        Failure::of("AB0409", error)
            .help("the log may have been written by a newer version of ab")
            .exit(Exit::Evidence)
    })
}
