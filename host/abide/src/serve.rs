//! Answers over HTTP as OPA's data API does, on loopback or a Unix socket. Every answer is advice: it is not recorded, and there is no permit
//! in it. Nothing here has a ledger, a gate or a hand.
//!
//! Read `answer` (what is said), then `source` (where the policy comes from and how it is exchanged), then `door` (who may come in).

pub(crate) mod answer;
pub(crate) mod door;
mod patience;
pub(crate) mod source;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::answer::{Ask, Desk, Reply};
use self::door::{Door, Stream};
use self::patience::Patience;
use crate::report::{Exit, Failure};

/// What one server takes on at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Open connections; more wait to be accepted. Each may hold one body.
    pub(crate) connections_max: usize,
    /// Questions that are judged at once; more wait until their time is over.
    pub(crate) at_once_max: usize,
    /// Bytes of a body.
    pub(crate) body_bytes_max: usize,
    /// Bytes of the request line and the headers.
    pub(crate) head_bytes_max: usize,
    /// Headers of a request.
    pub(crate) headers_max: usize,
    /// Milliseconds in which the headers must have come, idle time between requests included.
    pub(crate) head_ms_max: u64,
    /// Milliseconds from the headers to the answer.
    pub(crate) request_ms_max: u64,
    /// Milliseconds that a client has to take an answer.
    pub(crate) write_ms_max: u64,
    /// Milliseconds between two looks at where the policy comes from.
    pub(crate) reload_ms: u64,
    /// Milliseconds that open connections have to end after a stop.
    pub(crate) stop_ms_max: u64,
}

impl Limits {
    /// The limits that ship. The judge takes an input of 8 MiB.
    pub(crate) const SHIPPED: Self = Self {
        connections_max: 24,
        at_once_max: 4,
        body_bytes_max: 9 << 20,
        head_bytes_max: 32 << 10,
        headers_max: 64,
        head_ms_max: 10_000,
        request_ms_max: 15_000,
        write_ms_max: 15_000,
        reload_ms: 1_000,
        stop_ms_max: 5_000,
    };
}

/// What every connection uses.
struct House {
    desk: Arc<Desk>,
    /// A seat is given back when the work has ended, not when nobody waits for it any longer.
    at_once: Arc<Semaphore>,
    limits: Limits,
    /// Whether requests come over TCP, where a browser could be made to send them.
    is_tcp: bool,
}

/// Serves until SIGINT or SIGTERM; `ready` is told when the door is open.
pub(crate) fn run(
    desk: Desk,
    door: Door,
    limits: Limits,
    reload: impl FnMut(&Desk) + Send + 'static,
    ready: impl FnOnce(),
) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::of("AB0191", error).exit(Exit::Fault);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(limits.at_once_max.saturating_add(2))
        .build()
        .map_err(fault)?;
    let is_tcp = door.is_tcp();
    let at_once = Arc::new(Semaphore::new(limits.at_once_max));
    let house = Arc::new(House { desk: Arc::new(desk), at_once, limits, is_tcp });
    let ended = runtime.block_on(serve(house, door, reload, ready));
    // A judge that still runs has a deadline of its own; nobody waits for it here.
    runtime.shutdown_background();
    ended.map_err(fault)
}

