//! What is kept of a task's pages: documents, pictures, where things stood in them, what they asked for in vain, what they said. By digest, so that it can be shown to
//! be the same later.

use std::collections::BTreeMap;
use std::sync::Mutex;

use abide_core::id::Digest;
use abide_core::safe_text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::egress::lock;

/// LIMIT: rows of each list; what comes after is counted.
const ROWS_MAX: usize = 500;
/// LIMIT: bytes of all documents and pictures of one task.
const BYTES_MAX: usize = 256 << 20;

/// One page at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// Where it was, without what may be private in its query.
    pub url: String,
    /// Its title, cleaned.
    pub title: String,
    /// The document.
    pub snapshot: Digest,
    /// A picture of the page, if one could be taken.
    pub screenshot: Option<Digest>,
    /// Where each element stood: `[path, left, top, width, height]`, in CSS pixels.
    pub areas: Option<Digest>,
}

/// A request that a page made in vain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vain {
    /// Its method.
    pub method: String,
    /// What it was for, in the browser's words: `Document`, `Image`, …
    pub kind: String,
    /// Where to, without a query.
    pub url: String,
    /// Which rule refused it.
    pub why: String,
}

/// Everything that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Album {
    /// Always [`Album::SCHEMA`].
    pub schema: String,
    /// What showed it: the browser and its version, or none.
    pub browser: String,
    /// The pages, in the order in which they were looked at.
    pub sights: Vec<Sight>,
    /// What was refused, with how often.
    pub vain: Vec<(Vain, u64)>,
    /// What pages said to their console, cleaned.
    pub console: Vec<String>,
    /// Rows that did not fit.
    pub left_out: u64,
}

impl Album {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.pages/1";
}

/// A document or a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// `snapshot`, `screenshot` or `areas`.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is being kept.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sights: Vec<Sight>,
    vain: BTreeMap<Vain, u64>,
    console: Vec<String>,
    left_out: u64,
    bytes: usize,
    kept: BTreeMap<Digest, Kept>,
}

impl Seen {
    /// A request was refused.
    pub(super) fn refused(&self, method: &str, kind: &str, url: &str, why: &str) {
        let line = safe_text::line;
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let vain = Vain { method: line(method), kind: line(kind), url: line(url), why: line(why) };
        let mut inner = lock(&self.0);
        if let Some(times) = inner.vain.get_mut(&vain) {
            *times = times.saturating_add(1);
        } else if inner.vain.len() < ROWS_MAX {
            inner.vain.insert(vain, 1);
        } else {
            inner.left_out = inner.left_out.saturating_add(1);
        }
    }

    /// A page said something.
    pub(super) fn said(&self, what: &str) {
        let line = safe_text::line(what);
        let mut inner = lock(&self.0);
        if inner.console.len() < ROWS_MAX {
            inner.console.push(line);
        } else {
            inner.left_out = inner.left_out.saturating_add(1);
        }
    }

    /// Keeps bytes, by their digest; none where the task has no room left.
    pub(super) fn keep(&self, kind: &'static str, bytes: Vec<u8>) -> Option<Digest> {
        let digest = Digest::of(&bytes);
        let mut inner = lock(&self.0);
        if !inner.kept.contains_key(&digest) {
            let total = inner.bytes.saturating_add(bytes.len());
            if total > BYTES_MAX {
                inner.left_out = inner.left_out.saturating_add(1);
                return None;
            }
            inner.bytes = total;
            inner.kept.insert(digest.clone(), Kept { kind, bytes });
        }
        Some(digest)
    }

    /// A page was looked at.
    pub(super) fn sight(&self, sight: Sight) {
        lock(&self.0).sights.push(sight);
    }

    /// All of it; what is seen from now on begins anew.
    pub(super) fn take(&self, browser: &str) -> (Album, Vec<Kept>) {
        let Inner { sights, vain, console, left_out, kept, .. } = std::mem::take(&mut *lock(&self.0));
        let schema = Album::SCHEMA.to_owned();
        let vain = vain.into_iter().collect();
        let album = Album { schema, browser: browser.to_owned(), sights, vain, console, left_out };
        (album, kept.into_values().collect())
    }
}

/// The areas as they are kept.
pub(super) fn areas(of: &Value) -> Vec<u8> {
    json!({"schema": "abide.areas/1", "areas": of}).to_string().into_bytes()
}
