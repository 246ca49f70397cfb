//! What a page says back: a status, fields, and a body that may be larger than memory.

use std::time::Duration;

use bytes::Bytes;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// How long the client waits before the first byte.
    pub after: Duration,
}

/// A body.
#[derive(Debug, Clone)]
pub enum Body {
    /// All of it at once.
    Whole(Bytes),
    /// The same piece again and again, made as it is sent: nothing of it is held.
    Again {
        /// What comes first.
        head: Bytes,
        /// What is repeated.
        piece: Bytes,
        /// How often.
        times: u64,
        /// Between two pieces.
        pause: Duration,
        /// What comes last.
        tail: Bytes,
    },
    /// It is promised to be longer than it is, and the connection ends.
    Cut {
        /// What comes.
        sent: Bytes,
        /// What `content-length` says.
        promised: u64,
    },
}

impl Answer {
    /// An answer of a type.
    pub fn of(media: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".to_owned(), media.to_owned())],
            body: Body::Whole(body.into()),
            after: Duration::ZERO,
        }
    }

    /// A page in UTF-8.
    pub fn html(body: impl Into<Bytes>) -> Self {
        Self::of("text/html; charset=utf-8", body)
    }

    /// A status with a page that says it.
    pub fn status(status: u16) -> Self {
        let mut answer =
            Self::html(format!("<!doctype html><title>{status}</title><h1>Status {status}</h1>\n"));
        answer.status = status;
        answer
    }

    /// A redirect.
    pub fn to(status: u16, location: &str) -> Self {
        Self::status(status).with("location", location)
    }

    /// The same with one field more, or another value of `content-type`.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if name == "content-type" {
            self.headers.retain(|(name, _)| name != "content-type");
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, later.
    pub fn after(mut self, ms: u64) -> Self {
        self.after = Duration::from_millis(ms);
        self
    }
}
