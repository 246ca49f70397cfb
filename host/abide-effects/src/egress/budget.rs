//! What a lease has spent. Counted before a request leaves, and with each piece of an answer.

use abide_core::id::Timestamp;

use super::lease::Budgets;
use super::refusal::Refusal;

const SECOND_MS: u64 = 1_000;

/// What was spent so far.
#[derive(Debug)]
pub(super) struct Spending {
    budgets: Budgets,
    began: Timestamp,
    requests: u32,
    running: u32,
    bytes: u64,
    second: Timestamp,
    in_second: u32,
}

impl Spending {
    /// Nothing was spent yet.
    pub(super) fn new(budgets: Budgets, now: Timestamp) -> Self {
        Self { budgets, began: now, requests: 0, running: 0, bytes: 0, second: now, in_second: 0 }
    }

    /// Counts a request, also one that will be refused: asking is not free. Says how it is to be refused if there is none left.
    pub(super) fn count(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.is_in_time(now)?;
        if self.requests >= self.budgets.requests_max {
            return Err(Refusal::Budget("requests_max"));
        }
        self.requests = self.requests.saturating_add(1);
        if now.0.saturating_sub(self.second.0) >= SECOND_MS {
            (self.second, self.in_second) = (now, 0);
        }
        if self.in_second >= self.budgets.per_second_max {
            return Err(Refusal::Budget("per_second_max"));
        }
        self.in_second = self.in_second.saturating_add(1);
        Ok(())
    }

    /// Takes a place among those that run.
    pub(super) fn enter(&mut self) -> Result<(), Refusal> {
        if self.running >= self.budgets.concurrent_max {
            return Err(Refusal::Budget("concurrent_max"));
        }
        self.running = self.running.saturating_add(1);
        Ok(())
    }

    /// Gives the place back.
    pub(super) fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Counts bytes that pass. More than there are left do not.
    pub(super) fn pass(&mut self, bytes: u64) -> Result<(), Refusal> {
        let total = self.bytes.saturating_add(bytes);
        if total > self.budgets.bytes_max {
            // What is left is gone as well: nobody probes for what still fits.
            self.bytes = self.budgets.bytes_max;
            return Err(Refusal::Budget("bytes_max"));
        }
        self.bytes = total;
        Ok(())
    }

    /// Milliseconds that the lease has left.
    pub(super) fn left_ms(&self, now: Timestamp) -> u64 {
        self.budgets.lease_ms_max.saturating_sub(now.0.saturating_sub(self.began.0))
    }

    /// Whether the lease has time left.
    pub(super) fn is_in_time(&self, now: Timestamp) -> Result<(), Refusal> {
        if now.0.saturating_sub(self.began.0) >= self.budgets.lease_ms_max {
            return Err(Refusal::Over("its time is up".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
