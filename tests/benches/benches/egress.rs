//! What the broker adds to a request: the same hyper server on loopback, asked directly and through a lease. Figures are printed, never asserted.
//!
//! The kill switch is a real ledger's, so each request reads it as it does in `ab`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use abide_effects::egress::{Outgoing, Session};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REQUESTS: usize = 4_000;
const SIDE_BY_SIDE: usize = 8;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let at = serve().await;
        let session = lease(at, folder.path());
        // Taken in turns, so that a slow moment of the machine hits both.
        let (mut direct, mut brokered) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            direct.extend(ask_directly(at, REQUESTS / 4).await);
            brokered.extend(ask_through(&session, at, REQUESTS / 4).await);
        }
        let (p50, p99) = (median(&mut direct), at_99(&direct));
        println!("direct    p50 {p50:>9.1?}  p99 {p99:>9.1?}");
        let (through, through_99) = (median(&mut brokered), at_99(&brokered));
        println!("brokered  p50 {through:>9.1?}  p99 {through_99:>9.1?}");
        let added = through.saturating_sub(p50);
        println!(
            "the broker adds {added:.1?} at p50, ratio {:.2}",
            through.as_secs_f64() / p50.as_secs_f64()
        );
        let (many, took) = side_by_side(&session, at).await;
        println!("side by side ({SIDE_BY_SIDE}): {:.0} requests/s", many as f64 / took.as_secs_f64());
    });
}

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let service = service_fn(|_| async {
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(&[b'x'; 1_024]))))
            });
            tokio::spawn(async move {
                drop(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    at
}

fn lease(at: SocketAddr, folder: &std::path::Path) -> Session {
    let origin = format!("http://{at}");
    let rule = json!({"allow": "fetch", "origin": origin, "paths": ["/**"], "query": true, "networks": ["127.0.0.1/32"]});
    abide_benches::session(folder, &json!([rule]), None)
}

async fn ask_directly(at: SocketAddr, count: usize) -> Vec<Duration> {
    let stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let began = Instant::now();
        let request = http::Request::get(format!("/page/{number}?view=full"))
            .header("host", at.to_string())
            .body(Full::default())
            .unwrap();
        sender.ready().await.unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 1_024);
        took.push(began.elapsed());
    }
    took
}

async fn ask_through(session: &Session, at: SocketAddr, count: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let began = Instant::now();
        let outgoing = Outgoing::get(&format!("http://{at}/page/{number}?view=full"));
        let answer = session.send(outgoing).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().len(), 1_024);
        took.push(began.elapsed());
    }
    took
}

async fn side_by_side(session: &Session, at: SocketAddr) -> (usize, Duration) {
    let began = Instant::now();
    let tasks: Vec<_> = (0..SIDE_BY_SIDE)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { ask_through(&session, at, REQUESTS).await.len() })
        })
        .collect();
    let mut many = 0;
    for task in tasks {
        many += task.await.unwrap();
    }
    (many, began.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn at_99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}
