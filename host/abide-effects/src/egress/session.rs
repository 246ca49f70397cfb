//! A lease in use: judges each request, sends it, counts it and writes it down, until its time is up or the kill switch is pulled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::action::OpenEgress;
use abide_core::id::{Seq, Timestamp};
use abide_core::safe_text;
use abide_gate::{Redeemed, Stale};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::body::Body;
use super::broker::{Broker, Until};
use super::budget::Spending;
use super::dial::within;
use super::har::{Entry, Har, Redactor, Tally, known};
use super::judge::{Asked, Taint, judge, judge_robots};
use super::lease::{Budgets, Lease, Rule};
use super::pool::Pool;
use super::refusal::{EgressError, Fault, Refusal};
use super::scan::{self, Seen};
use super::target::{Origin, Target};
use super::vault::{Errand, Secret, name_of};

mod request;

pub(crate) use request::{Own, spellings};

/// How often a request that waits looks at the kill switch, in milliseconds.
const LOOK_MS: u64 = 100;
/// LIMIT: different things that were stopped and are told.
const TOLD_MAX: usize = 10;

/// A request as it was asked for.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The whole address, as it was written.
    pub url: String,
    /// Fields that the sender sets.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Outgoing {
    /// A `GET` without anything else.
    pub fn get(url: &str) -> Self {
        Self { method: Method::GET, url: url.to_owned(), headers: HeaderMap::new(), body: Bytes::new() }
    }
}

/// A lease in use. Copies share everything.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    broker: Arc<Broker>,
    lease: Lease,
    permitted: Redeemed<OpenEgress>,
    until: Until,
    /// What was refused, and failed to be answered, in words; each once.
    refused: Mutex<BTreeSet<String>>,
    spending: Mutex<Spending>,
    har: Mutex<Har>,
    tainted: AtomicBool,
    seen: Mutex<Seen>,
    filled: Mutex<Vec<Vec<u8>>>,
    opened: Instant,
    /// When the kill switch was last looked at for what is under way, in milliseconds since then.
    looked: AtomicU64,
    ended: watch::Sender<bool>,
    pool: Pool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("component", &self.0.lease.component.short()).finish_non_exhaustive()
    }
}

/// What a lease was used for, for the record.
#[derive(Debug, Clone)]
pub struct Used {
    /// The decision that opened it.
    pub decision: Seq,
    /// The HTTP archive, as JSON.
    pub archive: serde_json::Value,
    /// By origin (none for places that the lease has no rule about) and method.
    pub tallies: BTreeMap<(Option<String>, String), Tally>,
}

/// A place among the requests that run.
#[derive(Debug)]
pub(super) struct Running(Session);

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.0.0.spending).leave();
    }
}

impl Session {
    pub(super) fn new(
        broker: Arc<Broker>,
        lease: Lease,
        permitted: Redeemed<OpenEgress>,
        until: Until,
    ) -> Self {
        let spending = Spending::new(lease.budgets, broker.clock.now());
        Self(Arc::new(Inner {
            broker,
            lease,
            permitted,
            until,
            refused: Mutex::default(),
            spending: Mutex::new(spending),
            har: Mutex::default(),
            tainted: AtomicBool::new(false),
            seen: Mutex::default(),
            filled: Mutex::default(),
            opened: Instant::now(),
            looked: AtomicU64::new(0),
            ended: watch::Sender::new(false),
            pool: Pool::default(),
        }))
    }

    /// Says that the task has read `content` from the workspace.
    pub fn has_read(&self, content: &[u8]) {
        self.0.tainted.store(true, Ordering::SeqCst);
        lock(&self.0.seen).add(content);
    }

    /// Ends the lease. Whatever is under way ends at once.
    pub fn end(&self) {
        self.0.ended.send_replace(true);
        self.0.pool.close();
    }

    /// Ends the lease, and says what it was used for.
    pub fn close(self) -> Used {
        self.end();
        let har = lock(&self.0.har);
        Used { decision: self.0.permitted.seq(), archive: har.archive(), tallies: har.tallies() }
    }