async fn serve(
    house: Arc<House>,
    door: Door,
    reload: impl FnMut(&Desk) + Send + 'static,
    ready: impl FnOnce(),
) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let opened = door.open()?;
    let limits = house.limits;
    let (graceful, seats) = (GracefulShutdown::new(), Arc::new(Semaphore::new(limits.connections_max)));
    let mut tasks = JoinSet::new();
    tasks.spawn(watch(Arc::clone(&house), reload));
    ready();
    loop {
        let next = async {
            // A seat first: who cannot be served waits in the queue of the system.
            let seat = Arc::clone(&seats).acquire_owned().await;
            (seat, opened.accept().await)
        };
        let (seat, stream) = tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            next = next => next,
        };
        let Ok(seat) = seat else { break };
        let Ok(stream) = stream else {
            // Out of descriptors, most likely: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (house, watcher) = (Arc::clone(&house), graceful.watcher());
        tasks.spawn(async move {
            connection(house, stream, watcher).await;
            drop(seat);
        });
        while tasks.try_join_next().is_some() {}
    }
    drop(opened);
    let ended = timeout(Duration::from_millis(limits.stop_ms_max), graceful.shutdown()).await;
    if ended.is_err() {
        tracing::warn!("connections that did not end were cut off");
    }
    tasks.shutdown().await;
    Ok(())
}

async fn connection(house: Arc<House>, stream: Box<dyn Stream>, watcher: Watcher) {
    let limits = house.limits;
    let service = service_fn(move |request| {
        let house = Arc::clone(&house);
        async move { Ok::<_, Infallible>(respond(&house, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_ms_max))
        .max_buf_size(limits.head_bytes_max)
        .max_headers(limits.headers_max)
        .serve_connection(TokioIo::new(Patience::new(stream, limits.write_ms_max)), service);
    // A connection that breaks is its client's affair.
    watcher.watch(connection).await.unwrap_or(());
}

/// Looks now and then whether the policy is another.
async fn watch(house: Arc<House>, mut reload: impl FnMut(&Desk) + Send + 'static) {
    loop {
        tokio::time::sleep(Duration::from_millis(house.limits.reload_ms)).await;
        let desk = Arc::clone(&house.desk);
        let looked = tokio::task::spawn_blocking(move || {
            reload(&desk);
            reload
        });
        match looked.await {
            Ok(again) => reload = again,
            Err(_) => {
                return house.desk.broke("AB0191", "the watch over the policy died: start the server again");
            }
        }
    }
}

async fn respond(house: &House, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let within = Duration::from_millis(house.limits.request_ms_max);
    let reply = timeout(within, reply(house, request)).await;
    let reply = reply.unwrap_or_else(|_| {
        let why = format!("no answer within {} ms", house.limits.request_ms_max);
        Reply::error(503, "timeout", &why)
    });
    tracing::info!(%method, path = %abide_core::safe_text::line(&path), status = reply.status, "asked for advice");
    let mut response = Response::new(Full::new(Bytes::from(reply.text())));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if reply.status == 405 {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

async fn reply(house: &House, request: Request<Incoming>) -> Reply {
    if let Err(reply) = door::admits(house.is_tcp, request.uri(), request.headers()) {
        return reply;
    }
    if request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Reply::error(415, "invalid_parameter", "a body comes as it is, without content encoding");
    }
    let is_post = match *request.method() {
        Method::GET => false,
        Method::POST => true,
        _ => {
            return Reply::error(
                405,
                "method_not_allowed",
                "only GET and POST are answered: nothing is changed here",
            );
        }
    };
    let uri = request.uri().clone();
    let body = match Limited::new(request.into_body(), house.limits.body_bytes_max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let why = format!("the body has more than {} bytes", house.limits.body_bytes_max);
            return Reply::error(413, "invalid_parameter", &why);
        }
        Err(_) => return Reply::error(400, "invalid_parameter", "the body broke off"),
    };
    let Ok(seat) = Arc::clone(&house.at_once).acquire_owned().await else {
        return Reply::error(503, "internal_error", "the server is stopping");
    };
    let desk = Arc::clone(&house.desk);
    let work = move || {
        let ask = Ask { is_post, path: uri.path(), query: uri.query().unwrap_or_default(), body: &body };
        let reply = answer::answer(&desk, &ask);
        drop(seat);
        reply
    };
    let reply = tokio::task::spawn_blocking(work).await;
    reply.unwrap_or_else(|_| Reply::error(500, "internal_error", "answering died"))
}

#[cfg(test)]
mod tests;
