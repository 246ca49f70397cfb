//! Opens connections: looks a name up once, checks every address, dials a checked one, and sees over TLS that it is who it should be.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::permit;
use super::lease::Rule;
use super::refusal::{EgressError, Fault, Refusal};
use super::resolver::{Resolver, without_asking};
use super::target::{Origin, Scheme};
use super::upstream::{self, Upstream};

/// A stream of bytes, whatever is below it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How long each step may take, in milliseconds, and how much a header may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialLimits {
    /// Looking a name up.
    pub resolve_ms: u64,
    /// Connecting, over all addresses of the name.
    pub connect_ms: u64,
    /// The TLS handshake.
    pub tls_ms: u64,
    /// From the request to the end of the answer's header.
    pub header_ms: u64,
    /// Bytes of the answer's header.
    pub header_bytes: usize,
    /// Fields of the answer's header.
    pub headers: usize,
}

impl DialLimits {
    /// Enough for slow hosts far away.
    pub const USUAL: Self = Self {
        resolve_ms: 5_000,
        connect_ms: 10_000,
        tls_ms: 10_000,
        header_ms: 60_000,
        header_bytes: 64 << 10,
        headers: 100,
    };
}

/// Opens connections.
pub(super) struct Dialler {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) limits: DialLimits,
    pub(super) upstream: Option<Upstream>,
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler")
            .field("limits", &self.limits)
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

/// A connection, and how it is spoken over.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    /// The address that was dialled; none where a proxy did that.
    pub(super) address: Option<IpAddr>,
    /// Whether requests name the whole address, as a proxy wants it.
    pub(super) absolute: bool,
}

impl Dialler {
    /// A connection to `origin`, as `rule` allows it, with TLS for `https`.
    pub(super) async fn dial(&self, origin: &Origin, rule: &Rule) -> Result<Dialled, EgressError> {
        // A proxy looks names up by itself. A rule about networks of ours is not for it.
        let through = self.upstream.as_ref().filter(|_| rule.networks.is_empty());
        let (stream, address): (Box<dyn Stream>, _) = if let Some(upstream) = through {
            check_literal(origin, rule)?;
            (self.proxied(upstream, origin).await?, None)
        } else {
            let (stream, address) = self.direct(origin, rule).await?;
            (Box::new(stream), Some(address))
        };
        match origin.scheme {
            Scheme::Https => {
                Ok(Dialled { stream: self.over_tls(stream, origin).await?, address, absolute: false })
            }
            Scheme::Http => Ok(Dialled { stream, address, absolute: through.is_some() }),
            Scheme::Connect => Ok(Dialled { stream, address, absolute: false }),
        }
    }

    async fn direct(&self, origin: &Origin, rule: &Rule) -> Result<(TcpStream, IpAddr), EgressError> {
        let addresses = self.look_up(&origin.host).await?;
        // One address that is refused refuses the name: which of them is dialled must not be a matter of luck.
        for address in &addresses {
            check(*address, origin, rule)?;
        }
        let connected = self.connect(&origin.host, &addresses, origin.port).await?;
        Ok(connected)
    }

    async fn proxied(&self, upstream: &Upstream, origin: &Origin) -> Result<Box<dyn Stream>, EgressError> {
        let addresses = self.look_up(&upstream.host).await?;
        let (stream, _) = self.connect(&upstream.host, &addresses, upstream.port).await?;
        if origin.scheme == Scheme::Http {
            return Ok(Box::new(stream));
        }
        let tunnel = upstream::tunnel(stream, origin);
        let tunnel = within(self.limits.connect_ms, "the upstream proxy", tunnel).await?;
        Ok(Box::new(tunnel?))
    }

    async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, EgressError> {
        let named = |why: String| Fault::Name { host: host.to_owned(), why };
        let addresses = match without_asking(host) {
            Some(addresses) => addresses,
            None => within(self.limits.resolve_ms, "looking the name up", self.resolver.look_up(host))
                .await?
                .map_err(named)?,
        };
        if addresses.is_empty() {
            return Err(named("it has none".to_owned()).into());
        }
        Ok(addresses)
    }

    async fn connect(
        &self,
        host: &str,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<(TcpStream, IpAddr), Fault> {
        let each =
            self.limits.connect_ms.checked_div(u64::try_from(addresses.len()).unwrap_or(1)).unwrap_or(1);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            let connecting = TcpStream::connect(SocketAddr::new(*address, port));
            match timeout(Duration::from_millis(each), connecting).await {
                Ok(Ok(stream)) => {
                    // Requests are small, and waited for.
                    drop(stream.set_nodelay(true));
                    return Ok((stream, *address));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(Fault::Connect { host: host.to_owned(), source: last })
    }

    async fn over_tls(
        &self,
        stream: Box<dyn Stream>,
        origin: &Origin,
    ) -> Result<Box<dyn Stream>, EgressError> {
        let failed = |why: String| Fault::Tls { host: origin.host.clone(), why };
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| failed(error.to_string()))?;
        let shaking = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream);
        let shaken = within(self.limits.tls_ms, "the TLS handshake", shaking).await?;
        Ok(Box::new(shaken.map_err(|error| failed(error.to_string()))?))
    }
}

/// What `future` gives, if it gives it in time.
pub(super) async fn within<F: Future>(ms: u64, what: &'static str, future: F) -> Result<F::Output, Fault> {
    timeout(Duration::from_millis(ms), future).await.map_err(|_| Fault::Late { what, ms })
}

fn check(address: IpAddr, origin: &Origin, rule: &Rule) -> Result<(), Refusal> {
    permit(address, &rule.networks).map_err(|forbidden| Refusal::Place {
        host: origin.host.clone(),
        address: forbidden.address,
        name: forbidden.name,
    })
}

/// What can be checked of a host that somebody else looks up: whether it is written as an address, or is this machine by its name.
fn check_literal(origin: &Origin, rule: &Rule) -> Result<(), Refusal> {
    without_asking(&origin.host).into_iter().flatten().try_for_each(|address| check(address, origin, rule))
}

/// A connection for hyper.
pub(super) fn io(stream: Box<dyn Stream>) -> TokioIo<Box<dyn Stream>> {
    TokioIo::new(stream)
}

/// The same with extra roots as PEM.
pub fn trust_also(pem: &str) -> Result<Arc<ClientConfig>, String> {
    let roots = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    trust(&roots.map_err(|error| format!("the extra roots are no PEM: {error}"))?)
}

/// Whom to trust over TLS: the roots of this machine, and `extra` ones. HTTP/1.1 alone is offered.
pub fn trust(extra: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let machine = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(machine.certs);
    for root in extra {
        roots.add(root.clone()).map_err(|error| format!("an extra root is refused: {error}"))?;
    }
    for error in machine.errors {
        tracing::warn!(%error, "some roots of this machine cannot be read");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
