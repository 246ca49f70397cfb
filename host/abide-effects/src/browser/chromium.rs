//! Drives a real browser for one task: opens pages, reads them, clicks and fills, and keeps what was seen.
//!
//! A page's scripts run only in the browser, which has no network and is in a jail. What is read is read in a world beside those scripts. Time passes for the requests of
//! pages only while somebody asks: between two questions nothing is answered.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::page::{Browse, BrowseFailure, Browsed, Element, Link, PageAsk, PageId, Snapshot, Table};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::blot::Blot;
use super::cdp::{Cdp, CdpError, Event};
use super::manners::Visits;
use super::requests::{Desk, without_fragment};
use super::seen::{self, Album, Kept, Seen, Sight};
use super::tab::{Stop, Tab};
use crate::egress::lock;
use crate::egress::refusal::Refusal;
use crate::egress::target::Target;

/// What is run beside a page's scripts.
const READER: &str = include_str!("page.js");
/// The name of the world that it runs in.
const WORLD: &str = "abide";
/// Milliseconds for what the browser does by itself, without the network.
const CALL_MS: u64 = 10_000;
/// Milliseconds that a browser has to end by itself.
const QUIT_MS: u64 = 1_000;
/// How often a page is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(15);
/// Milliseconds that a page which is loaded may go on asking before it is taken as it is.
const RESTLESS_MS: u64 = 4_000;
/// Milliseconds in which something comes of a click, if anything does.
const STIR: Duration = Duration::from_millis(120);
/// LIMIT: pixels of a picture.
const PICTURE_WIDE: f64 = 1_600.0;
const PICTURE_HIGH: f64 = 10_000.0;
/// How often a page that moves is drawn.
const DRAWN_TIMES: usize = 3;

/// Bounds of a task's browser, besides those of its lease and its limit set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrowserLimits {
    /// Milliseconds until a page is loaded.
    pub open_ms_max: u64,
    /// Bytes of one answer: a document, a list of elements.
    pub answer_bytes_max: u32,
    /// Pages that are open at the same time.
    pub open_pages_max: usize,
}

impl BrowserLimits {
    /// What does for most sites.
    pub const USUAL: Self = Self { open_ms_max: 30_000, answer_bytes_max: 16 << 20, open_pages_max: 8 };
}

/// A browser that was started, and the pages of one task.
#[derive(Debug)]
pub struct Chromium {
    cdp: Cdp,
    tabs: Arc<Tabs>,
    desk: Arc<Desk>,
    limits: BrowserLimits,
    version: String,
    pages: Mutex<Vec<Option<Arc<Tab>>>>,
    secrets: Mutex<Blot>,
}

/// Pages by the sessions in which they, their frames and their workers are told of.
#[derive(Debug, Default)]
struct Tabs(Mutex<BTreeMap<String, Arc<Tab>>>);

impl Tabs {
    fn of(&self, session: &str) -> Option<Arc<Tab>> {
        lock(&self.0).get(session).cloned()
    }

    fn put(&self, session: &str, tab: &Arc<Tab>) {
        lock(&self.0).insert(session.to_owned(), Arc::clone(tab));
    }

    fn drop_page(&self, tab: &Tab) {
        lock(&self.0).retain(|_, one| one.target != tab.target);
    }
}

/// A page as it is drawn as a whole.
struct Drawn {
    png: Vec<u8>,
    /// Where each element stands in the picture; none where they did not stand still.
    areas: Option<Value>,
}

type Told<T> = Result<T, BrowseFailure>;

impl From<CdpError> for BrowseFailure {
    fn from(error: CdpError) -> Self {
        Self::Failed(format!("{error} [AB0865]"))
    }
}

