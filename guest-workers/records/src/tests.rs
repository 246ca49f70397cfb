//! Pages of each kind, and what every answer has to hold: it is what the schema says, and each value stands where it says.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Selector};
use serde_json::{Value, json};

use crate::page::text::raw;
use crate::*;

mod damage;
mod large;
mod pages;
mod wild;

pub(crate) fn page(url: &str, html: &str) -> Snapshot {
    let url = url.to_owned();
    Snapshot { url, digest: format!("sha256:{:064x}", html.len()), html: html.to_owned() }
}

pub(crate) fn ask(schema: &Value, hints: &Value) -> Ask {
    Ask::new(schema, serde_json::from_value(hints.clone()).unwrap()).unwrap()
}

/// The records of one page, after everything that every answer has to hold was looked at.
pub(crate) fn records(html: &str, schema: &Value, hints: &Value) -> Value {
    let pages = [page("https://shop.example/list/", html)];
    let extraction = extract(&pages, &ask(schema, hints)).unwrap_or_else(|refusal| panic!("{refusal}"));
    holds(&pages, schema, &extraction);
    Value::from(extraction.records.iter().map(|record| record.value.clone()).collect::<Vec<_>>())
}

pub(crate) fn refusal(html: &str, schema: &Value, hints: &Value) -> String {
    extract(&[page("https://shop.example/list/", html)], &ask(schema, hints)).unwrap_err().to_string()
}

/// The schema of a name and a price.
pub(crate) fn goods() -> Value {
    json!({"type": "object", "title": "Product", "required": ["name", "price"], "additionalProperties": false,
        "properties": {"name": {"type": "string"}, "price": {"type": "number"}, "url": {"type": "string", "format": "uri"}}})
}

/// Every record is valid, every value has a provenance, and every provenance leads to one element that says what it says.
pub(crate) fn holds(pages: &[Snapshot], schema: &Value, extraction: &Extraction) {
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    let parsed: BTreeMap<&str, Html> =
        pages.iter().map(|page| (page.url.as_str(), Html::parse_document(&page.html))).collect();
    // Each is looked up in the whole page, so of many records some are.
    for record in extraction.records.iter().step_by(extraction.records.len() / 200 + 1) {
        let value = Value::Object(record.value.clone());
        assert!(validator.is_valid(&value), "{value}");
        let html = &parsed[record.url.as_str()];
        select(html, &record.css);
        let mut leaves = Vec::new();
        scalars(&value, String::new(), &mut leaves);
        for leaf in &leaves {
            assert!(record.provenance.contains_key(leaf), "{leaf} of {value} comes from nowhere");
        }
        assert_eq!(record.provenance.len(), leaves.len(), "{:?}\n{value}", record.provenance.keys());
        for from in record.provenance.values() {
            let element = select(html, &from.css);
            let said = match (&from.attribute, &from.pointer) {
                (Some(attribute), _) => match element.attr(attribute) {
                    Some(_) if attribute == "checked" => "true".to_owned(),
                    None if attribute == "checked" => "false".to_owned(),
                    value => value.unwrap().to_owned(),
                },
                (None, Some(pointer)) => {
                    let script: Value =
                        serde_json::from_str(element.text().collect::<String>().trim()).unwrap();
                    let value = script.pointer(pointer).unwrap();
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                }
                (None, None) => raw(element),
            };
            assert_eq!(said, from.raw, "{from:?}");
        }
    }
}

/// The one element at `css`.
fn select<'a>(html: &'a Html, css: &str) -> ElementRef<'a> {
    let selector = Selector::parse(css).unwrap_or_else(|_| panic!("{css}"));
    let all: Vec<ElementRef<'a>> = html.select(&selector).collect();
    assert_eq!(all.len(), 1, "{css}");
    all[0]
}

fn scalars(value: &Value, at: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                scalars(value, format!("{at}/{}", crate::schema::escape(key)), leaves);
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                scalars(value, format!("{at}/{number}"), leaves);
            }
        }
        _ => leaves.push(at),
    }
}
