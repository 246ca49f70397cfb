//! A worker that was built for `wasi:http`, through the real `ab`: what it asks is what any worker asks, by the same lease, record and replay.

use std::path::Path;

use abide_core::id::Digest;
use abide_ledger::{Ledger, Opening};
use abide_sandbox::Transcript;
use serde_json::{Value as Json, json};

use crate::bundles::House;
use crate::egress::{Server, data, digest, house_with, run};
use crate::worker::guest;

/// A house whose policy lets the worker do `allow` at `server`.
fn house(web: &Path, server: &Server, allow: &[&str]) -> House {
    let rule = |allow: &&str| {
        let mut rule = json!({"allow": allow, "origin": server.origin(), "paths": ["/**"], "networks": ["127.0.0.1/32"]});
        if *allow == "send" {
            rule["methods"] = json!(["POST"]);
        }
        rule
    };
    let rules: Vec<Json> = allow.iter().map(rule).collect();
    house_with(&digest(web), &[server.origin()], &json!(rules), &["wasi:cli"])
}

/// Lets the worker go one way, and gives back what it said.
fn tries(house: &House, web: &Path, server: &Server, way: &str) -> Vec<String> {
    let (worker, url) = (format!("codegen={}", web.display()), format!("{}/list", server.origin()));
    let parameters = json!({"path": "docs/index.md", "old": url, "new": way});
    run(house, "replace-text", &parameters, &["--worker", &worker]);
    let ran = data(house, "TaskRan").pop().unwrap();
    let transcript = Transcript::unpack(&blob(house, &ran["transcript"])).unwrap();
    transcript.outcome.log.into_iter().map(|line| line.text).collect()
}

pub(crate) fn blob(house: &House, digest: &Json) -> Vec<u8> {
    let ledger = Ledger::open(&house.world.home().join("world/ledger"), &Opening::STANDARD).unwrap();
    let digest: Digest = digest.as_str().unwrap().parse().unwrap();
    ledger.store().blob(&digest).unwrap().unwrap().bytes().to_vec()
}

/// The archive of the last lease, as text.
fn archive(house: &House) -> String {
    let used = data(house, "EgressUsed").pop().unwrap();
    String::from_utf8(blob(house, &used["archive"])).unwrap()
}

#[test]
fn what_is_fetched_is_merged_recorded_and_replayed() {
    let Some(web) = guest("hostile-http") else { return };
    let server = Server::start("See [it](deep/gone.md).\nBy the web.\n");
    let house = house(&web, &server, &["fetch"]);
    let said = tries(&house, &web, &server, "fetch");
    assert_eq!(said, ["200, 36 bytes"]);
    assert_eq!(server.lines(), ["GET /list HTTP/1.1"]);
    assert!(house.world.git(&["show", "main:docs/index.md"]).contains("By the web."));
    let used = data(&house, "EgressUsed");
    let row =
        json!({"origin": server.origin(), "method": "GET", "requests": "1", "stopped": "0", "bytes": "36"});
    assert_eq!(used[0]["rows"], json!([row]));
    house.world.ab(&["verify"]).exits(0);
    // From what was answered: nobody is asked again.
    let file = web.to_str().unwrap();
    house.world.ab(&["worker", "add", file, "--unsigned", "--reason", "so that its bytes are kept"]).exits(4);
    house.world.ab(&["replay"]).exits(0).says("1 tasks").says("0 differ, 0 not compared");
    assert_eq!(server.lines().len(), 1);
    house
        .world
        .ab(&["worker", "inspect", file])
        .exits(0)
        .says("send or answer HTTP requests: each request is judged by its lease")
        .says("a clock that counts questions")
        .says("would get   egress, log, workspace");
}

#[test]
fn what_the_lease_does_not_say_is_refused() {
    let Some(web) = guest("hostile-http") else { return };
    let server = Server::start("ok");
    let house = house(&web, &server, &["fetch"]);
    assert_eq!(tries(&house, &web, &server, "post"), ["answer: ErrorCode::HttpRequestDenied"]);
    let told = archive(&house);
    assert!(told.contains("AB0903") && told.contains("POST"), "{told}");
    let said = tries(&house, &web, &server, "impersonate");
    assert_eq!(said, ["answer: ErrorCode::HttpRequestDenied"; 3]);
    assert!(archive(&house).contains("AB0905"), "{}", archive(&house));
    assert!(server.lines().is_empty(), "{:?}", server.lines());
    assert_eq!(data(&house, "EgressUsed")[0]["rows"][0]["stopped"], "1");
    // Without an entry it is an import of WASI like any other.
    let bare = House::new();
    let worker = format!("codegen={}", web.display());
    let parameters = json!({"path": "docs/index.md", "old": server.origin(), "new": "fetch"});
    run(&bare, "replace-text", &parameters, &["--worker", &worker]).exits(3).says("not-grantable");
    let file = web.to_str().unwrap();
    let found = bare.world.ab(&["--json", "worker", "inspect", file]).json();
    assert!(found["objections"].to_string().contains("requests go where the lease says"), "{found}");
}

#[test]
fn a_send_that_is_granted_leaves_with_its_body() {
    let Some(web) = guest("hostile-http") else { return };
    let server = Server::start("taken");
    let house = house(&web, &server, &["send"]);
    assert_eq!(tries(&house, &web, &server, "post"), ["200 taken"]);
    let heard = server.heard.lock().unwrap().concat();
    assert!(
        heard.starts_with("POST /list HTTP/1.1") && heard.contains("content-type: text/plain"),
        "{heard}"
    );
    assert_eq!(tries(&house, &web, &server, "length"), ["answer: ErrorCode::HttpRequestBodySize(Some(3))"]);
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn floods_of_either_side() {
    let Some(web) = guest("hostile-http") else { return };
    let server = Server::start("never read");
    let house_of = |server: &Server| house(&web, server, &["fetch", "send"]);
    let flooded = house_of(&server);
    assert_eq!(tries(&flooded, &web, &server, "many-fields"), ["64 fields", "Ok(200)"]);
    let said = tries(&flooded, &web, &server, "never-read");
    assert_eq!(said, ["8 are held, then ErrorCode::ConnectionLimitReached", "after that: Ok(())"]);
    assert_eq!(server.lines().len(), 10);
    // An answer of a hundred thousand fields, and one that ends in the middle.
    let fields = "x-more: y\r\n".repeat(100_000);
    let wide = Server::saying(format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n"));
    let cut = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned());
    for server in [wide, cut] {
        let house = house_of(&server);
        let said = tries(&house, &web, &server, "GET").concat();
        assert!(
            said.starts_with("answer: ErrorCode::InternalError(Some(") && said.contains("[AB09"),
            "{said}"
        );
    }
}
