//! What somebody would try who wants more than the lease.

use super::*;
use crate::egress::lease::Lease;
use crate::egress::trial::raw;

/// There are rules for every one of these; the address is the last wall.
#[tokio::test]
async fn no_spelling_of_an_inner_address_is_dialled() {
    let server = Server::start(|_| whole(200, "inside")).await;
    let port = server.at.port();
    let names = [
        ("inner.example", "127.0.0.1"),
        ("mapped.example", "::ffff:127.0.0.1"),
        ("compatible.example", "::7f00:1"),
        ("nat64.example", "64:ff9b::7f00:1"),
        ("local-nat64.example", "64:ff9b:1::7f00:1"),
        ("sixtofour.example", "2002:7f00:1::1"),
        ("teredo.example", "2001:0:808:808::80ff:fffe"),
        ("loop6.example", "::1"),
        ("unspecified.example", "0.0.0.0"),
        ("metadata.example", "169.254.169.254"),
        ("metadata6.example", "fd00:ec2::254"),
        ("shared.example", "100.100.100.200"),
    ];
    let answers: Vec<Vec<&str>> =
        names.iter().map(|(_, address)| vec![*address]).chain([vec!["93.184.216.34", "127.0.0.1"]]).collect();
    let lists: Vec<Vec<&[&str]>> = answers.iter().map(|answer| vec![answer.as_slice()]).collect();
    let hosts: Vec<&str> = names.iter().map(|(name, _)| *name).chain(["mixed.example"]).collect();
    let table: Vec<(&str, &[&[&str]])> =
        hosts.iter().zip(&lists).map(|(name, answers)| (*name, answers.as_slice())).collect();
    let literal = [
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
        "[::]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "a.localhost",
    ];
    let all: Vec<&str> = hosts.iter().chain(&literal).copied().collect();
    let rules: Vec<_> = all
        .iter()
        .map(|host| json!({"allow": "fetch", "origin": format!("http://{host}:{port}"), "paths": ["/**"]}))
        .collect();
    let session = Setup::named(Scripted::of(&table)).open(&rules.into());
    for host in all {
        assert_eq!(get(&session, &format!("http://{host}:{port}/")).await, "AB0904", "{host}");
    }
    // Other ways to write them never get as far as a rule.
    for host in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0x7f.1",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%3127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "LOCALHOST",
        "localhost.",
        "a@127.0.0.1",
        "127.0.0.1%00",
        "127.0.0.1\\@a.example",
    ] {
        assert_eq!(get(&session, &format!("http://{host}:{port}/")).await, "AB0902", "{host}");
    }
    assert_eq!(server.seen(), (0, 0));
}

#[tokio::test]
async fn a_name_that_turns_round_is_not_followed() {
    let outside = Server::at("127.0.0.2:0", |_| {
        let mut answer = whole(200, "outside");
        answer.headers_mut().insert("connection", "close".parse().unwrap());
        answer
    })
    .await;
    let port = outside.at.port();
    let inside = Server::at(&format!("127.0.0.1:{port}"), |_| whole(200, "inside")).await;
    // First it is what it should be; a moment later it is this machine.
    let names = Scripted::of(&[
        ("turns.example", &[&["127.0.0.2"], &["127.0.0.1"]]),
        ("both.example", &[&["127.0.0.2", "127.0.0.1"]]),
    ]);
    let rule = |host: &str| {
        let origin = format!("http://{host}:{port}");
        json!({"allow": "fetch", "origin": origin, "paths": ["/**"], "networks": ["127.0.0.2/32"]})
    };
    let session = Setup::named(names.clone()).open(&json!([rule("turns.example"), rule("both.example")]));
    let turns = format!("http://turns.example:{port}/");
    let answer = session.send(Outgoing::get(&turns)).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), b"outside");
    let asked = names.asked.load(Ordering::SeqCst);
    assert_eq!(asked, 1, "it is looked up once: what was checked is what was dialled");
    assert_eq!(get(&session, &turns).await, "AB0904");
    assert_eq!(get(&session, &format!("http://both.example:{port}/")).await, "AB0904");
    assert_eq!((outside.seen().0, inside.seen().0), (1, 0));
}

