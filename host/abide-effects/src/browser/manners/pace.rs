//! How many requests begin within a second, counted over a window that moves. Whoever comes too early is told when it may.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A second, and a little: what counts behind this has a clock of its own.
const WINDOW: Duration = Duration::from_millis(1_050);
/// LIMIT: beginnings that are remembered. A rate above it is not kept to the letter, but to this many.
const REMEMBERED_MAX: usize = 10_000;

/// The newest beginnings, in order; some of them are still to come.
#[derive(Debug)]
pub(super) struct Pace {
    per_window: usize,
    begun: VecDeque<Instant>,
}

impl Pace {
    pub(super) fn new(per_second_max: u32) -> Self {
        let per_window = usize::try_from(per_second_max).unwrap_or(usize::MAX).clamp(1, REMEMBERED_MAX);
        Self { per_window, begun: VecDeque::new() }
    }

    /// When one more may begin. If that is later than `most` from `now`, nothing is reserved, and the wait is told.
    pub(super) fn reserve(&mut self, now: Instant, most: Duration) -> Result<Instant, Duration> {
        let before = self.begun.len().checked_sub(self.per_window).and_then(|place| self.begun.get(place));
        let free = before.and_then(|before| before.checked_add(WINDOW)).unwrap_or(now);
        let start = free.max(now);
        let wait = start.saturating_duration_since(now);
        if wait > most {
            return Err(wait);
        }
        self.begun.push_back(start);
        while self.begun.len() > self.per_window {
            self.begun.pop_front();
        }
        Ok(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_than_it_may() {
        let began = Instant::now();
        let mut pace = Pace::new(3);
        let starts: Vec<Duration> = (0..8_u32)
            .map(|number| {
                let now = began + Duration::from_millis(10) * number;
                pace.reserve(now, Duration::from_secs(9)).unwrap() - began
            })
            .collect();
        for window in starts.windows(4) {
            assert!(window[3] >= window[0] + WINDOW, "{starts:?}");
        }
        assert_eq!(starts[2], Duration::from_millis(20), "the first three begin at once");
        assert_eq!(starts[3], WINDOW);
    }

    #[test]
    fn who_would_wait_too_long_takes_no_place() {
        let now = Instant::now();
        let mut pace = Pace::new(1);
        let short = Duration::from_millis(10);
        assert_eq!(pace.reserve(now, short), Ok(now));
        assert_eq!(pace.reserve(now, short), Err(WINDOW));
        assert_eq!(pace.reserve(now, short), Err(WINDOW), "the one before was not counted");
        assert_eq!(pace.reserve(now, WINDOW), Ok(now + WINDOW));
    }
}
