//! The ways to find records. Each gives groups of things that belong together (the rows of a table, the objects of a type); [`crate::judge`]
//! says which of them are records.

use ego_tree::NodeId;
use scraper::ElementRef;

mod grid;
mod json_ld;
mod labels;
mod meta;
mod microdata;
mod repeated;
mod selectors;
mod tables;
mod thing;

use crate::Ask;
use crate::convert::{Context, Raw, scalar};
use crate::hints::Strategy;
use crate::page::Page;
use crate::page::text::raw;
use crate::schema::{Field, Kind};
use crate::words::{Score, cut};

/// Where something stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spot {
    pub(crate) element: NodeId,
    pub(crate) attribute: Option<String>,
    /// Into the script that `element` is.
    pub(crate) pointer: Option<String>,
}

/// Something that stands there, and what was done to get at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub(crate) spot: Spot,
    pub(crate) raw: Raw,
    /// The whole text, where `raw` is a part of it.
    pub(crate) whole: Option<String>,
    pub(crate) notes: Vec<String>,
}

impl Finding {
    fn new(spot: Spot, raw: Raw) -> Self {
        Self { spot, raw, whole: None, notes: Vec::new() }
    }
}

/// What was found for a field.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    One(Finding),
    Many(Vec<Found>),
    Members(Vec<(Field, Result<Found, String>)>),
}

/// Something that may be a record. `found` has an entry for each field of the shape: what there is, or what was tried.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) page: usize,
    pub(crate) element: NodeId,
    pub(crate) pointer: Option<String>,
    pub(crate) found: Vec<Result<Found, String>>,
}

/// Candidates that belong together.
#[derive(Debug)]
pub(crate) struct Group {
    /// For people: what they are.
    pub(crate) name: String,
    /// Whether a person said that these are the records, by type or selector: then it need not have most of the fields.
    pub(crate) named: bool,
    pub(crate) candidates: Vec<Candidate>,
    /// What was skipped on the way, for people.
    pub(crate) notes: Vec<String>,
}

