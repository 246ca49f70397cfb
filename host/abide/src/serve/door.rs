//! Who may come in: this host alone. A loopback address, or a Unix socket that only its owner can open.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Uri};
use rustix::fs::Mode;
use rustix::process::umask;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::answer::Reply;
use crate::report::{Exit, Failure};

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A door that is bound and not yet served.
#[derive(Debug)]
pub(crate) enum Door {
    /// A loopback address.
    Tcp(std::net::TcpListener),
    /// A socket in the file system.
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

impl Door {
    /// Binds a loopback address; port 0 takes one that is free.
    pub(crate) fn tcp(address: SocketAddr) -> Result<Self, Failure> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(Failure::new("AB0190", format!("`{address}` is not a loopback address"))
                .help("advice is given on this host only: --listen 127.0.0.1:8181, or --socket PATH")
                .exit(Exit::Usage));
        }
        let bound = std::net::TcpListener::bind(address);
        let bound = bound.and_then(|bound| bound.set_nonblocking(true).map(|()| bound));
        bound.map(Self::Tcp).map_err(|error| taken(&address.to_string(), &error))
    }

    /// Binds a Unix socket that only this user can open. A socket that nobody listens on any longer is replaced, anything else is not.
    pub(crate) fn unix(path: &Path) -> Result<Self, Failure> {
        let fault = |error: io::Error| taken(&path.display().to_string(), &error);
        let is_socket = fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
        if is_socket
            && StdUnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            fs::remove_file(path).map_err(fault)?;
        }
        // Set before the socket is there, so that at no moment somebody else can open it.
        let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
        let bound = std::os::unix::net::UnixListener::bind(path);
        umask(before);
        let bound = bound.and_then(|bound| bound.set_nonblocking(true).map(|()| bound)).map_err(fault)?;
        Ok(Self::Unix(bound, path.to_owned()))
    }

    /// Whether it is an address.
    pub(crate) fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// What a client is given to find it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Tcp(bound) => {
                bound.local_addr().map_or_else(|_| "?".to_owned(), |address| format!("http://{address}"))
            }
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// Begins to listen, inside of a runtime.
    pub(crate) fn open(self) -> io::Result<Opened> {
        Ok(match self {
            Self::Tcp(bound) => {
                Opened { listener: Listener::Tcp(TcpListener::from_std(bound)?), _socket: None }
            }
            Self::Unix(bound, path) => Opened {
                listener: Listener::Unix(UnixListener::from_std(bound)?),
                _socket: Some(Socket(path)),
            },
        })
    }
}

fn taken(what: &str, error: &io::Error) -> Failure {
    Failure::new("AB0191", format!("`{what}` cannot be listened on: {error}"))
        .help("another server may be there already; --listen 127.0.0.1:0 takes a free port")
        .exit(Exit::Usage)
}

/// A door that is served.
#[derive(Debug)]
pub(crate) struct Opened {
    listener: Listener,
    _socket: Option<Socket>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The socket's file, which goes when the server does.
#[derive(Debug)]
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // What cannot be removed is replaced at the next start.
        fs::remove_file(&self.0).unwrap_or(());
    }
}

impl Opened {
    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.listener {
            Listener::Tcp(listener) => Box::new(listener.accept().await?.0),
            Listener::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Fetch Metadata (W3C): which page made the browser ask.
const FETCH_SITE: &str = "sec-fetch-site";

/// Over TCP a browser could be led here by a page, or by a name that somebody points at this host: neither is let in.
pub(super) fn admits(is_tcp: bool, uri: &Uri, headers: &HeaderMap) -> Result<(), Reply> {
    if !is_tcp {
        return Ok(());
    }
    // A browser says whose page asks: `none` is a person who typed the address, `same-origin` what came from here.
    let from_a_page = headers.get_all(FETCH_SITE).iter().any(|site| site != "none" && site != "same-origin");
    if from_a_page || headers.contains_key(ORIGIN) {
        return Err(Reply::error(403, "unauthorized", "requests of web pages are not answered"));
    }
    let mut named = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let host = named.next().unwrap_or_default();
    // Whoever is named twice is nobody, in the header or in the request line.
    if is_this_host(host) && named.next().is_none() && uri.authority().is_none_or(|one| one.as_str() == host)
    {
        return Ok(());
    }
    Err(Reply::error(
        403,
        "unauthorized",
        "the header `Host` does not name a loopback address or `localhost`",
    ))
}

fn is_this_host(host: &str) -> bool {
    let has_port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = has_port.map_or(host, |(name, _)| name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    #[test]
    fn only_this_host_is_this_host() {
        for host in
            ["localhost", "LOCALHOST:8181", "127.0.0.1", "127.0.0.1:1", "127.9.9.9:80", "[::1]", "[::1]:8181"]
        {
            assert!(is_this_host(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org",
            "localhost.",
            "10.0.0.1:8181",
            "[::]",
            "0.0.0.0",
            "localhost:x",
        ] {
            assert!(!is_this_host(host), "{host}");
        }
    }

    /// Whether these headers are let in.
    fn lets_in(uri: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        admits(true, &uri.parse().unwrap(), &headers.collect()).is_ok()
    }

    #[test]
    fn no_page_is_answered_whatever_it_says_of_itself() {
        let host = ("host", "localhost:8181");
        assert!(lets_in("/health", &[host]));
        assert!(lets_in("/health", &[host, (FETCH_SITE, "none")]));
        assert!(lets_in("/health", &[host, (FETCH_SITE, "same-origin")]));
        for site in ["cross-site", "same-site", "", "NONE", "none, cross-site"] {
            assert!(!lets_in("/health", &[host, (FETCH_SITE, site)]), "{site}");
        }
        assert!(!lets_in("/health", &[host, (FETCH_SITE, "none"), (FETCH_SITE, "cross-site")]));
        assert!(!lets_in("/health", &[host, ("origin", "null")]));
        assert!(!lets_in("/health", &[host, ("host", "example.org")]));
        assert!(!lets_in("/health", &[]));
        assert!(lets_in("http://localhost:8181/health", &[host]));
        assert!(!lets_in("http://example.org/health", &[host]));
        assert!(admits(false, &"/health".parse().unwrap(), &HeaderMap::new()).is_ok());
    }

    #[test]
    fn no_other_address_is_listened_on() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:10.0.0.1]:0"] {
            assert_eq!(Door::tcp(address.parse().unwrap()).unwrap_err().code, "AB0190", "{address}");
        }
    }
}
