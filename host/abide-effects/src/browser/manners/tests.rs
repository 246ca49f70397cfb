use std::sync::atomic::{AtomicUsize, Ordering};

use abide_core::action::Robots;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use http::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::shelf::{Folder, NoShelf};
use super::*;
use crate::egress::trial::{Answer as Served, Server, Setup, anything, manners, whole};

fn setup() -> Setup {
    Setup { manners: Some(manners()), ..Setup::new() }
}

fn over(session: Session) -> Visits {
    Visits::over(session, Arc::new(NoShelf)).unwrap()
}

/// What a server was asked, one line each.
#[derive(Debug, Default, Clone)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self, request: &Request<Incoming>) {
        self.0.lock().unwrap().push(request.uri().to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A site with this `robots.txt`, which answers everything else by its address.
async fn site(robots: (u16, &'static str)) -> (Server, Heard) {
    let heard = Heard::default();
    let note = heard.clone();
    let server = Server::start(move |request| {
        note.note(&request);
        match request.uri().path() {
            "/robots.txt" => whole(robots.0, robots.1),
            path => whole(200, path.to_owned()),
        }
    })
    .await;
    (server, heard)
}

async fn page(visits: &Visits, url: String) -> Result<Answer, EgressError> {
    visits.ask(Purpose::Document, Outgoing::get(&url), Private::default()).await
}

/// The code of what stopped it, and its words.
async fn stopped(visits: &Visits, url: String) -> (&'static str, String) {
    let error = page(visits, url).await.unwrap_err();
    (error.code(), error.to_string())
}

#[tokio::test]
async fn a_page_that_is_forbidden_is_refused_with_the_line() {
    let text = "# ours\nUser-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /private/\nAllow: /private/open\nDisallow: /*.pdf$\n";
    let (server, heard) = site((200, text)).await;
    let setup = setup();
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    let url = |path: &str| format!("{}{path}", server.origin());
    assert_eq!(page(&visits, url("/a")).await.unwrap().body, b"/a");
    let (code, why) = stopped(&visits, url("/private/x")).await;
    assert_eq!(code, "AB0990");
    assert!(why.ends_with("line 6 of it, `Disallow: /private/` for `*`"), "{why}");
    let (_, why) = stopped(&visits, url("/list.pdf")).await;
    assert!(why.ends_with("line 8 of it, `Disallow: /*.pdf$` for `*`"), "{why}");
    page(&visits, url("/private/open")).await.unwrap();
    page(&visits, url("/list.pdf?page=2")).await.unwrap();
    // What a page is made of is not asked about.
    visits.ask(Purpose::Part, Outgoing::get(&url("/private/style.css")), Private::default()).await.unwrap();
    let asked = heard.take();
    assert_eq!(asked, ["/robots.txt", "/a", "/private/open", "/list.pdf?page=2", "/private/style.css"]);
    let used = visits.session.clone().close();
    let entries = used.archive["log"]["entries"].as_array().unwrap();
    let refused: Vec<&Value> = entries.iter().filter(|entry| entry.get("_stopped").is_some()).collect();
    assert_eq!(refused.len(), 2, "each refusal stands in the archive");
    assert_eq!(refused[0]["_stopped"]["code"], "AB0990");
    assert_eq!(used.tallies[&(Some(server.origin()), "GET".to_owned())].stopped, 2);
}

#[tokio::test]
async fn a_group_of_our_own_counts_alone() {
    let text = "User-agent: *\nDisallow: /\n\nUser-Agent: Abide\nDisallow: /no\n";
    let (server, _) = site((200, text)).await;
    let visits = over(setup().open(&json!([anything(&server.origin())])));
    page(&visits, format!("{}/yes", server.origin())).await.unwrap();
    let (_, why) = stopped(&visits, format!("{}/no", server.origin())).await;
    assert!(why.ends_with("line 5 of it, `Disallow: /no` for `abide`"), "{why}");
}

#[tokio::test]
async fn what_cannot_be_read_forbids_and_what_is_not_there_allows() {
    for (status, is_allowed) in
        [(404, true), (403, true), (410, true), (429, false), (500, false), (503, false)]
    {
        let (server, heard) = site((status, "User-agent: *\nAllow: /")).await;
        let visits = over(setup().open(&json!([anything(&server.origin())])));
        let answer = page(&visits, format!("{}/a", server.origin())).await;
        assert_eq!(answer.is_ok(), is_allowed, "{status}: {answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.code(), "AB0994");
            assert!(error.to_string().contains(&status.to_string()), "{error}");
            assert_eq!(heard.take(), ["/robots.txt"]);
        }
    }
}

#[tokio::test]
async fn robots_are_asked_once_on_behalf_of_what_the_lease_allows() {
    let (server, heard) = site((200, "User-agent: *\nDisallow: /no")).await;
    let credential = json!({"secret": "vault:token", "component": crate::egress::lease::tests::component(),
        "header": "authorization", "prefix": "Bearer "});
    let rule = json!({"allow": "fetch", "origin": server.origin(), "exact": ["/a", "/no"],
        "networks": ["127.0.0.0/8"], "credential": credential});
    let visits = over(setup().open(&json!([rule])));
    let url = |path: &str| format!("{}{path}", server.origin());
    // What the lease does not allow asks nobody.
    assert_eq!(stopped(&visits, url("/b")).await.0, "AB0903");
    assert_eq!(stopped(&visits, url("/robots.txt")).await.0, "AB0903");
    assert_eq!(heard.take(), Vec::<String>::new());
    page(&visits, url("/a")).await.unwrap();
    page(&visits, url("/a")).await.unwrap();
    assert_eq!(stopped(&visits, url("/no")).await.0, "AB0990");
    assert_eq!(heard.take(), ["/robots.txt", "/a", "/a"]);
}

#[tokio::test]
async fn robots_and_pages_are_told_who_asks_and_robots_get_no_credential() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let note = heard.clone();
    let server = Server::start(move |request| {
        let says = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        note.lock().unwrap().push((request.uri().to_string(), says("user-agent"), says("authorization")));
        whole(if request.uri() == "/robots.txt" { 404 } else { 200 }, "")
    })
    .await;
    let mut rule = anything(&server.origin());
    rule["credential"] = json!({"secret": "vault:token", "component": crate::egress::lease::tests::component(),
        "header": "authorization", "prefix": "Bearer "});
    let visits = over(setup().open(&json!([rule])));
    let mut outgoing = Outgoing::get(&format!("{}/a", server.origin()));
    outgoing.headers.insert(header::USER_AGENT, HeaderValue::from_static("Mozilla/5.0"));
    visits.ask(Purpose::Document, outgoing, Private::default()).await.unwrap();
    let heard = heard.lock().unwrap();
    let agent =
        format!("abide/{} (a test of the broker; +https://example.org/bot)", env!("CARGO_PKG_VERSION"));
    assert_eq!(heard[0], ("/robots.txt".to_owned(), Some(agent.clone()), None));
    assert_eq!((heard[1].1.as_ref(), heard[1].2.is_some()), (Some(&agent), true));
}

#[tokio::test]
async fn robots_lead_on_five_times_and_only_where_the_lease_leads() {
    let hops = Arc::new(AtomicUsize::new(0));
    let most = hops.clone();
    let server = Server::start(move |request| {
        let path = request.uri().path();
        let hop: usize = match path {
            "/robots.txt" => 0,
            _ => match path.strip_prefix("/hop/") {
                Some(hop) => hop.parse().unwrap(),
                None => return whole(200, ""),
            },
        };
        if hop >= most.load(Ordering::SeqCst) {
            return whole(200, "User-agent: *\nDisallow: /no");
        }
        let mut answer = whole(301, "");
        let next = format!("/hop/{}", hop + 1);
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&next).unwrap());
        answer
    })
    .await;
    let url = |path: &str| format!("{}{path}", server.origin());
    let rules = json!([anything(&server.origin())]);
    hops.store(5, Ordering::SeqCst);
    let visits = over(setup().open(&rules));
    page(&visits, url("/yes")).await.unwrap();
    assert!(stopped(&visits, url("/no")).await.1.contains("Disallow: /no"));
    hops.store(6, Ordering::SeqCst);
    let (code, why) = stopped(&over(setup().open(&rules)), url("/yes")).await;
    assert!(code == "AB0994" && why.contains("more than five times"), "{why}");
    hops.store(1, Ordering::SeqCst);
    let narrow = json!([{"allow": "fetch", "origin": server.origin(), "exact": ["/yes"], "networks": ["127.0.0.0/8"]}]);
    let (code, why) = stopped(&over(setup().open(&narrow)), url("/yes")).await;
    assert!(code == "AB0994" && why.contains("/hop/1"), "{why}");
}