/// What `strategy` finds in all pages.
///
/// # Errors
/// Why it cannot be asked, for people.
pub(crate) fn groups(strategy: Strategy, pages: &[Page<'_>], ask: &Ask) -> Result<Vec<Group>, String> {
    match strategy {
        Strategy::JsonLd => Ok(json_ld::groups(pages, ask)),
        Strategy::Microdata => Ok(microdata::groups(pages, ask)),
        Strategy::OpenGraph => meta::groups(pages, ask),
        Strategy::Tables => Ok(tables::groups(pages, ask)),
        Strategy::Repeated => Ok(repeated::groups(pages, ask)),
        Strategy::Selectors => selectors::groups(pages, ask),
    }
}

/// Puts `candidate` to those of `name`.
fn add(groups: &mut Vec<Group>, name: &str, named: bool, candidate: Candidate) {
    match groups.iter_mut().find(|group| group.name == name) {
        Some(group) => group.candidates.push(candidate),
        None => groups.push(Group {
            name: name.to_owned(),
            named,
            candidates: vec![candidate],
            notes: Vec::new(),
        }),
    }
}

/// The one of `options` with the best score; where several have it, the only one that can be read as the field's type.
///
/// # Errors
/// That there is none, or that they say different things.
fn choose(context: Context<'_>, field: &Field, options: Vec<(Score, Finding)>) -> Result<Finding, String> {
    let best = options.iter().map(|(score, _)| *score).max().ok_or("nothing with its name")?;
    let mut top: Vec<Finding> =
        options.into_iter().filter(|(score, _)| *score == best).map(|(_, finding)| finding).collect();
    let first = top[0].clone();
    if top.iter().all(|finding| finding.raw.text() == first.raw.text()) {
        return Ok(first);
    }
    let values: Vec<_> =
        top.iter().map(|finding| scalar(context, field, &finding.raw).ok().map(|read| read.value)).collect();
    let mut read = values.iter().flatten();
    let Some(value) = read.next() else { return Ok(first) };
    if read.all(|other| other == value) {
        let at = values.iter().position(Option::is_some).unwrap_or_default();
        return Ok(top.swap_remove(at));
    }
    let mut texts: Vec<String> =
        top.iter().map(|finding| format!("`{}`", cut(&finding.raw.text(), 30))).collect();
    texts.dedup();
    texts.truncate(4);
    Err(format!("several things have its name: {}", texts.join(", ")))
}

/// What `element` holds for a field of this type: an address from `href` or `src`, a date from `datetime`, else what a machine is told, else
/// the text.
fn value_of(element: ElementRef<'_>, field: &Field, attribute: Option<&str>) -> Option<Finding> {
    let spot = |element: ElementRef<'_>, attribute: Option<&str>| Spot {
        element: element.id(),
        attribute: attribute.map(str::to_owned),
        pointer: None,
    };
    let of = |element: ElementRef<'_>, attribute: &str| {
        let value = element.attr(attribute)?;
        // What an attribute says for machines is written as programs write; what it links to and calls itself is not.
        let raw = match attribute {
            "content" | "value" => Raw::Json(value.into()),
            _ => Raw::Text(value.to_owned()),
        };
        Some(Finding::new(spot(element, Some(attribute)), raw))
    };
    if let Some(attribute) = attribute {
        return of(element, attribute);
    }
    let name = element.value().name();
    let told = match name {
        "meta" => Some("content"),
        "input" if field.may_be(Kind::Boolean) => {
            let checked = element.attr("checked").is_some();
            let raw = Raw::Json(checked.into());
            return Some(Finding::new(spot(element, Some("checked")), raw));
        }
        "data" | "meter" | "progress" | "input" | "option" => Some("value"),
        "time" if field.is_date() => Some("datetime"),
        _ => None,
    };
    if let Some(finding) = told.and_then(|attribute| of(element, attribute)) {
        return Some(finding);
    }
    if field.is_address() {
        let linked = |element: ElementRef<'_>| {
            ["href", "src", "content", "data"].iter().find_map(|attribute| of(element, attribute))
        };
        return linked(element).or_else(|| {
            let mut inner = crate::page::text::shown(element, 200).into_iter().skip(1).filter_map(linked);
            let only = inner.next()?;
            inner.all(|other| other.raw == only.raw).then_some(only)
        });
    }
    if field.is_date() {
        let mut inner = crate::page::text::shown(element, 200)
            .into_iter()
            .skip(1)
            .filter(|inner| inner.value().name() == "time")
            .filter_map(|inner| of(inner, "datetime"));
        if let (Some(only), None) = (inner.next(), inner.next()) {
            return Some(only);
        }
    }
    if name == "img" {
        return of(element, "alt");
    }
    Some(Finding::new(spot(element, None), Raw::Text(raw(element))))
}

/// What `element` holds for `field`, which may be an array: then its list items, or the parts between `split`.
fn found_in(element: ElementRef<'_>, field: &Field, ask: &Ask) -> Option<Found> {
    let hint = ask.hints.field(&field.name);
    let attribute = hint.and_then(|hint| hint.attribute.as_deref());
    if !field.may_be(Kind::Array) {
        return value_of(element, field, attribute).map(Found::One);
    }
    let item = field.items.as_deref().unwrap_or(field);
    if let Some(split) = hint.and_then(|hint| hint.split.as_deref()).filter(|split| !split.is_empty()) {
        let whole = value_of(element, item, attribute)?;
        let text = whole.raw.text();
        let parts = text.split(split).map(str::trim).filter(|part| !part.is_empty()).map(|part| {
            let mut notes = whole.notes.clone();
            notes.push(format!("split at `{}`", cut(split, 10)));
            let raw = Raw::Text(part.to_owned());
            Found::One(Finding { spot: whole.spot.clone(), raw, whole: Some(text.clone()), notes })
        });
        return Some(Found::Many(parts.collect()));
    }
    let items: Vec<Found> = crate::page::text::shown(element, 2_000)
        .into_iter()
        .skip(1)
        .filter(|inner| inner.value().name() == "li")
        .filter_map(|inner| value_of(inner, item, attribute).map(Found::One))
        .collect();
    if items.is_empty() {
        return value_of(element, item, attribute).map(|one| Found::Many(vec![Found::One(one)]));
    }
    Some(Found::Many(items))
}
