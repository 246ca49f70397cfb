//! Pages that are made as they are asked for: lists that go on, large ones, a map of the site.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::{Answer, Asked, Body};

/// Parts of the list that is read page by page.
pub const LIST_ITEMS: usize = 137;
/// Parts on one of its pages.
pub const LIST_PAGE: usize = 20;
/// Parts of the list that grows as one scrolls.
pub const ENDLESS_ITEMS: usize = 180;

/// Parts that one request of the growing list brings.
const ENDLESS_STEP: usize = 25;

/// Bytes of the huge page, nearly.
const HUGE_BYTES: u64 = 20 << 20;

fn part(number: usize) -> String {
    let thread = [3, 4, 5, 6, 8, 10, 12, 16][number % 8];
    let kind = ["Bolt", "Nut", "Washer", "Key", "Pin", "Rivet", "Insert"][number / 8 % 7];
    format!("{kind} M{thread}, lot {}", 1_000 + number)
}

/// `/list`: a page of the list, with links to the next and the one before. `q` is searched for.
pub(super) fn list(asked: &Asked) -> Answer {
    let page: usize = asked.value("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let words = asked.value("q").unwrap_or_default().replace('+', " ").to_lowercase();
    let parts: Vec<(usize, String)> = (0..LIST_ITEMS)
        .map(|number| (number, part(number)))
        .filter(|(_, name)| name.to_lowercase().contains(&words))
        .collect();
    let pages = parts.len().div_ceil(LIST_PAGE).max(1);
    if page == 0 || page > pages {
        return Answer::status(404);
    }
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>All parts, page {page} of {pages}</title></head>\n<body>\n<h1>All parts</h1>\n<ul class=\"parts\">\n"
    );
    for (number, name) in parts.iter().skip((page - 1) * LIST_PAGE).take(LIST_PAGE) {
        let price = format!("{}.{:02}", number / 10, number % 10 * 9);
        writeln!(text, "<li data-lot=\"{number}\"><a href=\"/part/{number}\">{name}</a> <span class=\"price\">€{price}</span></li>").unwrap();
    }
    text.push_str("</ul>\n<p class=\"pages\">");
    let query = if words.is_empty() { String::new() } else { format!("q={}&amp;", words.replace(' ', "+")) };
    if page > 1 {
        write!(text, "<a rel=\"prev\" href=\"/list?{query}page={}\">before</a> ", page - 1).unwrap();
    }
    if page < pages {
        write!(text, "<a rel=\"next\" href=\"/list?{query}page={}\">next</a>", page + 1).unwrap();
    }
    text.push_str("</p>\n</body>\n</html>\n");
    Answer::html(text)
}

/// `/part/N`.
pub(super) fn one(number: &str) -> Answer {
    match number.parse::<usize>() {
        Ok(number) if number < LIST_ITEMS => {
            let name = part(number);
            Answer::html(format!(
                "<!doctype html>\n<title>{name}</title>\n<h1>{name}</h1>\n<p><a href=\"/list\">All parts</a></p>\n"
            ))
        }
        _ => Answer::status(404),
    }
}

/// `/endless.json?from=N`: the next parts, and where it goes on.
pub(super) fn endless(asked: &Asked) -> Answer {
    let from: usize = asked.value("from").and_then(|from| from.parse().ok()).unwrap_or(0);
    let upto = from.saturating_add(ENDLESS_STEP).min(ENDLESS_ITEMS);
    let items: Vec<_> = (from..upto).map(|number| json!({"name": part(number)})).collect();
    let next = (upto < ENDLESS_ITEMS).then_some(upto);
    Answer::of("application/json", json!({"items": items, "next": next}).to_string())
}

/// `/huge`: a table of 20 MiB.
pub(super) fn huge() -> Answer {
    let row =
        "<tr><td>HB-M8-30</td><td>1,200</td><td>A row like every other, of which there are many</td></tr>\n";
    let piece = row.repeat(600);
    let mut answer = Answer::html("");
    answer.body = Body::Again {
        head: "<!doctype html>\n<title>Huge</title>\n<table>\n".into(),
        times: HUGE_BYTES / piece.len() as u64,
        piece: piece.into(),
        pause: Duration::ZERO,
        tail: "</table>\n<p id=\"last\">The end</p>\n".into(),
    };
    answer
}

/// `/chunks`: ten pieces, one after the other.
pub(super) fn chunks() -> Answer {
    let mut answer = Answer::html("");
    answer.body = Body::Again {
        head: "<!doctype html>\n<title>In pieces</title>\n<ul>\n".into(),
        piece: "<li>A piece</li>\n".into(),
        times: 10,
        pause: Duration::from_millis(30),
        tail: "</ul>\n".into(),
    };
    answer
}

/// `/cut`: half of what was promised.
pub(super) fn cut() -> Answer {
    let mut answer = Answer::html("");
    answer.body = Body::Cut {
        sent: Bytes::from_static(b"<!doctype html>\n<title>Cut</title>\n<p>Half of it\n"),
        promised: 4_096,
    };
    answer
}

/// `/sitemap.xml`.
pub(super) fn sitemap(origin: &str, files: &[String]) -> Answer {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n".to_owned();
    for file in files.iter().filter(|file| file.ends_with(".html")) {
        writeln!(text, "<url><loc>{origin}/{file}</loc><lastmod>2026-01-05</lastmod></url>").unwrap();
    }
    text.push_str("</urlset>\n");
    Answer::of("application/xml", text)
}
