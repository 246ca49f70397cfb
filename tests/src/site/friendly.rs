//! A catalogue of parts: the kinds of pages that sites have. What stands still is in `tests/site/`; what depends on who asks, when, or how often is here.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::made;
use super::{Answer, Asked, Body, Pages};

/// Whoever signs in at `/login.html`.
pub const USER: &str = "service-reader";
/// Its password.
pub const PASSWORD: &str = "Quiet-Harbour-7";

/// When the conditional page changed last.
const CHANGED: &str = "Mon, 05 Jan 2026 08:00:00 GMT";

/// The pages, and what they remember: who signed in, how often the limited page was asked for.
#[derive(Debug, Default)]
pub struct Friendly {
    sessions: usize,
    limited: usize,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("site")
}

/// Names of the files, sorted.
fn files() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A file of the folder, by its type. Those that say in themselves how they are written are not told again.
fn file(name: &str) -> Option<Answer> {
    let is_plain =
        name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) && !name.starts_with('.');
    let bytes = std::fs::read(folder().join(name)).ok().filter(|_| is_plain)?;
    let media = match name.rsplit('.').next() {
        Some("html") if ["shift-jis.html", "utf-16.html", "unclosed.html"].contains(&name) => "text/html",
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => return None,
    };
    Some(Answer::of(media, bytes))
}

fn page(name: &str) -> Answer {
    file(name).unwrap_or_else(|| Answer::status(404))
}

impl Pages for Friendly {
    fn answer(&mut self, origin: &str, asked: &Asked) -> Answer {
        let path = asked.path().to_owned();
        match (asked.method.as_str(), path.as_str()) {
            ("POST", "/session") => self.sign_in(asked),
            ("POST", "/basket") => {
                Answer::html("<!doctype html><title>Basket</title><h1>In the basket</h1>\n")
            }
            ("GET" | "HEAD", "/orders") => orders(asked),
            ("GET" | "HEAD", "/limited") => self.limited(),
            ("GET" | "HEAD", path) => still(origin, path, asked),
            _ => Answer::status(405).with("allow", "GET, HEAD"),
        }
    }
}

/// Pages that say the same to everybody.
fn still(origin: &str, path: &str, asked: &Asked) -> Answer {
    match path {
        "/" => page("index.html"),
        "/list" => made::list(asked),
        "/endless.json" => made::endless(asked),
        "/huge" => made::huge(),
        "/chunks" => made::chunks(),
        "/cut" => made::cut(),
        "/sitemap.xml" => made::sitemap(origin, &files()),
        "/slow" => page("steel.html").after(5_000),
        "/cached" => cached(asked),
        "/nuts" => page(&format!("drift-{}.html", asked.value("v").unwrap_or("1"))),
        "/gzip" => packed("gzip"),
        "/deflate" => packed("deflate"),
        "/raw-deflate" => packed("raw"),
        "/mislabelled-gzip" => page("steel.html").with("content-encoding", "gzip"),
        "/moved" => Answer::to(301, "/moved/again"),
        "/moved/again" => Answer::to(302, "/threads.html"),
        "/moved/meta" => Answer::html(
            "<!doctype html><meta http-equiv=refresh content=\"0; url=/steel.html\"><title>Moved</title>\n",
        ),
        "/moved/script" => Answer::html(
            "<!doctype html><title>Moved</title><script>location.replace(\"/steel.html\")</script>\n",
        ),
        "/moved/loop" => Answer::to(302, "/moved/loop"),
        "/private/prices.html" => {
            Answer::html("<!doctype html><title>Prices</title><h1>Not for robots</h1>\n")
        }
        "/private/terms.html" => {
            Answer::html("<!doctype html><title>Terms</title><h1>Terms</h1><p>Read one page a second.</p>\n")
        }
        "/download" => Answer::of("application/octet-stream", vec![0; 4_096])
            .with("content-disposition", "attachment; filename=\"parts.bin\""),
        "/empty" => Answer::html(""),
        "/late.html/drawing" => Answer::status(404),
        _ => match path.strip_prefix("/part/") {
            Some(number) => made::one(number),
            None => page(path.trim_start_matches('/')),
        },
    }
}

/// A page that is told apart by its tag and its date.
fn cached(asked: &Asked) -> Answer {
    let tag = "\"parts-2026-01\"";
    let same = asked.header("if-none-match") == tag
        || (asked.header("if-none-match").is_empty() && asked.header("if-modified-since") == CHANGED);
    let answer = if same {
        let mut answer = Answer::status(304);
        answer.body = Body::Whole(bytes::Bytes::new());
        answer
    } else {
        page("steel.html")
    };
    answer.with("etag", tag).with("last-modified", CHANGED).with("cache-control", "no-cache")
}

/// A page as a client may get it that says it can unpack. Whoever does not say so gets it as well: servers do that.
fn packed(how: &str) -> Answer {
    let Body::Whole(bytes) = page("threads.html").body else { return Answer::status(500) };
    let (name, packed) = match how {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes).unwrap();
            ("gzip", encoder.finish().unwrap())
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes).unwrap();
            ("deflate", encoder.finish().unwrap())
        }
        _ => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes).unwrap();
            ("deflate", encoder.finish().unwrap())
        }
    };
    Answer::html(packed).with("content-encoding", name)
}

/// What is behind the login: a page for whoever has its cookie.
fn orders(asked: &Asked) -> Answer {
    if !asked.header("cookie").split("; ").any(|cookie| cookie.starts_with("session=open-")) {
        return Answer::to(303, "/login.html");
    }
    Answer::html(
        "<!doctype html>\n<title>Orders</title>\n<h1>Orders</h1>\n<table id=\"orders\">\n<tr><th>Number</th><th>Part</th><th>Pieces</th></tr>\n<tr><td>2026-0007</td><td>HB-M8-30</td><td>400</td></tr>\n<tr><td>2026-0011</td><td>DGBB-608</td><td>16</td></tr>\n</table>\n",
    )
    .with("cache-control", "no-store")
}

impl Friendly {
    fn sign_in(&mut self, asked: &Asked) -> Answer {
        let form = String::from_utf8_lossy(&asked.body).into_owned();
        let fields: BTreeMap<&str, &str> = form.split('&').filter_map(|pair| pair.split_once('=')).collect();
        if (fields.get("account"), fields.get("password")) != (Some(&USER), Some(&PASSWORD)) {
            return Answer::to(303, "/login.html?wrong");
        }
        self.sessions += 1;
        let cookie = format!("session=open-{}; Path=/; HttpOnly; SameSite=Lax", self.sessions);
        Answer::to(303, "/orders").with("set-cookie", &cookie)
    }

    /// Every second time it is too often.
    fn limited(&mut self) -> Answer {
        self.limited += 1;
        if self.limited % 2 == 1 {
            Answer::status(429).with("retry-after", "1")
        } else {
            page("washers.html")
        }
    }
}
