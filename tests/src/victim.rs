//! Listeners that must never be reached. They count who comes, and keep the first bytes, so that a test can say what got out.

mod names;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

pub use names::Names;

/// Bytes of a conversation that are kept.
const KEPT_BYTES_MAX: usize = 4_096;
/// How long a victim waits for the first bytes of who dialled.
const FIRST_BYTES: Duration = Duration::from_millis(500);

/// How a victim was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Somebody connected, whether or not anything was said.
    Tcp,
    /// A datagram arrived.
    Udp,
    /// A name was asked for.
    Dns,
}

/// Somebody came.
#[derive(Debug, Clone)]
pub struct Hit {
    /// How.
    pub way: Way,
    /// Which address was dialled; of a datagram, the one that listens.
    pub at: SocketAddr,
    /// The first bytes, or the name that was asked for.
    pub said: String,
}

/// What the listeners write down together.
#[derive(Debug, Default)]
struct Book {
    hits: Mutex<Vec<Hit>>,
    /// Conversations that go on.
    open: AtomicUsize,
}

type Hits = Arc<Book>;

/// Listeners on addresses that nobody is granted, until they are dropped.
#[derive(Debug)]
pub struct Victims {
    hits: Hits,
    /// Where connections are counted.
    pub tcp: Vec<SocketAddr>,
    /// Where datagrams are counted.
    pub udp: Vec<SocketAddr>,
    /// Where names are asked for.
    pub dns: SocketAddr,
    /// Whoever listens ends with it.
    _stop: oneshot::Sender<()>,
}

impl Victims {
    /// On fresh ports of loopback: 127.0.0.1, 127.0.0.2 and, where there is IPv6, ::1. No name leads to them.
    pub fn on_loopback() -> Self {
        let tcp = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"];
        let tcp = tcp.iter().filter_map(|at| TcpListener::bind(at).ok()).collect();
        let udp = vec![UdpSocket::bind("127.0.0.1:0").unwrap()];
        Self::listen(tcp, udp, UdpSocket::bind("127.0.0.1:0").unwrap(), Names::default())
    }

    /// At these addresses, in a network of [`crate::namespace`]: `[::]:80` is port 80 of every address there is, datagrams are counted on ports of
    /// all addresses, and names are answered by `names`, on port 53.
    #[track_caller]
    pub fn everywhere(tcp: &[&str], udp: &[u16], names: Names) -> Self {
        let listen = |at: &&str| TcpListener::bind(at).unwrap_or_else(|error| panic!("{at}: {error}"));
        let tcp = tcp.iter().map(listen).collect();
        let datagrams = |port: &u16| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port)).unwrap();
            // Names that machines of a network ask each other for. Without it they are not counted, and that is all.
            drop(socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 251), &Ipv4Addr::LOCALHOST));
            socket
        };
        let udp = udp.iter().map(datagrams).collect();
        Self::listen(tcp, udp, UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).unwrap(), names)
    }

    fn listen(tcp: Vec<TcpListener>, udp: Vec<UdpSocket>, dns: UdpSocket, names: Names) -> Self {
        let hits = Hits::default();
        let (stop, stopped) = oneshot::channel();
        let victims = Self {
            hits: hits.clone(),
            tcp: tcp.iter().map(|listener| listener.local_addr().unwrap()).collect(),
            udp: udp.iter().map(|socket| socket.local_addr().unwrap()).collect(),
            dns: dns.local_addr().unwrap(),
            _stop: stop,
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for listener in tcp {
                    tokio::spawn(connections(listener, hits.clone()));
                }
                for socket in udp {
                    tokio::spawn(datagrams(socket, hits.clone()));
                }
                tokio::spawn(names::answers(dns, names, hits.clone()));
                drop(stopped.await);
            });
        });
        victims
    }

    /// Everybody who came since this was asked last. Waits for who still talks, a second at most.
    pub fn take(&self) -> Vec<Hit> {
        for _ in 0..100 {
            if self.hits.open.load(Ordering::SeqCst) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        std::mem::take(&mut self.hits.hits.lock().unwrap())
    }

    /// Asserts that nobody came.
    #[track_caller]
    pub fn are_unharmed(&self, after: &str) {
        let hits = self.take();
        assert!(hits.is_empty(), "{after}: {hits:#?}");
    }
}

/// Writes down that somebody came. Addresses of IPv4 are told as such.
fn came(hits: &Hits, way: Way, at: SocketAddr, said: String) {
    hits.hits.lock().unwrap().push(Hit { way, at: SocketAddr::new(at.ip().to_canonical(), at.port()), said });
}

async fn connections(listener: TcpListener, hits: Hits) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        hits.open.fetch_add(1, Ordering::SeqCst);
        let hits = hits.clone();
        tokio::spawn(async move {
            connection(stream, &hits).await;
            hits.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// What a client of the web takes for a good answer that anybody may read: what follows from it is counted as well.
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\naccess-control-allow-origin: *\r\naccess-control-allow-headers: *\r\naccess-control-allow-private-network: true\r\nconnection: close\r\n\r\n<!doctype html><title>Victim</title><p id=victim>What only the inside may read";

async fn connection(mut stream: tokio::net::TcpStream, hits: &Hits) {
    let Ok(at) = stream.local_addr() else { return };
    let (mut said, mut piece) = (Vec::new(), [0; KEPT_BYTES_MAX]);
    let head = async {
        while said.len() < KEPT_BYTES_MAX && !said.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut piece).await {
                Ok(count) if count > 0 => said.extend_from_slice(&piece[..count]),
                _ => break,
            }
        }
    };
    // Who connects and says nothing has come all the same.
    drop(tokio::time::timeout(FIRST_BYTES, head).await);
    let is_web = said.first().is_some_and(u8::is_ascii_uppercase);
    came(hits, Way::Tcp, at, String::from_utf8_lossy(&said).into_owned());
    if is_web {
        drop(stream.write_all(ANSWER.as_bytes()).await);
    }
}

async fn datagrams(socket: UdpSocket, hits: Hits) {
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    let at = socket.local_addr().unwrap();
    let mut piece = [0; KEPT_BYTES_MAX];
    loop {
        let Ok((count, _)) = socket.recv_from(&mut piece).await else { continue };
        came(&hits, Way::Udp, at, String::from_utf8_lossy(&piece[..count]).into_owned());
    }
}