#[tokio::test]
async fn what_bars_the_site_itself_is_told_as_that() {
    let (server, heard) = site((200, "")).await;
    let url = format!("{}/a", server.origin());
    let no_networks = json!([{"allow": "fetch", "origin": server.origin(), "paths": ["/**"]}]);
    let (code, why) = stopped(&over(setup().open(&no_networks)), url.clone()).await;
    assert!(code == "AB0904" && why.contains("loopback, and no `networks`"), "{code} {why}");
    assert_eq!(heard.take(), Vec::<String>::new());
    // A port of which nobody listens any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = format!("http://{gone}");
    let rules = json!([anything(&origin)]);
    let (code, why) = stopped(&over(setup().open(&rules)), format!("{origin}/a")).await;
    assert!(code == "AB0994" && why.contains("cannot be reached"), "{code} {why}");
}

#[tokio::test]
async fn robots_of_a_size_that_nobody_reads_are_read_in_part() {
    let long: &'static str = Box::leak(
        format!("User-agent: *\nDisallow: /no\n{}\nDisallow: /late", "# x\n".repeat(200_000))
            .into_boxed_str(),
    );
    let (server, _) = site((200, long)).await;
    let mut setup = setup();
    setup.budgets.response_bytes_max = 10 << 20;
    setup.budgets.bytes_max = 20 << 20;
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    assert!(stopped(&visits, format!("{}/no", server.origin())).await.1.contains("line 2 of it"));
    page(&visits, format!("{}/late", server.origin())).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_ignores_robots_does_not_ask_for_them() {
    let (server, heard) = site((200, "User-agent: *\nDisallow: /")).await;
    let mut setup = setup();
    setup.manners =
        Some(Manners { robots: Robots::Ignore, reason: Some("our own site".to_owned()), ..manners() });
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    page(&visits, format!("{}/a", server.origin())).await.unwrap();
    assert_eq!(heard.take(), ["/a"]);
}