#[tokio::test]
async fn a_redirect_is_judged_like_any_request() {
    let victim = Server::start(|_| whole(200, "inside")).await;
    let to = victim.origin();
    let server = Server::start(move |request| {
        let where_to = match request.uri().path() {
            "/metadata" => "http://169.254.169.254/latest/meta-data/".to_owned(),
            "/inside" => format!("{to}/"),
            "/walk" => "/allowed/../../x".to_owned(),
            "/loop" => "/loop".to_owned(),
            "/allowed" => return whole(200, "there"),
            _ => "/allowed".to_owned(),
        };
        let mut answer = whole(302, "");
        answer.headers_mut().insert("location", where_to.parse().unwrap());
        answer
    })
    .await;
    let origin = server.origin();
    let exact = ["/metadata", "/inside", "/walk", "/loop", "/allowed", "/ok"];
    let session = Setup::new().open(&json!([
        {"allow": "fetch", "origin": origin, "exact": exact, "networks": ["127.0.0.1/32"]},
        {"allow": "fetch", "origin": "http://169.254.169.254:80", "paths": ["/**"]},
    ]));
    // For who asks by himself, a redirect is an answer.
    let answer = session.send(Outgoing::get(&format!("{origin}/metadata"))).await.unwrap();
    assert_eq!(answer.status(), 302);
    for (path, wanted) in [
        ("/ok", "ok"),
        ("/metadata", "AB0904"),
        ("/inside", "AB0903"),
        ("/walk", "AB0903"),
        ("/loop", "AB0909"),
    ] {
        let got = match session.follow(Outgoing::get(&format!("{origin}{path}"))).await {
            Ok(answer) => {
                assert_eq!(answer.into_body().collect().await.unwrap(), b"there");
                "ok"
            }
            Err(error) => error.code(),
        };
        assert_eq!(got, wanted, "{path}");
    }
    assert_eq!(victim.seen().0, 0);
}

type Heard = Arc<Mutex<Vec<String>>>;

/// A server that writes down who asks, sends it back in a field, and leads on to `to`.
async fn listening(heard: Heard, to: Option<String>) -> Server {
    Server::start(move |request| {
        let said = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        heard.lock().unwrap().push(format!("{} {}", request.uri(), said.as_deref().unwrap_or("nobody")));
        let mut answer = whole(if to.is_some() { 307 } else { 200 }, "x");
        answer.headers_mut().insert("x-echo", said.unwrap_or_default().parse().unwrap());
        if let Some(to) = &to {
            answer.headers_mut().insert("location", format!("{to}/stolen").parse().unwrap());
        }
        answer
    })
    .await
}

#[tokio::test]
async fn a_credential_goes_where_its_rule_says_and_nowhere_else() {
    let heard = Heard::default();
    let thief = listening(heard.clone(), None).await;
    let server = listening(heard.clone(), Some(thief.origin())).await;
    let of = |name: &str| json!({"secret": format!("vault:{name}"), "component": component(), "header": "authorization", "prefix": "Bearer "});
    let (origin, here) = (server.origin(), ["127.0.0.1/32"]);
    let rules = json!([
        {"allow": "fetch", "origin": origin, "exact": ["/with"], "networks": here, "credential": of("token")},
        {"allow": "fetch", "origin": origin, "exact": ["/without"], "networks": here},
        {"allow": "send", "origin": origin, "methods": ["POST"], "exact": ["/with"], "networks": here},
        {"allow": "fetch", "origin": origin, "exact": ["/missing"], "networks": here, "credential": of("missing")},
        anything(&thief.origin()),
    ]);
    let session = Setup::new().open(&rules);
    let with = format!("{origin}/with");
    session.follow(Outgoing::get(&with)).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(get(&session, &format!("{origin}/without")).await, "ok");
    assert_eq!(code(&session, Outgoing { method: Method::POST, ..Outgoing::get(&with) }).await, "ok");
    assert_eq!(get(&session, &format!("{origin}/missing")).await, "AB0906", "it is not left out");
    let told = heard.lock().unwrap().clone();
    let wanted = [
        format!("/with Bearer {TOKEN}"),
        "/stolen nobody".into(),
        "/without nobody".into(),
        "/with nobody".into(),
    ];
    assert_eq!(told, wanted);
    // It stands nowhere, not even where the server sent it back.
    let archive = session.close().archive.to_string();
    assert!(archive.contains("x-echo") && !archive.contains(TOKEN), "{archive}");
    assert!(!format!("{:?}", Secret::new(TOKEN.as_bytes().to_vec())).contains(TOKEN));
    // Another component cannot use the rule at all.
    let rules = serde_json::from_value(rules).unwrap();
    let data = LeaseData {
        rules,
        budgets: crate::egress::lease::tests::budgets(),
        manners: None,
        fills: Vec::new(),
    };
    let other = abide_core::id::Digest::of(b"another");
    assert_eq!(Lease::compile(&data, other).unwrap_err().code(), "AB0901");
}

