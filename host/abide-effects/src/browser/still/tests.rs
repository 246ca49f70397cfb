use std::sync::{Arc, Mutex};

use abide_core::page::PageAsk as Ask;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::*;
use crate::browser::manners::shelf::NoShelf;
use crate::egress::lease::FillData;
use crate::egress::trial::{Answer as Served, Server, Setup, anything, manners, whole};
use crate::egress::vault::{Errand, Vault, VaultError};

const PASSWORD: &str = "p\"ss <w&rd>";

/// A vault with a password that needs to be escaped wherever it stands.
#[derive(Debug)]
struct Passwords;

impl Vault for Passwords {
    fn open(&self, name: &str, _: &Errand) -> Result<Secret, VaultError> {
        (name == "password")
            .then(|| Secret::new(PASSWORD.as_bytes().to_vec()))
            .ok_or_else(|| VaultError("there is none of that name".to_owned()))
    }
}

/// Pages by a lease of `rules`, with one secret, called `password`, for forms of `origin`.
fn still(rules: &Value, origin: Option<&str>) -> Still {
    let mut setup = Setup { manners: Some(manners()), ..Setup::new() };
    setup.parts.vault = Arc::new(Passwords);
    let component = crate::egress::lease::tests::component();
    let data = |origin: &str| FillData {
        secret: "vault:password".to_owned(),
        component: component.clone(),
        origin: origin.to_owned(),
    };
    setup.fills = origin.map(data).into_iter().collect();
    let session = setup.open(rules);
    Still::over(Visits::over(session.clone(), Arc::new(NoShelf)).unwrap(), Arc::new(session))
}

fn at(path: &'static str, to: &'static str) -> Served {
    let mut answer = whole(302, path);
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    answer
}

fn html(text: impl Into<Bytes>) -> Served {
    let mut answer = whole(200, text.into());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

async fn ask(still: &mut Still, page: PageId, ask: Ask) -> Result<Browsed, BrowseFailure> {
    still.browse(Browse::Of(page, ask)).await
}

async fn text(still: &mut Still, page: PageId, what: Ask) -> String {
    let answer = ask(still, page, what).await.unwrap();
    let Browsed::Text(text) = answer else { panic!("{answer:?}") };
    text
}

async fn open(still: &mut Still, url: &str) -> Result<PageId, BrowseFailure> {
    let answer = still.browse(Browse::Open(url.to_owned())).await?;
    let Browsed::Opened(page) = answer else { panic!("{answer:?}") };
    Ok(page)
}

/// A small site. What is posted to it is kept.
async fn site() -> (Server, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let note = heard.clone();
    let server = Server::start(move |request: Request<Incoming>| {
        let cookie = request.headers().get(header::COOKIE).map(|value| value.to_str().unwrap().to_owned());
        let line = format!("{} {} {}", request.method(), request.uri(), cookie.clone().unwrap_or_default());
        note.lock().unwrap().push(line.trim().to_owned());
        match (request.method().as_str(), request.uri().path()) {
            (_, "/robots.txt") => whole(200, "User-agent: *\nDisallow: /private"),
            (_, "/hop") => at("", "/list?page=1#top"),
            (_, "/loop") => at("", "/loop"),
            (_, "/out") => at("", "http://127.0.0.1:1/"),
            (_, "/to-private") => at("", "/private"),
            (_, "/refresh") => html("<meta http-equiv=Refresh content='0; URL=\"/list\"'>"),
            (_, "/news") => html("<meta http-equiv=refresh content='60; url=/list'>news"),
            (_, "/list") => html("<title>t</title><a href='/login'>log in</a><a id=no href='/private'>x</a><p id=p>one</p>"),
            (_, "/login") => {
                html("<form method=post action=/session><input name=user><input name=pass type=password><button>go</button></form>")
            }
            (_, "/echo") => html(format!(
                "<p>p&quot;ss &lt;w&amp;rd&gt;</p><p>{}</p>",
                request.uri().query().unwrap_or_default()
            )),
            ("POST", "/session") => {
                let mut answer = at("", "/welcome?name=p%22ss+%3Cw%26rd%3E");
                let set = HeaderValue::from_static("sid=abc; HttpOnly; Path=/");
                answer.headers_mut().insert(header::SET_COOKIE, set);
                answer
            }
            ("POST", "/elsewhere") => {
                let mut answer = whole(307, "");
                answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("http://127.0.0.2:1/session"));
                answer
            }
            (_, "/welcome") if cookie.as_deref() == Some("sid=abc") => {
                html("<p>welcome, p&quot;ss &lt;w&amp;rd&gt; and p\"ss <w&rd></p><table><caption title='p&#34;ss <w&rd>'>p&#x22;ss &#60;w&#38;rd></caption></table>")
            }
            (_, "/welcome") => html("<p>who?</p>"),
            (_, "/search") => html(format!("<form action=/search><input name=q value=''><button>go</button></form><p>{}</p>",
                request.uri().query().unwrap_or_default())),
            (_, "/data") => {
                let mut answer = whole(200, "{\"a\": \"<b>&\"}");
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                answer
            }
            (_, "/file") => {
                let mut answer = whole(200, "%PDF");
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
                answer
            }
            (_, "/old") => {
                let mut answer = whole(200, Bytes::from_static(b"<meta charset=shift_jis><p>\x93\xfa\x96\x7b</p>"));
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                answer
            }
            _ => whole(404, "<p>there is none</p>"),
        }
    })
    .await;
    (server, heard)
}