#[tokio::test]
async fn a_lease_without_manners_reads_no_pages() {
    let (server, _) = site((404, "")).await;
    let session = Setup::new().open(&json!([anything(&server.origin())]));
    assert_eq!(Visits::over(session, Arc::new(NoShelf)).unwrap_err().code(), "AB0992");
}

#[tokio::test]
async fn a_crawl_delay_is_waited_for_or_refused() {
    let (server, _) = site((200, "User-agent: *\nCrawl-delay: 0.3\n")).await;
    let visits = over(setup().open(&json!([anything(&server.origin())])));
    let url = format!("{}/a", server.origin());
    let began = Instant::now();
    for _ in 0..3 {
        page(&visits, url.clone()).await.unwrap();
        visits.ask(Purpose::Part, Outgoing::get(&url), Private::default()).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    let (server, heard) = site((200, "User-agent: *\nCrawl-delay: 1e18\n")).await;
    let visits = over(setup().open(&json!([anything(&server.origin())])));
    let url = format!("{}/a", server.origin());
    page(&visits, url.clone()).await.unwrap();
    let (code, why) = stopped(&visits, url).await;
    assert!(code == "AB0991" && why.contains("crawl delay"), "{why}");
    assert_eq!(heard.take(), ["/robots.txt", "/a"]);
}

#[tokio::test]
async fn a_host_is_asked_as_often_as_it_may_be() {
    let (server, _) = site((404, "")).await;
    let mut setup = setup();
    setup.manners = Some(Manners { host_per_second_max: 2, wait_ms_max: 3_000, ..manners() });
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    let url = format!("{}/a", server.origin());
    let began = Instant::now();
    for _ in 0..4 {
        visits.ask(Purpose::Part, Outgoing::get(&url), Private::default()).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    setup.manners = Some(Manners { host_per_second_max: 1, wait_ms_max: 100, ..manners() });
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    visits.ask(Purpose::Part, Outgoing::get(&url), Private::default()).await.unwrap();
    let error = visits.ask(Purpose::Part, Outgoing::get(&url), Private::default()).await.unwrap_err();
    assert_eq!(error.code(), "AB0991");
}

#[tokio::test]
async fn who_would_be_refused_by_the_lease_for_haste_waits() {
    let (server, _) = site((404, "")).await;
    let mut setup = setup();
    setup.budgets.per_second_max = 2;
    setup.budgets.concurrent_max = 1;
    setup.manners = Some(Manners { wait_ms_max: 5_000, ..manners() });
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    let url = format!("{}/a", server.origin());
    let ask = || visits.ask(Purpose::Part, Outgoing::get(&url), Private::default());
    let (one, two) = tokio::join!(ask(), ask());
    assert!(one.is_ok() && two.is_ok(), "one after the other: {one:?} {two:?}");
}

#[tokio::test]
async fn who_is_asked_to_come_back_later_does_so_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::start(move |request| {
        let busy = |status: u16, after: &'static str| {
            let mut answer = whole(status, "");
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(after));
            answer
        };
        match request.uri().path() {
            "/robots.txt" => whole(404, ""),
            "/always" => busy(429, "0"),
            "/long" => busy(503, "3600"),
            _ if count.fetch_add(1, Ordering::SeqCst) == 0 => busy(429, "1"),
            _ => whole(200, "now"),
        }
    })
    .await;
    let visits = over(setup().open(&json!([anything(&server.origin())])));
    let url = |path: &str| format!("{}{path}", server.origin());
    let began = Instant::now();
    assert_eq!(page(&visits, url("/once")).await.unwrap().body, b"now");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(page(&visits, url("/always")).await.unwrap().status, 429);
    let before = server.seen().1;
    assert_eq!(page(&visits, url("/long")).await.unwrap().status, 503);
    assert_eq!(server.seen().1, before + 1, "an hour is not waited for");
}

