//! One page of the browser, as it is known from what the browser tells of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::time::{Duration, Instant};

use crate::egress::lock;

/// How long a page that is loaded must ask for nothing, to be quiet.
pub(super) const QUIET: Duration = Duration::from_millis(150);

/// One page. Its frames and workers are in it.
#[derive(Debug)]
pub(super) struct Tab {
    /// The browser's name for it.
    pub(super) target: String,
    /// The session in which it is asked.
    pub(super) session: String,
    /// The browser's name for its outermost frame.
    pub(super) frame: String,
    is_crashed: AtomicBool,
    is_loading: AtomicBool,
    asking: AtomicU32,
    last: Mutex<Instant>,
    document: Mutex<Document>,
}

/// What came of the newest request for the page itself, and what was refused since it was last looked.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    /// The status of the page's own answer.
    pub(super) status: Option<u16>,
    /// Why there is none.
    pub(super) stopped: Option<Stop>,
    /// The first thing that the page was not allowed to send: a request that is not GET, or one to go elsewhere.
    pub(super) refused: Option<String>,
}

/// Why a request had no answer.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// It was not allowed.
    Refused(String),
    /// It went wrong.
    Failed(String),
}

/// A request of the page that has no answer yet.
#[derive(Debug)]
pub(super) struct Asking<'t>(&'t Tab);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::SeqCst);
        self.0.stirs();
    }
}

impl Tab {
    pub(super) fn new(target: String, session: String, frame: String) -> Self {
        Self {
            target,
            session,
            frame,
            is_crashed: AtomicBool::new(false),
            is_loading: AtomicBool::new(false),
            asking: AtomicU32::new(0),
            last: Mutex::new(Instant::now()),
            document: Mutex::default(),
        }
    }

    /// A request began; it is over when what comes back is dropped.
    pub(super) fn asks(&self) -> Asking<'_> {
        self.asking.fetch_add(1, Ordering::SeqCst);
        self.stirs();
        Asking(self)
    }

    /// Something happened in it.
    pub(super) fn stirs(&self) {
        *lock(&self.last) = Instant::now();
    }

    pub(super) fn crashed(&self) {
        self.is_crashed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_crashed(&self) -> bool {
        self.is_crashed.load(Ordering::SeqCst)
    }

    pub(super) fn loads(&self, is_loading: bool) {
        self.is_loading.store(is_loading, Ordering::SeqCst);
        self.stirs();
    }

    pub(super) fn is_loaded(&self) -> bool {
        !self.is_loading.load(Ordering::SeqCst)
    }

    /// Whether nothing happens in it any more.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_loaded() && self.asking.load(Ordering::SeqCst) == 0 && lock(&self.last).elapsed() >= QUIET
    }

    pub(super) fn document(&self, change: impl FnOnce(&mut Document)) {
        change(&mut lock(&self.document));
    }

    /// What it was not allowed to send, if there was something; it is forgotten.
    pub(super) fn take_refused(&self) -> Option<String> {
        lock(&self.document).refused.take()
    }

    /// What is known of the document, and from now on nothing.
    pub(super) fn take_document(&self) -> Document {
        std::mem::take(&mut lock(&self.document))
    }
}
