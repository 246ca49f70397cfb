//! Counts what a worker takes from its workspace, and stops at the limits of the task.

use abide_core::id::RepoPath;

use crate::message::{Limits, Usage};
use crate::workspace::{Listing, SearchOptions, SearchResult, Workspace, WorkspaceError};

/// Most entries, bytes and matches of one call, as `wit/workspace.wit` says.
const LIST_ENTRIES_MAX: u32 = 5_000;
const READ_BYTES_MAX: u32 = 4 << 20;
const SEARCH_MATCHES_MAX: u32 = 10_000;
const QUERY_BYTES_MAX: usize = 1_024;

/// What one task took so far.
#[derive(Debug)]
pub(crate) struct WorkspaceMeter {
    calls_max: u64,
    bytes_max: u64,
    usage: Usage,
}

impl WorkspaceMeter {
    /// Nothing was taken yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            calls_max: limits.workspace_calls_max.into(),
            bytes_max: limits.workspace_bytes_max,
            usage: Usage::default(),
        }
    }

    /// What was taken; `None` if nothing was asked for.
    pub(crate) fn usage(&self) -> Option<Usage> {
        (self.usage != Usage::default()).then_some(self.usage)
    }

    /// Files below `prefix`.
    pub(crate) fn list(
        &mut self,
        workspace: &dyn Workspace,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Listing, WorkspaceError> {
        let listed = self.begin().and_then(|()| {
            let listing = workspace.list(prefix, after, limit.min(LIST_ENTRIES_MAX))?;
            self.charge(listing.entries.iter().map(|entry| entry.path.as_str().len()).sum())?;
            Ok(listing)
        });
        self.told(listed)
    }

    /// Bytes of a file.
    pub(crate) fn read(
        &mut self,
        workspace: &dyn Workspace,
        path: &str,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<u8>, WorkspaceError> {
        let read = self.begin().and_then(|()| {
            let path: RepoPath = path.parse().map_err(|_| WorkspaceError::InvalidPath)?;
            let bytes = workspace.read(&path, offset, limit.min(READ_BYTES_MAX))?;
            self.charge(bytes.len())?;
            Ok(bytes)
        });
        self.told(read)
    }

    /// Lines with `query`.
    pub(crate) fn search(
        &mut self,
        workspace: &dyn Workspace,
        query: &str,
        options: SearchOptions,
    ) -> Result<SearchResult, WorkspaceError> {
        let found = self.begin().and_then(|()| {
            if query.is_empty() || query.len() > QUERY_BYTES_MAX || query.contains('\n') {
                return Err(WorkspaceError::InvalidQuery);
            }
            let options = SearchOptions { limit: options.limit.min(SEARCH_MATCHES_MAX), ..options };
            let result = workspace.search(query, &options)?;
            let sizes =
                result.matches.iter().map(|found| found.path.as_str().len().saturating_add(found.text.len()));
            self.charge(sizes.sum())?;
            Ok(result)
        });
        self.told(found)
    }

    /// Counts a call; fails when there is none left.
    fn begin(&mut self) -> Result<(), WorkspaceError> {
        if self.usage.calls >= self.calls_max || self.usage.bytes >= self.bytes_max {
            return Err(WorkspaceError::Exhausted);
        }
        self.usage.calls = self.usage.calls.saturating_add(1);
        Ok(())
    }

    /// Charges bytes that are about to be given out; fails instead of giving more than there are left.
    fn charge(&mut self, bytes: usize) -> Result<(), WorkspaceError> {
        let total = self.usage.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if total > self.bytes_max {
            // The rest is gone too: a worker must not probe for what still fits.
            self.usage.bytes = self.bytes_max;
            return Err(WorkspaceError::Exhausted);
        }
        self.usage.bytes = total;
        Ok(())
    }

    fn told<T>(&mut self, result: Result<T, WorkspaceError>) -> Result<T, WorkspaceError> {
        if result.as_ref().is_err_and(WorkspaceError::is_denial) {
            self.usage.denied = self.usage.denied.saturating_add(1);
        }
        result
    }
}
