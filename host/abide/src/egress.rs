//! A task's way to the network: the lease that policy data names, opened on a permit, and the broker behind it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use abide_core::action::OpenEgress;
use abide_core::event::{Count, EgressRow, EgressUsed, PagesSeen};
use abide_core::facts::Meter;
use abide_core::id::Digest;
use abide_core::page::{Browse, BrowseFailure, Browsed};
use abide_effects::egress::dial::{DialLimits, trust_also};
use abide_effects::egress::lease::{Lease, LeaseData};
use abide_effects::egress::refusal::EgressError;
use abide_effects::egress::resolver::SystemResolver;
use abide_effects::egress::vault::Vault;
use abide_effects::egress::{Broker, Door, Outgoing, Parts, Session, Until, Upstream, Used};
use abide_gate::{Clock, Permit};
use abide_sandbox::{Egress, EgressFailure, EgressRequest, EgressResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use crate::browser::Pages;
use crate::desk::{Desk, Payload};
use crate::report::{Exit, Failure};

/// LIMIT: rows of one record; the archive has all.
const ROWS_MAX: usize = 200;

/// How this host reaches the network, from `host.yaml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EgressHost {
    /// The proxy of this network, if nothing leaves but through it.
    #[serde(default)]
    pub(crate) upstream: Option<Upstream>,
    /// Certificates of further authorities, as PEM.
    #[serde(default)]
    extra_roots: String,
}

/// What policy data says about outgoing requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct EgressPolicy {
    /// Leases by name.
    pub(crate) leases: std::collections::BTreeMap<String, LeaseData>,
    /// How this host reaches the network.
    pub(crate) host: EgressHost,
}

impl EgressPolicy {
    /// The lease called `name`, for `component`.
    pub(crate) fn lease(&self, name: &str, component: &Digest) -> Result<Lease, Failure> {
        let data = self.leases.get(name).ok_or_else(|| {
            Failure::new("AB0919", format!("policy grants the lease `{name}`, which its data does not name"))
                .help("name it under `leases` in policies/data/egress.yaml")
                .exit(Exit::Gate)
        })?;
        Lease::compile(data, component.clone()).map_err(|error| {
            Failure::of(error.code(), error).help(format!("mend lease `{name}`")).exit(Exit::Gate)
        })
    }
}

/// A lease in use by one task. The task asks one thing at a time, on the thread that waits for it.
pub(crate) struct Way {
    runtime: Mutex<Runtime>,
    session: Session,
    pages: Option<Pages>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Way {
    /// Opens `lease` on a permit.
    pub(crate) fn open(
        desk: &Desk,
        vault: Arc<dyn Vault>,
        permit: Permit<OpenEgress>,
        lease: Lease,
        pages: Option<Pages>,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::of("AB0912", error))?;
        // A hundred pages take longer than a permit lives; it was spent when the first of them was asked for.
        let until = if pages.is_some() { Until::Task } else { Until::Permit };
        let session = session(desk, vault, permit, lease, until)?;
        Ok(Self { runtime: Mutex::new(runtime), session, pages })
    }

    /// Ends the lease, and says what it was used for.
    pub(crate) fn close(&self, unit: &str, component: &Digest, lease: &str) -> Result<Closed, Failure> {
        let seen = self.pages.as_ref().and_then(|pages| {
            self.runtime.lock().unwrap_or_else(PoisonError::into_inner).block_on(pages.close())
        });
        let mut closed = used(self.session.clone().close(), unit, component, lease, None)?;
        if let Some((album, kept)) = seen {
            let bytes = serde_json::to_vec(&album).map_err(|error| Failure::of("AB0124", error))?;
            let payload = Payload::bytes("pages", bytes);
            let count = |many: usize| Count(u64::try_from(many).unwrap_or(u64::MAX));
            let refused = album.vain.iter().map(|(_, times)| *times).fold(0, u64::saturating_add);
            closed.record.pages = Some(PagesSeen {
                album: payload.digest.clone(),
                looked: count(album.sights.len()),
                refused: Count(refused),
            });
            closed.payloads.push(payload);
            closed.payloads.extend(kept.into_iter().map(|one| Payload::bytes(one.kind, one.bytes)));
        }
        Ok(closed)
    }

    async fn ask(&self, outgoing: Outgoing) -> Result<EgressResponse, EgressError> {
        let (head, body) = self.session.send(outgoing).await?.into_parts();
        let body = body.collect().await?;
        let fields = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok(EgressResponse { status: head.status.as_u16(), fields, body: body.into() })
    }
}

impl Egress for Way {
    fn fetch(&self, request: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        let outgoing = outgoing(request)?;
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.block_on(self.ask(outgoing)).map_err(|error| {
            let why = format!("{} [{}]", told(&error), error.code());
            match error {
                EgressError::Refused(_) => EgressFailure::Refused(why),
                EgressError::Failed(_) => EgressFailure::Failed(why),
            }
        })
    }

    fn browse(&self, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let none = || BrowseFailure::Refused("this task has no browser".to_owned());
        let pages = self.pages.as_ref().ok_or_else(none)?;
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.block_on(pages.browse(&self.session, ask))
    }

    fn has_read(&self, content: &[u8]) {
        self.session.has_read(content);
    }
}

