//! What is kept to besides the lease: who asks says so, `robots.txt` is obeyed, nobody is asked too fast, and nothing is fetched twice that has
//! not changed.
//!
//! A page that `robots.txt` forbids is refused with the line that says so, and stands in the archive like any refusal.
//!
//! Not here: redirects (an answer like any other, and each new address comes through here again), cookies, and what a page means.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::action::{Manners, Robots};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

use super::decode::{self, DecodeError};
use crate::egress::refusal::{EgressError, Fault, Refusal};
use crate::egress::target::Origin;
use crate::egress::vault::Secret;
use crate::egress::{Outgoing, Own, Session, lock};

mod again;
mod pace;
mod robots;
pub mod shelf;

use pace::Pace;
use robots::Site;
use shelf::Shelf;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A page, or a frame of one: `robots.txt` and its crawl delay count.
    Document,
    /// What a page is made of: only rates count.
    Part,
}

/// What goes with a request that nobody but this side of the wall knows of.
#[derive(Debug, Clone, Default)]
pub struct Private {
    /// The host's cookies.
    pub cookies: Option<HeaderValue>,
    /// The body with the secrets in it, in place of the sender's, which has none.
    pub body: Option<Bytes>,
    /// What must not be written down, should it come back in an address or a field.
    pub hidden: Vec<Secret>,
}

/// An answer, with its content coding undone.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status; 200 where 304 meant what was remembered.
    pub status: StatusCode,
    /// Its fields, without those about the coding and the length of what was sent.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    /// Whether it had not changed since it was remembered.
    pub is_remembered: bool,
}

/// One task's visits, over its lease.
#[derive(Debug)]
pub struct Visits {
    session: Session,
    manners: Manners,
    shelf: Arc<dyn Shelf>,
    hosts: Mutex<BTreeMap<Origin, Arc<Host>>>,
    /// What the lease as a whole allows, so that whoever waits is not refused.
    all: Turns,
}

#[derive(Debug)]
struct Host {
    turns: Turns,
    site: OnceCell<Site>,
    /// When the next page may be asked for.
    next_page: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Turns {
    places: Semaphore,
    pace: Mutex<Pace>,
}

impl Turns {
    fn new(per_second_max: u32, concurrent_max: u32) -> Self {
        let places = usize::try_from(concurrent_max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { places: Semaphore::new(places), pace: Mutex::new(Pace::new(per_second_max)) }
    }
}

impl Visits {
    /// Visits over a lease. One without manners is refused.
    pub fn over(session: Session, shelf: Arc<dyn Shelf>) -> Result<Self, Refusal> {
        let manners = session.lease().manners.clone().ok_or(Refusal::NoManners)?;
        let budgets = session.budgets();
        let all = Turns::new(budgets.per_second_max, budgets.concurrent_max);
        Ok(Self { session, manners, shelf, hosts: Mutex::default(), all })
    }

    /// The lease.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What every request says of who asks.
    pub fn user_agent(&self) -> String {
        self.manners.user_agent(env!("CARGO_PKG_VERSION"))
    }

    /// Asks, in turn, for what the lease and `robots.txt` allow.
    pub async fn ask(
        &self,
        purpose: Purpose,
        outgoing: Outgoing,
        private: Private,
    ) -> Result<Answer, EgressError> {
        let Ok(target) = self.session.allows(&outgoing) else {
            // Refused by the lease: said, counted and written down where that is always done.
            let refused = self.session.send(outgoing).await;
            return Err(refused.err().unwrap_or_else(|| broken("the lease changed its mind")));
        };
        let host = self.host(&target.origin);
        if purpose == Purpose::Document && self.manners.robots == Robots::Obey {
            let site = host.site.get_or_init(|| robots::fetch(self, &host, &outgoing.method, &target)).await;
            if let Err(refusal) = site.allows(&target) {
                return Err(self.session.refuse(&outgoing, refusal));
            }
            if let Err(refusal) = self.until_next_page(&host, site.delay()).await {
                return Err(self.session.refuse(&outgoing, refusal));
            }
        }
        let answer = self.once(&host, &outgoing, &private).await?;
        let Some(pause) = self.asked_to_wait(&outgoing.method, &answer) else { return Ok(answer) };
        match self.pause(pause, "the server asks to come back later").await {
            // It is told what the server said, and may ask again itself.
            Err(Refusal::Wait { .. }) => Ok(answer),
            Err(over) => Err(self.session.refuse(&outgoing, over)),
            Ok(()) => self.once(&host, &outgoing, &private).await,
        }
    }

