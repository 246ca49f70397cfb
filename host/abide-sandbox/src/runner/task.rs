//! One task as this side sees it: its questions are answered and counted, and nothing that its runner says is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use abide_core::page::{Browse, BrowseFailure, Browsed};
use serde_bytes::ByteBuf;

use super::lock;
use super::wire::{Answer, Ask, WireError, receive, send};
use crate::browser::{self, BrowserMeter};
use crate::egress::{self, Egress, EgressFailure, EgressRequest, EgressResponse, NoEgress, Told};
use crate::engine::Execution;
use crate::message::{
    Capability, CapabilityReceipt, Failure, Limits, LogLine, Refusal, RunOutcome, RunRequest, RunResult,
    Spent, Trap, TrapKind, Usage,
};
use crate::meter::WorkspaceMeter;
use crate::run::MESSAGE_BYTES_MAX;
use crate::text::clean_line;
use crate::workspace::Workspace;

/// What a task's last word may have beside the texts that are bounded by themselves.
const DONE_BYTES: u64 = 1 << 20;
/// Calls of stubs that a task can make in a millisecond; no machine makes half as many.
const STUB_CALLS_PER_MS_MAX: u64 = 100_000;
/// How much longer than its text a text can be as JSON: `\u001b`.
const JSON_FACTOR: u64 = 6;

/// Hangs up on a task that is late.
pub(super) struct Watch {
    over: Arc<(Mutex<bool>, Condvar)>,
}

impl Watch {
    /// Hangs up after `wait`.
    pub(super) fn over(socket: &UnixStream, wait: Duration) -> io::Result<Self> {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let (socket, seen) = (socket.try_clone()?, Arc::clone(&over));
        std::thread::Builder::new().name("runner-watch".to_owned()).spawn(move || {
            let (done, changed) = &*seen;
            let waited = changed.wait_timeout_while(lock(done), wait, |done| !*done);
            if waited.is_ok_and(|(_, timeout)| timeout.timed_out()) {
                // A socket that is closed already has nobody who waits.
                drop(socket.shutdown(Shutdown::Both));
            }
        })?;
        Ok(Self { over })
    }

    /// The task is over.
    pub(super) fn end(self) {
        let (done, changed) = &*self.over;
        *lock(done) = true;
        changed.notify_all();
    }
}

/// How a task ended without a word of its own.
pub(super) enum Ended {
    Refused(Refusal),
    Lost(String),
}

/// One task, as this side sees it.
pub(super) struct Task<'a> {
    /// What was asked for.
    pub(super) request: &'a RunRequest,
    workspace: &'a dyn Workspace,
    /// The way to the network; none where it was not granted.
    egress: Option<&'a dyn Egress>,
    fetched: Usage,
    browser: BrowserMeter,
    meter: WorkspaceMeter,
    grace: Duration,
    execution: Execution,
}

impl<'a> Task<'a> {
    /// A task that has asked for nothing yet.
    pub(super) fn new(
        request: &'a RunRequest,
        workspace: &'a dyn Workspace,
        egress: &'a dyn Egress,
        (grace, execution): (Duration, Execution),
    ) -> Self {
        let leads_out =
            [Capability::Egress, Capability::Browser].iter().any(|one| request.grants.contains(one));
        let egress = leads_out.then_some(egress);
        let browser = BrowserMeter::new(&request.limits);
        let meter = WorkspaceMeter::new(&request.limits);
        Self { request, workspace, egress, fetched: Usage::default(), browser, meter, grace, execution }
    }

