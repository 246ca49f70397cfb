//! The port through which workers ask the network. What judges and sends is in `abide-effects`; nothing here opens a socket.

use abide_core::id::RepoPath;
use abide_core::page::{Browse, BrowseFailure, Browsed};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::message::Usage;
use crate::text::clean_line;
use crate::workspace::{Entry, Listing, SearchOptions, SearchResult, Workspace, WorkspaceError};

/// Bytes of the reason that a worker is told.
const WHY_BYTES_MAX: usize = 500;
/// Bytes of a file that is told to have been read when a part of it was.
const TOLD_BYTES_MAX: u32 = 4 << 20;

/// Sends what a lease allows.
pub trait Egress: std::fmt::Debug + Send + Sync {
    /// Sends one request and waits for the whole answer.
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure>;
    /// Shows a page, if the lease is one for a browser.
    fn browse(&self, _: Browse) -> Result<Browsed, BrowseFailure> {
        Err(BrowseFailure::Refused("this task has no browser".to_owned()))
    }
    /// Takes note that the worker has read `content`, before it is given to it.
    fn has_read(&self, content: &[u8]);
    /// Whether that is of any use here.
    fn watches(&self) -> bool {
        true
    }
}

/// A request, as a worker wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressRequest {
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Names and values of header fields.
    pub fields: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: ByteBuf,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressResponse {
    /// The status.
    pub status: u16,
    /// Names and values of header fields that are text.
    pub fields: Vec<(String, String)>,
    /// The body, as it came.
    pub body: ByteBuf,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EgressFailure {
    /// It was not allowed.
    Refused(String),
    /// It went wrong.
    Failed(String),
}

/// No network at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEgress;

impl Egress for NoEgress {
    fn fetch(&self, _: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        Err(EgressFailure::Refused("this task has no lease".to_owned()))
    }

    fn has_read(&self, _: &[u8]) {}

    fn watches(&self) -> bool {
        false
    }
}

/// Counts a request by how it ended.
pub(crate) fn count(usage: &mut Usage, answer: &Result<EgressResponse, EgressFailure>) {
    usage.calls = usage.calls.saturating_add(1);
    match answer {
        Ok(answer) => {
            usage.bytes = usage.bytes.saturating_add(u64::try_from(answer.body.len()).unwrap_or(u64::MAX));
        }
        Err(EgressFailure::Refused(_)) => usage.denied = usage.denied.saturating_add(1),
        Err(EgressFailure::Failed(_)) => {}
    }
}

impl EgressFailure {
    /// With a reason that can be shown.
    pub(crate) fn cleaned(self) -> Self {
        match self {
            Self::Refused(why) => Self::Refused(clean_line(&why, WHY_BYTES_MAX)),
            Self::Failed(why) => Self::Failed(clean_line(&why, WHY_BYTES_MAX)),
        }
    }
}

/// A workspace that tells the exit what is read from it, before it is given out.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) workspace: &'a dyn Workspace,
    pub(crate) egress: &'a dyn Egress,
}

impl Told<'_> {
    fn paths<'p>(&self, paths: impl Iterator<Item = &'p RepoPath>) {
        let paths: Vec<&str> = paths.map(RepoPath::as_str).collect();
        self.egress.has_read(paths.join("\n").as_bytes());
    }
}

impl Workspace for Told<'_> {
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Listing, WorkspaceError> {
        let listing = self.workspace.list(prefix, after, limit)?;
        if self.egress.watches() {
            self.paths(listing.entries.iter().map(|entry| &entry.path));
        }
        Ok(listing)
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        self.workspace.entry(path)
    }

    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        if self.egress.watches() {
            // Also that there is no such file is something that was read. And whoever reads a file piece by piece has read the file.
            self.egress.has_read(path.as_str().as_bytes());
            self.egress.has_read(&self.workspace.read(path, 0, TOLD_BYTES_MAX)?);
        }
        let bytes = self.workspace.read(path, offset, limit)?;
        if self.egress.watches() && offset.saturating_add(limit.into()) > TOLD_BYTES_MAX.into() {
            self.egress.has_read(&bytes);
        }
        Ok(bytes)
    }

    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        let result = self.workspace.search(query, options)?;
        if self.egress.watches() {
            for found in &result.matches {
                self.egress.has_read(found.text.as_bytes());
            }
            self.paths(result.matches.iter().map(|found| &found.path));
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests;
