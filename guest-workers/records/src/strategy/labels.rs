//! What the parts of an element are called: by attributes, by a term or a word with a colon before them, and by what kind of element they are.

use ego_tree::{NodeId, NodeRef};
use scraper::{ElementRef, Node};

use super::{Finding, Found, Score, Spot, choose, found_in, value_of};
use crate::Ask;
use crate::convert::{Context, Raw};
use crate::page::text::{raw, shown};
use crate::schema::{Field, Kind};
use crate::words::{EXACT, Name};

/// Elements of one record that are looked at.
const ELEMENTS_MAX: usize = 2_000;
/// Characters of a label.
const LABEL_MAX: usize = 60;
/// What a kind of element suggests comes after a name that somebody gave, and before a name that only resembles.
const IMPLIED: Score = 700;

/// A part of a record and what it is called.
struct Label<'p> {
    name: Name,
    weight: Score,
    value: Part<'p>,
}

/// What is called so.
enum Part<'p> {
    Element(ElementRef<'p>),
    Attribute(ElementRef<'p>, String),
    /// The text of the element without the label before it.
    After(ElementRef<'p>, String),
    /// Suggested by the kind of element.
    Implied(ElementRef<'p>),
}

/// The parts of a record that were named, ready to be asked for fields.
pub(super) struct Labels<'p>(Vec<Label<'p>>);

impl<'p> Labels<'p> {
    /// Those of the elements `tops`, which are one record together.
    pub(super) fn of(tops: &[ElementRef<'p>]) -> Self {
        let mut labels = Vec::new();
        for top in tops {
            for element in shown(*top, ELEMENTS_MAX) {
                attributes(element, &mut labels);
                terms(element, &mut labels);
                implied(element, &mut labels);
            }
        }
        Self(labels)
    }

    /// Whether something here has the name of `field`.
    pub(super) fn has(&self, field: &Field) -> bool {
        self.0.iter().any(|label| label.score(field).is_some())
    }

    /// What is called as `field` is.
    ///
    /// # Errors
    /// That nothing is, or several different things are.
    pub(super) fn find(&self, context: Context<'_>, field: &Field, ask: &Ask) -> Result<Found, String> {
        let scored = self.0.iter().filter_map(|label| Some((label.score(field)?, label)));
        if field.may_be(Kind::Array) {
            let scored: Vec<_> = scored.collect();
            let best = scored.iter().map(|(score, _)| *score).max().ok_or("nothing in it has its name")?;
            let mut parts = Vec::new();
            for (_, label) in scored.iter().filter(|(score, _)| *score == best) {
                let found = match &label.value {
                    Part::Element(element) | Part::Implied(element) => found_in(*element, field, ask),
                    _ => label.finding(field.items.as_deref().unwrap_or(field)).map(Found::One),
                };
                match found {
                    Some(Found::Many(many)) => parts.extend(many),
                    Some(one) => parts.push(one),
                    None => {}
                }
            }
            return Ok(Found::Many(parts));
        }
        let options = scored.filter_map(|(score, label)| Some((score, label.finding(field)?))).collect();
        choose(context, field, options)
            .map(Found::One)
            .map_err(|why| if why.starts_with("nothing") { format!("{why} in it") } else { why })
    }
}

impl Label<'_> {
    fn score(&self, field: &Field) -> Option<Score> {
        let score = field.score(&self.name)?;
        match self.value {
            Part::Implied(_) if score == EXACT => Some(IMPLIED + self.weight),
            Part::Implied(_) => None,
            _ => Some(score * 10 + self.weight),
        }
    }

    fn finding(&self, field: &Field) -> Option<Finding> {
        match &self.value {
            Part::Element(element) | Part::Implied(element) => value_of(*element, field, None),
            Part::Attribute(element, attribute) => value_of(*element, field, Some(attribute)),
            Part::After(element, text) => {
                let spot = Spot { element: element.id(), attribute: None, pointer: None };
                let mut finding = Finding::new(spot, Raw::Text(text.clone()));
                finding.whole = Some(raw(*element));
                finding.notes.push("label removed".to_owned());
                Some(finding)
            }
        }
    }
}

fn attributes<'p>(element: ElementRef<'p>, labels: &mut Vec<Label<'p>>) {
    let mut push = |text: &str, weight: Score, value: Part<'p>| {
        let name = Name::of(text);
        if !name.is_empty() {
            labels.push(Label { name, weight, value });
        }
    };
    for (key, value) in element.value().attrs() {
        match key {
            "itemprop" | "property" => push(value, 9, Part::Element(element)),
            "class" => {
                for class in element.value().classes() {
                    push(class, 6, Part::Element(element));
                }
            }
            "aria-label" | "data-label" | "data-title" | "data-field" => {
                push(value, 5, Part::Element(element));
            }
            "id" | "name" => push(value, 4, Part::Element(element)),
            _ => {
                if let Some(name) = key.strip_prefix("data-").filter(|_| !value.trim().is_empty()) {
                    push(name, 7, Part::Attribute(element, key.to_owned()));
                }
            }
        }
    }
}

