//! Pages without a browser: the same questions, answered from what the server sent. What takes a script is told to need a browser.
//!
//! Everything is asked with manners ([`super::manners`]); cookies and what was put into forms stay on this side of the wall.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use abide_core::id::Digest;
use abide_core::page::{Browse, BrowseFailure, Browsed, PageAsk, PageId, Snapshot};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use scraper::ElementRef;
use url::Url;

use super::blot::Blot;
use super::decode;
use super::manners::{Answer, Private, Purpose, Visits};
use super::seen::{Album, Kept, Seen, Sight};
use crate::egress::refusal::{EgressError, Refusal};
use crate::egress::target::{Origin, Target};
use crate::egress::vault::Secret;
use crate::egress::{Outgoing, Session, led_on};

mod document;
mod form;
mod jar;
mod read;

pub(super) use document::Document;
use document::failed;
use form::{Clicked, Filled, Sending};
use jar::Jar;

/// LIMIT: pages that are open at the same time.
const OPEN_MAX: usize = 16;
/// LIMIT: redirects and refreshes from one address to the page.
const HOPS_MAX: usize = 10;
/// Seconds after which a refresh is one to somewhere else, and not news.
const REFRESH_SECONDS_MAX: f64 = 5.0;

/// Opens secrets that a form may be filled with, by the lease's names for them.
pub trait FormSecrets: fmt::Debug + Send + Sync {
    /// The secret called `name`, for a form that is sent to `origin` and nowhere else.
    fn open(&self, name: &str, origin: &Origin) -> Result<Secret, Refusal>;
}

/// Those that the lease names under `fills`.
impl FormSecrets for Session {
    fn open(&self, name: &str, origin: &Origin) -> Result<Secret, Refusal> {
        self.fill(name, origin)
    }
}

/// There are none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFormSecrets;

impl FormSecrets for NoFormSecrets {
    fn open(&self, name: &str, _: &Origin) -> Result<Secret, Refusal> {
        let why = "the lease names no secret for forms".to_owned();
        Err(Refusal::Credential { reference: name.to_owned(), why })
    }
}

/// Pages of one task.
#[derive(Debug)]
pub struct Still {
    visits: Visits,
    secrets: Arc<dyn FormSecrets>,
    jar: Jar,
    pages: BTreeMap<PageId, Document>,
    opened: u32,
    /// Secrets that were sent: a page that shows one again shows it to nobody.
    sent: Vec<Secret>,
    blot: Blot,
    seen: Seen,
}

/// Where a page is asked for, with what.
#[derive(Debug)]
struct Step {
    outgoing: Outgoing,
    body: Option<Bytes>,
    has_secret: bool,
}

impl Still {
    /// No page is open yet.
    pub fn over(visits: Visits, secrets: Arc<dyn FormSecrets>) -> Self {
        Self {
            visits,
            secrets,
            jar: Jar::default(),
            pages: BTreeMap::new(),
            opened: 0,
            sent: Vec::new(),
            blot: Blot::default(),
            seen: Seen::default(),
        }
    }

    /// What was seen so far, and what is kept of it.
    pub fn seen(&self) -> (Album, Vec<Kept>) {
        self.seen.take("none: read without a browser")
    }

    /// Answers one question.
    pub async fn browse(&mut self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let of = if let Browse::Of(page, _) = &ask { Some(*page) } else { None };
        let answer = self.answer(ask).await;
        if let Ok(Browsed::Snapshot(snapshot)) = &answer {
            let kept = self.seen.keep("snapshot", snapshot.html.clone().into_bytes());
            let kept =
                kept.ok_or_else(|| failed("the task keeps as much of its pages as it may [AB0862]"))?;
            let url = self.visits.session().shown(&snapshot.url);
            let title = of.and_then(|page| self.pages.get(&page)).map(read::title).unwrap_or_default();
            self.seen.sight(Sight { url, title, snapshot: kept, screenshot: None, areas: None });
        }
        answer
    }