fn tagged(request: &Request<Incoming>) -> Served {
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value == "\"v1\"");
    let mut answer = if known { whole(304, "") } else { whole(200, "<p>whole</p>") };
    let headers = answer.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static("\"v1\""));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    match request.uri().path() {
        "/private" => drop(headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"))),
        "/cookie" => drop(headers.insert(header::SET_COOKIE, HeaderValue::from_static("a=b"))),
        "/varies" => drop(headers.insert(header::VARY, HeaderValue::from_static("x-who"))),
        _ => {}
    }
    answer
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let note = statuses.clone();
    let server = Server::start(move |request| {
        if request.uri().path() == "/robots.txt" {
            return whole(404, "");
        }
        let answer = tagged(&request);
        note.lock().unwrap().push(answer.status().as_u16());
        answer
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let shelf: Arc<dyn Shelf> = Arc::new(Folder::open(&dir, 1 << 20).unwrap());
    let setup = setup();
    let open = || Visits::over(setup.open(&json!([anything(&server.origin())])), shelf.clone()).unwrap();
    let url = |path: &str| format!("{}{path}", server.origin());
    let first = page(&open(), url("/a")).await.unwrap();
    // Another task of the same host.
    let again = page(&open(), url("/a")).await.unwrap();
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    assert!(again.is_remembered && !first.is_remembered);
    assert_eq!(again.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(*statuses.lock().unwrap(), [200, 304]);
    for path in ["/private", "/cookie", "/varies"] {
        statuses.lock().unwrap().clear();
        for _ in 0..2 {
            assert!(!page(&open(), url(path)).await.unwrap().is_remembered);
        }
        assert_eq!(*statuses.lock().unwrap(), [200, 200], "{path}");
    }
    statuses.lock().unwrap().clear();
    // Whoever comes with cookies, or has read, is not told apart by what was remembered.
    let visits = open();
    let cookies = Private { cookies: Some(HeaderValue::from_static("id=1")), ..Private::default() };
    visits.ask(Purpose::Document, Outgoing::get(&url("/a")), cookies).await.unwrap();
    assert_eq!(*statuses.lock().unwrap(), [200]);
}

#[tokio::test]
async fn packed_answers_are_unpacked_within_bounds() {
    use std::io::Write as _;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (small, bomb) = (gzip(b"text"), gzip(&vec![0; 4 << 20]));
    let server = Server::start(move |request| {
        let body = match request.uri().path() {
            "/robots.txt" => return whole(404, ""),
            "/bomb" => bomb.clone(),
            _ => small.clone(),
        };
        assert_eq!(request.headers()[header::ACCEPT_ENCODING], "gzip, deflate");
        let mut answer = whole(200, body);
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        answer
    })
    .await;
    let mut setup = setup();
    setup.budgets.response_bytes_max = 1 << 20;
    setup.budgets.bytes_max = 8 << 20;
    let visits = over(setup.open(&json!([anything(&server.origin())])));
    let answer = page(&visits, format!("{}/small", server.origin())).await.unwrap();
    assert_eq!(answer.body, b"text");
    assert!(!answer.headers.contains_key(header::CONTENT_ENCODING));
    assert_eq!(stopped(&visits, format!("{}/bomb", server.origin())).await.0, "AB0993");
    let archive = visits.session.clone().close().archive.to_string();
    assert!(archive.contains("AB0993"), "{archive}");
}
