//! One page: its tree, the address that it resolves others against, and a path to each of its elements.
//!
//! What a page says is data. Nothing here follows, runs or obeys it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ego_tree::NodeId;
use fluent_uri::Uri;
use html5ever::driver::{self, ParseOpts};
use html5ever::tendril::{StrTendril, TendrilSink};
use scraper::{ElementRef, Html, HtmlTreeSink, Node, Selector};

mod guard;
pub(crate) mod text;

use crate::{Refusal, Snapshot};

/// Elements inside of each other. Chromium's parser builds none deeper, so a page that a browser loaded stays below.
pub(crate) const DEPTH_MAX: usize = 512;
/// Nodes of all pages together: about 200 bytes each, and a worker has 256 MiB.
pub(crate) const NODES_MAX: usize = 600_000;
/// Bytes that are parsed before depth and nodes are looked at again.
const CHUNK: usize = 4096;

/// A parsed page.
pub(crate) struct Page<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) html: Html,
    /// What references are resolved against: `<base href>` if there is one, else the page's own address.
    base: Option<Uri<String>>,
    /// `lang` of the document, lower case, without the region.
    pub(crate) language: String,
    /// By element: its number among its siblings of the same name, from 1, and whether it is the only one.
    numbers: RefCell<BTreeMap<NodeId, (usize, bool)>>,
}

impl<'a> Page<'a> {
    /// Parses `snapshot`; `nodes` counts those of all pages.
    ///
    /// # Errors
    /// A page that is deeper or larger than the limits, or that has more attributes on one element.
    pub(crate) fn parse(snapshot: &'a Snapshot, nodes: &mut usize) -> Result<Self, Refusal> {
        let refuse = |why: String| Refusal::Page { url: snapshot.url.clone(), why };
        guard::attributes(&snapshot.html).map_err(refuse)?;
        let html = tree(&snapshot.html, nodes).map_err(refuse)?;
        let mut page =
            Self { snapshot, html, base: None, language: String::new(), numbers: RefCell::default() };
        page.base = page.base_address();
        page.language = page
            .root()
            .and_then(|root| root.attr("lang"))
            .map(|lang| lang.split(['-', '_']).next().unwrap_or_default().trim().to_lowercase())
            .unwrap_or_default();
        Ok(page)
    }

    /// `<html>`; a parsed document has one always.
    pub(crate) fn root(&self) -> Option<ElementRef<'_>> {
        self.html.tree.root().children().find_map(ElementRef::wrap)
    }

    /// The element `id`.
    pub(crate) fn element(&self, id: NodeId) -> Option<ElementRef<'_>> {
        self.html.tree.get(id).and_then(ElementRef::wrap)
    }

    /// Every element in document order, without what stands in a `<template>`.
    pub(crate) fn elements(&self) -> Vec<ElementRef<'_>> {
        self.root().map(|root| text::below(root, usize::MAX)).unwrap_or_default()
    }

    /// The elements that `selector` matches, in document order; `within` and what is below it, or the whole page.
    pub(crate) fn select<'p>(
        &'p self,
        within: Option<ElementRef<'p>>,
        selector: &Selector,
    ) -> Vec<ElementRef<'p>> {
        let Some(top) = within.or_else(|| self.root()) else { return Vec::new() };
        let mut found: Vec<ElementRef<'p>> = Vec::new();
        if selector.matches_with_scope(&top, Some(top)) {
            found.push(top);
        }
        found.extend(top.select(selector).filter(|element| is_shown(*element)));
        found
    }

    /// The one path from the root to `id`: names joined by `>`, each with its number where it has siblings of its name.
    ///
    /// It is a CSS selector that matches this element and no other in the same parsed page.
    pub(crate) fn path(&self, id: NodeId) -> String {
        let Some(element) = self.element(id) else { return String::new() };
        let mut steps = vec![self.step(element)];
        let mut at = element;
        while let Some(parent) = at.parent().and_then(ElementRef::wrap) {
            steps.push(self.step(parent));
            at = parent;
        }
        steps.reverse();
        steps.join(" > ")
    }

    fn step(&self, element: ElementRef<'_>) -> String {
        let (number, only) = self.number(element);
        let name = element.value().name();
        // Names that a selector cannot spell plainly are counted among all siblings.
        if !is_plain(name) {
            let before = element.prev_siblings().filter(|node| node.value().is_element()).count();
            return format!(":nth-child({})", before + 1);
        }
        if only { name.to_owned() } else { format!("{name}:nth-of-type({number})") }
    }

    fn number(&self, element: ElementRef<'_>) -> (usize, bool) {
        if let Some(known) = self.numbers.borrow().get(&element.id()) {
            return *known;
        }
        let Some(parent) = element.parent() else { return (1, true) };
        let children: Vec<ElementRef<'_>> = parent.children().filter_map(ElementRef::wrap).collect();
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        let mut numbers = self.numbers.borrow_mut();
        for child in &children {
            let count = counts.entry(&child.value().name).or_default();
            *count += 1;
            numbers.insert(child.id(), (*count, true));
        }
        for child in &children {
            let only = counts.get(&child.value().name) == Some(&1);
            if let Some(known) = numbers.get_mut(&child.id()) {
                known.1 = only;
            }
        }
        numbers.get(&element.id()).copied().unwrap_or((1, true))
    }

    /// `reference` as a whole address.
    ///
    /// # Errors
    /// Why it is none: the words fit into a sentence.
    pub(crate) fn resolve(&self, reference: &str) -> Result<String, String> {
        resolve(self.base.as_ref(), reference)
    }

    fn base_address(&self) -> Option<Uri<String>> {
        let without = |mut uri: Uri<String>| {
            uri.set_fragment(None);
            uri
        };
        let own = Uri::parse(self.snapshot.url.as_str()).ok().map(|uri| without(uri.to_owned()));
        let named = Selector::parse("base[href]").ok().and_then(|selector| {
            let element = self.select(None, &selector).into_iter().next()?;
            let whole = resolve(own.as_ref(), element.attr("href")?).ok()?;
            Uri::parse(whole).ok()
        });
        named.map(without).or(own)
    }
}

