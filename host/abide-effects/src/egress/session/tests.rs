use std::convert::Infallible;
use std::sync::atomic::Ordering;

use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::egress::broker::Until;
use crate::egress::lease::LeaseData;
use crate::egress::lease::tests::component;
use crate::egress::trial::{Answer, Scripted, Server, Setup, TOKEN, action, anything, manners, whole};

mod hostile;
mod tls;

async fn code(session: &Session, outgoing: Outgoing) -> &'static str {
    match session.send(outgoing).await {
        Ok(answer) => match answer.into_body().collect().await {
            Ok(_) => "ok",
            Err(error) => error.code(),
        },
        Err(error) => error.code(),
    }
}

async fn get(session: &Session, url: &str) -> &'static str {
    code(session, Outgoing::get(url)).await
}

/// An answer that goes on and on, a piece each `ms`.
fn endless(piece: &'static [u8], ms: u64) -> Answer {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        while sender.send_data(Bytes::from_static(piece)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    });
    Response::new(body.boxed())
}

#[tokio::test]
async fn an_allowed_request_arrives_as_it_was_judged() {
    let server = Server::start(|request| {
        let told = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        whole(200, told)
    })
    .await;
    let session = Setup::new().open(&json!([anything(&server.origin())]));
    let mut outgoing = Outgoing::get(&format!("{}/a/b?x=%20", server.origin()));
    outgoing.headers.insert("accept", "text/html".parse().unwrap());
    let answer = session.send(outgoing).await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = String::from_utf8(answer.into_body().collect().await.unwrap()).unwrap();
    let wanted = format!(
        "GET /a/b?x=%20 {{\"accept\": \"text/html\", \"user-agent\": \"abide/{}\", \"host\": \"{}\"}}",
        env!("CARGO_PKG_VERSION"),
        server.at
    );
    assert_eq!(told, wanted);
    // The next ones go over the same connection.
    for _ in 0..5 {
        assert_eq!(get(&session, &format!("{}/", server.origin())).await, "ok");
    }
    assert_eq!(server.seen(), (1, 6));
    let used = session.close();
    let tally = used.tallies.values().next().unwrap();
    assert_eq!((tally.requests, tally.stopped), (6, 0));
    assert_eq!(used.archive["log"]["entries"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn what_is_refused_never_leaves() {
    let server = Server::start(|_| whole(200, "")).await;
    let origin = server.origin();
    let session = Setup::new().open(&json!([
        {"allow": "fetch", "origin": origin, "paths": ["/docs/**"], "networks": ["127.0.0.1/32"]},
    ]));
    assert_eq!(get(&session, &format!("{origin}/other")).await, "AB0903");
    assert_eq!(get(&session, &format!("{origin}/docs/../other")).await, "AB0902");
    let with = |method: Method, headers: &[(&'static str, &str)], body: &str| Outgoing {
        method,
        url: format!("{origin}/docs/x"),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect(),
        body: Bytes::from(body.to_owned()),
    };
    assert_eq!(code(&session, with(Method::POST, &[], "")).await, "AB0903");
    assert_eq!(code(&session, with(Method::GET, &[("authorization", "Bearer x")], "")).await, "AB0905");
    assert_eq!(code(&session, with(Method::GET, &[("cookie", "a=b")], "")).await, "AB0905");
    let token = format!("ghp_{}", "aB3".repeat(12));
    assert_eq!(code(&session, with(Method::GET, &[("x-note", &token)], "")).await, "AB0908");
    session.has_read(b"anything at all");
    assert_eq!(code(&session, with(Method::GET, &[], "")).await, "AB0907");
    assert_eq!(server.seen(), (0, 0));
    let used = session.close();
    let archive = used.archive.to_string();
    assert!(!archive.contains("aB3aB3") && !archive.contains("Bearer"), "{archive}");
    assert_eq!(used.archive["log"]["entries"][0]["_stopped"]["code"], "AB0903");
}

#[tokio::test]
async fn a_lease_is_no_wider_than_its_decision() {
    let setup = Setup::new();
    let server = Server::start(|_| whole(200, "")).await;
    let rules = serde_json::from_value(json!([anything(&server.origin())])).unwrap();
    let data = LeaseData { rules, budgets: setup.budgets, manners: None, fills: Vec::new() };
    let lease = Lease::compile(&data, component()).unwrap();
    let broker = Broker::new(setup.parts.clone());
    let other = setup.trial.permit(action(vec!["https://a.example:443".to_owned()]));
    assert_eq!(broker.open(other, lease.clone(), Until::Permit).unwrap_err().code(), "AB0918");
    let mut other = lease.clone();
    other.manners = Some(manners());
    let plain = setup.trial.permit(action(lease.origins()));
    assert_eq!(broker.open(plain, other, Until::Permit).unwrap_err().code(), "AB0918");
    let late = setup.trial.permit(action(lease.origins()));
    setup.trial.world.kill();
    assert_eq!(broker.open(late, lease, Until::Permit).unwrap_err().code(), "AB0121");
}

#[tokio::test]
async fn budgets_end_what_goes_on() {
    let server = Server::start(|request| match request.uri().path() {
        "/endless" => endless(&[0; 1_000], 0),
        _ => whole(200, vec![0; 400]),
    })
    .await;
    let mut setup = Setup::new();
    setup.budgets = Budgets { requests_max: 3, response_bytes_max: 500, bytes_max: 1_000, ..setup.budgets };
    let session = setup.open(&json!([anything(&server.origin())]));
    let url = |path: &str| format!("{}{path}", server.origin());
    assert_eq!(get(&session, &url("/endless")).await, "AB0909");
    assert_eq!(get(&session, &url("/")).await, "ok");
    assert_eq!(get(&session, &url("/")).await, "ok");
    assert_eq!(get(&session, &url("/")).await, "AB0909", "three requests were allowed");
    let session = setup.open(&json!([anything(&server.origin())]));
    assert_eq!(get(&session, &url("/")).await, "ok");
    assert_eq!(get(&session, &url("/")).await, "ok");
    assert_eq!(get(&session, &url("/")).await, "AB0909", "a thousand bytes were allowed");
    setup.trial.world.advance_ms(setup.budgets.lease_ms_max);
    assert_eq!(get(&session, &url("/")).await, "AB0910");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let server = Server::start(|_| {
        let mut answer = whole(200, "x");
        answer.headers_mut().insert("connection", "close".parse().unwrap());
        answer
    })
    .await;
    let session = Setup::new().open(&json!([anything(&server.origin())]));
    for _ in 0..10 {
        assert_eq!(get(&session, &format!("{}/", server.origin())).await, "ok");
    }
    assert_eq!(server.seen(), (10, 10));
}
