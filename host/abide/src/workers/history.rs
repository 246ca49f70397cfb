//! What the capability receipts in the log say of a component: what of its grants it used, and how much of its limits.

use std::collections::BTreeMap;

use abide_core::event::{Body, EgressUsed, Event, TaskRan};
use abide_core::id::{Digest, Seq};
use abide_core::input::ComponentHistory;
use abide_sandbox::{Capability, RunOutcome, RunResult, Usage};

use crate::desk::Desk;
use crate::report::Failure;

/// LIMIT: tasks that are counted, the newest ones.
const TASKS_MAX: usize = 500;
/// LIMIT: bytes of receipts that are read; a proposal is in its receipt.
const BYTES_MAX: usize = 64 << 20;

/// What a component did so far. Of each measure the most that one task had.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct History {
    /// Tasks that were counted.
    pub(crate) tasks: u32,
    /// Those that ended with a proposal.
    pub(crate) proposed: u32,
    /// Those that the host refused, stopped, or whose answer it rejected.
    pub(crate) stopped: u32,
    /// Those in which something was denied.
    pub(crate) denied: u32,
    /// By capability: tasks in which it was called, and the most of it.
    pub(crate) used: BTreeMap<Capability, (u32, Usage)>,
    /// Packages of WASI of which a stub was called, with the tasks.
    pub(crate) stubs: BTreeMap<String, u32>,
    /// Most linear memory, in bytes.
    pub(crate) memory_bytes: u64,
    /// Longest time, in milliseconds.
    pub(crate) wall_ms: u64,
    /// Largest proposal, in bytes.
    pub(crate) output_bytes: u64,
    /// Most files of a proposal.
    pub(crate) files: u32,
    /// Origins that were asked, with the tasks.
    pub(crate) origins: BTreeMap<String, u32>,
}

impl History {
    /// From the newest records about `component`.
    pub(crate) fn of(desk: &Desk, component: &Digest) -> Result<Self, Failure> {
        let all = desk.of_kinds(&["TaskRan", "EgressUsed"])?;
        let mut history = Self::default();
        let mut read = 0_usize;
        for ran in tasks(&all, component).take(TASKS_MAX) {
            let receipt = desk.payload(&ran.receipt)?;
            read = read.saturating_add(receipt.len());
            if read > BYTES_MAX {
                break;
            }
            let outcome: RunOutcome =
                serde_json::from_slice(&receipt).map_err(|error| Failure::of("AB0409", error))?;
            history.count(&outcome);
        }
        let used = all.iter().rev().filter_map(|(_, event)| egress(event, component));
        for used in used.take(TASKS_MAX) {
            for origin in used.rows.iter().filter_map(|row| row.origin.as_ref()) {
                let tasks = history.origins.entry(origin.clone()).or_default();
                *tasks = tasks.saturating_add(1);
            }
        }
        Ok(history)
    }

    fn count(&mut self, outcome: &RunOutcome) {
        let add = |count: &mut u32, is_so: bool| *count = count.saturating_add(is_so.into());
        let receipt = &outcome.receipt;
        let denied = receipt.used.values().chain(receipt.stubs.values()).any(|usage| usage.denied > 0);
        add(&mut self.tasks, true);
        add(&mut self.denied, denied);
        match &outcome.result {
            RunResult::Proposed(proposal) => {
                add(&mut self.proposed, true);
                let files = u32::try_from(proposal.patch.files.len()).unwrap_or(u32::MAX);
                self.files = self.files.max(files);
            }
            RunResult::Failed(_) => {}
            RunResult::Refused(_) | RunResult::Trapped(_) | RunResult::Rejected(_) => {
                add(&mut self.stopped, true);
            }
        }
        for (capability, usage) in &receipt.used {
            let (tasks, most) = self.used.entry(*capability).or_default();
            add(tasks, usage.calls > 0 || usage.denied > 0);
            most.calls = most.calls.max(usage.calls);
            most.bytes = most.bytes.max(usage.bytes);
            most.denied = most.denied.max(usage.denied);
        }
        for name in receipt.stubs.keys() {
            add(self.stubs.entry(abide_sandbox::inspect::package(name).to_owned()).or_default(), true);
        }
        self.memory_bytes = self.memory_bytes.max(outcome.spent.memory_bytes);
        self.wall_ms = self.wall_ms.max(outcome.spent.wall_ms);
        self.output_bytes = self.output_bytes.max(outcome.spent.output_bytes);
    }

    /// As a policy is told.
    pub(crate) fn told(&self) -> ComponentHistory {
        let used = self.used.iter().filter(|(_, (tasks, _))| *tasks > 0);
        ComponentHistory {
            tasks: self.tasks,
            proposed: self.proposed,
            stopped: self.stopped,
            denied: self.denied,
            used: used.map(|(capability, (tasks, _))| (capability.name().to_owned(), *tasks)).collect(),
        }
    }
}

/// Tasks of a component, newest first.
#[expect(clippy::wildcard_enum_match_arm, reason = "picks one event out of many")]
fn tasks<'a>(all: &'a [(Seq, Event)], component: &'a Digest) -> impl Iterator<Item = &'a TaskRan> {
    all.iter().rev().filter_map(move |(_, event)| match &event.body {
        Body::TaskRan(ran) if ran.component == *component => Some(&**ran),
        _ => None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "picks one event out of many")]
fn egress<'a>(event: &'a Event, component: &Digest) -> Option<&'a EgressUsed> {
    match &event.body {
        Body::EgressUsed(used) if used.component == *component => Some(used),
        _ => None,
    }
}