    /// How long its runner may take. It keeps the deadline by counting ticks, which come late on a busy machine; this only ends one that
    /// keeps none.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(self.request.limits.wall_ms_max).saturating_mul(2).saturating_add(self.grace)
    }

    /// Answers until the last word.
    pub(super) fn serve(&mut self, socket: &mut UnixStream) -> Result<RunOutcome, WireError> {
        let limit = bytes_max(&self.request.limits);
        let workspace = Told { workspace: self.workspace, egress: self.egress.unwrap_or(&NoEgress) };
        loop {
            let answer = match receive(socket, limit)? {
                Ask::Done(outcome) => {
                    return serde_json::from_slice(&outcome).map_err(|_| WireError::Malformed);
                }
                Ask::List { prefix, after, limit } => {
                    Answer::Listing(self.meter.list(&workspace, &prefix, after.as_deref(), limit))
                }
                Ask::Read { path, offset, limit } => {
                    Answer::Bytes(self.meter.read(&workspace, &path, offset, limit).map(ByteBuf::from))
                }
                Ask::Search { query, options } => {
                    Answer::Found(self.meter.search(&workspace, &query, options))
                }
                Ask::Fetch(request) => Answer::Fetched(self.fetch(request)),
                Ask::Browse(ask) => Answer::Browsed(self.browse(ask)),
            };
            send(socket, &answer)?;
        }
    }

    /// Asks the network. A runner that was granted none asks in vain.
    fn fetch(&mut self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        let granted = self.egress.filter(|_| self.request.grants.contains(&Capability::Egress));
        let answer = granted.unwrap_or(&NoEgress).fetch(request).map_err(EgressFailure::cleaned);
        egress::count(&mut self.fetched, &answer);
        answer
    }

    /// Asks the browser. The same.
    fn browse(&mut self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let granted = self.egress.filter(|_| self.request.grants.contains(&Capability::Browser));
        self.browser.ask(granted.unwrap_or(&NoEgress), ask).map_err(browser::cleaned)
    }

    /// What is recorded: by this side's own counts, with every text cleaned and every number bounded.
    pub(super) fn outcome(
        &self,
        ended: Result<RunOutcome, Ended>,
        requested: BTreeSet<String>,
    ) -> RunOutcome {
        let limits = &self.request.limits;
        let mut stubs = BTreeMap::new();
        let (result, log, told, spent) = match ended {
            Ok(said) => {
                stubs = self.stubbed(&said.receipt.stubs);
                (cleaned(said.result), bounded(said.log, limits), said.receipt.used, said.spent)
            }
            Err(Ended::Refused(refusal)) => {
                (RunResult::Refused(refusal), Vec::new(), BTreeMap::new(), Spent::default())
            }
            Err(Ended::Lost(why)) => {
                let message = clean_line(&why, MESSAGE_BYTES_MAX);
                let trap = Trap { kind: TrapKind::Runner, message };
                (RunResult::Trapped(trap), Vec::new(), BTreeMap::new(), Spent::default())
            }
        };
        let spent = Spent {
            wall_ms: spent.wall_ms.min(u64::try_from(self.wait().as_millis()).unwrap_or(u64::MAX)),
            memory_bytes: spent.memory_bytes.min(limits.memory_bytes_max),
            output_bytes: 0,
        };
        let receipt = CapabilityReceipt {
            requested,
            granted: self.request.grants.clone(),
            used: self.used(&log, &told),
            stubs,
        };
        RunOutcome { result, receipt, log, spent, execution: self.execution }
    }

    /// What is told of stubs, which are asked over there: of those that were linked, and no more than the task's time and limits allow.
    fn stubbed(&self, told: &BTreeMap<String, Usage>) -> BTreeMap<String, Usage> {
        let limits = &self.request.limits;
        let calls_max = limits.wall_ms_max.saturating_mul(STUB_CALLS_PER_MS_MAX);
        let mut bytes_left = limits.random_bytes_max;
        let linked = self.request.stubs.iter().filter_map(|name| Some((name, told.get(name)?)));
        linked
            .map(|(name, usage)| {
                let bytes = usage.bytes.min(bytes_left);
                bytes_left = bytes_left.saturating_sub(bytes);
                let (calls, denied) = (usage.calls.min(calls_max), usage.denied.min(calls_max));
                (name.clone(), Usage { calls, bytes, denied })
            })
            .collect()
    }

    /// The workspace as it was counted here, the log as it arrived; what was refused over there is only told.
    fn used(&self, log: &[LogLine], told: &BTreeMap<Capability, Usage>) -> BTreeMap<Capability, Usage> {
        let told = |capability| told.get(&capability).copied().unwrap_or_default();
        let mut used = BTreeMap::new();
        // What the runner refused by itself never came here.
        let (here, there) = (self.meter.usage().unwrap_or_default(), told(Capability::Workspace));
        let calls = here.calls.max(there.calls.min(self.request.limits.workspace_calls_max.into()));
        let workspace = Usage { calls, bytes: here.bytes, denied: here.denied.max(there.denied) };
        if workspace != Usage::default() {
            used.insert(Capability::Workspace, workspace);
        }
        let lines = Usage {
            calls: u64::try_from(log.len()).unwrap_or(u64::MAX),
            bytes: log
                .iter()
                .fold(0, |sum, line| sum.saturating_add(u64::try_from(line.text.len()).unwrap_or(u64::MAX))),
            denied: told(Capability::Log).denied,
        };
        if lines != Usage::default() {
            used.insert(Capability::Log, lines);
        }
        // Every request came through here.
        if self.fetched != Usage::default() {
            used.insert(Capability::Egress, self.fetched);
        }
        if let Some(browsed) = self.browser.usage() {
            used.insert(Capability::Browser, browsed);
        }
        let reports = told(Capability::Progress);
        if reports != Usage::default() {
            let calls = reports.calls.min(self.request.limits.progress_calls_max.into());
            used.insert(Capability::Progress, Usage { calls, bytes: 0, denied: reports.denied });
        }
        used
    }
}

/// Bytes of one message of a task: what one call may hand over, or the last word.
fn bytes_max(limits: &Limits) -> u64 {
    let done = limits.output_bytes_max.saturating_add(limits.log_bytes_max).saturating_mul(JSON_FACTOR);
    done.saturating_add(DONE_BYTES).max(limits.hostcall_bytes_max)
}

/// The lines that fit the limits, each cleaned again.
fn bounded(log: Vec<LogLine>, limits: &Limits) -> Vec<LogLine> {
    let mut left = limits.log_bytes_max;
    let lines = log.into_iter().take(usize::try_from(limits.log_calls_max).unwrap_or(usize::MAX));
    let clean = lines.map(|line| LogLine {
        level: line.level,
        text: clean_line(&line.text, crate::host::LOG_LINE_BYTES_MAX),
    });
    clean
        .take_while(|line| {
            let bytes = u64::try_from(line.text.len()).unwrap_or(u64::MAX);
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        })
        .collect()
}

/// The result with texts that can be shown. A proposal is checked as a whole, later; a rejection is for this side to say.
fn cleaned(result: RunResult) -> RunResult {
    let line = |text: &str| clean_line(text, MESSAGE_BYTES_MAX);
    match result {
        RunResult::Proposed(_) => result,
        RunResult::Failed(failure) => {
            RunResult::Failed(Failure { kind: failure.kind, message: line(&failure.message) })
        }
        RunResult::Trapped(trap) => {
            RunResult::Trapped(Trap { kind: trap.kind, message: line(&trap.message) })
        }
        RunResult::Refused(refusal) => RunResult::Refused(refusal.cleaned()),
        RunResult::Rejected(_) => RunResult::Trapped(Trap {
            kind: TrapKind::Runner,
            message: "the runner judged its own worker".to_owned(),
        }),
    }
}