impl Chromium {
    /// Takes over the browser at the other end of `line`, for pages that `visits` may ask for. Within a runtime, which has to be the one that it is asked in.
    pub async fn over(line: UnixStream, visits: Visits, limits: BrowserLimits) -> Told<Self> {
        let broken = |error: std::io::Error| BrowseFailure::Failed(format!("{error} [AB0865]"));
        let (cdp, events) = Cdp::over(line).map_err(broken)?;
        let found = cdp.call(None, "Browser.getVersion", json!({}), CALL_MS.saturating_mul(3)).await?;
        let version = text(&found, "/product");
        let downloads = json!({"behavior": "deny", "eventsEnabled": false});
        cdp.call(None, "Browser.setDownloadBehavior", downloads, CALL_MS).await?;
        cdp.call(None, "Target.setDiscoverTargets", json!({"discover": true}), CALL_MS).await?;
        let (tabs, seen) = (Arc::new(Tabs::default()), Arc::new(Seen::default()));
        let desk = Arc::new(Desk { cdp: cdp.clone(), visits, seen });
        tokio::spawn(listen(events, Arc::clone(&tabs), Arc::clone(&desk)));
        let (pages, secrets) = (Mutex::default(), Mutex::default());
        Ok(Self { cdp, tabs, desk, limits, version, pages, secrets })
    }

    /// Whether it can still be asked.
    pub fn is_there(&self) -> bool {
        self.cdp.is_there()
    }

    /// Asks it to end by itself.
    pub async fn quit(&self) {
        // Whoever hangs is ended with its jail.
        drop(self.cdp.call(None, "Browser.close", json!({}), QUIT_MS).await);
    }

    /// Takes note of what the browser itself tried in order to get out of its jail.
    pub fn tried(&self, what: &[String]) {
        for one in what {
            let why = format!("the browser tried to {one}, and its jail has no way out [AB0869]");
            self.desk.seen.refused("-", "Browser", "-", &why);
        }
    }

    /// What was seen so far, and what is kept of it.
    pub fn seen(&self) -> (Album, Vec<Kept>) {
        let (album, kept) = self.desk.seen.take(&self.version);
        (lock(&self.secrets).album(album), kept)
    }

    /// Answers one question of the task.
    pub async fn browse(&self, ask: Browse) -> Told<Browsed> {
        let answer = self.answer(ask).await;
        let secrets = lock(&self.secrets);
        answer.map(|answer| secrets.answer(answer)).map_err(|failure| secrets.failure(failure))
    }

    async fn answer(&self, ask: Browse) -> Told<Browsed> {
        match ask {
            Browse::Open(url) => self.open(&url).await.map(Browsed::Opened),
            Browse::Of(page, PageAsk::Close) => {
                self.close(page).await;
                Ok(Browsed::Done)
            }
            Browse::Of(page, ask) => {
                let tab = self.tab(page)?;
                let answer = self.of(&tab, ask).await;
                if tab.is_crashed() {
                    self.close(page).await;
                    return Err(BrowseFailure::Failed("the page crashed [AB0866]".to_owned()));
                }
                if matches!(&answer, Err(BrowseFailure::Failed(why)) if why.contains("did not answer")) {
                    // Whatever it does, it does not come back from it.
                    self.close(page).await;
                }
                answer
            }
        }
    }

