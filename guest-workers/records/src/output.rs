//! The files that records become, and what is different from the file before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::judge::key;
use crate::words::{cut, is_invisible};
use crate::{Ask, Extraction, Record};

/// Characters of what stood on the page that are written beside a value; the snapshot has the rest.
const RAW_MAX: usize = 200;
/// Keys that are told.
const TOLD_MAX: usize = 20;

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// JSON Lines, or one array with a record on each line where the path ends in `.json`. Keys sorted.
    pub records: String,
    /// JSON Lines: the pages, then for each record where its values come from.
    pub provenance: String,
    /// Where `provenance` goes: `a/b.jsonl` and `a/b.json` have it in `a/b.provenance.jsonl`.
    pub provenance_path: String,
}

/// The files for `path`.
pub fn files(extraction: &Extraction, ask: &Ask, path: &str) -> Files {
    let lines: Vec<String> =
        extraction.records.iter().map(|record| ascii(&Value::Object(record.value.clone()))).collect();
    let is_array = path.ends_with(".json");
    let records = match (is_array, lines.is_empty()) {
        (true, true) => "[]\n".to_owned(),
        (true, false) => format!("[\n{}\n]\n", lines.join(",\n")),
        (false, _) => lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        }),
    };
    let mut provenance = String::new();
    let mut pages: Vec<(&str, &str)> = Vec::new();
    for record in &extraction.records {
        let page = (record.url.as_str(), record.digest.as_str());
        if !pages.contains(&page) {
            pages.push(page);
        }
    }
    // What differs from day to day stands by itself, so that a record that is as it was has the line that it had.
    for (number, (url, digest)) in pages.iter().enumerate() {
        let page = json!({"page": number, "url": url, "snapshot": digest});
        let _ = writeln!(provenance, "{}", ascii(&page));
    }
    for (number, record) in extraction.records.iter().enumerate() {
        let page = pages.iter().position(|page| *page == (record.url.as_str(), record.digest.as_str()));
        let line = origin(number, page.unwrap_or_default(), record, extraction, ask);
        let _ = writeln!(provenance, "{}", ascii(&line));
    }
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let stem = name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".json")).unwrap_or(name);
    let slash = if folder.is_empty() { "" } else { "/" };
    Files { records, provenance, provenance_path: format!("{folder}{slash}{stem}.provenance.jsonl") }
}

/// One line of provenance: the record's key, or its number from 0 where there is none, the number of its page, and for each value (by JSON pointer) where it stands. A path that begins with
/// `:scope` begins at the record's own element.
fn origin(number: usize, page: usize, record: &Record, extraction: &Extraction, ask: &Ask) -> Value {
    let mut values = Map::new();
    for (place, from) in &record.provenance {
        let mut value = Map::new();
        let css = match from.css.strip_prefix(record.css.as_str()) {
            Some("") => ":scope".to_owned(),
            Some(rest) if rest.starts_with(" > ") => format!(":scope{rest}"),
            _ => from.css.clone(),
        };
        value.insert("css".to_owned(), css.into());
        let raw: String = from.raw.chars().take(RAW_MAX).collect();
        if raw.len() < from.raw.len() {
            value.insert("raw_characters".to_owned(), from.raw.chars().count().into());
        }
        value.insert("raw".to_owned(), raw.into());
        if let Some(attribute) = &from.attribute {
            value.insert("attribute".to_owned(), attribute.as_str().into());
        }
        if let Some(pointer) = &from.pointer {
            value.insert("pointer".to_owned(), pointer.as_str().into());
        }
        if !from.conversions.is_empty() {
            value.insert("conversions".to_owned(), from.conversions.clone().into());
        }
        values.insert(place.clone(), value.into());
    }
    let mut line = json!({
        "page": page,
        "strategy": extraction.strategy.name(),
        "css": record.css,
        "values": values,
    });
    if let Some(line) = line.as_object_mut() {
        let key = ask.hints.key.iter();
        let key: Map<String, Value> =
            key.filter_map(|name| Some((name.clone(), record.value.get(name)?.clone()))).collect();
        line.insert("record".to_owned(), if key.is_empty() { number.into() } else { key.into() });
    }
    line
}

