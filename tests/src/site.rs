//! A small web server on an address of a test: it answers what its pages say, and remembers everything that it was asked.
//!
//! [`Friendly`] is a catalogue of parts with the kinds of pages that sites have; `crate::hostile` has those that mean harm. Neither knows who asks.

mod answer;
pub mod ask;
mod friendly;
mod made;
mod serve;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

pub use answer::{Answer, Body};
pub use friendly::{Friendly, PASSWORD, USER};
pub use made::{ENDLESS_ITEMS, LIST_ITEMS, LIST_PAGE};

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path with its query, as it was sent.
    pub target: String,
    /// Fields by their names in lower case; of those that came twice the last.
    pub headers: BTreeMap<String, String>,
    /// At most 1 MiB of the body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query, empty where there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// A value of the query, as it was sent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.query().split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// A field, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Whether `text` is in the request line, a field or the body.
    pub fn holds(&self, text: &str) -> bool {
        self.target.contains(text)
            || self.headers.values().any(|value| value.contains(text))
            || self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// What a site says. It is asked from several connections, one after the other.
pub trait Pages: Send + 'static {
    /// The answer to a request. `origin` is `http://ADDRESS:PORT` of the site.
    fn answer(&mut self, origin: &str, asked: &Asked) -> Answer;
}

impl<F: FnMut(&Asked) -> Answer + Send + 'static> Pages for F {
    fn answer(&mut self, _: &str, asked: &Asked) -> Answer {
        self(asked)
    }
}

/// A site that is served, until it is dropped.
#[derive(Debug)]
pub struct Site {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<Asked>>>,
    sent: Arc<AtomicU64>,
    /// Whoever listens ends with it.
    _stop: oneshot::Sender<()>,
}

impl Site {
    /// The friendly pages on a fresh port of loopback.
    pub fn friendly() -> Self {
        Self::start("127.0.0.1:0", Friendly::default())
    }

    /// `pages` at an address; port 0 is a fresh one.
    #[track_caller]
    pub fn start(at: &str, pages: impl Pages) -> Self {
        let listener = TcpListener::bind(at).unwrap_or_else(|error| panic!("{at}: {error}"));
        let at = listener.local_addr().unwrap();
        let (heard, sent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let (stop, stopped) = oneshot::channel();
        let served = serve::Served {
            origin: format!("http://{at}"),
            pages: Mutex::new(Box::new(pages)),
            heard: heard.clone(),
            sent: sent.clone(),
        };
        std::thread::spawn(move || serve::until(listener, Arc::new(served), stopped));
        Self { at, heard, sent, _stop: stop }
    }

    /// `http://ADDRESS:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Everything that was asked, in the order of arrival.
    pub fn asked(&self) -> Vec<Asked> {
        self.heard.lock().unwrap().clone()
    }

    /// How often a path was asked for, with whatever method and query.
    pub fn asked_for(&self, path: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|asked| asked.path() == path).count()
    }

    /// First lines of what was asked: `GET /path?query`.
    pub fn lines(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
    }

    /// Bytes of bodies that were handed to clients.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Forgets what was asked and sent.
    pub fn forget(&self) {
        self.heard.lock().unwrap().clear();
        self.sent.store(0, Ordering::SeqCst);
    }
}
