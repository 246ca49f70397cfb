//! How long this thread has worked on what a stranger wrote. What others do on the machine meanwhile does not count.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Work that ends when it takes too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: Duration,
    most: Duration,
}

impl Clock {
    /// Begins now, for `most` at most.
    pub(super) fn start(most: Duration) -> Self {
        Self { began: worked(), most }
    }

    /// Whether it took longer.
    pub(super) fn is_over(self) -> bool {
        self.elapsed() > self.most
    }

    pub(super) fn elapsed(self) -> Duration {
        worked().saturating_sub(self.began)
    }
}

/// Time that this thread was given.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
