//! The broker: what all leases share, and the hand that opens one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::action::OpenEgress;
use abide_core::facts::Meter;
use abide_gate::{Clock, Permit, Stale};
use rustls::ClientConfig;
use tokio::time::Instant;

use super::dial::{DialLimits, Dialler};
use super::lease::Lease;
use super::resolver::Resolver;
use super::session::Session;
use super::upstream::Upstream;
use super::vault::Vault;

/// What a broker is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Looks names up.
    pub resolver: Arc<dyn Resolver>,
    /// Whom to trust over TLS ([`super::dial::trust`]).
    pub tls: Arc<ClientConfig>,
    /// Opens credentials.
    pub vault: Arc<dyn Vault>,
    /// Finds secrets.
    pub meter: Arc<Meter>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long each step may take.
    pub limits: DialLimits,
    /// The proxy of this network, if it has one.
    pub upstream: Option<Upstream>,
}

/// The one exit.
pub struct Broker {
    pub(super) dialler: Dialler,
    pub(super) vault: Arc<dyn Vault>,
    pub(super) meter: Arc<Meter>,
    pub(super) clock: Arc<dyn Clock>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("dialler", &self.dialler).finish_non_exhaustive()
    }
}

/// Why a lease was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The permit no longer counts.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The lease is not what was decided about.
    #[error("the lease is for {what}, which was not decided about")]
    Wider {
        /// What it has and the decision has not.
        what: String,
    },
}

impl OpenError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale(stale) => stale.code(),
            Self::Wider { .. } => "AB0918",
        }
    }
}

/// When a lease ends, besides at its own `lease_ms_max` and when the kill switch is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// With its permit, after a minute.
    Permit,
    /// With the task: checks and pages may take longer than the permit's minute, which was spent when they began.
    Task,
}

impl Broker {
    /// A broker without leases.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { resolver, tls, vault, meter, clock, limits, upstream } = parts;
        Arc::new(Self { dialler: Dialler { resolver, tls, limits, upstream }, vault, meter, clock })
    }

    /// Opens a lease that the gate allowed, for as long as `until` says: for this component, and for no origin that it was not asked about.
    pub fn open(
        self: &Arc<Self>,
        permit: Permit<OpenEgress>,
        lease: Lease,
        until: Until,
    ) -> Result<Session, OpenError> {
        let permitted = permit.redeem()?;
        if permitted.action.component != lease.component {
            return Err(OpenError::Wider { what: format!("component {}", lease.component.short()) });
        }
        if permitted.action.manners != lease.manners {
            return Err(OpenError::Wider { what: "other manners".to_owned() });
        }
        if let Some(what) =
            lease.origins().into_iter().find(|origin| !permitted.action.origins.contains(origin))
        {
            return Err(OpenError::Wider { what });
        }
        Ok(Session::new(Arc::clone(self), lease, permitted, until))
    }

    pub(super) fn deadline(ms: u64) -> Instant {
        let now = Instant::now();
        now.checked_add(Duration::from_millis(ms)).unwrap_or(now)
    }
}
