//! The port through which workers look at pages, and how much of it they may. What drives a browser, and what sends its requests, is in `abide-effects`.

use abide_core::page::{Browse, BrowseFailure, Browsed};

use crate::egress::Egress;
use crate::message::{Limits, Usage};
use crate::text::clean_line;

/// Bytes of the reason that a worker is told.
const WHY_BYTES_MAX: usize = 500;

/// A failure with a reason that can be shown.
pub(crate) fn cleaned(failure: BrowseFailure) -> BrowseFailure {
    failure.map(|why| clean_line(&why, WHY_BYTES_MAX))
}

/// What one task took of the browser so far, and what it may take.
#[derive(Debug)]
pub(crate) struct BrowserMeter {
    pages_max: u32,
    calls_max: u64,
    bytes_max: u64,
    pages: u32,
    usage: Usage,
}

impl BrowserMeter {
    /// Nothing was taken yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            pages_max: limits.browser_pages_max,
            calls_max: limits.browser_calls_max.into(),
            bytes_max: limits.browser_bytes_max,
            pages: 0,
            usage: Usage::default(),
        }
    }

    /// What was taken; `None` if nothing was asked for.
    pub(crate) fn usage(&self) -> Option<Usage> {
        (self.usage != Usage::default()).then_some(self.usage)
    }

    /// Passes a question on, and counts it and its answer.
    pub(crate) fn ask(&mut self, browser: &dyn Egress, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let answer = self.begin(&ask).and_then(|()| {
            let answer = browser.browse(ask)?;
            self.charge(answer.bytes())?;
            Ok(answer)
        });
        if matches!(answer, Err(BrowseFailure::Refused(_))) {
            self.usage.denied = self.usage.denied.saturating_add(1);
        }
        answer
    }

    /// Counts a call; fails when there is none left.
    fn begin(&mut self, ask: &Browse) -> Result<(), BrowseFailure> {
        if self.usage.calls >= self.calls_max {
            return Err(spent("browser_calls_max", self.calls_max));
        }
        if self.usage.bytes >= self.bytes_max {
            return Err(spent("browser_bytes_max", self.bytes_max));
        }
        self.usage.calls = self.usage.calls.saturating_add(1);
        if matches!(ask, Browse::Open(_)) {
            if self.pages >= self.pages_max {
                return Err(spent("browser_pages_max", self.pages_max.into()));
            }
            self.pages = self.pages.saturating_add(1);
        }
        Ok(())
    }

    /// Charges bytes that are about to be given out; fails instead of giving more than there are left.
    fn charge(&mut self, bytes: usize) -> Result<(), BrowseFailure> {
        let total = self.usage.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if total > self.bytes_max {
            // The rest is gone too: a worker must not probe for what still fits.
            self.usage.bytes = self.bytes_max;
            return Err(spent("browser_bytes_max", self.bytes_max));
        }
        self.usage.bytes = total;
        Ok(())
    }
}

fn spent(limit: &str, most: u64) -> BrowseFailure {
    BrowseFailure::Refused(format!("the task has used up `{limit}`, which is {most} [AB0862]"))
}