/// `<dt>` before `<dd>`, `<th>` before `<td>`, and `Price: 12`, with the label in an element of its own or not.
fn terms<'p>(element: ElementRef<'p>, labels: &mut Vec<Label<'p>>) {
    let name = element.value().name();
    let next = || element.next_siblings().find_map(ElementRef::wrap);
    if matches!(name, "dt" | "th") {
        let wanted = if name == "dt" { "dd" } else { "td" };
        if let Some(value) = next().filter(|next| next.value().name() == wanted) {
            labels.push(Label { name: Name::of(&raw(element)), weight: 8, value: Part::Element(value) });
        }
        return;
    }
    // `<p><b>Price:</b> 12</p>`, `<p>Price: 12</p>`, `<span>Price:</span> <span>12</span>`.
    let nodes: Vec<NodeRef<'p, Node>> = element.children().filter(|node| !is_blank(node.value())).collect();
    for (at, node) in nodes.iter().enumerate() {
        let Some((label, rest)) = label(*node, at == 0) else { continue };
        let end = nodes.iter().skip(at + 1).position(|next| label_of(*next).is_some() || is_break(*next));
        let after = &nodes[at + 1..end.map_or(nodes.len(), |end| at + 1 + end)];
        let value = match after {
            [only] if rest.is_empty() && only.value().is_element() => {
                ElementRef::wrap(*only).map(Part::Element)
            }
            _ => {
                let mut text = rest;
                for node in after {
                    text.push(' ');
                    text.push_str(&said(*node));
                }
                let text = text.trim();
                (!text.is_empty()).then(|| Part::After(element, text.to_owned()))
            }
        };
        labels.extend(value.map(|value| Label { name: Name::of(&label), weight: 8, value }));
    }
}

/// The label that `node` begins with, and what it says after it; in text only where it is the first.
fn label(node: NodeRef<'_, Node>, is_first: bool) -> Option<(String, String)> {
    match node.value() {
        Node::Text(text) if is_first => {
            let (label, rest) = text.trim_start().split_once(':')?;
            let fits = label.chars().count() <= LABEL_MAX && !label.contains('.') && !rest.starts_with('/');
            (fits && !label.trim().is_empty()).then(|| (label.to_owned(), rest.trim().to_owned()))
        }
        Node::Element(_) => label_of(node).map(|label| (label, String::new())),
        _ => None,
    }
}

/// The label that an element is: nothing but a short text that ends in a colon.
fn label_of(node: NodeRef<'_, Node>) -> Option<String> {
    let element = ElementRef::wrap(node)?;
    let mut inner = element.children();
    let first = inner.next().filter(|_| inner.next().is_none())?;
    let text = match first.value() {
        Node::Text(text) => text.to_string(),
        _ => first.children().find_map(|node| Some(node.value().as_text()?.to_string()))?,
    };
    let label = text.trim().strip_suffix(':')?;
    (!label.is_empty() && label.chars().count() <= LABEL_MAX).then(|| label.to_owned())
}

fn is_break(node: NodeRef<'_, Node>) -> bool {
    node.value().as_element().is_some_and(|element| element.name() == "br")
}

fn said(node: NodeRef<'_, Node>) -> String {
    match node.value() {
        Node::Text(text) => text.to_string(),
        _ => ElementRef::wrap(node).map(raw).unwrap_or_default(),
    }
}

fn is_blank(node: &Node) -> bool {
    match node {
        Node::Text(text) => text.trim().is_empty(),
        Node::Comment(_) => true,
        _ => false,
    }
}

fn implied<'p>(element: ElementRef<'p>, labels: &mut Vec<Label<'p>>) {
    let (names, weight): (&[&str], Score) = match element.value().name() {
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => (&["title", "name", "heading", "headline"], 5),
        "a" if element.attr("href").is_some() => {
            // The link of a heading is the record's own; others may lead anywhere.
            let heading = heading(element);
            (&["url", "link", "href", "address"], if heading { 5 } else { 2 })
        }
        "img" => (&["image", "picture", "photo", "img", "thumbnail"], 5),
        "time" => (&["date", "time", "datetime", "published"], 5),
        "address" => (&["address"], 4),
        "p" => (&["description", "text", "summary"], 1),
        _ => return,
    };
    for name in names {
        labels.push(Label { name: Name::of(name), weight, value: Part::Implied(element) });
    }
}

fn heading(element: ElementRef<'_>) -> bool {
    let is_heading =
        |element: ElementRef<'_>| matches!(element.value().name(), "h1" | "h2" | "h3" | "h4" | "h5" | "h6");
    element.ancestors().filter_map(ElementRef::wrap).take(4).any(is_heading)
        || element.child_elements().any(is_heading)
}

/// Elements of `tops`, to tell records apart.
pub(super) fn first(tops: &[ElementRef<'_>]) -> Option<NodeId> {
    tops.first().map(|top| top.id())
}