    async fn answer(&mut self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        match ask {
            Browse::Open(url) => self.open(url).await.map(Browsed::Opened),
            Browse::Of(page, PageAsk::Click(selector)) => self.click(page, &selector).await,
            Browse::Of(page, PageAsk::FillSecret { selector, secret }) => {
                self.fill_secret(page, &selector, &secret)
            }
            Browse::Of(page, PageAsk::Close) => {
                self.pages.remove(&page);
                Ok(Browsed::Done)
            }
            Browse::Of(page, ask) => {
                let answered = answer(self.page(page)?, ask)?;
                Ok(self.blot.answer(answered))
            }
        }
    }

    fn page(&mut self, page: PageId) -> Result<&mut Document, BrowseFailure> {
        self.pages.get_mut(&page).ok_or_else(|| failed("the page is closed"))
    }

    async fn open(&mut self, url: String) -> Result<PageId, BrowseFailure> {
        let nodes = self.pages.values().map(Document::nodes).fold(0, usize::saturating_add);
        if self.pages.len() >= OPEN_MAX || nodes > document::NODES_MAX {
            return Err(failed("too many pages are open, or too large ones: close one"));
        }
        // What a browser cuts off before it asks.
        let plain = url.split('#').next().unwrap_or_default();
        let document = self.go(Step::to(plain)).await?;
        let page = PageId(self.opened);
        self.opened = self.opened.saturating_add(1);
        self.pages.insert(page, document);
        Ok(page)
    }

    async fn click(&mut self, page: PageId, selector: &str) -> Result<Browsed, BrowseFailure> {
        let document = self.page(page)?;
        let clicked = form::click(document, document.first(selector)?)?;
        let step = match clicked {
            Clicked::Here(change) => {
                uncheck_rivals(document, change.as_ref());
                document.filled.extend(change);
                return Ok(Browsed::Done);
            }
            Clicked::To(url) => Step::to(url.as_str()),
            Clicked::Sent(sending) => Step::with(sending)?,
        };
        let document = self.go(step).await?;
        self.pages.insert(page, document);
        Ok(Browsed::Done)
    }

    fn fill_secret(&mut self, page: PageId, selector: &str, name: &str) -> Result<Browsed, BrowseFailure> {
        let secrets = Arc::clone(&self.secrets);
        let document = self.page(page)?;
        let target = Target::parse(document.url.as_str()).map_err(|why| failed(why.to_string()))?;
        let field = document.first(selector)?;
        form::fillable(field, "")?;
        let place = field.id();
        let secret = secrets.open(name, &target.origin).map_err(|refusal| told(&refusal.into()))?;
        document.filled.insert(place, Filled::Secret(secret));
        Ok(Browsed::Done)
    }

    /// Asks for a page, and follows where it leads: each address is judged anew.
    async fn go(&mut self, mut step: Step) -> Result<Document, BrowseFailure> {
        for _ in 0..=HOPS_MAX {
            let url = Url::parse(&step.outgoing.url).map_err(|_| failed("it is no absolute address"))?;
            if step.has_secret {
                let sent = step.secrets(&self.pages);
                for secret in &sent {
                    self.blot.add(secret);
                }
                self.sent.extend(sent);
            }
            let answer = self.ask(&step, &url).await?;
            self.jar.take(&url, &answer.headers);
            let onwards = next(&step, &answer)?;
            if let Some(onwards) = onwards {
                step = onwards;
                continue;
            }
            let document = self.read(&answer, url)?;
            match refreshed(&document) {
                Some(to) => step = Step::to(to.as_str()),
                None => return Ok(document),
            }
        }
        Err(failed("it leads on more than ten times"))
    }

