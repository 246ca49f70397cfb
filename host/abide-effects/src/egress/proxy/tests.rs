use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::egress::Upstream;
use crate::egress::dial::trust;
use crate::egress::trial::{Scripted, Server, Setup, anything, certified, serve_tls, whole};

/// A proxy in front of `session`, on loopback.
async fn proxy(session: &Session) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(serve(Listener::Tcp(listener), session.clone()));
    at
}

/// Says `text` to `at`, and what comes back until it hangs up.
async fn say(at: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut told)).await.unwrap());
    String::from_utf8_lossy(&told).into_owned()
}

async fn get(at: SocketAddr, line: &str, fields: &str) -> String {
    say(at, &format!("{line} HTTP/1.1\r\nconnection: close\r\n{fields}\r\n")).await
}

#[tokio::test]
async fn a_request_in_absolute_form_is_judged_like_any() {
    let server =
        Server::start(|request| whole(200, format!("{} {:?}", request.uri(), request.headers()))).await;
    let (origin, host) = (server.origin(), format!("host: {}\r\n", server.at));
    let session = Setup::new().open(&json!([anything(&origin)]));
    let at = proxy(&session).await;
    let fields = format!(
        "{host}proxy-connection: keep-alive\r\nx-hop: 1\r\nconnection: x-hop\r\naccept: text/html\r\n"
    );
    let told = get(at, &format!("GET {origin}/a?b=c"), &fields).await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    assert!(told.contains("/a?b=c") && told.contains("text/html") && !told.contains("x-hop"), "{told}");
    for (line, fields, code) in [
        (format!("POST {origin}/a"), host.clone(), "AB0903"),
        ("GET http://169.254.169.254/".to_owned(), "host: 169.254.169.254\r\n".to_owned(), "AB0903"),
        (format!("GET {origin}/a/../b"), host.clone(), "AB0902"),
        ("GET /a".to_owned(), host.clone(), "AB0902"),
        (format!("GET {origin}/a"), "host: other.example\r\n".to_owned(), "AB0905"),
        (format!("GET {origin}/a"), format!("{host}{host}"), "AB0905"),
        (format!("GET {origin}/a"), format!("{host}authorization: Basic eDp5\r\n"), "AB0905"),
        (format!("GET {origin}/a"), format!("{host}proxy-authorization: Basic eDp5\r\n"), "AB0905"),
        (format!("CONNECT {}", server.at), host.clone(), "AB0903"),
    ] {
        let told = get(at, &line, &fields).await;
        assert!(told.starts_with("HTTP/1.1 403") && told.contains(code), "{line} {fields}: {told}");
    }
    assert_eq!(server.seen().1, 1);
}