    /// Sends a request, if the lease allows it. A redirect is an answer like any other.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Response<Body>, EgressError> {
        self.send_with(outgoing, Own::default()).await
    }

    /// The same, with what this side adds.
    pub(crate) async fn send_with(
        &self,
        outgoing: Outgoing,
        own: Own,
    ) -> Result<Response<Body>, EgressError> {
        let began = self.0.broker.clock.now();
        let hidden = own.hidden.iter().flat_map(spellings).chain(self.filled());
        let mut redactor = Redactor { meter: &self.0.broker.meter, exact: hidden.collect() };
        let mut entry = Entry::new(began, outgoing.method.as_str(), &redactor, &outgoing.url);
        entry.request_headers = redactor.fields(&outgoing.headers);
        entry.request_headers.extend(redactor.fields(&own.fields));
        entry.request_bytes =
            u64::try_from(own.body.as_ref().unwrap_or(&outgoing.body).len()).unwrap_or(u64::MAX);
        let mut origin = None;
        match self.attempt((outgoing, own), &mut origin, &mut entry, &mut redactor).await {
            Ok((answer, deadline, running)) => {
                entry.ms = self.0.broker.clock.now().0.saturating_sub(began.0);
                let (head, incoming) = answer.into_parts();
                entry.status = head.status.as_u16();
                entry.response_headers = redactor.fields(&head.headers);
                let body = Body::new(self.clone(), incoming, deadline, (origin, entry), running);
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                entry.ms = self.0.broker.clock.now().0.saturating_sub(began.0);
                entry.stopped = Some((error.code(), error.to_string()));
                self.write_down(origin, entry);
                Err(error)
            }
        }
    }

    async fn attempt(
        &self,
        (outgoing, own): (Outgoing, Own),
        origin: &mut Option<String>,
        entry: &mut Entry,
        redactor: &mut Redactor<'_>,
    ) -> Result<(Response<hyper::body::Incoming>, Instant, Running), EgressError> {
        self.count()?;
        let target = Target::parse(&outgoing.url).map_err(Refusal::Address)?;
        *origin = known(&self.0.lease, &target);
        let budgets = self.budgets();
        if entry.request_bytes > budgets.request_bytes_max {
            return Err(Refusal::Budget("request_bytes_max").into());
        }
        let asked = Asked {
            method: &outgoing.method,
            target: &target,
            headers: &outgoing.headers,
            body_bytes: outgoing.body.len(),
        };
        let rule = match &own.robots_for {
            None => judge(&self.0.lease, &asked, self.taint())?,
            Some(page) => judge_robots(&self.0.lease, &asked, page, self.taint())?,
        };
        self.search(&asked, &outgoing.body)?;
        // What a site says to everybody is asked for as anybody.
        let credential = rule.credential.as_ref().filter(|_| own.robots_for.is_none());
        let secret =
            credential.map(|credential| self.open(&credential.secret, &target.origin)).transpose()?;
        if let Some(secret) = &secret {
            redactor.exact.push(secret.expose().to_vec());
        }
        let running = self.enter()?;
        self.pass(entry.request_bytes)?;
        let deadline = Broker::deadline(budgets.request_ms_max);
        let sending = self.exchange(&target, rule, (outgoing, own), secret.as_ref(), entry);
        let answer = tokio::select! {
            biased;
            over = self.over() => return Err(over.into()),
            answer = within(budgets.request_ms_max, "the request", sending) => answer??,
        };
        // Nothing was judged but this request.
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Fault::Broken("it wants another protocol".to_owned()).into());
        }
        Ok((answer, deadline, running))
    }

    /// Sends over a connection that is there, or a new one.
    async fn exchange(
        &self,
        target: &Target,
        rule: &Rule,
        outgoing: (Outgoing, Own),
        secret: Option<&Secret>,
        entry: &mut Entry,
    ) -> Result<Response<hyper::body::Incoming>, EgressError> {
        let dialler = &self.0.broker.dialler;
        loop {
            let (mut line, is_new) = self.0.pool.line(dialler, &target.origin, rule).await?;
            entry.address = line.address;
            let request = self.request(target, rule, &outgoing, secret, line.absolute)?;
            // As late as it can be: what was stopped meanwhile does not leave.
            self.stands()?;
            let sending = line.sender.try_send_request(request);
            match within(dialler.limits.header_ms, "the answer's header", sending).await? {
                Ok(answer) => {
                    self.0.pool.keep(&target.origin, rule, line);
                    return Ok(answer);
                }
                // A connection that was closed while it was idle: nothing of the request left.
                Err(error) if !is_new && error.message().is_some() => {}
                Err(error) => return Err(Fault::Broken(error.error().to_string()).into()),
            }
        }
    }

    /// The secret called `name`, for pages of `origin`. From here on it is searched for in what is written down.
    pub(crate) fn fill(&self, name: &str, origin: &Origin) -> Result<Secret, Refusal> {
        self.stands()?;
        let refused = |why: &str| Refusal::Credential { reference: name.to_owned(), why: why.to_owned() };
        let reference = self.0.lease.fill(name, origin);
        let reference = reference.ok_or_else(|| refused("the lease has it not for pages of this place"))?;
        let secret = self.open(reference, origin)?;
        lock(&self.0.filled).extend(spellings(&secret));
        Ok(secret)
    }

    pub(super) fn filled(&self) -> Vec<Vec<u8>> {
        lock(&self.0.filled).clone()
    }

    /// An address as it may be written down.
    pub(crate) fn shown(&self, url: &str) -> String {
        Redactor { meter: &self.0.broker.meter, exact: self.filled() }.address(url).0
    }

    /// Refuses what carries a secret, or something that was read.
    fn search(&self, asked: &Asked<'_>, body: &[u8]) -> Result<(), Refusal> {
        let address = asked.target.path_and_query();
        let values = asked.headers.values().map(HeaderValue::as_bytes);
        let parts: Vec<&[u8]> = [address.as_bytes(), body].into_iter().chain(values).collect();
        let seen = (self.taint() == Taint::Tainted).then(|| lock(&self.0.seen));
        scan::search(&self.0.broker.meter, seen.as_deref(), &parts)
    }

    fn open(&self, reference: &str, origin: &Origin) -> Result<Secret, Refusal> {
        let refused = |why: String| Refusal::Credential { reference: reference.to_owned(), why };
        let name = name_of(reference).ok_or_else(|| refused("it is no reference".to_owned()))?;
        let action = &self.0.permitted.action;
        let errand = Errand {
            run: action.run.clone(),
            unit: action.unit.clone(),
            component: action.component.clone(),
            decision: self.0.permitted.seq().0,
            origin: origin.to_string(),
            lease_ms_max: self.0.lease.budgets.lease_ms_max,
        };
        self.0.broker.vault.open(name, &errand).map_err(|error| refused(error.to_string()))
    }

    /// Whether the task has read the workspace.
    pub fn taint(&self) -> Taint {
        if self.0.tainted.load(Ordering::SeqCst) { Taint::Tainted } else { Taint::Clean }
    }

    /// Counts a request, if the lease still stands.
    pub(super) fn count(&self) -> Result<(), Refusal> {
        self.stands()?;
        lock(&self.0.spending).count(self.now())
    }

    pub(super) fn enter(&self) -> Result<Running, Refusal> {
        lock(&self.0.spending).enter()?;
        Ok(Running(self.clone()))
    }

    pub(super) fn pass(&self, bytes: u64) -> Result<(), Refusal> {
        lock(&self.0.spending).pass(bytes)
    }

    /// Milliseconds that the lease has left.
    pub(crate) fn left_ms(&self) -> u64 {
        lock(&self.0.spending).left_ms(self.now())
    }

    pub(crate) fn budgets(&self) -> Budgets {
        self.0.lease.budgets
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.0.lease
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.0.broker
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.broker.clock.now()
    }

    /// What was stopped since this was asked last, in words, each once and not more than a person reads.
    pub fn stopped(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.0.refused)).into_iter().collect()
    }

    pub(super) fn write_down(&self, origin: Option<String>, entry: Entry) {
        if let Some((code, why)) = &entry.stopped {
            let mut refused = lock(&self.0.refused);
            if refused.len() < TOLD_MAX {
                refused.insert(format!("{} [{code}]", safe_text::line(why)));
            }
        }
        lock(&self.0.har).add(origin, entry);
    }

    /// Whether the lease was not ended, the permit has not run out and the kill switch was not pulled.
    pub(super) fn stands(&self) -> Result<(), Refusal> {
        if *self.0.ended.borrow() {
            return Err(Refusal::Over("its task ended".to_owned()));
        }
        lock(&self.0.spending).is_in_time(self.now())?;
        match (self.0.permitted.still_stands(), self.0.until) {
            (Ok(()), _) | (Err(Stale::Expired), Until::Task) => Ok(()),
            (Err(stale), _) => Err(Refusal::Over(stale.to_string())),
        }
    }

    /// The same, with a look at the kill switch that is a tenth of a second old at most: for what is under way, where each piece of a body asks.
    fn stood_lately(&self) -> Result<(), Refusal> {
        let now = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now.saturating_sub(self.0.looked.load(Ordering::SeqCst)) >= LOOK_MS {
            self.0.looked.store(now, Ordering::SeqCst);
            return self.stands();
        }
        if *self.0.ended.borrow() {
            return Err(Refusal::Over("its task ended".to_owned()));
        }
        Ok(())
    }

    /// Waits until the lease is over, and says why.
    pub(crate) async fn over(&self) -> Refusal {
        let mut ended = self.0.ended.subscribe();
        loop {
            if let Err(refusal) = self.stood_lately() {
                return refusal;
            }
            // Whatever wakes it, it looks again.
            drop(tokio::time::timeout(Duration::from_millis(LOOK_MS), ended.changed()).await);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
