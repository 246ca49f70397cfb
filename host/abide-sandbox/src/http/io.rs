//! `wasi:io` and the clock, as far as a client needs them: streams over bytes that are there, and things to wait for that are ready.

use wasmtime::component::Resource;

use super::Lot;
use super::bindings::wasi::clocks::monotonic_clock;
use super::bindings::wasi::http::types::ErrorCode;
use super::bindings::wasi::io::{error, poll, streams};
use super::exchange::{Shared, lock};
use crate::host::State;
use crate::stub::CLOCK_STEP_NS;

/// LIMIT: bytes of one read or write.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// `error`.
#[derive(Debug)]
pub struct IoError(Option<ErrorCode>);

impl IoError {
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn code(&self) -> Option<ErrorCode> {
        self.0.clone()
    }
}

/// `pollable`.
#[derive(Debug)]
pub enum Pollable {
    /// There is nothing to wait for.
    Ready,
    /// The answer to a request, which may not be whole.
    Answer(Shared),
}

/// `input-stream`.
#[derive(Debug)]
pub struct InputStream {
    bytes: Vec<u8>,
    at: usize,
    _outstanding: Option<Lot>,
}

impl InputStream {
    pub(super) fn nothing() -> Self {
        Self { bytes: Vec::new(), at: 0, _outstanding: None }
    }

    /// The body of an answer.
    pub(super) fn of(bytes: Vec<u8>, outstanding: Lot) -> Self {
        Self { bytes, at: 0, _outstanding: Some(outstanding) }
    }

    /// The next bytes, at most `len`; none at the end.
    fn next(&mut self, len: u64) -> Option<&[u8]> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let wanted = usize::try_from(len.min(PIECE_BYTES_MAX)).unwrap_or(usize::MAX).min(rest.len());
        self.at = self.at.saturating_add(wanted);
        rest.get(..wanted)
    }
}

/// `output-stream`.
#[derive(Debug)]
pub enum OutputStream {
    /// It leads nowhere, and says that it is closed.
    Nothing,
    /// The body of a request.
    Body(Shared),
}

type Streamed<T> = wasmtime::Result<Result<T, streams::StreamError>>;

impl State {
    fn is_ready(&self, pollable: &Resource<Pollable>) -> wasmtime::Result<bool> {
        Ok(match self.http.table.get(pollable)? {
            Pollable::Ready => true,
            Pollable::Answer(exchange) => lock(exchange).is_ready(),
        })
    }

    fn wait(&mut self, pollable: &Resource<Pollable>) -> wasmtime::Result<()> {
        if let Pollable::Answer(exchange) = self.http.table.get(pollable)? {
            let exchange = Shared::clone(exchange);
            if !lock(&exchange).is_ready() {
                self.give_up(&exchange);
            }
        }
        Ok(())
    }

    fn failed(&mut self, code: ErrorCode) -> wasmtime::Result<streams::StreamError> {
        self.hold(IoError(Some(code))).map(streams::StreamError::LastOperationFailed)
    }

    fn body_of(&self, stream: &Resource<OutputStream>) -> wasmtime::Result<Option<Shared>> {
        Ok(match self.http.table.get(stream)? {
            OutputStream::Nothing => None,
            OutputStream::Body(exchange) => Some(Shared::clone(exchange)),
        })
    }

    fn put(&mut self, stream: &Resource<OutputStream>, bytes: &[u8]) -> Streamed<()> {
        let Some(exchange) = self.body_of(stream)? else { return Ok(Err(streams::StreamError::Closed)) };
        let written = lock(&exchange).write(bytes);
        Ok(match written {
            Ok(()) => Ok(()),
            Err(None) => Err(streams::StreamError::Closed),
            Err(Some(code)) => Err(self.failed(code)?),
        })
    }

    fn is_open(&self, stream: &Resource<OutputStream>) -> Streamed<()> {
        let room = self.body_of(stream)?.and_then(|exchange| lock(&exchange).room());
        Ok(room.map(drop).ok_or(streams::StreamError::Closed))
    }
}

impl error::Host for State {}

impl error::HostError for State {
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        Ok(self.http.table.get(&error)?.0.as_ref().map_or_else(String::new, |code| format!("{code:?}")))
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        self.let_go(error).map(drop)
    }
}

