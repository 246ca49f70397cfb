//! Microdata (HTML standard, section 5): `itemscope`, `itemtype`, `itemprop`, `itemref`.

use std::collections::{BTreeMap, BTreeSet};

use ego_tree::NodeId;
use scraper::ElementRef;
use serde_json::{Map, Value};

use super::thing::{Tree, collect, step};
use super::{Group, Spot};
use crate::Ask;
use crate::page::Page;
use crate::page::text::raw;

/// Items inside of items.
const DEPTH_MAX: usize = 16;
/// Values of one topmost item: items that refer to each other could make more of few.
const VALUES_MAX: usize = 20_000;

pub(super) fn groups(pages: &[Page<'_>], ask: &Ask) -> Vec<Group> {
    let mut groups = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let elements = page.elements();
        let ids: BTreeMap<&str, ElementRef<'_>> =
            elements.iter().rev().filter_map(|element| Some((element.value().id()?, *element))).collect();
        let top = elements
            .iter()
            .filter(|element| element.attr("itemscope").is_some() && element.attr("itemprop").is_none());
        let trees: Vec<Tree> = top
            .map(|element| {
                let mut spots = BTreeMap::new();
                let mut seen = BTreeSet::new();
                let value = item(*element, "", &ids, &mut spots, &mut seen, 0);
                Tree { value, element: element.id(), spots }
            })
            .collect();
        collect(&mut groups, page, number, &trees, ask);
    }
    groups
}

/// The item that `element` is, as JSON: `@type`, `@id` and each property as an array.
fn item(
    element: ElementRef<'_>,
    pointer: &str,
    ids: &BTreeMap<&str, ElementRef<'_>>,
    spots: &mut BTreeMap<String, Spot>,
    seen: &mut BTreeSet<NodeId>,
    depth: usize,
) -> Value {
    let here = |attribute: Option<&str>| Spot {
        element: element.id(),
        attribute: attribute.map(str::to_owned),
        pointer: None,
    };
    spots.insert(pointer.to_owned(), here(None));
    let mut object: Map<String, Value> = Map::new();
    if let Some(kinds) = element.attr("itemtype") {
        let kinds: Vec<Value> = kinds.split_ascii_whitespace().map(Value::from).collect();
        object.insert("@type".to_owned(), Value::from(kinds));
    }
    if let Some(id) = element.attr("itemid") {
        spots.insert(step(pointer, "@id"), here(Some("itemid")));
        object.insert("@id".to_owned(), Value::from(id));
    }
    // An item that contains itself by `itemref` ends here.
    if depth >= DEPTH_MAX || spots.len() >= VALUES_MAX || !seen.insert(element.id()) {
        return Value::Object(object);
    }
    for property in properties(element, ids) {
        let names: Vec<&str> =
            property.attr("itemprop").unwrap_or_default().split_ascii_whitespace().collect();
        for name in names {
            let values = object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            let Value::Array(values) = values else { continue };
            let at = format!("{}/{}", step(pointer, name), values.len());
            let value = if property.attr("itemscope").is_some() {
                item(property, &at, ids, spots, seen, depth + 1)
            } else {
                let (text, attribute) = value(property);
                let attribute = attribute.map(str::to_owned);
                spots.insert(at, Spot { element: property.id(), attribute, pointer: None });
                Value::from(text)
            };
            if let Some(Value::Array(values)) = object.get_mut(name) {
                values.push(value);
            }
        }
    }
    seen.remove(&element.id());
    Value::Object(object)
}

/// Elements with `itemprop` that belong to this item and to none inside of it, in document order.
fn properties<'p>(element: ElementRef<'p>, ids: &BTreeMap<&str, ElementRef<'p>>) -> Vec<ElementRef<'p>> {
    let mut found = Vec::new();
    let referred = element.attr("itemref").unwrap_or_default().split_ascii_whitespace();
    let mut open: Vec<ElementRef<'p>> = element.child_elements().collect();
    open.extend(referred.filter_map(|id| ids.get(id).copied()).filter(|other| other.id() != element.id()));
    open.reverse();
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if !seen.insert(next.id()) {
            continue;
        }
        if next.attr("itemprop").is_some() {
            found.push(next);
        }
        if next.attr("itemscope").is_none() {
            let before = open.len();
            open.extend(next.child_elements());
            open[before..].reverse();
        }
    }
    found
}

/// The value of a property, and the attribute that it stands in (HTML standard, 5.2.4).
fn value(element: ElementRef<'_>) -> (String, Option<&'static str>) {
    let attribute = match element.value().name() {
        _ if element.attr("content").is_some() => Some("content"),
        "audio" | "embed" | "iframe" | "img" | "source" | "track" | "video" => Some("src"),
        "a" | "area" | "link" => Some("href"),
        "object" => Some("data"),
        "data" | "meter" => Some("value"),
        "time" if element.attr("datetime").is_some() => Some("datetime"),
        _ => None,
    };
    match attribute {
        Some(name) => (element.attr(name).unwrap_or_default().to_owned(), Some(name)),
        None => (raw(element), None),
    }
}