#[tokio::test]
async fn lines_cannot_be_added_to_a_request() {
    let server = Server::start(|_| whole(200, "")).await;
    let session = Setup::new().open(&json!([anything(&server.origin())]));
    let tails =
        ["/x\r\nX-Evil: 1", "/x%0d%0aX-Evil:%201", "/x HTTP/1.1\r\nHost: b\r\n\r\n", "/x\nGET /y", "/%0A"];
    for tail in tails {
        assert_eq!(get(&session, &format!("{}{tail}", server.origin())).await, "AB0902", "{tail:?}");
    }
    // A value of a field cannot hold one either: its type does not let it.
    assert!(HeaderValue::from_str("a\r\nX-Evil: 1").is_err());
    assert_eq!(server.seen(), (0, 0));
}

#[tokio::test]
async fn a_bomb_stays_packed() {
    let packed: Vec<u8> =
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].into_iter().chain(std::iter::repeat_n(0, 1_000)).collect();
    let sent = packed.clone();
    let server = Server::start(move |request| {
        if request.uri().path() == "/endless" {
            return endless(&[0x1f; 4_096], 0);
        }
        let mut answer = whole(200, sent.clone());
        answer.headers_mut().insert("content-encoding", "gzip, gzip, deflate".parse().unwrap());
        answer
    })
    .await;
    let mut setup = Setup::new();
    setup.budgets.response_bytes_max = 2_000;
    let session = setup.open(&json!([anything(&server.origin())]));
    let answer = session.send(Outgoing::get(&format!("{}/bomb", server.origin()))).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), packed, "it is handed on as it came");
    assert_eq!(get(&session, &format!("{}/endless", server.origin())).await, "AB0909");
}

#[tokio::test]
async fn who_answers_slowly_is_not_waited_for() {
    let server =
        Server::start(|request| endless(b"x", if request.uri().path() == "/trickle" { 20 } else { 10_000 }))
            .await;
    let mut setup = Setup::new();
    setup.budgets = Budgets { request_ms_max: 400, idle_ms_max: 150, ..setup.budgets };
    let session = setup.open(&json!([anything(&server.origin())]));
    // Each piece is in time, the whole is not; and a pause is not waited for.
    assert_eq!(get(&session, &format!("{}/trickle", server.origin())).await, "AB0914");
    assert_eq!(get(&session, &format!("{}/pause", server.origin())).await, "AB0914");

    // A header that comes letter by letter, one that is too large, and a way out of the protocol.
    let slow = raw(|mut stream| async move {
        for letter in b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat_n(&b'y', 1_000)) {
            if stream.write_all(&[*letter]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let large = raw(|mut stream| async move {
        let line = format!("x: {}\r\n", "y".repeat(8_000));
        drop(stream.write_all(format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(20)).as_bytes()).await);
    })
    .await;
    let odd = raw(|mut stream| async move {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        drop(stream.write_all(head).await);
    })
    .await;
    for (at, wanted) in [(slow, "AB0914"), (large, "AB0916"), (odd, "AB0916")] {
        let session = setup.open(&json!([anything(&format!("http://{at}"))]));
        assert_eq!(get(&session, &format!("http://{at}/")).await, wanted);
    }
}

#[tokio::test]
async fn what_is_under_way_ends_with_the_lease() {
    let server = Server::start(|_| endless(&[7; 100], 5)).await;
    let setup = Setup::new();
    let url = format!("{}/", server.origin());
    for kill in [false, true] {
        let session = setup.open(&json!([anything(&server.origin())]));
        let mut body = session.send(Outgoing::get(&url)).await.unwrap().into_body();
        assert!(body.next().await.unwrap().is_some());
        let reading = tokio::spawn(async move {
            loop {
                if let Err(error) = body.next().await {
                    return error;
                }
            }
        });
        if kill {
            setup.trial.world.kill();
        } else {
            session.end();
        }
        let ended = tokio::time::timeout(Duration::from_secs(2), reading).await.unwrap().unwrap();
        assert_eq!(ended.code(), "AB0910", "{ended}");
        assert_eq!(get(&session, &url).await, "AB0910");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_after_the_kill() {
    for round in 0..20_u64 {
        let server = Server::start(|_| whole(200, "x")).await;
        let setup = Setup::new();
        let session = setup.open(&json!([anything(&server.origin())]));
        let url = format!("{}/", server.origin());
        let asking: Vec<_> = (0..8)
            .map(|_| {
                let (session, url) = (session.clone(), url.clone());
                tokio::spawn(async move { while get(&session, &url).await == "ok" {} })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(round)).await;
        setup.trial.world.kill();
        // What was on its way before the kill may arrive; then nothing does.
        for one in asking {
            one.await.unwrap();
        }
        let (_, seen) = server.seen();
        assert_eq!(get(&session, &url).await, "AB0910");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(server.seen().1, seen);
    }
}
