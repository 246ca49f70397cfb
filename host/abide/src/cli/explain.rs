//! `ab explain CODE`: what it means, why it is so, what to do next.

use std::collections::BTreeMap;

use serde_json::json;

use super::Shell;
use super::args::ExplainArgs;
use crate::embedded;
use crate::report::{Exit, Failure};

/// One code's page.
struct Page {
    title: String,
    body: String,
}

pub(crate) fn run(shell: &Shell, args: &ExplainArgs) -> Result<Exit, Failure> {
    let pages = pages();
    let Some(code) = &args.code else {
        for (code, page) in &pages {
            shell.printer.line(&format!("{code}  {}", page.title));
        }
        let all: BTreeMap<_, _> = pages.iter().map(|(code, page)| (code, &page.title)).collect();
        shell.printer.data(&json!(all));
        return Ok(Exit::Done);
    };
    let code = code.to_ascii_uppercase();
    let Some(page) = pages.get(&code) else {
        return Err(Failure::new("AB0001", format!("there is no code `{code}`"))
            .help("ab explain lists them all")
            .exit(Exit::Usage));
    };
    shell.printer.line(&format!("{code} — {}\n\n{}", page.title, page.body));
    shell.printer.data(&json!({ "code": code, "title": page.title, "text": page.body }));
    Ok(Exit::Done)
}

/// Every page: sections `## AB0302 — title` of docs/codes/*.md.
fn pages() -> BTreeMap<String, Page> {
    let mut pages = BTreeMap::new();
    for (_, bytes) in embedded::CODES {
        let text = String::from_utf8_lossy(bytes);
        for section in text.split("\n## ").skip(1) {
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            let (code, title) = head.split_once(" — ").unwrap_or((head, ""));
            let body = body.replace("**", "").trim().to_owned();
            pages.insert(code.trim().to_owned(), Page { title: title.trim().to_owned(), body });
        }
    }
    pages
}
