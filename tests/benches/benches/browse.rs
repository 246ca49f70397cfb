//! Pages that are read in a second without a browser: asked of a hyper server on loopback through a lease with manners, opened, read in each way, and closed.
//! Figures are printed, never asserted.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_core::action::{Manners, Robots};
use abide_core::page::{Browse, Browsed, PageAsk, PageId};
use abide_effects::browser::manners::Visits;
use abide_effects::browser::manners::shelf::NoShelf;
use abide_effects::browser::still::{NoFormSecrets, Still};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAGES: usize = 400;
const ROWS: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let page = page();
        println!("a page has {} bytes and a table of {ROWS} rows", page.len());
        let at = serve(page).await;
        let manners = Manners {
            purpose: "a measurement".to_owned(),
            contact: "https://example.org/bot".to_owned(),
            robots: Robots::Obey,
            reason: None,
            terms: None,
            host_per_second_max: 10_000,
            host_concurrent_max: 8,
            wait_ms_max: 1_000,
        };
        let rule = json!({"allow": "fetch", "origin": format!("http://{at}"), "paths": ["/**"], "networks": ["127.0.0.1/32"]});
        let session = abide_benches::session(folder.path(), &json!([rule]), Some(manners));
        let visits = Visits::over(session, Arc::new(NoShelf)).unwrap();
        let mut still = Still::over(visits, Arc::new(NoFormSecrets));
        for (name, asks) in [
            ("open", vec![]),
            ("open and snapshot", vec![PageAsk::Snapshot]),
            ("open, text, links, tables, snapshot", vec![PageAsk::Text, PageAsk::Links, PageAsk::Tables, PageAsk::Snapshot]),
            ("open and query all rows", vec![PageAsk::Query { selector: "tbody > tr".to_owned(), limit: 1_000 }]),
        ] {
            let took = read(&mut still, at, &asks).await;
            println!("{name:<36} {:>6.0} pages/s", PAGES as f64 / took.as_secs_f64());
        }
    });
}

async fn read(still: &mut Still, at: SocketAddr, asks: &[PageAsk]) -> Duration {
    let began = Instant::now();
    for number in 0..PAGES {
        let opened = still.browse(Browse::Open(format!("http://{at}/page/{number}"))).await.unwrap();
        let Browsed::Opened(PageId(page)) = opened else { panic!("{opened:?}") };
        for ask in asks {
            let answer = still.browse(Browse::Of(PageId(page), ask.clone())).await.unwrap();
            assert!(answer.bytes() > 1_000, "{ask:?}");
        }
        still.browse(Browse::Of(PageId(page), PageAsk::Close)).await.unwrap();
    }
    began.elapsed()
}

/// What a catalogue page looks like: navigation, prose, a table.
fn page() -> String {
    let mut text = "<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>Parts</title><link rel=stylesheet href=/a.css>\
        <script>window.x = 1;</script></head><body><nav><ul>"
        .to_owned();
    for number in 0..40 {
        write!(
            text,
            "<li class=item><a href='/section/{number}' title='Section {number}'>Section {number}</a></li>"
        )
        .unwrap();
    }
    text.push_str("</ul></nav><main><h1>Parts</h1>");
    for number in 0..20 {
        write!(
            text,
            "<p>Paragraph {number} says <em>something</em> of the parts &amp; where they <b>fit</b>.</p>"
        )
        .unwrap();
    }
    text.push_str("<table><thead><tr><th>Number<th>Name<th>Weight<th>Price</thead><tbody>");
    for row in 0..ROWS {
        write!(text, "<tr class=row data-id={row}><td>A-{row:04}</td><td>Part <i>{row}</i></td><td>{}&nbsp;g</td><td>&euro; {}.50</td></tr>", row * 3, row * 7)
            .unwrap();
    }
    text.push_str("</tbody></table></main></body></html>");
    text
}

async fn serve(page: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let page = Bytes::from(page);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let page = page.clone();
            let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let is_page = request.uri().path() != "/robots.txt";
                let body = if is_page {
                    page.clone()
                } else {
                    Bytes::from_static(b"User-agent: *\nDisallow: /private\n")
                };
                let kind = if is_page { "text/html; charset=utf-8" } else { "text/plain" };
                async move { http::Response::builder().header("content-type", kind).body(Full::new(body)) }
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