/// Clients of HTTP/1.0 name no host; all others have to, and it is the one that they ask for.
#[tokio::test]
async fn who_asks_for_a_tunnel_names_one_host() {
    let (ca, config) = certified("good.example");
    let port = serve_tls(config).await.port();
    let names = Scripted::of(&[("good.example", &[&["127.0.0.1"]])]);
    let session = Setup::named(names).open(&json!([
        {"allow": "tunnel", "origin": format!("connect://good.example:{port}"), "networks": ["127.0.0.1/32"]},
    ]));
    let at = proxy(&session).await;
    let (authority, other) = (format!("good.example:{port}"), "host: other.example:443\r\n");
    for (line, status) in [
        (format!("CONNECT {authority} HTTP/1.0\r\n"), "200"),
        (format!("CONNECT {authority} HTTP/1.1\r\n"), "403"),
        (format!("CONNECT {authority} HTTP/1.0\r\n{other}"), "403"),
        (format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{other}"), "403"),
    ] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        let mut told = vec![0; 1_024];
        let count = stream.read(&mut told).await.unwrap();
        let told = String::from_utf8_lossy(&told[..count]).into_owned();
        assert!(told.split(' ').nth(1) == Some(status), "{line}: {told}");
        if status == "200" {
            let said = greet(stream, "good.example", &["http/1.1"], &ca).await;
            assert!(said.is_some(), "the tunnel carries");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_does_not_look_whole() {
    let server = Server::start(|_| whole(200, vec![b'x'; 5_000])).await;
    let mut setup = Setup::new();
    setup.budgets.response_bytes_max = 1_000;
    let session = setup.open(&json!([anything(&server.origin())]));
    let at = proxy(&session).await;
    let told = get(at, &format!("GET {}/", server.origin()), &format!("host: {}\r\n", server.at)).await;
    let body = told.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    assert!(told.contains("content-length: 5000") && body.len() < 5_000, "{}", body.len());
}

/// Opens a tunnel to `authority`, and says what the proxy answers.
async fn tunnel(at: SocketAddr, authority: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let ask = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut told = vec![0; 1_024];
    let count = stream.read(&mut told).await.unwrap();
    (stream, String::from_utf8_lossy(&told[..count]).into_owned())
}

/// Greets as `name` over a tunnel, offering `alpn`, and says what the server answers; nothing where the tunnel was closed.
async fn greet(
    stream: TcpStream,
    name: &str,
    alpn: &[&str],
    authority: &rustls::pki_types::CertificateDer<'static>,
) -> Option<String> {
    let mut config = trust(std::slice::from_ref(authority)).unwrap().as_ref().clone();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.ok()?;
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.ok()?;
    Some(String::from_utf8_lossy(&told).into_owned())
}

#[tokio::test]
async fn a_tunnel_leads_to_the_host_that_it_names() {
    let (ca, config) = certified("good.example");
    let port = serve_tls(config).await.port();
    let names = Scripted::of(&[("good.example", &[&["127.0.0.1"]]), ("h2.example", &[&["127.0.0.1"]])]);
    let session = Setup::named(names).open(&json!([
        {"allow": "tunnel", "origin": format!("connect://good.example:{port}"), "networks": ["127.0.0.1/32"]},
        {"allow": "tunnel", "origin": format!("connect://h2.example:{port}")},
        {"allow": "fetch", "origin": format!("https://paths.example:{port}"), "paths": ["/**"]},
    ]));
    let at = proxy(&session).await;
    let good = format!("good.example:{port}");
    let (stream, told) = tunnel(at, &good).await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    let told = greet(stream, "good.example", &[], &ca).await.unwrap();
    assert!(told.ends_with("good.example"), "{told}");
    let (stream, _) = tunnel(at, &good).await;
    assert!(greet(stream, "good.example", &["http/1.1"], &ca).await.is_some());
    // Another name, a protocol that could carry other hosts, no name at all, and no TLS at all.
    let (stream, _) = tunnel(at, &good).await;
    assert_eq!(greet(stream, "evil.example", &[], &ca).await, None);
    let (stream, _) = tunnel(at, &good).await;
    assert_eq!(greet(stream, "good.example", &["h2", "http/1.1"], &ca).await, None);
    let (stream, _) = tunnel(at, &good).await;
    assert_eq!(greet(stream, "127.0.0.1", &[], &ca).await, None);
    let (mut stream, _) = tunnel(at, &good).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: good.example\r\n\r\n").await.unwrap();
    let mut told = Vec::new();
    drop(stream.read_to_end(&mut told).await);
    assert_eq!(told, b"", "nothing passes");
    // Rules about paths are none about tunnels; and what a name leads to is checked.
    for (authority, code) in [
        (format!("paths.example:{port}"), "AB0903"),
        (format!("h2.example:{port}"), "AB0904"),
        ("good.example:22".to_owned(), "AB0903"),
        (format!("GOOD.example:{port}"), "AB0902"),
    ] {
        let (_, told) = tunnel(at, &authority).await;
        assert!(told.starts_with("HTTP/1.1 403") && told.contains(code), "{authority}: {told}");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let used = session.close();
    let stopped: Vec<_> = used.archive["log"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["_stopped"]["code"])
        .collect();
    assert_eq!(stopped.iter().filter(|code| **code == "AB0915").count(), 4, "{stopped:?}");
    assert_eq!(stopped.iter().filter(|code| code.is_null()).count(), 2, "{stopped:?}");
}

#[tokio::test]
async fn a_tunnel_ends_with_the_lease() {
    let (ca, config) = certified("good.example");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tokio_rustls::TlsAcceptor::from(config).accept(stream).await.unwrap();
        while stream.write_all(b"more").await.is_ok() {
            drop(stream.flush().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let setup = Setup::named(Scripted::of(&[("good.example", &[&["127.0.0.1"]])]));
    let session = setup.open(&json!([
        {"allow": "tunnel", "origin": format!("connect://good.example:{port}"), "networks": ["127.0.0.1/32"]},
    ]));
    let at = proxy(&session).await;
    let (stream, _) = tunnel(at, &format!("good.example:{port}")).await;
    let reading = tokio::spawn(async move { greet(stream, "good.example", &[], &ca).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!reading.is_finished());
    setup.trial.world.kill();
    assert_eq!(tokio::time::timeout(Duration::from_secs(2), reading).await.unwrap().unwrap(), None);
}

/// A broker behind a broker: what the second one sees is what a corporate proxy would.
#[tokio::test]
async fn an_upstream_proxy_is_asked_for_everything_but_our_own_networks() {
    let (ca, config) = certified("good.example");
    let port = serve_tls(config).await.port();
    let server = Server::start(|request| whole(200, request.uri().to_string())).await;
    let origin = |scheme: &str, host: &str, port: u16| format!("{scheme}://{host}:{port}");
    let here = json!(["127.0.0.1/32"]);
    let plain = server.at.port();
    let proxied = Setup::named(Scripted::of(&[("good.example", &[&["127.0.0.1"]])])).open(&json!([
        {"allow": "tunnel", "origin": origin("connect", "good.example", port), "networks": here},
        {"allow": "fetch", "origin": origin("http", "good.example", plain), "paths": ["/**"], "networks": here},
    ]));
    let upstream = proxy(&proxied).await;
    let mut setup = Setup::new();
    setup.parts.tls = trust(&[ca]).unwrap();
    setup.parts.upstream = Some(Upstream { host: "127.0.0.1".to_owned(), port: upstream.port() });
    let rules = json!([
        {"allow": "fetch", "origin": origin("https", "good.example", port), "paths": ["/**"]},
        {"allow": "fetch", "origin": origin("http", "good.example", plain), "paths": ["/**"]},
        {"allow": "fetch", "origin": origin("https", "other.example", port), "paths": ["/**"]},
        {"allow": "fetch", "origin": origin("http", "169.254.169.254", 80), "paths": ["/**"]},
        {"allow": "fetch", "origin": origin("http", "127.0.0.1", plain), "paths": ["/**"], "networks": here},
    ]);
    let session = setup.open(&rules);
    let get = async |url: String| match session.send(Outgoing::get(&url)).await {
        Ok(answer) => String::from_utf8(answer.into_body().collect().await.unwrap()).unwrap(),
        Err(error) => error.code().to_owned(),
    };
    // The proxy looks the names up: this broker's resolver knows none.
    assert_eq!(get(format!("https://good.example:{port}/x")).await, "good.example");
    assert_eq!(get(format!("http://good.example:{plain}/x")).await, "/x");
    assert_eq!(get(format!("https://other.example:{port}/x")).await, "AB0917");
    assert_eq!(get("http://169.254.169.254/".to_owned()).await, "AB0904");
    let before = proxied.clone().close().tallies.values().map(|tally| tally.requests).sum::<u64>();
    assert_eq!(get(format!("http://127.0.0.1:{plain}/direct")).await, "/direct", "its networks are ours");
    assert_eq!(before, 3);
}
