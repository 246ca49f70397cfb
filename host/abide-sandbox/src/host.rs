//! The host side of the interfaces: serves what was granted, counts it, stops at the limits.

mod pages;

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::ResourceLimiter;

use crate::bindings::abide::worker::{egress as wire, log, progress, types, workspace as wit};
use crate::browser::BrowserMeter;
use crate::egress::{Egress, EgressFailure, EgressRequest, EgressResponse, Told};
use crate::http::Http;
use crate::message::{Capability, Limits, LogLevel, LogLine, Usage};
use crate::meter::WorkspaceMeter;
use crate::stub::Stubs;
use crate::text::clean_line;
use crate::workspace::{EntryKind, SearchOptions, Workspace, WorkspaceError};

/// Bytes of one line of the log.
pub(crate) const LOG_LINE_BYTES_MAX: usize = 2_000;

/// What a component may ask through.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    pub(crate) workspace: Arc<dyn Workspace>,
    pub(crate) egress: Arc<dyn Egress>,
}

/// What one instance carries.
pub(crate) struct State {
    workspace: Arc<dyn Workspace>,
    egress: Arc<dyn Egress>,
    limits: Limits,
    meter: WorkspaceMeter,
    used: BTreeMap<Capability, Usage>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) memory: MemoryMeter,
    pub(crate) stubs: Stubs,
    pub(crate) http: Http,
    browser: BrowserMeter,
}

impl State {
    pub(crate) fn new(ports: Ports, limits: Limits, stubs: Stubs) -> Self {
        let memory = MemoryMeter {
            bytes_max: usize::try_from(limits.memory_bytes_max).unwrap_or(usize::MAX),
            elements_max: usize::try_from(limits.table_elements_max).unwrap_or(usize::MAX),
            ..MemoryMeter::default()
        };
        let (meter, browser) = (WorkspaceMeter::new(&limits), BrowserMeter::new(&limits));
        let Ports { workspace, egress } = ports;
        let http = Http::new(&limits);
        let (used, log) = (BTreeMap::new(), Vec::new());
        Self { workspace, egress, limits, meter, used, log, memory, stubs, http, browser }
    }

    /// What was called, per capability.
    pub(crate) fn used(&self) -> BTreeMap<Capability, Usage> {
        let workspace = self.meter.usage().map(|usage| (Capability::Workspace, usage));
        let browser = self.browser.usage().map(|usage| (Capability::Browser, usage));
        let others = self.used.iter().map(|(capability, usage)| (*capability, *usage));
        others.chain(workspace).chain(browser).collect()
    }

    fn usage(&mut self, capability: Capability) -> &mut Usage {
        self.used.entry(capability).or_default()
    }
}

impl State {
    /// Asks the network, and counts it.
    pub(crate) fn ask_network(&mut self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        let answer = self.egress.fetch(request);
        crate::egress::count(self.usage(Capability::Egress), &answer);
        answer
    }
}

impl types::Host for State {}

