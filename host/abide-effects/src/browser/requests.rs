//! The requests of all pages. The browser has no network: each request is stopped before it leaves, asked of the broker, and answered from what came back.
//!
//! What the browser does not stop here (a socket, a lookup, a report on closing) goes to a network that has nobody in it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::cdp::Cdp;
use super::manners::{Answer, Private, Purpose, Visits};
use super::seen::Seen;
use super::tab::{Stop, Tab};
use crate::egress::Outgoing;
use crate::egress::judge::Taint;
use crate::egress::refusal::EgressError;
use crate::egress::target::Target;

/// How long the browser has to take an answer.
const TAKE_MS: u64 = 10_000;
/// Fields of a page's request that are passed on. The rest is the broker's, or says more of this host than a server needs.
const PASSED: [HeaderName; 6] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::ORIGIN,
    header::RANGE,
    header::REFERER,
    header::USER_AGENT,
];
/// What a script may say that it takes. Whatever else it says there is not passed on: a server that looks at it knows these.
const TAKES: [&str; 6] = [
    "*/*",
    "application/json",
    "application/json, text/plain, */*",
    "text/html",
    "text/plain",
    "text/event-stream",
];
/// What a document is asked for with.
const DOCUMENT: HeaderValue =
    HeaderValue::from_static("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
/// Fields of an answer that are about the connection, or would have the browser ask somewhere else by itself.
const KEPT_BACK: [HeaderName; 9] = [
    header::ALT_SVC,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::UPGRADE,
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
];

/// Answers the requests of one browser.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) cdp: Cdp,
    pub(super) visits: Visits,
    pub(super) seen: Arc<Seen>,
}

/// A request that the browser stopped.
#[derive(Debug)]
struct Paused {
    id: String,
    url: String,
    method: String,
    kind: String,
    is_page: bool,
    headers: HeaderMap,
    cookies: Option<HeaderValue>,
    body: Vec<u8>,
}

impl Desk {
    /// Answers one `Fetch.requestPaused` of `session`, which is in `tab`.
    pub(super) async fn answer(self: Arc<Self>, tab: Arc<Tab>, session: String, params: Value) {
        let (tab, session) = (&*tab, session.as_str());
        let _asking = tab.asks();
        let Some(paused) = Paused::read(tab, &params) else { return };
        let scheme = paused.url.split(':').next().unwrap_or_default();
        if matches!(scheme, "data" | "blob" | "about") && !paused.is_page {
            // Nothing leaves for these: they are the page's own bytes.
            let go_on = json!({"requestId": paused.id});
            drop(self.cdp.call(Some(session), "Fetch.continueRequest", go_on, TAKE_MS).await);
            return;
        }
        if !matches!(scheme, "http" | "https") {
            let why = format!("`{scheme}:` is not an address of the web [AB0864]");
            self.stop(tab, session, &paused, Stop::Refused(why)).await;
            return;
        }
        match self.ask(&paused).await {
            Ok(answer) => self.fulfil(tab, session, &paused, answer).await,
            Err(error) => {
                let why = format!("{error} [{}]", error.code());
                let stop = match error {
                    EgressError::Refused(_) => Stop::Refused(why),
                    EgressError::Failed(_) => Stop::Failed(why),
                };
                self.stop(tab, session, &paused, stop).await;
            }
        }
    }

    async fn ask(&self, paused: &Paused) -> Result<Answer, EgressError> {
        let is_document = paused.kind == "Document";
        // Who has read may carry nothing away, and so sends what is written in the lease and no more.
        let is_tainted = self.visits.session().taint() == Taint::Tainted;
        let (headers, cookies) = if is_tainted {
            (HeaderMap::new(), None)
        } else {
            (paused.headers.clone(), paused.cookies.clone())
        };
        let outgoing = Outgoing {
            method: Method::from_bytes(paused.method.as_bytes()).unwrap_or(Method::TRACE),
            url: without_fragment(&paused.url).to_owned(),
            headers,
            body: paused.body.clone().into(),
        };
        let purpose = if is_document { Purpose::Document } else { Purpose::Part };
        self.visits.ask(purpose, outgoing, Private { cookies, ..Private::default() }).await
    }

