//! A stream whose reader has so long to take what is written to it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::door::Stream;

/// Ends with `TimedOut` when what was begun to be written is not taken in time. A reader who takes a byte now and then gains nothing: the time
/// runs from the first byte that had to wait until everything is flushed.
pub(super) struct Patience {
    stream: Box<dyn Stream>,
    within: Duration,
    waits: bool,
    over: Pin<Box<Sleep>>,
}

impl Patience {
    /// Inside of a runtime.
    pub(super) fn new(stream: Box<dyn Stream>, within_ms: u64) -> Self {
        let within = Duration::from_millis(within_ms);
        Self { stream, within, waits: false, over: Box::pin(sleep(within)) }
    }

    /// What `polled` comes to, given the time that is left.
    fn within<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            return polled;
        }
        if !self.waits {
            self.waits = true;
            // Far off: never, which is what so long a time means.
            let end = Instant::now().checked_add(self.within).unwrap_or_else(|| self.over.deadline());
            self.over.as_mut().reset(end);
        }
        ready!(self.over.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patience {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patience {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.within(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.within(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_ready() {
            self.waits = false;
        }
        self.within(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.within(polled, cx)
    }
}