#[tokio::test]
async fn a_page_is_opened_where_it_leads_and_read() {
    let (server, _) = site().await;
    let mut still = still(&json!([anything(&server.origin())]), None);
    let url = |path: &str| format!("{}{path}", server.origin());
    let page = open(&mut still, &url("/hop#here")).await.unwrap();
    assert_eq!(text(&mut still, page, Ask::Url).await, url("/list?page=1"));
    assert_eq!(text(&mut still, page, Ask::Text).await, "log inx\none");
    let refreshed = open(&mut still, &url("/refresh")).await.unwrap();
    assert_eq!(text(&mut still, refreshed, Ask::Url).await, url("/list"));
    let news = open(&mut still, &url("/news")).await.unwrap();
    assert_eq!(text(&mut still, news, Ask::Url).await, url("/news"));
    let data = open(&mut still, &url("/data")).await.unwrap();
    assert_eq!(text(&mut still, data, Ask::Text).await, "{\"a\": \"<b>&\"}");
    let old = open(&mut still, &url("/old")).await.unwrap();
    assert_eq!(text(&mut still, old, Ask::Text).await, "日本");
    let answer = ask(&mut still, old, Ask::Snapshot).await.unwrap();
    let Browsed::Snapshot(snapshot) = answer else { panic!("{answer:?}") };
    assert_eq!(snapshot.digest, Digest::of(snapshot.html.as_bytes()).to_string());
    assert!(snapshot.html.contains("<p>日本</p>") && snapshot.url == url("/old"));
    assert!(open(&mut still, &url("/private")).await.is_err());
    let (album, kept) = still.seen();
    assert_eq!(
        (album.browser.as_str(), album.sights.len(), kept.len()),
        ("none: read without a browser", 1, 1)
    );
    assert_eq!((&album.sights[0].url, album.sights[0].snapshot.to_string()), (&url("/old"), snapshot.digest));
    assert_eq!(kept[0].bytes, snapshot.html.as_bytes());
    assert!(album.vain[0].0.why.contains("AB0990") && album.vain[0].0.url == url("/private"));
    assert!(ask(&mut still, page, Ask::Close).await.is_ok());
    assert!(matches!(ask(&mut still, page, Ask::Text).await, Err(BrowseFailure::Failed(_))));
}

