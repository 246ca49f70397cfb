//! What is said over the sockets. Each message is its length, four bytes, little-endian, and then its body in postcard's format.

use std::io::{self, ErrorKind, Read, Write};

use abide_core::id::Digest;
use abide_core::page::{Browse, BrowseFailure, Browsed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::walls::{Attempt, Wall};
use crate::component::LoadError;
use crate::egress::{EgressFailure, EgressRequest, EgressResponse};
use crate::engine::{EngineLimits, Execution};
use crate::workspace::{Listing, SearchOptions, SearchResult, WorkspaceError};

/// What a runner is told, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// What it is to be. The first order, answered by [`Word::Ready`].
    Start {
        /// How large an engine.
        limits: EngineLimits,
        /// How it runs code.
        execution: Execution,
        /// What it is for.
        purpose: Purpose,
    },
    /// Compile these bytes, and end. Answered by [`Word::Compiled`].
    Compile(ByteBuf),
    /// Take this compiled component. Answered by [`Word::Loaded`].
    Load {
        /// Digest of the component's file.
        component: Digest,
        /// Bytes of that file.
        bytes: u64,
        /// What was compiled from it.
        code: ByteBuf,
    },
    /// Run a task, over the socket that follows. Not answered here.
    Run(ByteBuf),
    /// Try what must not be possible. Answered by [`Word::Tried`].
    Try,
}

/// What a runner is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// To run tasks of one component: its engine is started at once.
    Run,
    /// To compile, or to be looked at.
    Other,
}

/// What a runner says, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// These walls stand around it.
    Ready(Vec<Wall>),
    /// What came of compiling.
    Compiled(Result<ByteBuf, LoadError>),
    /// Whether the code can be run here.
    Loaded(Result<(), String>),
    /// What was possible.
    Tried(Vec<Attempt>),
}

/// What a task asks for, on its own socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// Files below a prefix.
    List { prefix: String, after: Option<String>, limit: u32 },
    /// Bytes of a file.
    Read { path: String, offset: u64, limit: u32 },
    /// Lines with a text.
    Search { query: String, options: SearchOptions },
    /// A request to the network.
    Fetch(EgressRequest),
    /// A question to the browser.
    Browse(Browse),
    /// The task is over: a `RunOutcome` as JSON.
    Done(ByteBuf),
}

/// What a task is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// To [`Ask::List`].
    Listing(Result<Listing, WorkspaceError>),
    /// To [`Ask::Read`].
    Bytes(Result<ByteBuf, WorkspaceError>),
    /// To [`Ask::Search`].
    Found(Result<SearchResult, WorkspaceError>),
    /// To [`Ask::Fetch`].
    Fetched(Result<EgressResponse, EgressFailure>),
    /// To [`Ask::Browse`].
    Browsed(Result<Browsed, BrowseFailure>),
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The other side is gone.
    #[error("the other side hung up")]
    Closed,
    /// It announced more than it may send.
    #[error("a message of {bytes} bytes was announced, and {limit} are allowed")]
    TooLarge { bytes: u64, limit: u64 },
    /// It sent something else.
    #[error("a message is malformed")]
    Malformed,
    /// The system.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        let is_closed = [ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe, ErrorKind::ConnectionReset]
            .contains(&error.kind());
        if is_closed { Self::Closed } else { Self::Io(error) }
    }
}

/// Sends a message, in one write where the socket takes it.
pub(crate) fn send(to: &mut impl Write, message: &impl Serialize) -> Result<(), WireError> {
    let mut frame = postcard::to_extend(message, vec![0; HEADER]).map_err(|_| WireError::Malformed)?;
    let body = frame.len().saturating_sub(HEADER);
    let length = u32::try_from(body).map_err(|_| WireError::TooLarge {
        bytes: u64::try_from(body).unwrap_or(u64::MAX),
        limit: u32::MAX.into(),
    })?;
    if let Some(header) = frame.get_mut(..HEADER) {
        header.copy_from_slice(&length.to_le_bytes());
    }
    Ok(to.write_all(&frame)?)
}

/// Bytes of the length.
const HEADER: usize = 4;

/// Receives a message of at most `limit` bytes.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read, limit: u64) -> Result<T, WireError> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header)?;
    let bytes = u64::from(u32::from_le_bytes(header));
    if bytes > limit {
        return Err(WireError::TooLarge { bytes, limit });
    }
    // Grows with what arrives: an announced length costs nothing by itself.
    let mut body = Vec::new();
    let read = from.take(bytes).read_to_end(&mut body)?;
    if u64::try_from(read).unwrap_or(u64::MAX) < bytes {
        return Err(WireError::Closed);
    }
    match postcard::take_from_bytes(&body) {
        Ok((message, [])) => Ok(message),
        _ => Err(WireError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ask, Order, WireError, receive, send};

    fn frame(message: &impl serde::Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        send(&mut bytes, message).unwrap();
        bytes
    }

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let bytes = frame(&Ask::Read { path: "a".to_owned(), offset: 7, limit: 9 });
        let got: Ask = receive(&mut &bytes[..], 100).unwrap();
        assert!(matches!(got, Ask::Read { path, offset: 7, limit: 9 } if path == "a"));
    }

    #[test]
    fn a_length_is_not_believed() {
        let four_gib = [0xff_u8; 8];
        let refused = receive::<Ask>(&mut &four_gib[..], 1 << 20).unwrap_err();
        assert!(matches!(refused, WireError::TooLarge { .. }), "{refused:?}");
        // Within the limit, and never sent: the rest is not waited for beyond the end, nor made room for.
        let short = [0, 0, 16, 0, 1];
        assert!(matches!(receive::<Ask>(&mut &short[..], 1 << 30), Err(WireError::Closed)));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let bytes = frame(&Order::Try);
        for cut in 0..bytes.len() {
            assert!(receive::<Order>(&mut &bytes[..cut], 100).is_err(), "{cut}");
        }
        let mut longer = frame(&Ask::Read { path: "a".to_owned(), offset: 7, limit: 9 });
        longer.push(0);
        longer[0] += 1;
        assert!(matches!(receive::<Ask>(&mut &longer[..], 100), Err(WireError::Malformed)));
    }
}
