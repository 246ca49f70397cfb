//! The reference of the shipped rules is made of the rules themselves: `ABIDE_BLESS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use abide_tests::gate::shipped_files;

/// What a rule says of itself, where it is written down and not put together while judging.
#[derive(Default)]
struct Rule {
    file: String,
    line: usize,
    fields: BTreeMap<String, String>,
}

/// Every `findings`-like object in a module: the fields from `"rule"` on to the end of the object.
fn rules(file: &str, text: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut open: Option<Rule> = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("\t\"rule\": ") {
            open = Some(Rule { file: file.to_owned(), line: number, ..Rule::default() });
        }
        let Some(rule) = &mut open else { continue };
        if let Some((key, value)) = line.trim().strip_prefix('"').and_then(|rest| rest.split_once("\": ")) {
            rule.fields.insert(key.to_owned(), value.trim_end_matches(',').to_owned());
        }
        if line.starts_with('}') {
            rules.extend(open.take());
        }
    }
    rules
}

/// A value as a reader takes it: texts without quotes, formats with `…` where something is put in.
fn plain(value: &str) -> String {
    let text = value.strip_prefix("sprintf(").unwrap_or(value);
    let quoted = text.strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(inside, _)| inside);
    let Some(inside) = quoted else { return format!("by `{value}`") };
    inside.replace("%s", "…").replace("%d", "…").replace('|', "\\|")
}

fn modules() -> Vec<(String, String)> {
    let files = shipped_files().into_iter().filter(|(path, _)| path.ends_with(".rego"));
    files.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

fn reference() -> String {
    let mut out = String::from(
        "# Rules that ship\n\nMade of the rules themselves; `ABIDE_BLESS=1 cargo nextest run -p abide-tests reference` writes it anew.\n\n\
         `hard` is a denial that no approval, level or mode softens; `deny` and `default` count as the safety mode says; `review` waits for a person.\n\n\
         | rule | level | says | what to do | stands in |\n|---|---|---|---|---|\n",
    );
    let mut all: Vec<Rule> = Vec::new();
    for (path, text) in modules().into_iter().filter(|(path, _)| !path.ends_with("_test.rego")) {
        all.extend(rules(&path, &text));
    }
    all.sort_by(|a, b| {
        (plain(&a.fields["rule"]), &a.file, a.line).cmp(&(plain(&b.fields["rule"]), &b.file, b.line))
    });
    for rule in &all {
        let field = |name: &str| rule.fields.get(name).map_or_else(|| "–".to_owned(), |value| plain(value));
        let id = match field("rule") {
            id if id.starts_with("by ") => id,
            id => format!("`{id}`"),
        };
        writeln!(
            out,
            "| {id} | {} | {} | {} | `{}` |",
            field("level"),
            field("msg"),
            field("help"),
            rule.file
        )
        .unwrap();
    }
    out
}

#[test]
fn the_reference_is_that_of_the_rules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy-reference.md");
    let made = reference();
    if std::env::var_os("ABIDE_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        made,
        "docs/policy-reference.md is out of date"
    );
}

#[test]
fn every_rule_is_tested_and_says_what_to_do() {
    let tests: String = modules()
        .into_iter()
        .filter(|(path, _)| path.ends_with("_test.rego"))
        .map(|(_, text)| text)
        .collect();
    let mut count = 0;
    for (path, text) in modules().into_iter().filter(|(path, _)| !path.ends_with("_test.rego")) {
        for rule in rules(&path, &text) {
            count += 1;
            let id = &rule.fields["rule"];
            assert!(
                rule.fields.contains_key("msg") && rule.fields.contains_key("help"),
                "{path}: {id} has no message or help"
            );
            assert!(
                !id.starts_with('"') || tests.contains(id.as_str()),
                "{path}: no test names the rule {id}"
            );
        }
    }
    assert!(count > 40, "{count} rules were found");
}
