//! Cookies of one task: kept on this side of the wall, and told to nobody.

use std::sync::Mutex;

use cookie_store::{CookieStore, RawCookie};
use http::{HeaderMap, HeaderValue, header};
use url::{Host, Url};

use crate::egress::lock;

/// LIMIT: cookies of one task.
const COOKIES_MAX: usize = 500;
/// LIMIT: bytes of one cookie, with its attributes.
const COOKIE_BYTES_MAX: usize = 4_096;
/// LIMIT: bytes of the field that is sent.
const FIELD_BYTES_MAX: usize = 16 << 10;

/// The cookies of one task.
#[derive(Debug, Default)]
pub(super) struct Jar(Mutex<CookieStore>);

impl Jar {
    /// Takes what an answer sets.
    pub(super) fn take(&self, url: &Url, headers: &HeaderMap) {
        let mut store = lock(&self.0);
        for value in headers.get_all(header::SET_COOKIE) {
            let Some(text) = value.to_str().ok().filter(|text| text.len() <= COOKIE_BYTES_MAX) else {
                continue;
            };
            let Ok(cookie) = RawCookie::parse(text.to_owned()) else { continue };
            if store.iter_any().count() >= COOKIES_MAX || !is_of(&cookie, url) {
                continue;
            }
            // What the store refuses is not kept: that is all there is to say of it.
            drop(store.insert_raw(&cookie, url));
        }
    }

    /// What goes with a request.
    pub(super) fn give(&self, url: &Url) -> Option<HeaderValue> {
        let store = lock(&self.0);
        let mut field = String::new();
        for (name, value) in store.get_request_values(url) {
            let more = name.len().saturating_add(value.len()).saturating_add(field.len());
            if more > FIELD_BYTES_MAX {
                break;
            }
            if !field.is_empty() {
                field.push_str("; ");
            }
            field.push_str(name);
            field.push('=');
            field.push_str(value);
        }
        let mut value = HeaderValue::from_str(&field).ok().filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Whether a cookie is the host's own, or of a domain of two names at least. There is no list of domains under which strangers live; a lease
/// names its hosts.
fn is_of(cookie: &RawCookie<'_>, url: &Url) -> bool {
    let Some(domain) = cookie.domain() else { return true };
    let domain = domain.trim_start_matches('.');
    match url.host() {
        Some(Host::Domain(host)) => host.eq_ignore_ascii_case(domain) || domain.contains('.'),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => url.host_str() == Some(domain),
    }
}

#[cfg(test)]
mod tests;
