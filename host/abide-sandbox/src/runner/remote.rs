//! The workspace and the network as a worker behind the wall sees them: every question goes over the task's socket.

use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use abide_core::id::RepoPath;
use abide_core::page::{Browse, BrowseFailure, Browsed};
use serde_bytes::ByteBuf;

use super::wire::{Answer, Ask, receive, send};
use crate::egress::{Egress, EgressFailure, EgressRequest, EgressResponse};
use crate::workspace::{Entry, Listing, SearchOptions, SearchResult, Workspace, WorkspaceError};

/// Bytes of one answer: four MiB of a file, or ten thousand matches with their lines.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// What is at the other end of a task's socket.
#[derive(Debug)]
pub(super) struct Remote {
    socket: Mutex<UnixStream>,
}

impl Remote {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket: Mutex::new(socket) }
    }

    /// The last word of a task.
    pub(super) fn done(&self, outcome: Vec<u8>) {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // Who no longer listens is told nothing.
        drop(send(&mut *socket, &Ask::Done(ByteBuf::from(outcome))));
    }

    fn ask(&self, ask: &Ask) -> Result<Answer, WorkspaceError> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = send(&mut *socket, ask).and_then(|()| receive(&mut *socket, ANSWER_BYTES_MAX));
        answer.map_err(|error| WorkspaceError::Unavailable(error.to_string()))
    }
}

fn confused<T>() -> Result<T, WorkspaceError> {
    Err(WorkspaceError::Unavailable("an answer to another question".to_owned()))
}

impl Workspace for Remote {
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Listing, WorkspaceError> {
        let ask = Ask::List { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        if let Answer::Listing(listing) = self.ask(&ask)? { listing } else { confused() }
    }

    fn entry(&self, _: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        // Only whoever checks a proposal asks for this, and that is done on the other side.
        confused()
    }

    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        let ask = Ask::Read { path: path.to_string(), offset, limit };
        if let Answer::Bytes(bytes) = self.ask(&ask)? { bytes.map(ByteBuf::into_vec) } else { confused() }
    }

    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        let ask = Ask::Search { query: query.to_owned(), options: options.clone() };
        if let Answer::Found(found) = self.ask(&ask)? { found } else { confused() }
    }
}

impl Egress for Remote {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        match self.ask(&Ask::Fetch(request)) {
            Ok(Answer::Fetched(answer)) => answer,
            Ok(_) => Err(EgressFailure::Failed("an answer to another question".to_owned())),
            Err(error) => Err(EgressFailure::Failed(error.to_string())),
        }
    }

    fn browse(&self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        match self.ask(&Ask::Browse(ask)) {
            Ok(Answer::Browsed(answer)) => answer,
            Ok(_) => Err(BrowseFailure::Failed("an answer to another question".to_owned())),
            Err(error) => Err(BrowseFailure::Failed(error.to_string())),
        }
    }

    /// The other side has the workspace, and knows by itself.
    fn has_read(&self, _: &[u8]) {}

    fn watches(&self) -> bool {
        false
    }
}