/// A lease in use by one check, as often as it runs.
#[derive(Debug)]
pub(crate) struct CheckWay {
    session: Session,
    lease: String,
    definition: Digest,
}

impl CheckWay {
    /// Opens a lease by its name on a permit, for the check that has this definition.
    pub(crate) fn open(
        desk: &Desk,
        vault: Arc<dyn Vault>,
        permit: Permit<OpenEgress>,
        (name, lease): (&str, Lease),
        definition: Digest,
    ) -> Result<Self, Failure> {
        let session = session(desk, vault, permit, lease, Until::Task)?;
        Ok(Self { session, lease: name.to_owned(), definition })
    }

    /// What jails are served by.
    pub(crate) fn door(&self) -> Door {
        Door::of(self.session.clone(), &self.lease)
    }

    /// Ends the lease, and says what it was used for.
    pub(crate) fn close(&self, unit: &str, check: Option<&str>) -> Result<Closed, Failure> {
        used(self.session.clone().close(), unit, &self.definition, &self.lease, check)
    }
}

/// A lease in use, over a broker that reaches the network as this host does.
fn session(
    desk: &Desk,
    vault: Arc<dyn Vault>,
    permit: Permit<OpenEgress>,
    lease: Lease,
    until: Until,
) -> Result<Session, Failure> {
    let host = &desk.policy.egress.host;
    let tls = trust_also(&host.extra_roots).map_err(|why| Failure::new("AB0913", why).exit(Exit::Gate))?;
    let meter = Meter::compile(&desk.policy.measure).map_err(|error| Failure::of(error.code(), error))?;
    let clock: Arc<dyn Clock> = Arc::<crate::wiring::SystemClock>::clone(&desk.clock);
    let broker = Broker::new(Parts {
        resolver: SystemResolver::of_this_machine(),
        tls,
        vault,
        meter: Arc::new(meter),
        clock,
        limits: DialLimits::USUAL,
        upstream: host.upstream.clone(),
    });
    broker.open(permit, lease, until).map_err(|error| Failure::of(error.code(), error))
}

/// A lease that has ended.
#[derive(Debug)]
pub(crate) struct Closed {
    /// What it was used for, as it is recorded.
    pub(crate) record: EgressUsed,
    /// What the record cites.
    pub(crate) payloads: Vec<Payload>,
    /// Requests that `robots.txt` forbade.
    pub(crate) forbidden: u64,
}

impl Closed {
    /// Requests that were refused, of whoever asked.
    pub(crate) fn refused(&self) -> u64 {
        let of_pages = self.record.pages.as_ref().map_or(0, |pages| pages.refused.0);
        self.record.rows.iter().map(|row| row.stopped.0).fold(0, u64::saturating_add).max(of_pages)
    }
}

fn used(
    used: Used,
    unit: &str,
    component: &Digest,
    lease: &str,
    check: Option<&str>,
) -> Result<Closed, Failure> {
    let Used { decision, archive, tallies } = used;
    let bytes = serde_json::to_vec(&archive).map_err(|error| Failure::of("AB0124", error))?;
    let forbidden = forbidden(&bytes);
    let payload = Payload::bytes("har", bytes);
    let rows = tallies.into_iter().take(ROWS_MAX).map(|((origin, method), tally)| EgressRow {
        origin,
        method,
        requests: Count(tally.requests),
        stopped: Count(tally.stopped),
        bytes: Count(tally.bytes),
    });
    let record = EgressUsed {
        unit: unit.to_owned(),
        decision: decision.into(),
        component: component.clone(),
        check: check.map(str::to_owned),
        lease: lease.to_owned(),
        archive: payload.digest.clone(),
        pages: None,
        rows: rows.collect(),
    };
    Ok(Closed { record, payloads: vec![payload], forbidden })
}

/// What a worker is told. Where a name leads inside of this network is not its business.
fn told(error: &EgressError) -> String {
    use abide_effects::egress::refusal::Refusal;
    match error {
        EgressError::Refused(Refusal::Place { host, .. }) => format!("`{host}` is where no rule reaches"),
        EgressError::Refused(_) | EgressError::Failed(_) => error.to_string(),
    }
}

fn outgoing(request: EgressRequest) -> Result<Outgoing, EgressFailure> {
    let refused = |what: &str| EgressFailure::Refused(format!("{what} [AB0905]"));
    let method =
        Method::from_bytes(request.method.as_bytes()).map_err(|_| refused("the method is no method"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.fields {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused("a field has no name"))?;
        let value = HeaderValue::from_str(value).map_err(|_| refused("the value of a field is no text"))?;
        headers.append(name, value);
    }
    Ok(Outgoing { method, url: request.url, headers, body: request.body.into_vec().into() })
}

/// Requests of an HTTP archive that `robots.txt` forbids.
fn forbidden(archive: &[u8]) -> u64 {
    let Ok(archive) = serde_json::from_slice::<Json>(archive) else { return 0 };
    let entries = archive.pointer("/log/entries").and_then(Json::as_array);
    let by_robots = |entry: &&Json| entry.pointer("/_stopped/code").and_then(Json::as_str) == Some("AB0990");
    entries.map_or(0, |entries| u64::try_from(entries.iter().filter(by_robots).count()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