    async fn open(&self, url: &str) -> Told<PageId> {
        let scheme = url.split(':').next().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            let shown: String = scheme.chars().take(20).collect();
            return Err(BrowseFailure::Refused(format!("`{shown}:` is not an address of the web [AB0864]")));
        }
        if lock(&self.pages).iter().flatten().count() >= self.limits.open_pages_max {
            let most = self.limits.open_pages_max;
            return Err(BrowseFailure::Refused(format!("{most} pages are open; close one [AB0862]")));
        }
        let tab = self.new_tab().await?;
        let page = {
            let mut pages = lock(&self.pages);
            let number = u32::try_from(pages.len()).unwrap_or(u32::MAX);
            pages.push(Some(Arc::clone(&tab)));
            PageId(number)
        };
        let opened = self.go(&tab, url).await;
        if opened.is_err() {
            self.close(page).await;
        }
        opened.map(|()| page)
    }

    async fn new_tab(&self) -> Told<Arc<Tab>> {
        let made = self.cdp.call(None, "Target.createTarget", json!({"url": "about:blank"}), CALL_MS).await?;
        let target = text(&made, "/targetId");
        let attach = json!({"targetId": target, "flatten": true});
        let attached = self.cdp.call(None, "Target.attachToTarget", attach, CALL_MS).await?;
        let session = text(&attached, "/sessionId");
        let tree = self.cdp.call(Some(&session), "Page.getFrameTree", json!({}), CALL_MS).await?;
        let tab = Arc::new(Tab::new(target, session, text(&tree, "/frameTree/frame/id")));
        self.tabs.put(&tab.session, &tab);
        let agent = json!({"userAgent": self.desk.visits.user_agent(), "acceptLanguage": "en"});
        let asked: [(&'static str, Value); 9] = [
            ("Fetch.enable", json!({"patterns": [{"urlPattern": "*"}]})),
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Log.enable", json!({})),
            ("Inspector.enable", json!({})),
            ("Emulation.setUserAgentOverride", agent),
            ("Network.setBypassServiceWorker", json!({"bypass": true})),
            ("Page.setInterceptFileChooserDialog", json!({"enabled": true})),
            ("Target.setAutoAttach", attach_all()),
        ];
        for (method, params) in asked {
            self.cdp.call(Some(&tab.session), method, params, CALL_MS).await?;
        }
        Ok(tab)
    }

    async fn go(&self, tab: &Tab, url: &str) -> Told<()> {
        let began = Instant::now();
        tab.take_document();
        tab.loads(true);
        let ms = self.limits.open_ms_max;
        let went = self.cdp.call(Some(&tab.session), "Page.navigate", json!({"url": url}), ms).await?;
        let error = text(&went, "/errorText");
        if !error.is_empty() {
            tab.loads(false);
            return Err(Self::why_not(tab, &error));
        }
        self.settle(tab, began).await?;
        self.arrived(tab).await
    }

    /// Whether the page is one, after it went somewhere.
    async fn arrived(&self, tab: &Tab) -> Told<()> {
        let document = tab.take_document();
        if let Some(stop) = document.stopped {
            return Err(failure(stop));
        }
        let url = self.url(tab).await?;
        let scheme = url.split(':').next().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            let shown: String = scheme.chars().take(20).collect();
            return Err(BrowseFailure::Refused(format!("the page went to `{shown}:` [AB0864]")));
        }
        match document.status {
            Some(status) if status >= 400 => {
                Err(BrowseFailure::Failed(format!("`{url}` answers with status {status} [AB0867]")))
            }
            _ => Ok(()),
        }
    }

    fn why_not(tab: &Tab, error: &str) -> BrowseFailure {
        let document = tab.take_document();
        match (document.stopped, document.refused) {
            (Some(stop), _) => failure(stop),
            (None, Some(why)) => BrowseFailure::Refused(why),
            (None, None) => BrowseFailure::Failed(format!("the browser says {error} [AB0865]")),
        }
    }

    async fn url(&self, tab: &Tab) -> Told<String> {
        let tree = self.cdp.call(Some(&tab.session), "Page.getFrameTree", json!({}), CALL_MS).await?;
        Ok(text(&tree, "/frameTree/frame/url"))
    }

    /// Waits until the page is loaded and quiet. One that never is quiet is taken as it is.
    async fn settle(&self, tab: &Tab, began: Instant) -> Told<()> {
        let most = Duration::from_millis(self.limits.open_ms_max);
        let mut loaded = None;
        loop {
            if tab.is_crashed() {
                return Err(BrowseFailure::Failed("the page crashed [AB0866]".to_owned()));
            }
            if !self.cdp.is_there() {
                return Err(CdpError::Gone.into());
            }
            if tab.is_quiet() {
                return Ok(());
            }
            if began.elapsed() > most {
                drop(self.cdp.call(Some(&tab.session), "Page.stopLoading", json!({}), CALL_MS).await);
                tab.loads(false);
                let ms = self.limits.open_ms_max;
                return Err(BrowseFailure::Failed(format!("the page is not loaded after {ms} ms [AB0867]")));
            }
            if tab.is_loaded() {
                let since = *loaded.get_or_insert_with(Instant::now);
                if since.elapsed() > Duration::from_millis(RESTLESS_MS) {
                    return Ok(());
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn of(&self, tab: &Tab, ask: PageAsk) -> Told<Browsed> {
        match ask {
            PageAsk::Url => self.read(tab, "url", json!({})).await.map(Browsed::Text),
            PageAsk::Text => self.read(tab, "text", json!({})).await.map(Browsed::Text),
            PageAsk::Html => self.read(tab, "html", json!({})).await.map(Browsed::Text),
            PageAsk::Query { selector, limit } => {
                let asked = json!({"selector": selector, "limit": limit});
                self.read::<Vec<Element>>(tab, "query", asked).await.map(Browsed::Elements)
            }
            PageAsk::Links => self.read::<Vec<Link>>(tab, "links", json!({})).await.map(Browsed::Links),
            PageAsk::Tables => self.read::<Vec<Table>>(tab, "tables", json!({})).await.map(Browsed::Tables),
            PageAsk::Click(selector) => self.click(tab, &selector).await.map(|()| Browsed::Done),
            PageAsk::Fill { selector, value } => {
                let asked = json!({"selector": selector, "value": value});
                self.read::<bool>(tab, "fill", asked).await.map(|_| Browsed::Done)
            }
            PageAsk::FillSecret { selector, secret } => {
                self.fill_secret(tab, &selector, &secret).await.map(|()| Browsed::Done)
            }
            PageAsk::WaitFor { selector, ms } => {
                self.wait_for(tab, &selector, ms).await.map(|()| Browsed::Done)
            }
            PageAsk::Scroll => self.scroll(tab).await.map(Browsed::Scrolled),
            PageAsk::Snapshot => self.snapshot(tab).await.map(Browsed::Snapshot),
            PageAsk::Screenshot => {
                let drawn = self.drawn(tab).await?;
                let kept = self.desk.seen.keep("screenshot", drawn.png);
                kept.map(|digest| Browsed::Text(digest.to_string())).ok_or_else(full)
            }
            PageAsk::Close => Ok(Browsed::Done),
        }
    }

    /// Runs one question of `page.js` in the page.
    async fn read<T: DeserializeOwned>(&self, tab: &Tab, op: &str, asked: Value) -> Told<T> {
        let world = json!({"frameId": tab.frame, "worldName": WORLD});
        let made = self.cdp.call(Some(&tab.session), "Page.createIsolatedWorld", world, CALL_MS).await?;
        let params = json!({
            "functionDeclaration": READER,
            "executionContextId": made.get("executionContextId"),
            "arguments": [{"value": op}, {"value": asked}, {"value": self.limits.answer_bytes_max}],
            "returnByValue": true,
        });
        let mut came = self.cdp.call(Some(&tab.session), "Runtime.callFunctionOn", params, CALL_MS).await?;
        let selector = asked.get("selector").and_then(Value::as_str).unwrap_or_default();
        let value = came.pointer_mut("/result/value").map(Value::take).unwrap_or_default();
        let refused = value.get("not").and_then(Value::as_str).map(str::to_owned);
        match refused.as_deref() {
            Some("none") => Err(BrowseFailure::NotFound(format!("no element fits `{selector}`"))),
            Some("selector") => Err(BrowseFailure::NotFound(format!("`{selector}` is no selector"))),
            Some("field") => {
                Err(BrowseFailure::NotFound(format!("`{selector}` is no field that can be filled")))
            }
            Some("much") => {
                let most = self.limits.answer_bytes_max;
                Err(BrowseFailure::Failed(format!("the answer has more than {most} characters [AB0862]")))
            }
            Some(_) => Err(BrowseFailure::Failed(format!(
                "the page could not be read: {} [AB0865]",
                text(&value, "/why")
            ))),
            None => {
                let is = value.get("is").cloned().unwrap_or_default();
                serde_json::from_value(is)
                    .map_err(|_| BrowseFailure::Failed("the page could not be read [AB0865]".to_owned()))
            }
        }
    }

    async fn click(&self, tab: &Tab, selector: &str) -> Told<()> {
        let place: Value = self.read(tab, "place", json!({"selector": selector})).await?;
        let is = |name: &str| place.get(name).and_then(Value::as_bool).unwrap_or_default();
        if !is("seen") || !is("hit") {
            return Err(BrowseFailure::NotFound(format!("`{selector}` is not where it could be clicked on")));
        }
        tab.take_document();
        let began = Instant::now();
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": place.get("x"), "y": place.get("y"), "button": "left", "clickCount": 1});
            self.cdp.call(Some(&tab.session), "Input.dispatchMouseEvent", params, CALL_MS).await?;
        }
        self.after(tab, began).await
    }

    /// Waits for what comes of something that was done, and says so where it was not allowed.
    async fn after(&self, tab: &Tab, began: Instant) -> Told<()> {
        sleep(STIR).await;
        self.settle(tab, began).await?;
        let refused = tab.take_refused();
        if let Some(why) = refused {
            return Err(BrowseFailure::Refused(why));
        }
        self.arrived(tab).await
    }

    async fn fill_secret(&self, tab: &Tab, selector: &str, name: &str) -> Told<()> {
        let url = self.url(tab).await?;
        let at = Target::parse(without_fragment(&url)).map_err(Refusal::Address);
        let secret = at.and_then(|at| self.desk.visits.session().fill(name, &at.origin));
        let secret =
            secret.map_err(|refusal| BrowseFailure::Refused(format!("{refusal} [{}]", refusal.code())))?;
        let value = String::from_utf8(secret.expose().to_vec())
            .map_err(|_| BrowseFailure::Refused("the secret is no text [AB0863]".to_owned()))?;
        // Known before it is there: whatever is read from now on is searched for it.
        lock(&self.secrets).add(&secret);
        let asked = json!({"selector": selector, "value": value, "secret": true});
        self.read::<bool>(tab, "fill", asked).await.map(|_| ())
    }

    async fn wait_for(&self, tab: &Tab, selector: &str, ms: u32) -> Told<()> {
        let until =
            Instant::now().checked_add(Duration::from_millis(u64::from(ms).min(self.limits.open_ms_max)));
        loop {
            if self.read::<bool>(tab, "has", json!({"selector": selector})).await? {
                return Ok(());
            }
            if until.is_none_or(|until| Instant::now() >= until) {
                return Err(BrowseFailure::NotFound(format!("no element fits `{selector}` after {ms} ms")));
            }
            sleep(LOOK.saturating_mul(4)).await;
        }
    }

    async fn scroll(&self, tab: &Tab) -> Told<bool> {
        let began = Instant::now();
        let more: bool = self.read(tab, "scroll", json!({})).await?;
        sleep(STIR).await;
        self.settle(tab, began).await?;
        Ok(more)
    }

    async fn snapshot(&self, tab: &Tab) -> Told<Snapshot> {
        let title: String = self.read(tab, "title", json!({})).await.unwrap_or_default();
        let found: Value = self.read(tab, "snapshot", json!({})).await?;
        let html = lock(&self.secrets).text(text(&found, "/html"));
        let url = lock(&self.secrets).text(text(&found, "/url"));
        // A page that cannot be drawn can still be read.
        let drawn = self.drawn(tab).await.ok();
        let back = json!({"left": found.get("left"), "top": found.get("top")});
        self.read::<bool>(tab, "back", back).await?;
        let seen = &self.desk.seen;
        let snapshot = seen.keep("snapshot", html.clone().into_bytes()).ok_or_else(full)?;
        let digest = snapshot.to_string();
        seen.sight(Sight {
            url: self.desk.visits.session().shown(&url),
            title: abide_core::safe_text::line(&title),
            snapshot,
            areas: drawn.as_ref().and_then(|one| seen.keep("areas", seen::areas(one.areas.as_ref()?))),
            screenshot: drawn.and_then(|one| seen.keep("screenshot", one.png)),
        });
        Ok(Snapshot { url, digest, html })
    }

    /// Whether it does. A task whose pages were given none is not read for it.
    async fn shows_a_secret(&self, tab: &Tab) -> Told<bool> {
        if lock(&self.secrets).is_empty() {
            return Ok(false);
        }
        let html: String = self.read(tab, "html", json!({})).await?;
        Ok(lock(&self.secrets).text(html.clone()) != html)
    }

    /// The whole page; none of one that shows a secret, which could not be taken out of it.
    ///
    /// A page that is drawn as a whole has a window of that size, and may move: heads that stick, what appears when it comes into sight. So where things stand is
    /// measured in that window, before and after, until it is the same.
    async fn drawn(&self, tab: &Tab) -> Told<Drawn> {
        if self.shows_a_secret(tab).await? {
            return Err(BrowseFailure::Refused(
                "the page shows a secret: no picture is taken [AB0863]".to_owned(),
            ));
        }
        let drawn = self.in_whole(tab).await;
        let own =
            self.cdp.call(Some(&tab.session), "Emulation.clearDeviceMetricsOverride", json!({}), CALL_MS);
        own.await?;
        drawn
    }

    async fn in_whole(&self, tab: &Tab) -> Told<Drawn> {
        let mut last = None;
        for _ in 0..DRAWN_TIMES {
            let metrics =
                self.cdp.call(Some(&tab.session), "Page.getLayoutMetrics", json!({}), CALL_MS).await?;
            let size = |name: &str, most: f64| {
                let found = metrics.pointer(&format!("/cssContentSize/{name}")).and_then(Value::as_f64);
                found.unwrap_or(1.0).clamp(1.0, most).ceil()
            };
            let (width, height) = (size("width", PICTURE_WIDE), size("height", PICTURE_HIGH));
            let window = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
            let method = "Emulation.setDeviceMetricsOverride";
            self.cdp.call(Some(&tab.session), method, window, CALL_MS).await?;
            sleep(LOOK.saturating_mul(4)).await;
            let before: Value = self.read(tab, "areas", json!({})).await?;
            let png = self.png(tab, (width, height)).await?;
            let areas: Value = self.read(tab, "areas", json!({})).await?;
            if before == areas {
                return Ok(Drawn { png, areas: Some(areas) });
            }
            last = Some(png);
        }
        // It does not stand still: whatever was outlined would be something else.
        let png =
            last.ok_or_else(|| BrowseFailure::Failed("the browser drew no picture [AB0865]".to_owned()))?;
        Ok(Drawn { png, areas: None })
    }

    async fn png(&self, tab: &Tab, (width, height): (f64, f64)) -> Told<Vec<u8>> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let params = json!({"format": "png", "captureBeyondViewport": false, "clip": clip});
        let taken = self.cdp.call(Some(&tab.session), "Page.captureScreenshot", params, CALL_MS).await?;
        let data = taken.get("data").and_then(Value::as_str).unwrap_or_default();
        STANDARD
            .decode(data)
            .map_err(|_| BrowseFailure::Failed("the browser drew no picture [AB0865]".to_owned()))
    }

    fn tab(&self, page: PageId) -> Told<Arc<Tab>> {
        let number = usize::try_from(page.0).unwrap_or(usize::MAX);
        let found = lock(&self.pages).get(number).cloned().flatten();
        found.ok_or_else(|| BrowseFailure::Failed("the page is closed [AB0866]".to_owned()))
    }

    async fn close(&self, page: PageId) {
        let number = usize::try_from(page.0).unwrap_or(usize::MAX);
        let Some(tab) = lock(&self.pages).get_mut(number).and_then(Option::take) else { return };
        self.tabs.drop_page(&tab);
        // One that hangs is ended with the browser at the latest.
        drop(self.cdp.call(None, "Target.closeTarget", json!({"targetId": tab.target}), CALL_MS).await);
    }
}

fn failure(stop: Stop) -> BrowseFailure {
    match stop {
        Stop::Refused(why) => BrowseFailure::Refused(why),
        Stop::Failed(why) => BrowseFailure::Failed(why),
    }
}

fn full() -> BrowseFailure {
    BrowseFailure::Refused("the task keeps as much of its pages as it may [AB0862]".to_owned())
}

fn attach_all() -> Value {
    json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true})
}

