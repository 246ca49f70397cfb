//! What an element says: its text, and the elements below it.

use ego_tree::iter::Edge;
use scraper::node::Element;
use scraper::{ElementRef, Node};

/// Elements whose content nobody reads on the page.
const SILENT: [&str; 6] = ["script", "style", "template", "noscript", "head", "datalist"];
/// Elements that run on in a line: everything else stands apart from what is beside it. `sup` too, or `12` with the footnote 3 would be 123.
const INLINE: [&str; 31] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "ins", "kbd", "label", "mark", "meter", "q", "rp", "ruby", "s", "samp", "small", "span", "strong",
    "sub", "time", "tt",
];

/// The text of `element` as it stands there, blocks apart by a space; without scripts, templates and what is marked hidden.
///
/// Not cut, not normalised but for the ends.
pub(crate) fn raw(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    let mut silent = 0_usize;
    for edge in element.traverse() {
        match edge {
            Edge::Open(node) => match node.value() {
                Node::Text(part) if silent == 0 => text.push_str(part),
                Node::Element(value) => {
                    let inner = node.id() != element.id();
                    silent += usize::from(inner && is_silent(value));
                    if silent == 0 && inner && !INLINE.contains(&value.name()) {
                        text.push(' ');
                    }
                }
                Node::Fragment => silent += 1,
                _ => {}
            },
            Edge::Close(node) => match node.value() {
                Node::Element(value) if node.id() != element.id() => {
                    if silent == 0 && !INLINE.contains(&value.name()) {
                        text.push(' ');
                    }
                    silent -= usize::from(is_silent(value));
                }
                Node::Fragment => silent -= 1,
                _ => {}
            },
        }
    }
    text.trim().to_owned()
}

fn is_silent(value: &Element) -> bool {
    SILENT.contains(&value.name())
        || value.attr("hidden").is_some()
        || value.attr("style").is_some_and(|style| {
            let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
            style.to_ascii_lowercase().contains("display:none")
        })
}

/// `element` and up to `most` elements below it in document order, without what a `<template>` holds.
pub(crate) fn below(element: ElementRef<'_>, most: usize) -> Vec<ElementRef<'_>> {
    walk(element, most, |_| false)
}

/// As [`below`], without scripts and what is marked hidden.
pub(crate) fn shown(element: ElementRef<'_>, most: usize) -> Vec<ElementRef<'_>> {
    walk(element, most, is_silent)
}

/// Whether `element` and what it holds is shown to nobody.
pub(crate) fn is_unseen(element: ElementRef<'_>) -> bool {
    is_silent(element.value())
}

fn walk(element: ElementRef<'_>, most: usize, skips: impl Fn(&Element) -> bool) -> Vec<ElementRef<'_>> {
    let mut found = vec![element];
    let mut skip = None;
    for edge in element.traverse() {
        match edge {
            Edge::Open(node) if skip.is_none() && node.id() != element.id() => match node.value() {
                Node::Fragment => skip = Some(node.id()),
                Node::Element(value) if skips(value) => skip = Some(node.id()),
                Node::Element(_) if found.len() >= most => return found,
                Node::Element(_) => found.extend(ElementRef::wrap(node)),
                _ => {}
            },
            Edge::Close(node) if skip == Some(node.id()) => skip = None,
            _ => {}
        }
    }
    found
}
