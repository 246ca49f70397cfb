//! A page as a tree, read within bounds: whatever a stranger writes costs a second at most, and a bounded amount of memory.
//!
//! What could be quadratic is: attributes of one element (each is compared with those before), formatting elements that are opened again and again, tables in
//! tables that throw their contents out. None of it is known beforehand, so the page is read in small pieces, and between two of them its
//! size, its depth and the time are looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use abide_core::page::BrowseFailure;
use ego_tree::NodeId;
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{ParseOpts, parse_document};
use scraper::{ElementRef, Html, HtmlTreeSink, Selector};
use url::Url;

use super::form::Filled;
use crate::browser::clock::Clock;

/// LIMIT: bytes of a page.
const BYTES_MAX: usize = 32 << 20;
/// LIMIT: nodes of a page.
pub(super) const NODES_MAX: usize = 500_000;
/// LIMIT: elements within one another, as in browsers.
const DEPTH_MAX: usize = 512;
/// LIMIT: attributes of one element.
const ATTRIBUTES_MAX: usize = 5_000;
/// LIMIT: how long anything that is asked of a page takes.
pub(super) const TIME_MAX: Duration = Duration::from_secs(1);
/// Bytes that are read before the bounds are looked at.
const PIECE_BYTES: usize = 256;
/// Bytes of a selector.
const SELECTOR_BYTES_MAX: usize = 1_000;

/// A page.
#[derive(Debug)]
pub(in crate::browser) struct Document {
    pub(super) html: Html,
    /// Where it is.
    pub(super) url: Url,
    /// What addresses in it are relative to.
    pub(super) base: Url,
    /// What was put into its fields.
    pub(super) filled: BTreeMap<NodeId, Filled>,
    /// Each element's place among the elements of its parent, from 1; made when many are asked for.
    places: Option<BTreeMap<NodeId, usize>>,
}

/// Work on a page that is to end in time.
pub(super) fn in_time(clock: Clock) -> Result<(), BrowseFailure> {
    if clock.is_over() {
        return Err(failed("it takes longer than a second to read"));
    }
    Ok(())
}

pub(super) fn failed(why: impl Into<String>) -> BrowseFailure {
    BrowseFailure::Failed(why.into())
}

impl Document {
    pub(in crate::browser) fn parse(text: &str, url: Url) -> Result<Self, BrowseFailure> {
        Self::parse_within(text, url, TIME_MAX)
    }

    fn parse_within(text: &str, url: Url, most: Duration) -> Result<Self, BrowseFailure> {
        if text.len() > BYTES_MAX {
            return Err(failed("the page is larger than 32 MiB"));
        }
        let html = parse(text, Clock::start(most))?;
        let base = base(&html, &url);
        Ok(Self { html, url, base, filled: BTreeMap::new(), places: None })
    }

    /// How many nodes it has.
    pub(super) fn nodes(&self) -> usize {
        self.html.tree.nodes().len()
    }

