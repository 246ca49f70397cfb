//! `ab explain TOPIC`: a code, with what it means, why it is so and what to do next; or a guide, or a file of the shipped policy.
//!
//! Everything that a message refers to is in the binary: a host without network, and without the sources, can read it.

use std::collections::BTreeMap;

use serde_json::json;

use super::Shell;
use super::args::ExplainArgs;
use crate::codes::{Page, pages};
use crate::embedded;
use crate::report::{Exit, Failure};

pub(crate) fn run(shell: &Shell, args: &ExplainArgs) -> Result<Exit, Failure> {
    let pages = pages();
    let Some(topic) = &args.topic else {
        list(shell, &pages);
        return Ok(Exit::Done);
    };
    let code = topic.to_ascii_uppercase();
    if let Some(page) = pages.get(&code) {
        shell.printer.line(&format!("{code} — {}\n\n{}", page.title, page.body));
        shell.printer.data(&json!({ "code": code, "title": page.title, "text": page.body }));
        return Ok(Exit::Done);
    }
    let texts = texts();
    let wanted = topic.trim_start_matches("./");
    let is_wanted = |path: &str| path == wanted || short(path) == wanted;
    let Some((path, text)) = texts.into_iter().find(|(path, _)| is_wanted(path)) else {
        let what = if code.starts_with("AB") { "code" } else { "topic" };
        return Err(Failure::new("AB0001", format!("there is no {what} `{topic}`"))
            .help("ab explain lists all of them")
            .exit(Exit::Usage));
    };
    shell.printer.exact(text.trim_end());
    shell.printer.data(&json!({ "topic": path, "text": text }));
    Ok(Exit::Done)
}

fn list(shell: &Shell, pages: &BTreeMap<String, Page>) {
    for (code, page) in pages {
        shell.printer.line(&format!("{code}  {}", page.title));
    }
    let texts = texts();
    shell.printer.line("\nGuides");
    for (path, text) in texts.iter().filter(|(path, _)| path.strip_suffix(".md").is_some()) {
        let title = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        shell.printer.line(&format!("  {:<18} {title}", short(path)));
    }
    let names = |test: &dyn Fn(&str) -> bool| {
        let found: Vec<&str> =
            texts.iter().map(|(path, _)| path.as_str()).filter(|path| test(path)).map(short).collect();
        found.join(", ")
    };
    let ends = |path: &str, ending: &str| path.strip_suffix(ending).is_some();
    shell.printer.line("\nThe shipped policy");
    shell.printer.line(&format!("  {}", names(&|path| ends(path, ".rego") && !ends(path, "_test.rego"))));
    shell.printer.line(&format!("  {}", names(&|path| ends(path, ".yaml"))));
    shell.printer.line(&format!("  {}", names(&|path| ends(path, ".json"))));
    let all: BTreeMap<_, _> = pages.iter().map(|(code, page)| (code, &page.title)).collect();
    shell.printer.data(&json!(all));
}

/// Every guide, and every file of the shipped policy, by its path in the sources.
fn texts() -> Vec<(String, String)> {
    let tables = [
        ("docs", embedded::GUIDES),
        ("policies", embedded::POLICIES),
        ("policies/schemas", embedded::SCHEMAS),
    ];
    let all = tables.into_iter().flat_map(|(top, table)| {
        table
            .iter()
            .map(move |(path, bytes)| (format!("{top}/{path}"), String::from_utf8_lossy(bytes).into_owned()))
    });
    all.collect()
}

/// What a person types: the name of a guide, `levels.yaml` for data, `input.schema.json` for a schema, and the path for a module.
fn short(path: &str) -> &str {
    let is_module = path.strip_suffix(".rego").is_some();
    let name = path.rsplit('/').next().filter(|_| !is_module).unwrap_or(path);
    name.strip_suffix(".md").unwrap_or(name)
}