    async fn ask(&self, step: &Step, url: &Url) -> Result<Answer, BrowseFailure> {
        let private =
            Private { cookies: self.jar.give(url), body: step.body.clone(), hidden: self.sent.clone() };
        let asked = self.visits.ask(Purpose::Document, step.outgoing.clone(), private).await;
        asked.map_err(|error| {
            let failure = told(&error);
            if let BrowseFailure::Refused(why) = &failure {
                let at = self.visits.session().shown(url.as_str());
                self.seen.refused(step.outgoing.method.as_str(), "Document", &at, why);
            }
            failure
        })
    }

    fn read(&self, answer: &Answer, url: Url) -> Result<Document, BrowseFailure> {
        let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence =
            kind.unwrap_or("text/html").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let text = self.blot.text(decode::html(kind, &answer.body).text);
        match essence.as_str() {
            "text/html" | "application/xhtml+xml" => Document::parse(&text, url),
            // As browsers show what has no markup.
            _ if essence.starts_with("text/")
                || essence == "application/json"
                || essence.ends_with("+json") =>
            {
                let plain = text.replace('&', "&amp;").replace('<', "&lt;");
                Document::parse(
                    &format!("<!DOCTYPE html><html><head></head><body><pre>{plain}</pre></body></html>"),
                    url,
                )
            }
            _ => Err(failed(format!("it is `{}`, and no page", abide_core::safe_text::line(&essence)))),
        }
    }
}

impl Step {
    fn to(url: &str) -> Self {
        Self { outgoing: Outgoing::get(url), body: None, has_secret: false }
    }

    fn with(sending: Sending) -> Result<Self, BrowseFailure> {
        let Sending { method, url, told, body, has_secret } = sending;
        let mut headers = HeaderMap::new();
        if method == Method::POST {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
        }
        if url.cannot_be_a_base() {
            return Err(failed("the form leads to no address"));
        }
        let outgoing = Outgoing { method, url: url.into(), headers, body: told.unwrap_or_default() };
        Ok(Self { outgoing, body, has_secret })
    }

    /// The secrets that it carries.
    fn secrets(&self, pages: &BTreeMap<PageId, Document>) -> Vec<Secret> {
        let filled = pages.values().flat_map(|page| page.filled.values());
        let secret =
            |filled: &Filled| if let Filled::Secret(secret) = filled { Some(secret.clone()) } else { None };
        if self.body.is_some() { filled.filter_map(secret).collect() } else { Vec::new() }
    }
}

/// Where an answer leads on to (RFC 9110, section 15.4).
fn next(step: &Step, answer: &Answer) -> Result<Option<Step>, BrowseFailure> {
    let mut head = Response::new(());
    *head.status_mut() = answer.status;
    *head.headers_mut() = answer.headers.clone();
    let Some(outgoing) = led_on(&step.outgoing, &head).map_err(|error| told(&error))? else {
        return Ok(None);
    };
    let keeps_body = outgoing.method == step.outgoing.method && outgoing.method != Method::GET;
    let origin = |url: &str| Target::parse(url).map(|target| target.origin).ok();
    let is_same = origin(&outgoing.url).is_some_and(|new| origin(&step.outgoing.url) == Some(new));
    let (body, has_secret) = (step.body.clone().filter(|_| keeps_body), step.has_secret && keeps_body);
    if has_secret && !is_same {
        return Err(BrowseFailure::Refused("a form with a secret is sent on to another host".to_owned()));
    }
    Ok(Some(Step { outgoing, body, has_secret }))
}

/// Where the page says to go on to by itself.
fn refreshed(document: &Document) -> Option<Url> {
    let metas = document.elements().filter(|one| one.value().name() == "meta");
    let said = metas
        .filter(|one| one.attr("http-equiv").is_some_and(|name| name.trim().eq_ignore_ascii_case("refresh")))
        .find_map(|one| one.attr("content"))?;
    let said = said.trim_start();
    let (seconds, rest) =
        said.split_at(said.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(said.len()));
    if seconds.parse::<f64>().ok()? > REFRESH_SECONDS_MAX {
        return None;
    }
    let rest = rest.trim_start().trim_start_matches([';', ',']).trim_start();
    let named = rest.get(..3).filter(|name| name.eq_ignore_ascii_case("url")).and_then(|_| rest.get(3..));
    let to = named.and_then(|rest| rest.trim_start().strip_prefix('=')).unwrap_or(rest).trim();
    let to = to.trim_matches(['"', '\'']);
    let url = document.resolve(to).filter(|_| !to.is_empty())?;
    // A page that refreshes itself is there.
    (["http", "https"].contains(&url.scheme()) && url != document.url).then_some(url)
}