    /// All elements, in the order of the document.
    pub(super) fn elements(&self) -> impl Iterator<Item = ElementRef<'_>> {
        self.html.tree.root().descendants().filter_map(ElementRef::wrap)
    }

    /// Elements that fit, `limit` at most.
    pub(super) fn select(&self, selector: &str, limit: usize) -> Result<Vec<ElementRef<'_>>, BrowseFailure> {
        let none = || BrowseFailure::NotFound(format!("`{selector}` is no selector"));
        if selector.len() > SELECTOR_BYTES_MAX {
            return Err(BrowseFailure::NotFound("a selector has 1,000 bytes at most".to_owned()));
        }
        let compiled = Selector::parse(selector).map_err(|_| none())?;
        let Some(root) = self.elements().next() else { return Ok(Vec::new()) };
        // What looks at all siblings, or at all that is within, is asked of one element at a time, with an eye on the clock.
        if selector.contains(['~', ':']) {
            return self.select_slowly(&compiled, limit);
        }
        let itself = compiled.matches(&root).then_some(root);
        Ok(itself.into_iter().chain(root.select(&compiled)).take(limit).collect())
    }

    fn select_slowly(&self, selector: &Selector, limit: usize) -> Result<Vec<ElementRef<'_>>, BrowseFailure> {
        let clock = Clock::start(TIME_MAX);
        let mut found = Vec::new();
        for element in self.elements() {
            if found.len() >= limit {
                break;
            }
            in_time(clock)?;
            if selector.matches(&element) {
                found.push(element);
            }
        }
        Ok(found)
    }

    /// The first element that fits.
    pub(in crate::browser) fn first(&self, selector: &str) -> Result<ElementRef<'_>, BrowseFailure> {
        let first = self.select(selector, 1)?.into_iter().next();
        first.ok_or_else(|| BrowseFailure::NotFound(format!("no element fits `{selector}`")))
    }

    /// Counts places beforehand, for who asks for many paths.
    pub(in crate::browser) fn count_places(&mut self) {
        if self.places.is_some() {
            return;
        }
        let mut places = BTreeMap::new();
        for parent in self.html.tree.nodes() {
            let children = parent.children().filter(|child| child.value().is_element());
            places.extend(children.zip(1_usize..).map(|(child, place)| (child.id(), place)));
        }
        self.places = Some(places);
    }

    /// A selector that fits this element and no other.
    pub(in crate::browser) fn path(&self, element: ElementRef<'_>) -> String {
        let mut parts = Vec::new();
        let within = element.ancestors().filter_map(ElementRef::wrap);
        for one in std::iter::once(element).chain(within) {
            let name = escaped(one.value().name());
            if one.parent().is_none_or(|parent| !parent.value().is_element()) {
                parts.push(name);
                continue;
            }
            let counted = self.places.as_ref().and_then(|places| places.get(&one.id()).copied());
            let place = counted.unwrap_or_else(|| {
                let before = one.prev_siblings().filter(|sibling| sibling.value().is_element());
                before.count().saturating_add(1)
            });
            parts.push(format!("{name}:nth-child({place})"));
        }
        parts.reverse();
        parts.join(" > ")
    }

    /// An address that stands in the page, without its fragment.
    pub(super) fn resolve(&self, address: &str) -> Option<Url> {
        let mut url = self.base.join(address.trim()).ok()?;
        url.set_fragment(None);
        Some(url)
    }
}

/// A name of an element as it stands in a selector.
fn escaped(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain) {
        return name.to_owned();
    }
    // Names with colons, dots and the like are seldom; any element in that place will do.
    "*".to_owned()
}

fn parse(text: &str, clock: Clock) -> Result<Html, BrowseFailure> {
    let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder, ..ParseOpts::default() };
    let mut parser = parse_document(HtmlTreeSink::new(Html::new_document()), options);
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        rest = after;
        parser.process(StrTendril::from_slice(piece));
        in_time(clock)?;
        look(&parser.tokenizer.sink.sink.0.borrow())?;
    }
    Ok(parser.finish())
}

/// Whether what was read so far is within bounds. What came last is the deepest there is, or was looked at before.
fn look(html: &Html) -> Result<(), BrowseFailure> {
    let mut nodes = html.tree.nodes();
    if nodes.len() > NODES_MAX {
        return Err(failed("the page has more than 500,000 nodes"));
    }
    let Some(last) = nodes.next_back() else { return Ok(()) };
    if last.ancestors().take(DEPTH_MAX.saturating_add(1)).count() > DEPTH_MAX {
        return Err(failed("the page has more than 512 elements within one another"));
    }
    if last.value().as_element().is_some_and(|element| element.attrs().nth(ATTRIBUTES_MAX).is_some()) {
        return Err(failed("the page has an element with more than 5,000 attributes"));
    }
    Ok(())
}

fn base(html: &Html, url: &Url) -> Url {
    let bases = html.tree.root().descendants().filter_map(ElementRef::wrap);
    let said = bases.filter(|one| one.value().name() == "base").find_map(|one| one.attr("href"));
    let joined = said.and_then(|said| url.join(said.trim()).ok());
    joined.filter(|base| ["http", "https"].contains(&base.scheme())).unwrap_or_else(|| url.clone())
}

#[cfg(test)]
pub(super) mod tests;