    /// One request in its turn, and its whole answer.
    async fn once(&self, host: &Host, outgoing: &Outgoing, private: &Private) -> Result<Answer, EgressError> {
        let _places = self.turn(host).await.map_err(|refusal| self.session.refuse(outgoing, refusal))?;
        let key = again::key(outgoing, private, &self.session);
        let known = key.as_ref().and_then(|key| self.shelf.recall(key));
        let mut fields = HeaderMap::new();
        fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(decode::ACCEPTED));
        if let Some(cookies) = &private.cookies {
            fields.insert(header::COOKIE, cookies.clone());
        }
        if let Some(known) = &known {
            fields.extend(known.conditions());
        }
        let (head, body) = self
            .session
            .send_with(
                outgoing.clone(),
                Own { fields, body: private.body.clone(), hidden: private.hidden.clone(), robots_for: None },
            )
            .await?
            .into_parts();
        let body = body.collect().await?;
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (head.status, known) {
            return Ok(known.answer(&head.headers));
        }
        let answer = self.unpacked(outgoing, head.status, head.headers, body)?;
        if let (Some(key), Some(keepable)) = (key, again::keepable(&answer)) {
            self.shelf.keep(&key, &keepable);
        }
        Ok(answer)
    }

    fn unpacked(
        &self,
        outgoing: &Outgoing,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, EgressError> {
        let most = self.session.budgets().response_bytes_max;
        let body = decode::unpack(&headers, body, most)
            .map_err(|error: DecodeError| self.session.refuse(outgoing, Refusal::Packed(error)))?;
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        Ok(Answer { status, headers, body, is_remembered: false })
    }

    fn host(&self, origin: &Origin) -> Arc<Host> {
        let turns = || Turns::new(self.manners.host_per_second_max, self.manners.host_concurrent_max);
        let new = || Arc::new(Host { turns: turns(), site: OnceCell::new(), next_page: Mutex::default() });
        // Rules of a lease are about few origins, and no others come this far.
        Arc::clone(lock(&self.hosts).entry(origin.clone()).or_insert_with(new))
    }

    /// Waits for a place and a moment at this host, and in the lease.
    async fn turn<'a>(&'a self, host: &'a Host) -> Result<[SemaphorePermit<'a>; 2], Refusal> {
        let own = self.place(&host.turns.places).await?;
        let all = self.place(&self.all.places).await?;
        for turns in [&host.turns, &self.all] {
            let now = Instant::now();
            let most = Duration::from_millis(self.most_ms());
            let start = lock(&turns.pace).reserve(now, most);
            let pause = start.map_or_else(|pause| pause, |start| start.saturating_duration_since(now));
            self.pause(pause, "its host is asked often enough").await?;
        }
        Ok([own, all])
    }

    async fn place<'a>(&self, places: &'a Semaphore) -> Result<SemaphorePermit<'a>, Refusal> {
        let most = self.most_ms();
        tokio::select! {
            biased;
            over = self.session.over() => Err(over),
            place = timeout(Duration::from_millis(most), places.acquire()) => match place {
                Ok(Ok(place)) => Ok(place),
                // Nobody closes it.
                Ok(Err(_)) => Err(Refusal::Over("its turns ended".to_owned())),
                Err(_) => Err(Refusal::Wait { why: "others are being answered", ms: most, ms_max: most }),
            },
        }
    }

    /// Waits out the crawl delay since the last page of this host.
    async fn until_next_page(&self, host: &Host, delay: Duration) -> Result<(), Refusal> {
        let now = Instant::now();
        let pause = {
            let mut next = lock(&host.next_page);
            let start = next.unwrap_or(now).max(now);
            let pause = start.saturating_duration_since(now);
            if pause <= Duration::from_millis(self.most_ms()) {
                // A delay beyond what a clock can hold is one that nobody sees the end of.
                *next = Some(start.checked_add(delay).unwrap_or_else(|| far_from(start)));
            }
            pause
        };
        self.pause(pause, "robots.txt asks for a crawl delay").await
    }

    /// Milliseconds that may be waited.
    fn most_ms(&self) -> u64 {
        self.manners.wait_ms_max.min(self.session.left_ms())
    }

    async fn pause(&self, pause: Duration, why: &'static str) -> Result<(), Refusal> {
        let (ms, ms_max) = (u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), self.most_ms());
        if pause.is_zero() {
            return Ok(());
        }
        if ms > ms_max {
            return Err(Refusal::Wait { why, ms, ms_max });
        }
        tokio::select! {
            biased;
            over = self.session.over() => Err(over),
            () = sleep(pause) => Ok(()),
        }
    }

    /// How long the server asks to wait (RFC 9110, section 10.2.3), of a request that may be sent again.
    fn asked_to_wait(&self, method: &Method, answer: &Answer) -> Option<Duration> {
        let is_busy =
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status);
        let said = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        (is_busy && [Method::GET, Method::HEAD].contains(method))
            .then(|| again::retry_after(said, self.session.now()))?
    }
}

fn far_from(start: Instant) -> Instant {
    const YEAR: Duration = Duration::from_hours(365 * 24);
    start.checked_add(YEAR).unwrap_or(start)
}

/// A fault in words of this module.
fn broken(why: &str) -> EgressError {
    Fault::Broken(why.to_owned()).into()
}

#[cfg(test)]
mod tests;