impl poll::Host for State {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.is_empty() {
            wasmtime::bail!("a worker may not wait for nothing at all");
        }
        let mut ready = Vec::new();
        for (at, pollable) in (0..).zip(&pollables) {
            if self.is_ready(pollable)? {
                ready.push(at);
            }
        }
        if ready.is_empty() {
            // None of them will be by itself: whoever waits does nothing else.
            pollables.iter().try_for_each(|pollable| self.wait(pollable))?;
            ready = (0..).take(pollables.len()).collect();
        }
        Ok(ready)
    }
}

impl poll::HostPollable for State {
    fn ready(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        self.is_ready(&pollable)
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.wait(&pollable)
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.let_go(pollable).map(drop)
    }
}

impl streams::Host for State {}

impl streams::HostInputStream for State {
    fn read(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<Vec<u8>> {
        let next = self.http.table.get_mut(&stream)?.next(len).map(<[u8]>::to_vec);
        Ok(next.ok_or(streams::StreamError::Closed))
    }

    fn blocking_read(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<Vec<u8>> {
        streams::HostInputStream::read(self, stream, len)
    }

    fn skip(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<u64> {
        let next = self.http.table.get_mut(&stream)?.next(len).map(|bytes| super::count(bytes.len()));
        Ok(next.ok_or(streams::StreamError::Closed))
    }

    fn blocking_skip(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<u64> {
        self.skip(stream, len)
    }

    fn subscribe(&mut self, _: Resource<InputStream>) -> wasmtime::Result<Resource<Pollable>> {
        self.hold(Pollable::Ready)
    }

    fn drop(&mut self, stream: Resource<InputStream>) -> wasmtime::Result<()> {
        self.let_go(stream).map(drop)
    }
}

impl streams::HostOutputStream for State {
    fn check_write(&mut self, stream: Resource<OutputStream>) -> Streamed<u64> {
        let room = self.body_of(&stream)?.and_then(|exchange| lock(&exchange).room());
        Ok(match room {
            None => Err(streams::StreamError::Closed),
            // Waiting would make no more of it.
            Some(0) => Err(self.failed(ErrorCode::HttpRequestBodySize(None))?),
            Some(room) => Ok(room.min(PIECE_BYTES_MAX)),
        })
    }

    fn write(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> Streamed<()> {
        self.put(&stream, &bytes)
    }

    fn blocking_write_and_flush(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> Streamed<()> {
        self.put(&stream, &bytes)
    }

    fn flush(&mut self, stream: Resource<OutputStream>) -> Streamed<()> {
        self.is_open(&stream)
    }

    fn blocking_flush(&mut self, stream: Resource<OutputStream>) -> Streamed<()> {
        self.is_open(&stream)
    }

    fn subscribe(&mut self, _: Resource<OutputStream>) -> wasmtime::Result<Resource<Pollable>> {
        self.hold(Pollable::Ready)
    }

    fn write_zeroes(&mut self, stream: Resource<OutputStream>, len: u64) -> Streamed<()> {
        let zeroes = usize::try_from(len.min(PIECE_BYTES_MAX)).unwrap_or_default();
        if super::count(zeroes) < len {
            return Ok(Err(self.failed(ErrorCode::HttpRequestBodySize(None))?));
        }
        self.put(&stream, &vec![0; zeroes])
    }

    fn blocking_write_zeroes_and_flush(&mut self, stream: Resource<OutputStream>, len: u64) -> Streamed<()> {
        self.write_zeroes(stream, len)
    }

    fn splice(
        &mut self,
        stream: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> Streamed<u64> {
        let Some(bytes) = self.http.table.get_mut(&from)?.next(len).map(<[u8]>::to_vec) else {
            return Ok(Err(streams::StreamError::Closed));
        };
        Ok(self.put(&stream, &bytes)?.map(|()| super::count(bytes.len())))
    }

    fn blocking_splice(
        &mut self,
        stream: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> Streamed<u64> {
        self.splice(stream, from, len)
    }

    fn drop(&mut self, stream: Resource<OutputStream>) -> wasmtime::Result<()> {
        self.let_go(stream).map(drop)
    }
}

/// The clock counts questions: what a worker does may not depend on how long an answer took.
impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.stubs.now_ns())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP_NS)
    }

    fn subscribe_instant(&mut self, _: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.hold(Pollable::Ready)
    }

    fn subscribe_duration(&mut self, _: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.hold(Pollable::Ready)
    }
}
