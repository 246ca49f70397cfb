//! The exit for processes in a jail: an HTTP proxy on a socket that is handed to them, in front of one lease.
//!
//! A request in absolute form is judged like any other. `CONNECT` opens a tunnel, which is a grant of its own: nobody sees what passes through
//! it, so its TLS greeting is read ([`greeting`]) and must name the host that the tunnel was asked for.

mod greeting;
mod tunnel;

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::channel::Channel;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

use super::dial::{Stream, io, within};
use super::refusal::{EgressError, Fault, Refusal};
use super::session::{Outgoing, Session};
use super::target::Ambiguous;

/// LIMIT: connections of one jail at the same time.
const CONNECTIONS_MAX: usize = 64;
/// Bytes of a request's header, and its fields.
const HEADER_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// How long a client may take for its header.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// Fields that are about one connection, not about a request (RFC 9110, section 7.6.1).
const HOP_BY_HOP: &[&str] =
    &["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

type Answer = Response<BoxBody<Bytes, Broken>>;

/// A body that ended before it was whole. The connection ends with it, so that nobody takes it for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off")]
struct Broken;

/// Where a jail comes in.
#[derive(Debug)]
pub enum Listener {
    /// A socket in the file system.
    Unix(UnixListener),
    /// A port of this machine.
    Tcp(TcpListener),
}

impl Listener {
    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Serves the jail behind `listener` until the lease is over.
pub async fn serve(listener: Listener, session: Session) -> std::io::Result<()> {
    // Dropping the set ends what is in it.
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            tokio::select! {
                _ = session.over() => return Ok(()),
                _ = connections.join_next() => {}
            }
        }
        let stream = tokio::select! {
            _ = session.over() => return Ok(()),
            stream = listener.accept() => stream?,
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(one(stream, session.clone()));
    }
}

/// Serves one connection.
async fn one(stream: Box<dyn Stream>, session: Session) {
    let service = service_fn(|request| {
        let session = session.clone();
        async move { Ok::<_, Infallible>(answer(&session, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .serve_connection(io(stream), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection of a jail ended");
    }
}

async fn answer(session: &Session, request: Request<Incoming>) -> Answer {
    let answered = if request.method() == Method::CONNECT {
        tunnel::open(session, request).await
    } else {
        forward(session, request).await
    };
    answered.unwrap_or_else(|error| told(&error))
}

async fn forward(session: &Session, request: Request<Incoming>) -> Result<Answer, EgressError> {
    let (head, body) = request.into_parts();
    let authority =
        head.uri.authority().ok_or(Refusal::Address(Ambiguous("a proxy is asked for a whole address")))?;
    check_host(&head.headers, authority, head.uri.scheme_str())?;
    let budgets = session.budgets();
    let limit = usize::try_from(budgets.request_bytes_max).unwrap_or(usize::MAX);
    let reading = Limited::new(body, limit).collect();
    let body = within(budgets.request_ms_max, "the request's body", reading)
        .await?
        .map_err(|_| Refusal::Budget("request_bytes_max"))?
        .to_bytes();
    let mut headers = without_hops(head.headers);
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    let outgoing = Outgoing { method: head.method, url: head.uri.to_string(), headers, body };
    let (mut head, mut body) = session.send(outgoing).await?.into_parts();
    head.headers = without_hops(head.headers);
    let (mut sender, channel) = Channel::new(1);
    tokio::spawn(async move {
        loop {
            match body.next().await {
                Ok(Some(piece)) => {
                    if sender.send_data(piece).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(_) => return sender.abort(Broken),
            }
        }
    });
    Ok(Response::from_parts(head, channel.boxed()))
}

/// There is one `host`, and it says what the address says.
fn check_host(headers: &HeaderMap, authority: &Authority, scheme: Option<&str>) -> Result<(), Refusal> {
    let default = if scheme == Some("https") { ":443" } else { ":80" };
    let bare = |text: &str| text.strip_suffix(default).unwrap_or(text).to_owned();
    let mut hosts = headers.get_all(header::HOST).iter();
    let one = hosts.next().and_then(|host| host.to_str().ok());
    match (one, hosts.next()) {
        (Some(host), None) if bare(host) == bare(authority.as_str()) => Ok(()),
        _ => Err(Refusal::Header("host".to_owned())),
    }
}

/// The fields that are about the request, and not named as being about the connection.
fn without_hops(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in HOP_BY_HOP.iter().copied().chain(named.iter().map(String::as_str)) {
        headers.remove(name);
    }
    headers
}

/// A refusal as an answer: the code, and why.
fn told(error: &EgressError) -> Answer {
    let status = match error {
        EgressError::Refused(_) => StatusCode::FORBIDDEN,
        EgressError::Failed(Fault::Late { .. }) => StatusCode::GATEWAY_TIMEOUT,
        EgressError::Failed(_) => StatusCode::BAD_GATEWAY,
    };
    let text = format!("abide: {error} [{}]\n", error.code());
    let mut answer = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests;