/// What is asked of a page that stays as it is.
fn answer(document: &mut Document, ask: PageAsk) -> Result<Browsed, BrowseFailure> {
    match ask {
        PageAsk::Url => Ok(Browsed::Text(document.url.to_string())),
        PageAsk::Text => read::text(document).map(Browsed::Text),
        PageAsk::Html => Ok(Browsed::Text(document.html.html())),
        PageAsk::Query { selector, limit } => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            read::elements(document, &selector, limit).map(Browsed::Elements)
        }
        PageAsk::Links => read::links(document).map(Browsed::Links),
        PageAsk::Tables => read::tables(document).map(Browsed::Tables),
        PageAsk::Fill { selector, value } => {
            let field: ElementRef<'_> = document.first(&selector)?;
            form::fillable(field, &value)?;
            let place = field.id();
            document.filled.insert(place, Filled::Text(value));
            Ok(Browsed::Done)
        }
        PageAsk::WaitFor { selector, .. } => {
            let is_there = !document.select(&selector, 1)?.is_empty();
            let why = || format!("no element fits `{selector}`, and without a browser none will come");
            is_there.then_some(Browsed::Done).ok_or_else(|| BrowseFailure::NeedsBrowser(why()))
        }
        PageAsk::Snapshot => {
            let html = document.html.html();
            let digest = Digest::of(html.as_bytes()).to_string();
            Ok(Browsed::Snapshot(Snapshot { url: document.url.to_string(), digest, html }))
        }
        PageAsk::Scroll | PageAsk::Screenshot => {
            Err(BrowseFailure::NeedsBrowser("there is no window, since this host has no browser".to_owned()))
        }
        // Answered by who has the pages.
        PageAsk::Click(_) | PageAsk::FillSecret { .. } | PageAsk::Close => {
            Err(failed("the question is not about what the page shows"))
        }
    }
}

/// Of radio buttons with one name, one is checked.
fn uncheck_rivals(document: &mut Document, change: Option<&(ego_tree::NodeId, Filled)>) {
    let Some((clicked, Filled::Checked(true))) = change else { return };
    let button = |id: ego_tree::NodeId| document.html.tree.get(id).and_then(ElementRef::wrap);
    let group = |one: ElementRef<'_>| {
        let is_radio = one.attr("type").is_some_and(|kind| kind.eq_ignore_ascii_case("radio"));
        is_radio.then(|| one.attr("name").unwrap_or_default().to_owned())
    };
    let Some(own) = button(*clicked).and_then(group) else { return };
    let rivals: Vec<ego_tree::NodeId> = document
        .filled
        .keys()
        .copied()
        .filter(|id| button(*id).and_then(group).is_some_and(|other| other == own))
        .collect();
    for rival in rivals {
        document.filled.remove(&rival);
    }
}

/// What a worker is told. Where a name leads inside of this network is not its business.
fn told(error: &EgressError) -> BrowseFailure {
    let code = error.code();
    match error {
        EgressError::Refused(Refusal::Place { host, .. }) => {
            BrowseFailure::Refused(format!("`{host}` is where no rule reaches [{code}]"))
        }
        EgressError::Refused(refusal) => BrowseFailure::Refused(format!("{refusal} [{code}]")),
        EgressError::Failed(fault) => BrowseFailure::Failed(format!("{fault} [{code}]")),
    }
}

#[cfg(test)]
mod tests;
