//! The supervisor where there are no threads: inside the sealed judge. What runs too long, too deep or panics there ends the whole module, and
//! the host outside sees to it.

use std::time::Duration;

/// Why no answer came back. In here nothing comes back that could say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "the same names as outside, where there are threads")]
pub(crate) enum Lost {
    Deadline,
    Panicked,
    Crowded,
    NoThread,
}

/// Runs work where it stands.
#[derive(Debug)]
pub(crate) struct Supervisor;

impl Supervisor {
    pub(crate) fn new(_abandoned_max: usize) -> Self {
        Self
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same shape as outside")]
    pub(crate) fn call<T: Send + 'static>(
        &self,
        _deadline: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        Ok(work())
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same shape as outside")]
    pub(crate) fn call_then_sweep<T: Send + 'static, L: 'static>(
        &self,
        _deadline: Duration,
        work: impl FnOnce() -> (T, L) + Send + 'static,
    ) -> Result<T, Lost> {
        Ok(work().0)
    }
}
