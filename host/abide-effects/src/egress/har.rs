//! What was asked and answered, as an HTTP archive (HAR 1.2): refusals too, bodies never, secrets in no form.

use std::collections::BTreeMap;
use std::net::IpAddr;

use abide_core::facts::Meter;
use abide_core::id::Timestamp;
use abide_core::safe_text;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::lease::Lease;
use super::target::Target;

/// LIMIT: requests of one lease that are written out; the rest is counted.
const ENTRIES_MAX: usize = 10_000;
/// Characters of an address that was refused as it stood.
const ODD_ADDRESS_CHARS: usize = 200;
/// What stands in place of what is not told.
const REDACTED: &str = "(redacted)";
/// Fields whose values are nobody's.
const PRIVATE: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "set-cookie", "www-authenticate", "location"];
/// Words in the name of a field or of a part of a query.
const PRIVATE_WORDS: &[&str] =
    &["token", "secret", "passw", "auth", "key", "session", "signature", "credential", "code", "sig"];

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) ms: u64,
    pub(super) method: String,
    /// Redacted, as everything here.
    pub(super) url: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) request_headers: Vec<(String, String)>,
    pub(super) request_bytes: u64,
    /// 0 where there is no answer.
    pub(super) status: u16,
    pub(super) response_headers: Vec<(String, String)>,
    pub(super) response_bytes: u64,
    pub(super) address: Option<IpAddr>,
    /// Code and words of what stopped it.
    pub(super) stopped: Option<(&'static str, String)>,
}

/// How often something was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests, refused ones included.
    pub requests: u64,
    /// Refused, or without an answer.
    pub stopped: u64,
    /// Bytes of bodies, both ways.
    pub bytes: u64,
}

/// All requests of a lease.
#[derive(Debug, Default)]
pub(super) struct Har {
    entries: Vec<Entry>,
    left_out: u64,
    /// By origin (none for places that the lease has no rule about) and method.
    tallies: BTreeMap<(Option<String>, String), Tally>,
}

impl Har {
    /// Writes a request down; `origin` is one that the lease has rules about.
    pub(super) fn add(&mut self, origin: Option<String>, entry: Entry) {
        // Methods are the sender's words: beyond the usual ones they are one.
        let usual = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"];
        let method = if usual.contains(&entry.method.as_str()) { entry.method.as_str() } else { "other" };
        let tally = self.tallies.entry((origin, method.to_owned())).or_default();
        tally.requests = tally.requests.saturating_add(1);
        tally.stopped = tally.stopped.saturating_add(u64::from(entry.stopped.is_some()));
        tally.bytes = tally.bytes.saturating_add(entry.request_bytes).saturating_add(entry.response_bytes);
        if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    pub(super) fn tallies(&self) -> BTreeMap<(Option<String>, String), Tally> {
        self.tallies.clone()
    }

    /// The archive, in the order in which requests ended.
    pub(super) fn archive(&self) -> Value {
        let entries: Vec<Value> = self.entries.iter().map(Entry::json).collect();
        json!({"log": {
            "version": "1.2",
            "creator": {"name": "abide", "version": env!("CARGO_PKG_VERSION")},
            "entries": entries,
            "comment": format!("bodies are not kept; {} more requests were only counted", self.left_out),
        }})
    }
}

impl Entry {
    /// A request without an answer yet.
    pub(super) fn new(at: Timestamp, method: &str, redactor: &Redactor<'_>, url: &str) -> Self {
        let (url, query) = redactor.address(url);
        Self {
            at,
            ms: 0,
            method: safe_text::line(method).chars().take(32).collect(),
            url,
            query,
            request_headers: Vec::new(),
            request_bytes: 0,
            status: 0,
            response_headers: Vec::new(),
            response_bytes: 0,
            address: None,
            stopped: None,
        }
    }

