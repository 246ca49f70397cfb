//! What the broker adds to a request: the same hyper server on loopback, asked directly and through a lease. Figures are printed, never asserted.
//!
//! The kill switch is a real ledger's, so each request reads it as it does in `ab`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_core::action::OpenEgress;
use abide_core::facts::Meter;
use abide_core::facts::config::MeasureConfig;
use abide_core::id::Timestamp;
use abide_effects::egress::dial::{DialLimits, trust};
use abide_effects::egress::lease::{Lease, LeaseData};
use abide_effects::egress::resolver::SystemResolver;
use abide_effects::egress::vault::NoVault;
use abide_effects::egress::{Broker, Outgoing, Parts, Session, Until};
use abide_gate::{Admission, Ask, Bundle, Clock, DecisionLog, Gate, Halt, NativeJudge};
use abide_ledger::{Ledger, Opening};
use abide_tests::gate::{self, NOW, StillClock};
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
    let rules = json!([{"allow": "fetch", "origin": origin, "paths": ["/**"], "query": true, "networks": ["127.0.0.1/32"]}]);
    let most = u32::MAX;
    let budgets = json!({
        "requests_max": most, "per_second_max": most, "concurrent_max": 64, "request_bytes_max": most, "response_bytes_max": most,
        "bytes_max": u64::MAX, "request_ms_max": 5_000, "idle_ms_max": 5_000, "lease_ms_max": u64::MAX,
    });
    let data: LeaseData = serde_json::from_value(json!({"rules": rules, "budgets": budgets})).unwrap();
    let component = gate::digest("component");
    let lease = Lease::compile(&data, component.clone()).unwrap();

    let folder = folder.join("ledger");
    let ledger = Arc::new(
        Ledger::create(&folder, &[7; 32], "abide/bench", Timestamp(NOW), &Opening::STANDARD).unwrap(),
    );
    let log: Arc<dyn DecisionLog> = Arc::<Ledger>::clone(&ledger);
    let halt: Arc<dyn Halt> = ledger;
    let clock: Arc<dyn Clock> = Arc::new(StillClock(NOW.into()));
    let rule = r#"package abide
decision := {"verdict": "allow", "findings": []}"#;
    let modules = [("allow_all.rego".to_owned(), rule.to_owned())].into();
    let bundle = Bundle::load(modules, json!({})).unwrap();
    let gate = Gate::new(Arc::new(NativeJudge::over(bundle)), log, clock.clone(), halt);
    let origins = lease.origins();
    let action =
        OpenEgress { run: gate::run_id(), unit: "u1".to_owned(), component, origins: origins.clone() };
    let ask = Ask { requests: origins, ..gate::ask("exploration") };
    let Admission::Allow { permit, .. } = gate.admit(action, ask).unwrap() else {
        panic!("it allows everything")
    };
    let measure = MeasureConfig::from_data(gate::shipped().data()).unwrap();
    let broker = Broker::new(Parts {
        resolver: SystemResolver::of_this_machine(),
        tls: trust(&[]).unwrap(),
        vault: Arc::new(NoVault),
        meter: Arc::new(Meter::compile(&measure).unwrap()),
        clock,
        limits: DialLimits::USUAL,
        upstream: None,
    });
    broker.open(permit, lease, Until::Permit).unwrap()
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
