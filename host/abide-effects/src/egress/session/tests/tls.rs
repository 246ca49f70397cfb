//! TLS with an authority that is thrown away.

use super::*;
use crate::egress::dial::trust;
use crate::egress::trial::{certified, serve_tls};

#[tokio::test]
async fn a_host_is_who_its_certificate_says() {
    let (authority, config) = certified("good.example");
    let at = serve_tls(config).await;
    let names = Scripted::of(&[("good.example", &[&["127.0.0.1"]]), ("bad.example", &[&["127.0.0.1"]])]);
    let mut setup = Setup::named(names);
    let rules = |host: &str| json!([anything(&format!("https://{host}:{}", at.port()))]);
    let url = |host: &str| format!("https://{host}:{}/", at.port());
    // Nobody vouches for it.
    assert_eq!(get(&setup.open(&rules("good.example")), &url("good.example")).await, "AB0913");
    setup.parts.tls = trust(&[authority]).unwrap();
    let answer = setup.open(&rules("good.example")).send(Outgoing::get(&url("good.example"))).await.unwrap();
    let told = answer.into_body().collect().await.unwrap();
    assert_eq!(told, b"good.example", "the name goes with the greeting");
    assert_eq!(get(&setup.open(&rules("bad.example")), &url("bad.example")).await, "AB0913");
    // An address is no name that it was certified for.
    assert_eq!(get(&setup.open(&rules("127.0.0.1")), &url("127.0.0.1")).await, "AB0913");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
    let session = Setup::new().open(&json!([anything(&format!("https://{at}"))]));
    let error = session.send(Outgoing::get(&format!("https://{at}/"))).await.unwrap_err();
    assert_eq!(error.to_string(), "the TLS handshake took longer than 500 ms");
    silent.abort();
}