/// `value` with what nobody sees written as `\u…`.
fn ascii(value: &Value) -> String {
    let text = value.to_string();
    let hides = |c: char| {
        is_invisible(c)
            || c.is_control()
            || matches!(c, '\u{200c}' | '\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{a0}')
    };
    if !text.contains(hides) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hides(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// What is different from the records before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Records before, and now.
    pub counts: (usize, usize),
    /// How many are new, by key where the hints name one.
    pub added: usize,
    /// How many have another value under the same key.
    pub changed: usize,
    /// Keys that are not there any more.
    pub vanished: Vec<String>,
    /// Fields that some record had and none has now.
    pub emptied: Vec<String>,
    /// Fields whose values were of other types: name, before, now.
    pub retyped: Vec<(String, String, String)>,
    /// The file before could not be read as records.
    pub unreadable: bool,
}

impl std::fmt::Display for Comparison {
    /// Sentences for the person who approves; nothing where all is as before.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.unreadable {
            return write!(
                f,
                "The file before does not hold records, so nothing can be said of what vanished."
            );
        }
        let (before, now) = self.counts;
        write!(f, "{before} records before, {now} now: {} new, {} changed.", self.added, self.changed)?;
        if !self.vanished.is_empty() {
            let told: Vec<&str> = self.vanished.iter().take(TOLD_MAX).map(String::as_str).collect();
            let more = if self.vanished.len() > told.len() { ", …" } else { "" };
            write!(f, " VANISHED: {} ({}{more}).", self.vanished.len(), told.join("; "))?;
        }
        if !self.emptied.is_empty() {
            write!(f, " DRIFT: no record has {} any more.", self.emptied.join(", "))?;
        }
        for (field, before, now) in &self.retyped {
            write!(f, " DRIFT: {field} was {before}, and is {now}.")?;
        }
        Ok(())
    }
}

/// Compares with `before`, the text of the file as it was.
pub fn compare(before: &str, extraction: &Extraction, ask: &Ask) -> Comparison {
    let Some(old) = parse(before) else { return Comparison { unreadable: true, ..Comparison::default() } };
    let names = &ask.hints.key;
    let index = |records: Vec<Map<String, Value>>| -> BTreeMap<Vec<String>, Map<String, Value>> {
        records.into_iter().map(|record| (key(&record, names), record)).collect()
    };
    let (olds, news) =
        (fields(&old), fields(&extraction.records.iter().map(|r| r.value.clone()).collect::<Vec<_>>()));
    let counts = (old.len(), extraction.records.len());
    let old = index(old);
    let new = index(extraction.records.iter().map(|record| record.value.clone()).collect());
    let told = |key: &Vec<String>| cut(&key.join(", "), 80);
    Comparison {
        counts,
        added: new.keys().filter(|key| !old.contains_key(*key)).count(),
        changed: new.iter().filter(|(key, value)| old.get(*key).is_some_and(|old| old != *value)).count(),
        vanished: old.keys().filter(|key| !new.contains_key(*key)).map(told).collect(),
        emptied: olds
            .keys()
            .filter(|name| !news.contains_key(*name))
            .map(|name| format!("`{name}`"))
            .collect(),
        retyped: olds
            .iter()
            .filter_map(|(name, before)| {
                let now = news.get(name)?;
                (before.is_disjoint(now)).then(|| (format!("`{name}`"), join(before), join(now)))
            })
            .collect(),
        unreadable: false,
    }
}

fn join(kinds: &BTreeSet<&'static str>) -> String {
    kinds.iter().copied().collect::<Vec<_>>().join(" or ")
}

/// Fields that some record has, and the types of their values.
fn fields(records: &[Map<String, Value>]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut fields: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (name, value) in records.iter().flatten().filter(|(_, value)| !value.is_null()) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        fields.entry(name.clone()).or_default().insert(kind);
    }
    fields
}

fn parse(text: &str) -> Option<Vec<Map<String, Value>>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).ok()).collect()
}
