//! The proxy of a network that lets nothing out but through it. It looks names up by itself, so addresses cannot be checked here: a host that is
//! written as an address still is, and rules that name networks are dialled directly.

use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::dial::Stream;
use super::refusal::Fault;
use super::target::Origin;

/// Where the proxy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A tunnel through the proxy to `origin` (RFC 9110, section 9.3.6).
pub(super) async fn tunnel(stream: TcpStream, origin: &Origin) -> Result<Box<dyn Stream>, Fault> {
    let failed = |error: hyper::Error| Fault::Proxy(error.to_string());
    let (mut sender, connection) =
        http1::handshake::<_, Empty<bytes::Bytes>>(TokioIo::new(stream)).await.map_err(failed)?;
    let driver = tokio::spawn(connection.with_upgrades());
    let authority = origin.authority();
    let request = Request::connect(&authority)
        .header(http::header::HOST, &authority)
        .body(Empty::new())
        .map_err(|error| Fault::Proxy(error.to_string()))?;
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    if status != StatusCode::OK {
        driver.abort();
        return Err(Fault::Proxy(format!("it answered CONNECT with {status}")));
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(failed)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}
