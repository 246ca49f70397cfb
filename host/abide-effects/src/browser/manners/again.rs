//! Asking again: what was remembered, whether it may be, and when a server wants to be asked.

use std::time::Duration;

use abide_core::id::{Digest, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::shelf::Remembered;
use super::{Answer, Private};
use crate::egress::judge::Taint;
use crate::egress::{Outgoing, Session};

/// Fields of an answer that are remembered with it: what it is, and what it says of itself.
const KEPT: &[HeaderName] = &[
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LINK,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
];
/// LIMIT: bytes of a validator.
const VALIDATOR_BYTES_MAX: usize = 1_000;

/// Under what an answer is remembered; none for what may differ by who asks, or by what was read.
pub(super) fn key(outgoing: &Outgoing, private: &Private, session: &Session) -> Option<Digest> {
    let is_anybodys =
        private.cookies.is_none() && private.body.is_none() && !session.is_credentialed(outgoing);
    // Conditions would be fields of its own, which a task that has read does not send.
    let is_plain = outgoing.method == Method::GET && session.taint() == Taint::Clean;
    let has_own =
        [header::RANGE, header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE]
            .iter()
            .any(|name| outgoing.headers.contains_key(name));
    let says = |name: &HeaderName| outgoing.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let varied = [says(&header::ACCEPT), says(&header::ACCEPT_LANGUAGE)].join(&b'\n');
    (is_anybodys && is_plain && !has_own)
        .then(|| Digest::of(&[outgoing.url.as_bytes(), b"\n", varied.as_slice()].concat()))
}

/// What of an answer is worth remembering; none for what says that it is not, or could not be asked for again.
pub(super) fn keepable(answer: &Answer) -> Option<Remembered> {
    let control = answer.headers.get_all(header::CACHE_CONTROL);
    let control: Vec<String> =
        control.iter().map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()).collect();
    let is_private = control.iter().any(|value| value.contains("no-store") || value.contains("private"));
    let sets_cookie = answer.headers.contains_key(header::SET_COOKIE);
    // By these it is remembered apart; by anything else it could be somebody else's answer.
    let known = ["accept", "accept-encoding", "accept-language", "user-agent"];
    let varies = answer.headers.get_all(header::VARY).iter().any(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .to_ascii_lowercase()
            .split(',')
            .any(|name| !known.contains(&name.trim()))
    });
    let validator = |name: &HeaderName| {
        let text = answer.headers.get(name)?.to_str().ok()?;
        (text.len() <= VALIDATOR_BYTES_MAX).then(|| text.to_owned())
    };
    let (etag, modified) = (validator(&header::ETAG), validator(&header::LAST_MODIFIED));
    let is_asked_again = etag.is_some() || modified.is_some();
    if answer.status != StatusCode::OK || is_private || sets_cookie || varies || !is_asked_again {
        return None;
    }
    let fields = answer
        .headers
        .iter()
        .filter(|(name, _)| KEPT.contains(name))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    Some(Remembered { etag, modified, fields: fields.collect(), body: answer.body.clone() })
}

impl Remembered {
    /// Asks for it unless it is still this one.
    pub(super) fn conditions(&self) -> HeaderMap {
        let pairs = [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.modified)];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value.as_ref()?).ok()?)))
            .collect()
    }

    /// What was remembered, with what the new answer says of it.
    pub(super) fn answer(self, new: &HeaderMap) -> Answer {
        let mut headers: HeaderMap = self
            .fields
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
            })
            .collect();
        for name in [header::SET_COOKIE, header::CACHE_CONTROL, header::EXPIRES, header::DATE] {
            if new.contains_key(&name) {
                headers.remove(&name);
            }
            for value in new.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Answer { status: StatusCode::OK, headers, body: self.body, is_remembered: true }
    }
}

/// The value of `Retry-After`: seconds, or a date.
pub(super) fn retry_after(said: &str, now: Timestamp) -> Option<Duration> {
    let said = said.trim();
    if let Ok(seconds) = said.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(said).ok()?;
    let at = u64::try_from(at.as_millisecond()).ok()?;
    Some(Duration::from_millis(at.saturating_sub(now.0)))
}