fn text(of: &Value, at: &str) -> String {
    of.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Looks at what happens, until the browser is gone. Nothing is waited for here: what takes an answer is done beside.
async fn listen(mut events: mpsc::Receiver<Event>, tabs: Arc<Tabs>, desk: Arc<Desk>) {
    while let Some(event) = events.recv().await {
        let session = event.session.unwrap_or_default();
        let tab = tabs.of(&session);
        let params = event.params;
        match (event.method.as_str(), tab) {
            ("Fetch.requestPaused", Some(tab)) => {
                let desk = Arc::clone(&desk);
                tokio::spawn(desk.answer(tab, session, params));
            }
            ("Page.javascriptDialogOpening", Some(tab)) => {
                tab.stirs();
                let no = json!({"accept": false});
                tell(&desk, Some(session), "Page.handleJavaScriptDialog", no);
            }
            ("Page.frameStartedLoading", Some(tab)) if text(&params, "/frameId") == tab.frame => {
                tab.loads(true);
            }
            ("Page.frameStoppedLoading", Some(tab)) if text(&params, "/frameId") == tab.frame => {
                tab.loads(false);
            }
            ("Inspector.targetCrashed", Some(tab)) => tab.crashed(),
            ("Runtime.consoleAPICalled", Some(_)) => {
                let said = params.pointer("/args").and_then(Value::as_array).into_iter().flatten();
                let said: Vec<String> = said
                    .map(|one| match one.get("value") {
                        Some(Value::String(text)) => text.clone(),
                        Some(value) => value.to_string(),
                        None => text(one, "/description"),
                    })
                    .collect();
                desk.seen.said(&said.join(" "));
            }
            ("Runtime.exceptionThrown", Some(_)) => {
                desk.seen.said(&text(&params, "/exceptionDetails/exception/description"));
            }
            ("Target.attachedToTarget", Some(tab)) => attached(&tabs, &desk, &tab, &params),
            // A page that nobody here opened: a popup, whatever made it.
            ("Target.targetCreated", None)
                if text(&params, "/targetInfo/type") == "page"
                    && !text(&params, "/targetInfo/openerFrameId").is_empty() =>
            {
                let target = json!({"targetId": text(&params, "/targetInfo/targetId")});
                tell(&desk, None, "Target.closeTarget", target);
            }
            _ => {}
        }
    }
}

/// A frame or worker of a page, which waits to be let go. Frames and the page's own workers are, when their requests are stopped too; what would outlive the page is not.
fn attached(tabs: &Arc<Tabs>, desk: &Arc<Desk>, tab: &Arc<Tab>, params: &Value) {
    let session = text(params, "/sessionId");
    let kind = text(params, "/targetInfo/type");
    if !matches!(kind.as_str(), "iframe" | "worker") {
        desk.seen.refused(
            "-",
            &kind,
            &text(params, "/targetInfo/url"),
            "a page has no such workers here [AB0864]",
        );
        tell(desk, None, "Target.closeTarget", json!({"targetId": text(params, "/targetInfo/targetId")}));
        return;
    }
    tabs.put(&session, tab);
    let cdp = desk.cdp.clone();
    tokio::spawn(async move {
        let asked: [(&'static str, Value); 3] = [
            ("Fetch.enable", json!({"patterns": [{"urlPattern": "*"}]})),
            ("Target.setAutoAttach", attach_all()),
            ("Runtime.runIfWaitingForDebugger", json!({})),
        ];
        for (method, params) in asked {
            if cdp.call(Some(&session), method, params, CALL_MS).await.is_err()
                && method == "Fetch.enable"
                && kind == "iframe"
            {
                // What it asks for could not be judged: it stays where it is.
                return;
            }
        }
    });
}

fn tell(desk: &Arc<Desk>, session: Option<String>, method: &'static str, params: Value) {
    let cdp = desk.cdp.clone();
    tokio::spawn(async move { drop(cdp.call(session.as_deref(), method, params, CALL_MS).await) });
}
