//! Where to look: what a person knows about the pages.

use std::collections::BTreeMap;

use scraper::Selector;
use serde::Deserialize;

use crate::schema::Shape;

/// A way to find records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// `<script type="application/ld+json">`.
    JsonLd,
    /// `itemscope`, `itemtype`, `itemprop`.
    Microdata,
    /// `<meta property="og:…">` and its like: one record for a page.
    OpenGraph,
    /// `<table>` and `<dl>`.
    Tables,
    /// Elements of like shape beside each other.
    Repeated,
    /// The selectors of the hints.
    Selectors,
}

impl Strategy {
    /// All, in the order in which they are tried.
    pub const ALL: [Self; 6] =
        [Self::JsonLd, Self::Microdata, Self::OpenGraph, Self::Tables, Self::Repeated, Self::Selectors];

    /// As the hints spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLd => "json-ld",
            Self::Microdata => "microdata",
            Self::OpenGraph => "open-graph",
            Self::Tables => "tables",
            Self::Repeated => "repeated",
            Self::Selectors => "selectors",
        }
    }
}

/// How the pages write numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Before the fraction: `.` or `,`.
    pub decimal: char,
    /// Between thousands: `,`, `.`, `'` or a space.
    pub group: Option<char>,
}

/// Where one field is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldHint {
    /// CSS selector, inside of the record's element.
    pub selector: Option<String>,
    /// The attribute to read, in place of what the field's type suggests.
    pub attribute: Option<String>,
    /// Path in JSON-LD and microdata, `offers.price` or `image.0`.
    pub path: Option<String>,
    /// Labels that it goes by: columns, terms, properties.
    pub names: Vec<String>,
    /// What separates the items of an array in one text.
    pub split: Option<String>,
}

/// What helps to find records. All of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hints {
    /// What to try, in this order.
    pub strategies: Option<Vec<Strategy>>,
    /// The record's type in JSON-LD, microdata or `OpenGraph`, such as `Product`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// CSS selector of the element of one record.
    pub record: Option<String>,
    /// Whether a page is one record.
    pub page: bool,
    /// CSS selector of the tables to read.
    pub table: Option<String>,
    /// Fields by the heading of their column.
    pub headers: BTreeMap<String, String>,
    /// By field.
    pub fields: BTreeMap<String, FieldHint>,
    /// Fields that tell one record from another.
    pub key: Vec<String>,
    /// How numbers are written.
    pub numbers: Option<Numbers>,
    /// Formats of dates, as `strptime` has them (`%d/%m/%Y`), tried in order.
    pub dates: Vec<String>,
    /// Words for true, besides `true`, `yes` and `✓`.
    pub truths: Vec<String>,
    /// Words for false, besides `false`, `no` and `✗`.
    pub falsehoods: Vec<String>,
    /// How many may be refused before none is taken; more than half never.
    pub rejected_max: Option<usize>,
}

impl Hints {
    /// From JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// What is tried. Hints that only one strategy reads put it first: they say where the records are.
    pub(crate) fn order(&self) -> Vec<Strategy> {
        if let Some(strategies) = &self.strategies {
            return strategies.clone();
        }
        let selectors = self.record.is_some() || self.fields.values().any(|field| field.selector.is_some());
        let tables = self.table.is_some() || !self.headers.is_empty();
        let first = [(tables, Strategy::Tables), (selectors, Strategy::Selectors)];
        let mut order: Vec<Strategy> =
            first.into_iter().filter(|(named, _)| *named).map(|(_, strategy)| strategy).collect();
        order.extend(Strategy::ALL.into_iter().filter(|strategy| !first.contains(&(true, *strategy))));
        order
    }

    pub(crate) fn check(&self, shape: &Shape) -> Result<(), String> {
        let known = |name: &String| shape.fields.iter().any(|field| field.name == *name);
        let named = self.fields.keys().chain(self.headers.values()).chain(&self.key);
        if let Some(name) = named.into_iter().find(|name| !known(name)) {
            return Err(format!("`{name}` is not a property of the schema"));
        }
        let selectors = [&self.record, &self.table].into_iter().flatten();
        let selectors = selectors.chain(self.fields.values().filter_map(|field| field.selector.as_ref()));
        for selector in selectors {
            Selector::parse(selector).map_err(|_| format!("`{selector}` is not a CSS selector"))?;
        }
        if self.strategies.as_ref().is_some_and(Vec::is_empty) {
            return Err("`strategies` is empty".to_owned());
        }
        if self.numbers.is_some_and(|numbers| Some(numbers.decimal) == numbers.group) {
            return Err("`numbers` has one mark for both the fraction and thousands".to_owned());
        }
        Ok(())
    }

    pub(crate) fn field(&self, name: &str) -> Option<&FieldHint> {
        self.fields.get(name)
    }
}
