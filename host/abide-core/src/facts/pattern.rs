//! Regular expressions with a bound on their size. They run in linear time, on bytes: classes such as `\w` and `(?i)` mean ASCII unless an
//! expression says `(?u)`.

use std::borrow::Cow;

use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::config::MeasureConfigError;

/// Bytes that one compiled expression may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Bytes that a set of them may take.
const SET_BYTES_MAX: usize = 8 << 20;

/// One compiled expression.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    pub(crate) fn compile(id: &str, pattern: &str) -> Result<Self, MeasureConfigError> {
        RegexBuilder::new(pattern)
            .unicode(false)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map(Self)
            .map_err(|error| MeasureConfigError::Regex { id: id.to_owned(), why: error.to_string() })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    /// How often it matches.
    pub(crate) fn number(&self, text: &str) -> u64 {
        super::view::count(self.0.find_iter(text.as_bytes()).count())
    }

    pub(crate) fn captures<'t>(&self, text: &'t str) -> impl Iterator<Item = Captures<'t>> {
        self.0.captures_iter(text.as_bytes())
    }
}

/// The text of a group, if it took part.
pub(crate) fn group<'t>(captures: &Captures<'t>, name: &str) -> Option<Cow<'t, str>> {
    captures.name(name).map(|found| String::from_utf8_lossy(found.as_bytes()))
}

/// Several expressions, tried at once.
#[derive(Debug)]
pub(crate) struct PatternSet(RegexSet);

impl PatternSet {
    pub(crate) fn compile(id: &str, patterns: &[String]) -> Result<Self, MeasureConfigError> {
        RegexSetBuilder::new(patterns)
            .unicode(false)
            .size_limit(SET_BYTES_MAX)
            .build()
            .map(Self)
            .map_err(|error| MeasureConfigError::Regex { id: id.to_owned(), why: error.to_string() })
    }

    /// Indices of the expressions that match.
    pub(crate) fn matches(&self, text: &str) -> impl Iterator<Item = usize> + use<> {
        self.0.matches(text.as_bytes()).into_iter()
    }
}