/// Parses in chunks, so that a page built to be slow is seen before it has cost much.
fn tree(html: &str, nodes: &mut usize) -> Result<Html, String> {
    let mut parser = driver::parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
    let mut rest = html;
    while !rest.is_empty() {
        let mut end = CHUNK.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (chunk, after) = rest.split_at(end);
        rest = after;
        parser.process(StrTendril::from_slice(chunk));
        let built = parser.tokenizer.sink.sink.0.borrow();
        let count = built.tree.values().len();
        if *nodes + count > NODES_MAX {
            return Err(format!("the pages hold more than {NODES_MAX} nodes together"));
        }
        // The newest element stands where the parser is.
        let newest = built.tree.nodes().next_back();
        if newest.is_some_and(|node| node.ancestors().nth(DEPTH_MAX).is_some()) {
            return Err(format!("elements stand more than {DEPTH_MAX} deep inside of each other"));
        }
    }
    let html = parser.finish();
    *nodes += html.tree.values().len();
    Ok(html)
}

/// Whether every ancestor is an element: what a `<template>` holds is not.
fn is_shown(element: ElementRef<'_>) -> bool {
    element.ancestors().all(|node| matches!(node.value(), Node::Element(_) | Node::Document))
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Schemes that an address in a record may have.
const SCHEMES: [&str; 6] = ["https", "http", "mailto", "tel", "ftp", "urn"];

fn resolve(base: Option<&Uri<String>>, reference: &str) -> Result<String, String> {
    let clean = percent(reference);
    let short = || crate::words::cut(reference, 60);
    let parsed =
        fluent_uri::UriRef::parse(clean.as_str()).map_err(|_| format!("`{}` is not an address", short()))?;
    let whole = match base {
        Some(base) => {
            parsed.resolve_against(base).map_err(|_| format!("`{}` cannot be resolved", short()))?
        }
        None => Uri::parse(clean.as_str())
            .map_err(|_| format!("`{}` is relative to nothing", short()))?
            .to_owned(),
    };
    let scheme = whole.scheme().as_str().to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(format!("`{scheme}:` is not the scheme of an address that a record may hold"));
    }
    // A host is not written with escapes: what is there is no name, or one that two programs would read differently.
    if whole.authority().is_some_and(|authority| authority.host().contains('%')) {
        return Err(format!("`{}` has a host that cannot be one", short()));
    }
    Ok(whole.normalize().into_string())
}

/// As browsers read an address: without white space around it and without line feeds and tabs in it, and with everything that an address cannot
/// hold written as `%xx`.
fn percent(reference: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let bytes = reference.trim().as_bytes();
    let numeric_host = reference.contains("://[");
    let mut clean = String::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = |ahead: usize| bytes.get(at + ahead).is_some_and(u8::is_ascii_hexdigit);
        match byte {
            b'\t' | b'\n' | b'\r' => {}
            b'%' if escape(1) && escape(2) => clean.push('%'),
            b'[' | b']' if numeric_host => clean.push(char::from(byte)),
            b'%'
            | b'['
            | b']'
            | b' '
            | b'"'
            | b'<'
            | b'>'
            | b'\\'
            | b'^'
            | b'`'
            | b'{'
            | b'|'
            | b'}'
            | 0..=31
            | 127..=255 => {
                clean.push('%');
                clean.push(char::from(HEX[usize::from(byte >> 4)]));
                clean.push(char::from(HEX[usize::from(byte & 15)]));
            }
            _ => clean.push(char::from(byte)),
        }
    }
    clean
}

#[cfg(test)]
mod tests;
