//! What the meter looks for, as data (`policies/data/*.yaml`). Nothing here judges: a zone only names a place.
//!
//! Keys read: `zones`, `categories`, `secrets`, `forbidden_patterns`, `text`, `generated` and, to change [`Limits`], `measure`.
//! Globs are `/`-separated and match whole paths: `*` stays within a component, `**` crosses them, case is folded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A named set of places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobsConfig {
    /// What the set is for, in one sentence; not read by the engine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Globs, any of which puts a path into the set.
    pub globs: Vec<String>,
}

/// One rule that finds secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// Name of the rule, in kebab case.
    pub id: String,
    /// Matched against each added line. If it has a group `secret`, the entropy is that of the group, else that of the match.
    pub regex: String,
    /// Case-folded texts, one of which must be in the line for `regex` to be tried; none means always.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Least Shannon entropy of the secret, in hundredths of a bit for each character; 0 means any.
    #[serde(default)]
    pub entropy_centibits_min: u32,
}

/// A pattern that may not be on an added line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ForbiddenPattern {
    /// A text, found regardless of case; a space in it stands for any run of white space.
    Literal(String),
    /// A regular expression with a name.
    Rule(ForbiddenRule),
}

/// A named regular expression that may not match an added line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenRule {
    /// Name, shown in facts.
    pub id: String,
    /// The expression.
    pub regex: String,
}

/// When a text is hard to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Longest line, in characters, that a reader can be asked to look at.
    pub line_chars_max: u32,
}

/// How generated files are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedConfig {
    /// Paths that are generated.
    pub globs: Vec<String>,
    /// Texts which, in the first lines of a file, say that it is generated.
    pub markers: Vec<String>,
}

/// Where measuring stops. What lies beyond is reported as unmeasured, never as clean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Larger blobs need not be read, and are not looked into.
    pub blob_bytes_max: u64,
    /// Bytes to be read for the whole change. It binds whoever builds the delta: beyond it, sides are passed as too large.
    pub total_bytes_max: u64,
    /// Files with more lines on either side are counted as replaced whole.
    pub diff_lines_max: u32,
    /// Steps that comparing lines may take over the whole change; beyond that, lines are counted as replaced.
    pub diff_steps_max: u64,
    /// Findings of one kind kept for one file.
    pub findings_per_file_max: u32,
    /// Findings of one kind kept for one change.
    pub findings_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob_bytes_max: 8 << 20,
            total_bytes_max: 256 << 20,
            diff_lines_max: 200_000,
            diff_steps_max: 400_000_000,
            findings_per_file_max: 20,
            findings_max: 2000,
        }
    }
}

/// Everything that the meter looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureConfig {
    /// Named sets of sensitive places.
    pub zones: BTreeMap<String, GlobsConfig>,
    /// Kinds of files; a path may be of several, and is `other` if of none.
    pub categories: BTreeMap<String, GlobsConfig>,
    /// Rules that find secrets.
    pub secrets: Vec<SecretRule>,
    /// Patterns that may not be on an added line.
    #[serde(default)]
    pub forbidden_patterns: Vec<ForbiddenPattern>,
    /// When a text is hard to read.
    pub text: TextConfig,
    /// How generated files are told.
    pub generated: GeneratedConfig,
    /// Where measuring stops.
    #[serde(default)]
    pub measure: Limits,
}

/// Data that no meter can be made of.
#[derive(Debug, thiserror::Error)]
pub enum MeasureConfigError {
    /// The data has another shape.
    #[error("policy data for measuring does not parse: {0}")]
    Shape(#[source] serde_json::Error),
    /// A glob that does not compile.
    #[error("glob `{glob}` of `{set}` is not one: {why}")]
    Glob {
        /// Which set.
        set: String,
        /// The glob.
        glob: String,
        /// What is wrong.
        why: String,
    },
    /// A regular expression that does not compile, or not within its size limit.
    #[error("regular expression `{id}` is not one: {why}")]
    Regex {
        /// Which rule.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// Two rules of one name.
    #[error("rule `{0}` is there twice")]
    Twice(String),
    /// A set or rule that the engine itself relies on is not there.
    #[error("policy data lacks `{0}`")]
    Missing(&'static str),
}

impl MeasureConfigError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "AB0703",
            Self::Glob { .. } => "AB0704",
            Self::Regex { .. } => "AB0705",
            Self::Twice(_) => "AB0706",
            Self::Missing(_) => "AB0707",
        }
    }
}

impl MeasureConfig {
    /// Keys of policy data that are read here.
    pub const KEYS: [&'static str; 7] =
        ["zones", "categories", "secrets", "forbidden_patterns", "text", "generated", "measure"];

    /// The part of a bundle's data document that is about measuring; its other keys are left alone.
    pub fn from_data(data: &serde_json::Value) -> Result<Self, MeasureConfigError> {
        let part: serde_json::Map<String, serde_json::Value> = Self::KEYS
            .iter()
            .filter_map(|key| data.get(*key).map(|value| ((*key).to_owned(), value.clone())))
            .collect();
        serde_json::from_value(part.into()).map_err(MeasureConfigError::Shape)
    }
}
