//! Records from pages: what a JSON Schema asks for, found in HTML, with the place of every value.
//!
//! [`extract`] is a pure function. The same snapshots and the same [`Ask`] give the same answer, to the byte. It holds no model and no
//! network; what a page says is data. Nothing is invented: a value that is not there is left out, and where it is required the record is
//! refused with what was tried.
//!
//! Strategies, in order: JSON-LD, microdata, `OpenGraph`; tables; repeated structures; selectors. `docs/extraction.md` says what each
//! looks at. The first whose records are what the schema says is taken; [`Extraction::tried`] tells of the others.

mod convert;
mod hints;
mod judge;
mod output;
mod page;
mod schema;
mod strategy;
mod words;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use hints::{FieldHint, Hints, Numbers, Strategy};
pub use output::{Comparison, Files, compare, files};

use page::Page;
use schema::Shape;

/// One page as it stood: what was asked for, what the content is called, and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The address that it came from, after redirects.
    pub url: String,
    /// `sha256:` and 64 hex digits, over `html`; taken as given.
    pub digest: String,
    /// The document, serialised.
    pub html: String,
}

/// What is wanted: the schema of one record, and where to look.
#[derive(Debug)]
pub struct Ask {
    shape: Shape,
    hints: Hints,
}

impl Ask {
    /// # Errors
    /// [`Refusal::Schema`] or [`Refusal::Hints`].
    pub fn new(schema: &Value, hints: Hints) -> Result<Self, Refusal> {
        let shape = Shape::of(schema).map_err(Refusal::Schema)?;
        hints.check(&shape).map_err(Refusal::Hints)?;
        Ok(Self { shape, hints })
    }
}

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The schema cannot be used; what is wrong with it.
    Schema(String),
    /// The hints cannot be used; what is wrong with them.
    Hints(String),
    /// A page cannot be read.
    Page {
        /// Its address.
        url: String,
        /// Why.
        why: String,
    },
    /// No strategy found records that are what the schema says; what each found.
    NoRecords(Vec<Tried>),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Schema(why) => write!(f, "the schema cannot be used: {why}"),
            Self::Hints(why) => write!(f, "the hints cannot be used: {why}"),
            Self::Page { url, why } => write!(f, "`{url}` cannot be read: {why}"),
            Self::NoRecords(tried) => {
                write!(f, "no strategy found records that the schema allows")?;
                // What comes last may be cut off where this is shown, and that there was nothing at all says least.
                let told = tried.iter().map(ToString::to_string);
                let (nothing, found): (Vec<_>, Vec<_>) = told.partition(|told| told.contains(judge::NOTHING));
                found.iter().chain(&nothing).try_for_each(|told| write!(f, "; {told}"))
            }
        }
    }
}

/// What came of one strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub strategy: Strategy,
    /// What it looked at, for example a type, or the columns of a table. Empty where it found nothing.
    pub group: String,
    /// Things that might be records.
    pub found: usize,
    /// Those that are what the schema says.
    pub valid: usize,
    /// Why it was not taken; nothing for the one that was.
    pub why_not: Option<String>,
    /// What was wrong with some of the others.
    pub faults: Vec<String>,
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.strategy.name())?;
        match &self.why_not {
            None => write!(f, "taken, {} of {} in {}", self.valid, self.found, self.group)?,
            Some(why) => write!(f, "{why}")?,
        }
        for fault in &self.faults {
            write!(f, " ({fault})")?;
        }
        Ok(())
    }
}

/// Where a value was read, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Address of the page.
    pub url: String,
    /// Digest of its snapshot.
    pub digest: String,
    /// What found it.
    pub strategy: Strategy,
    /// CSS path of the element: it matches this one and no other in the snapshot.
    pub css: String,
    /// The attribute, where it is not the element's text.
    pub attribute: Option<String>,
    /// JSON pointer into the script that `css` leads to.
    pub pointer: Option<String>,
    /// What stood there, before anything was done to it.
    pub raw: String,
    /// What was done, in order.
    pub conversions: Vec<String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What the schema asks for.
    pub value: Map<String, Value>,
    /// Address of its page.
    pub url: String,
    /// Digest of its page.
    pub digest: String,
    /// CSS path of the element that it was found in.
    pub css: String,
    /// JSON pointer into the script that `css` leads to.
    pub pointer: Option<String>,
    /// By JSON pointer into `value`: where each scalar of it comes from.
    pub provenance: BTreeMap<String, Provenance>,
}

/// Something that might have been a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Address of its page.
    pub url: String,
    /// CSS path of it.
    pub css: String,
    /// What is wrong with it.
    pub faults: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// Sorted by key where the hints name one, else in the order of pages and documents.
    pub records: Vec<Record>,
    /// What found them.
    pub strategy: Strategy,
    /// Each strategy that was tried, in order; the last was taken.
    pub tried: Vec<Tried>,
    /// What looked like a record and is none.
    pub rejected: Vec<Rejected>,
    /// Records that were there before, by their key: text of the key, and how many more there were.
    pub duplicates: BTreeMap<String, usize>,
    /// Values that are not required and could not be read, by field: how many, and why the first could not.
    pub left_out: BTreeMap<String, (usize, String)>,
    /// Addresses of pages with no record.
    pub empty_pages: Vec<String>,
}

/// Finds the records that `ask` describes in `pages`.
///
/// # Errors
/// [`Refusal::Page`] or [`Refusal::NoRecords`].
pub fn extract(pages: &[Snapshot], ask: &Ask) -> Result<Extraction, Refusal> {
    let mut nodes = 0;
    let pages: Vec<Page<'_>> =
        pages.iter().map(|page| Page::parse(page, &mut nodes)).collect::<Result<_, _>>()?;
    judge::judge(&pages, ask)
}

#[cfg(test)]
mod tests;
