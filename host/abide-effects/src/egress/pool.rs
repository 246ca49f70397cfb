//! Connections of one lease that are not in use. They were checked when they were dialled, and serve only rules with the same networks.

use std::net::IpAddr;
use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use ipnet::IpNet;
use tokio::task::JoinSet;

use super::dial::{Dialler, io};
use super::lease::Rule;
use super::refusal::{EgressError, Fault};
use super::session::lock;
use super::target::Origin;

/// Connections that are kept.
const IDLE_MAX: usize = 16;

/// A connection that requests can be sent over.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) address: Option<IpAddr>,
    pub(super) absolute: bool,
}

/// The connections of one lease.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<(Origin, Vec<IpNet>, Line)>>,
    drivers: Mutex<JoinSet<()>>,
}

impl Pool {
    /// A connection to `origin`, and whether it is new.
    pub(super) async fn line(
        &self,
        dialler: &Dialler,
        origin: &Origin,
        rule: &Rule,
    ) -> Result<(Line, bool), EgressError> {
        if let Some(line) = self.take(origin, rule) {
            return Ok((line, false));
        }
        let there = dialler.dial(origin, rule).await?;
        let (sender, connection) = http1::Builder::new()
            .max_headers(dialler.limits.headers)
            .max_header_size(dialler.limits.header_bytes)
            .handshake(io(there.stream))
            .await
            .map_err(|error| Fault::Broken(error.to_string()))?;
        let mut drivers = lock(&self.drivers);
        while drivers.try_join_next().is_some() {}
        drivers.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        Ok((Line { sender, address: there.address, absolute: there.absolute }, true))
    }

    fn take(&self, origin: &Origin, rule: &Rule) -> Option<Line> {
        let mut idle = lock(&self.idle);
        idle.retain(|(_, _, line)| !line.sender.is_closed());
        let fits = |(at, networks, line): &(Origin, Vec<IpNet>, Line)| {
            at == origin && *networks == rule.networks && line.sender.is_ready()
        };
        let place = idle.iter().position(fits)?;
        Some(idle.swap_remove(place).2)
    }

    /// Takes a connection back. It is used again once its answer was read to the end.
    pub(super) fn keep(&self, origin: &Origin, rule: &Rule, line: Line) {
        let mut idle = lock(&self.idle);
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push((origin.clone(), rule.networks.clone(), line));
    }

    /// Ends all of them, also those that are in use.
    pub(super) fn close(&self) {
        lock(&self.idle).clear();
        lock(&self.drivers).abort_all();
    }
}
