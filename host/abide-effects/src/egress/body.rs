//! An answer's body: counted as it arrives, ended when it is late, too large, or the lease is over. Nothing is decompressed.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::har::Entry;
use super::refusal::{EgressError, Fault, Refusal};
use super::session::{Running, Session};

/// The body of an answer. Whoever drops it ends it.
#[derive(Debug)]
pub struct Body {
    session: Session,
    incoming: Option<Incoming>,
    deadline: Instant,
    /// Bytes that arrived.
    passed: u64,
    entry: Option<(Option<String>, Entry)>,
    _running: Running,
}

impl Body {
    pub(super) fn new(
        session: Session,
        incoming: Incoming,
        deadline: Instant,
        entry: (Option<String>, Entry),
        running: Running,
    ) -> Self {
        Self { session, incoming: Some(incoming), deadline, passed: 0, entry: Some(entry), _running: running }
    }

    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        let piece = self.piece().await;
        if !matches!(piece, Ok(Some(_))) {
            self.incoming = None;
            self.write_down(piece.as_ref().err());
        }
        piece
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, EgressError> {
        let budgets = self.session.budgets();
        loop {
            let Some(incoming) = &mut self.incoming else { return Ok(None) };
            let left = self.deadline.saturating_duration_since(Instant::now());
            let idle = Duration::from_millis(budgets.idle_ms_max);
            let frame = tokio::select! {
                biased;
                over = self.session.over() => return Err(over.into()),
                frame = timeout(left.min(idle), incoming.frame()) => frame,
            };
            let frame = frame.map_err(|_| {
                if left <= idle {
                    Fault::Late { what: "the request", ms: budgets.request_ms_max }
                } else {
                    Fault::Late { what: "a pause in the answer", ms: budgets.idle_ms_max }
                }
            })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| Fault::Broken(error.to_string()))?;
            // Trailers are dropped: nobody judged them.
            let Ok(data) = frame.into_data() else { continue };
            let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.passed = self.passed.saturating_add(bytes);
            if self.passed > budgets.response_bytes_max {
                return Err(Refusal::Budget("response_bytes_max").into());
            }
            self.session.pass(bytes)?;
            return Ok(Some(data));
        }
    }

    /// The whole body.
    pub async fn collect(mut self) -> Result<Vec<u8>, EgressError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    fn write_down(&mut self, stopped: Option<&EgressError>) {
        let Some((origin, mut entry)) = self.entry.take() else { return };
        entry.response_bytes = self.passed;
        entry.stopped = stopped.map(|error| (error.code(), error.to_string()));
        self.session.write_down(origin, entry);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.write_down(None);
    }
}