impl wit::Host for State {
    fn list(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<wit::Listing, wit::WorkspaceError> {
        let listing = self.meter.list(
            &Told { workspace: &*self.workspace, egress: &*self.egress },
            &prefix,
            after.as_deref(),
            limit,
        )?;
        let entries = listing
            .entries
            .into_iter()
            .map(|entry| wit::Entry { path: entry.path.into(), kind: entry.kind.into(), size: entry.bytes })
            .collect();
        Ok(wit::Listing { entries, truncated: listing.truncated })
    }

    fn read(&mut self, path: String, offset: u64, limit: u32) -> Result<Vec<u8>, wit::WorkspaceError> {
        Ok(self.meter.read(
            &Told { workspace: &*self.workspace, egress: &*self.egress },
            &path,
            offset,
            limit,
        )?)
    }

    fn search(
        &mut self,
        query: String,
        options: wit::SearchOptions,
    ) -> Result<wit::SearchResult, wit::WorkspaceError> {
        let options = SearchOptions {
            prefix: options.prefix,
            suffixes: options.suffixes,
            ignore_case: options.ignore_case,
            whole_word: options.whole_word,
            limit: options.limit,
        };
        let result = self.meter.search(
            &Told { workspace: &*self.workspace, egress: &*self.egress },
            &query,
            options,
        )?;
        let matches = result
            .matches
            .into_iter()
            .map(|found| wit::TextMatch {
                path: found.path.into(),
                line: found.line,
                column: found.column,
                text: found.text,
            })
            .collect();
        Ok(wit::SearchResult { matches, truncated: result.truncated })
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) {
        let (calls_max, bytes_max) = (self.limits.log_calls_max, self.limits.log_bytes_max);
        let text = clean_line(&message, LOG_LINE_BYTES_MAX);
        let usage = self.usage(Capability::Log);
        let bytes = usage.bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        if usage.calls >= u64::from(calls_max) || bytes > bytes_max {
            usage.denied = usage.denied.saturating_add(1);
            return;
        }
        usage.calls = usage.calls.saturating_add(1);
        usage.bytes = bytes;
        self.log.push(LogLine { level: level.into(), text });
    }
}

impl progress::Host for State {
    fn report(&mut self, done: u32, total: u32, what: String) {
        let calls_max = self.limits.progress_calls_max;
        let usage = self.usage(Capability::Progress);
        if usage.calls >= u64::from(calls_max) {
            usage.denied = usage.denied.saturating_add(1);
            return;
        }
        usage.calls = usage.calls.saturating_add(1);
        tracing::debug!(done, total, what = clean_line(&what, 120), "progress");
    }
}

impl wire::Host for State {
    fn fetch(&mut self, request: wire::Request) -> Result<wire::Response, wire::EgressError> {
        let request = EgressRequest {
            method: request.method,
            url: request.url,
            fields: request.fields.into_iter().map(|field| (field.name, field.value)).collect(),
            body: request.body.into(),
        };
        match self.ask_network(request) {
            Ok(answer) => Ok(wire::Response {
                status: answer.status,
                fields: answer.fields.into_iter().map(|(name, value)| wire::Field { name, value }).collect(),
                body: answer.body.into_vec(),
            }),
            Err(EgressFailure::Refused(why)) => Err(wire::EgressError::Refused(why)),
            Err(EgressFailure::Failed(why)) => Err(wire::EgressError::Failed(why)),
        }
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}

impl From<EntryKind> for wit::EntryKind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::File => Self::File,
            EntryKind::Executable => Self::Executable,
            EntryKind::Symlink => Self::Symlink,
        }
    }
}

impl From<WorkspaceError> for wit::WorkspaceError {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::NotFound => Self::NotFound,
            WorkspaceError::NotAFile => Self::NotAFile,
            WorkspaceError::InvalidPath => Self::InvalidPath,
            WorkspaceError::InvalidQuery => Self::InvalidQuery,
            WorkspaceError::Exhausted => Self::Exhausted,
            WorkspaceError::Unavailable(why) => {
                tracing::warn!(why, "the workspace could not be read");
                Self::Unavailable
            }
        }
    }
}

/// Watches memory and tables grow, refuses what is too much, and remembers that it did.
#[derive(Debug, Default)]
pub(crate) struct MemoryMeter {
    bytes_max: usize,
    elements_max: usize,
    bytes: usize,
    elements: usize,
    /// The most that was in use.
    pub(crate) bytes_peak: usize,
    /// Growth that was refused.
    pub(crate) refused: u32,
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.bytes.saturating_sub(current).saturating_add(desired);
        if total > self.bytes_max || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = self.refused.saturating_add(1);
            return Ok(false);
        }
        self.bytes = total;
        self.bytes_peak = self.bytes_peak.max(total);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_sub(current).saturating_add(desired);
        if total > self.elements_max || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = self.refused.saturating_add(1);
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }
}