    async fn fulfil(&self, tab: &Tab, session: &str, paused: &Paused, answer: Answer) {
        if paused.is_page {
            tab.document(|document| {
                document.status = Some(answer.status.as_u16());
                document.stopped = None;
            });
        }
        let params = json!({
            "requestId": paused.id,
            "responseCode": answer.status.as_u16(),
            "responseHeaders": fields(&answer.headers),
            "body": STANDARD.encode(&answer.body),
        });
        // Who asked may be gone: a page that went elsewhere, or was closed.
        drop(self.cdp.call(Some(session), "Fetch.fulfillRequest", params, TAKE_MS).await);
    }

    async fn stop(&self, tab: &Tab, session: &str, paused: &Paused, stop: Stop) {
        let reason = match &stop {
            Stop::Refused(why) => {
                self.seen.refused(&paused.method, &paused.kind, &paused.url, why);
                if paused.is_page || paused.method != "GET" {
                    tab.document(|document| {
                        document.refused.get_or_insert_with(|| why.clone());
                    });
                }
                "BlockedByClient"
            }
            Stop::Failed(_) => "ConnectionFailed",
        };
        if paused.is_page {
            tab.document(|document| document.stopped = Some(stop));
        }
        let params = json!({"requestId": paused.id, "errorReason": reason});
        drop(self.cdp.call(Some(session), "Fetch.failRequest", params, TAKE_MS).await);
    }
}

/// The fields of an answer that the browser gets.
fn fields(headers: &HeaderMap) -> Vec<Value> {
    let given = headers.iter().filter(|(name, _)| !KEPT_BACK.contains(name));
    given
        .filter_map(|(name, value)| Some(json!({"name": name.as_str(), "value": value.to_str().ok()?})))
        .collect()
}

impl Paused {
    fn read(tab: &Tab, params: &Value) -> Option<Self> {
        let text = |at: &str| params.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let kind = text("/resourceType")?;
        let mut headers = HeaderMap::new();
        let mut cookies = None;
        for (name, value) in params.pointer("/request/headers")?.as_object()? {
            let name = HeaderName::from_bytes(name.as_bytes()).ok();
            let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
            let (Some(name), Some(value)) = (name, value) else { continue };
            if name == header::COOKIE {
                cookies = Some(value);
            } else if let Some(value) = passed(&name, value, &kind) {
                headers.insert(name, value);
            }
        }
        let parts = params.pointer("/request/postDataEntries").and_then(Value::as_array);
        let parts = parts.into_iter().flatten().filter_map(|part| part.get("bytes")?.as_str());
        let body = parts.filter_map(|part| STANDARD.decode(part).ok()).flatten().collect();
        Some(Self {
            id: text("/requestId")?,
            url: text("/request/url")?,
            method: text("/request/method")?,
            is_page: kind == "Document" && text("/frameId").as_deref() == Some(tab.frame.as_str()),
            kind,
            headers,
            cookies,
            body,
        })
    }
}

/// A field of a page's request as it is passed on; none for one that is not.
fn passed(name: &HeaderName, value: HeaderValue, kind: &str) -> Option<HeaderValue> {
    if !PASSED.contains(name) {
        return None;
    }
    if *name == header::ACCEPT {
        if kind == "Document" {
            return Some(DOCUMENT);
        }
        return value.to_str().is_ok_and(|takes| TAKES.contains(&takes)).then_some(value);
    }
    if *name == header::REFERER {
        // Where it comes from, and not which page: a script may give its page any address of its place.
        let from = Target::parse(without_fragment(value.to_str().ok()?)).ok()?;
        return HeaderValue::from_str(&format!("{}/", from.origin)).ok();
    }
    Some(value)
}

/// What is after `#` is the page's own.
pub(super) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(before, _)| before)
}