#[tokio::test]
async fn what_is_no_page_or_not_allowed_says_why() {
    let (server, _) = site().await;
    let mut still = still(&json!([anything(&server.origin())]), None);
    for (path, is_refused, words) in [
        ("/private", true, "line 2 of it, `Disallow: /private` for `*` [AB0990]"),
        ("/to-private", true, "[AB0990]"),
        ("/out", true, "[AB0903]"),
        ("/loop", false, "more than ten times"),
        ("/file", false, "`application/pdf`"),
    ] {
        match open(&mut still, &format!("{}{path}", server.origin())).await {
            Err(BrowseFailure::Refused(why)) => assert!(is_refused && why.contains(words), "{path}: {why}"),
            Err(BrowseFailure::Failed(why)) => assert!(!is_refused && why.contains(words), "{path}: {why}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    for url in [
        "file:///etc/passwd",
        "data:text/html,x",
        "javascript:x",
        "view-source:http://a.example/",
        "about:blank",
        "",
    ] {
        assert!(open(&mut still, url).await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_click_on_a_link_or_a_form_goes_there() {
    let (server, heard) = site().await;
    let mut still = still(&json!([anything(&server.origin())]), None);
    let url = |path: &str| format!("{}{path}", server.origin());
    let page = open(&mut still, &url("/list")).await.unwrap();
    ask(&mut still, page, Ask::Click("a".to_owned())).await.unwrap();
    assert_eq!(text(&mut still, page, Ask::Url).await, url("/login"));
    // The lease allows to fetch, not to send.
    match ask(&mut still, page, Ask::Click("button".to_owned())).await {
        Err(BrowseFailure::Refused(why)) => assert!(why.contains("AB0903"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(text(&mut still, page, Ask::Url).await, url("/login"), "the page stays");
    let page = open(&mut still, &url("/search")).await.unwrap();
    let fill = Ask::Fill { selector: "[name=q]".to_owned(), value: "a b&c".to_owned() };
    ask(&mut still, page, fill).await.unwrap();
    ask(&mut still, page, Ask::Click("button".to_owned())).await.unwrap();
    assert_eq!(text(&mut still, page, Ask::Url).await, url("/search?q=a+b%26c"));
    let asked = heard.lock().unwrap().join("\n");
    assert!(!asked.contains("POST"), "{asked}");
    let list = open(&mut still, &url("/list")).await.unwrap();
    assert!(ask(&mut still, list, Ask::WaitFor { selector: "#p".to_owned(), ms: 1 }).await.is_ok());
    for needs in [
        Ask::WaitFor { selector: "#q".to_owned(), ms: 1 },
        Ask::Scroll,
        Ask::Screenshot,
        Ask::Click("#p".to_owned()),
    ] {
        let answer = ask(&mut still, list, needs.clone()).await;
        assert!(matches!(answer, Err(BrowseFailure::NeedsBrowser(_))), "{needs:?}: {answer:?}");
    }
    assert!(matches!(
        ask(&mut still, list, Ask::Click("#none".to_owned())).await,
        Err(BrowseFailure::NotFound(_))
    ));
}

async fn log_in(still: &mut Still, server: &Server) -> (PageId, Result<Browsed, BrowseFailure>) {
    let page = open(still, &format!("{}/login", server.origin())).await.unwrap();
    let fill = Ask::Fill { selector: "[name=user]".to_owned(), value: "robot".to_owned() };
    ask(still, page, fill).await.unwrap();
    let secret = Ask::FillSecret { selector: "[name=pass]".to_owned(), secret: "password".to_owned() };
    ask(still, page, secret).await.unwrap();
    let html = text(still, page, Ask::Html).await;
    assert!(!html.contains(PASSWORD), "{html}");
    let clicked = ask(still, page, Ask::Click("button".to_owned())).await;
    (page, clicked)
}

fn may_log_in(origin: &str) -> Value {
    json!([anything(origin), {"allow": "send", "origin": origin, "methods": ["POST"], "exact": ["/session", "/elsewhere"],
        "networks": ["127.0.0.0/8"]}])
}

#[tokio::test]
async fn who_logs_in_is_let_in_and_sees_no_secret() {
    let (server, heard) = site().await;
    let mut still = still(&may_log_in(&server.origin()), Some(&server.origin()));
    let (page, clicked) = log_in(&mut still, &server).await;
    assert_eq!(clicked, Ok(Browsed::Done));
    assert_eq!(text(&mut still, page, Ask::Text).await, "welcome, (redacted) and (redacted)\n(redacted)");
    let html = text(&mut still, page, Ask::Html).await;
    assert!(html.matches("(redacted)").count() == 4 && !html.contains("ss "), "{html}");
    for asked in [Ask::Query { selector: "caption".to_owned(), limit: 9 }, Ask::Tables, Ask::Snapshot] {
        let told = format!("{:?}", ask(&mut still, page, asked).await.unwrap());
        assert!(
            told.contains("(redacted)") && !told.contains("ss <w") && !told.contains("ss &lt;w"),
            "{told}"
        );
    }
    assert!(
        heard
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.starts_with("GET /welcome") && line.ends_with("sid=abc"))
    );
    // Also where it comes back later, and in an address.
    let url = format!("{}/welcome?name=(redacted)", server.origin());
    assert_eq!(text(&mut still, page, Ask::Url).await, url);
    let echo = open(&mut still, &format!("{}/echo?q=1", server.origin())).await.unwrap();
    assert_eq!(text(&mut still, echo, Ask::Text).await, "(redacted)\nq=1");
    let archive = still.visits.session().clone().close().archive.to_string();
    for hidden in [PASSWORD, "p%22ss", "sid=abc"] {
        assert!(!archive.contains(hidden), "{hidden}: {archive}");
    }
}

#[tokio::test]
async fn a_secret_goes_to_its_own_origin_only() {
    let (server, heard) = site().await;
    let mut rules = may_log_in(&server.origin());
    let other = json!({"allow": "fetch", "origin": "https://a.example:443", "paths": ["/**"]});
    rules.as_array_mut().unwrap().push(other);
    let mut still = still(&rules, Some("https://a.example:443"));
    let page = open(&mut still, &format!("{}/login", server.origin())).await.unwrap();
    let secret = Ask::FillSecret { selector: "[name=pass]".to_owned(), secret: "password".to_owned() };
    assert!(matches!(ask(&mut still, page, secret).await, Err(BrowseFailure::Refused(_))));
    assert!(!heard.lock().unwrap().join("\n").contains("POST"));
}

#[tokio::test]
async fn a_form_with_a_secret_is_sent_to_no_other_host() {
    for action in ["/elsewhere", "http://127.0.0.2:1/session"] {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let note = heard.clone();
        let server = Server::start(move |request: Request<Incoming>| {
            note.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
            match request.uri().path() {
                "/login" => html(format!("<form method=post action='{action}'><input name=user><input name=pass type=password><button>go</button></form>")),
                "/elsewhere" => {
                    let mut answer = whole(307, "");
                    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("http://127.0.0.2:1/session"));
                    answer
                }
                _ => whole(404, ""),
            }
        })
        .await;
        let mut rules = may_log_in(&server.origin());
        let other = may_log_in("http://127.0.0.2:1").as_array().unwrap().clone();
        rules.as_array_mut().unwrap().extend(other);
        let mut still = still(&rules, Some(&server.origin()));
        let (_, clicked) = log_in(&mut still, &server).await;
        assert!(
            matches!(&clicked, Err(BrowseFailure::Refused(why)) if why.contains("another host")),
            "{action}: {clicked:?}"
        );
    }
}

#[tokio::test]
async fn what_is_sent_is_what_the_form_says() {
    let heard = Arc::new(Mutex::new(None));
    let note = heard.clone();
    let server = Server::start(move |request: Request<Incoming>| match request.uri().path() {
        "/login" => html(
            "<form method=post action=/session><input name=user><input name=pass><button>go</button></form>",
        ),
        "/session" => {
            let note = note.clone();
            let kind = request.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            tokio::spawn(async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                *note.lock().unwrap() = Some((kind, String::from_utf8(body.to_vec()).unwrap()));
            });
            html("done")
        }
        _ => whole(404, ""),
    })
    .await;
    let mut still = still(&may_log_in(&server.origin()), Some(&server.origin()));
    let (page, clicked) = log_in(&mut still, &server).await;
    clicked.unwrap();
    assert_eq!(text(&mut still, page, Ask::Text).await, "done");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let (kind, body) = heard.lock().unwrap().clone().unwrap();
    assert_eq!(kind, "application/x-www-form-urlencoded");
    assert_eq!(body, "user=robot&pass=p%22ss+%3Cw%26rd%3E");
}

#[tokio::test]
async fn no_more_pages_are_open_than_may_be() {
    let (server, _) = site().await;
    let mut still = still(&json!([anything(&server.origin())]), None);
    let url = format!("{}/list", server.origin());
    let mut last = None;
    for _ in 0..OPEN_MAX {
        last = Some(open(&mut still, &url).await.unwrap());
    }
    assert!(matches!(open(&mut still, &url).await, Err(BrowseFailure::Failed(_))));
    ask(&mut still, last.unwrap(), Ask::Close).await.unwrap();
    open(&mut still, &url).await.unwrap();
}