    fn json(&self) -> Value {
        let pairs = |pairs: &[(String, String)]| -> Vec<Value> {
            pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
        };
        let kind = self.response_headers.iter().find(|(name, _)| name == "content-type");
        let millis = i64::try_from(self.at.0).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
        let mut entry = json!({
            "startedDateTime": format!("{at:.3}"),
            "time": self.ms,
            "request": {
                "method": self.method, "url": self.url, "httpVersion": "HTTP/1.1", "cookies": [],
                "headers": pairs(&self.request_headers), "queryString": pairs(&self.query),
                "headersSize": -1, "bodySize": self.request_bytes,
            },
            "response": {
                "status": self.status, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
                "headers": pairs(&self.response_headers),
                "content": {"size": self.response_bytes, "mimeType": kind.map_or("", |(_, value)| value)},
                "redirectURL": "", "headersSize": -1, "bodySize": self.response_bytes,
            },
            "cache": {},
            "timings": {"send": -1, "wait": self.ms, "receive": -1},
        });
        if let (Some(address), Some(entry)) = (self.address, entry.as_object_mut()) {
            entry.insert("serverIPAddress".to_owned(), address.to_string().into());
        }
        if let (Some((code, why)), Some(entry)) = (&self.stopped, entry.as_object_mut()) {
            entry.insert("_stopped".to_owned(), json!({"code": code, "why": why}));
        }
        entry
    }
}

/// Takes out what is nobody's.
#[derive(Debug)]
pub(super) struct Redactor<'a> {
    pub(super) meter: &'a Meter,
    /// Secrets that were put in, to be found wherever they come back.
    pub(super) exact: Vec<Vec<u8>>,
}

impl Redactor<'_> {
    /// Fields, with the values that are private replaced.
    pub(super) fn fields(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| (name.to_string(), self.field(name, value))).collect()
    }

    fn field(&self, name: &HeaderName, value: &HeaderValue) -> String {
        let text = String::from_utf8_lossy(value.as_bytes());
        if PRIVATE.contains(&name.as_str()) || self.is_private(name.as_str(), &text) {
            return REDACTED.to_owned();
        }
        safe_text::line(&text)
    }

    fn is_private(&self, name: &str, value: &str) -> bool {
        let name = name.to_ascii_lowercase();
        PRIVATE_WORDS.iter().any(|word| name.contains(word))
            || self.finds(value)
            || !self.meter.secrets_in(&format!("{name}={value}")).is_empty()
    }

    fn finds(&self, text: &str) -> bool {
        let holds = |secret: &Vec<u8>| {
            !secret.is_empty() && text.as_bytes().windows(secret.len()).any(|window| window == secret)
        };
        self.exact.iter().any(holds) || !self.meter.secrets_in(text).is_empty()
    }

    /// An address without the private values of its query, and that query.
    pub(super) fn address(&self, url: &str) -> (String, Vec<(String, String)>) {
        let Ok(target) = Target::parse(url) else { return (self.odd_address(url), Vec::new()) };
        let path = if self.finds(&target.path) { "/(redacted)" } else { target.path.as_str() };
        let mut out = format!("{}{path}", target.origin);
        let Some(query) = &target.query else { return (out, Vec::new()) };
        let mut parts = Vec::new();
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            let name = if self.finds(name) { REDACTED } else { name };
            let value = if self.is_private(name, value) || self.finds(&decoded) { REDACTED } else { value };
            parts.push((name.to_owned(), value.to_owned()));
        }
        let joined: Vec<String> = parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        out.push('?');
        out.push_str(&joined.join("&"));
        (out, parts)
    }

    /// An address that has no one reading: its beginning, without users.
    fn odd_address(&self, url: &str) -> String {
        if self.finds(url) {
            return REDACTED.to_owned();
        }
        let whole = match url.rsplit_once('@') {
            Some((_, after)) => format!("{REDACTED}@{after}"),
            None => url.to_owned(),
        };
        let plain = whole.split('?').next().unwrap_or_default();
        safe_text::line(&plain.chars().take(ODD_ADDRESS_CHARS).collect::<String>())
    }
}

/// The origin of `target`, if `lease` has rules about it.
pub(super) fn known(lease: &Lease, target: &Target) -> Option<String> {
    (!lease.rules(&target.origin).is_empty()).then(|| target.origin.to_string())
}

#[cfg(test)]
mod tests;
