//! `tighten.yaml`: what a layer tightens, as data. Closed: what is not known is refused, because a misspelt limit would be none.
//!
//! `policies/schemas/tighten.schema.json` says the same for editors.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::action::ActionClass;
use abide_core::facts::config::{ForbiddenPattern, GlobsConfig};
use abide_core::facts::idle;
use abide_core::input::{SafetyLevel, SafetyMode};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Level};

/// Bytes of a document at most.
pub(crate) const BYTES_MAX: usize = 64 * 1024;
/// Entries of one list at most.
const ENTRIES_MAX: usize = 200;
/// Bytes of one text at most.
const TEXT_BYTES_MAX: usize = 300;

/// The most that a change may have of anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "they are spelled as in data/caps.yaml and data/safety.yaml")]
pub(crate) struct Sizes {
    /// Files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files_max: Option<u64>,
    /// Lines added and removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lines_max: Option<u64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_max: Option<u64>,
    /// Binary files. Only a wall has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binaries_max: Option<u64>,
    /// Bytes of one file. Only a wall has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_bytes_max: Option<u64>,
}

/// What a layer tightens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tighten {
    /// What it is for, in one sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) about: String,
    /// Highest autonomy level, by class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) levels: BTreeMap<ActionClass, Level>,
    /// Walls: beyond one of them a change is denied, alone and with what the same subject changed within the window.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) caps: Sizes,
    /// Beyond these a merge waits for a person.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) thresholds: Sizes,
    /// Patterns that may not be on an added line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) forbidden_patterns: Vec<ForbiddenPattern>,
    /// Paths that nobody touches through this engine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) never_touch: Vec<String>,
    /// Paths whose change always waits for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) review: Vec<String>,
    /// Profiles that may be used; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profiles: Option<BTreeSet<String>>,
    /// Safety modes that may be used; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) safety_modes: Option<BTreeSet<SafetyMode>>,
    /// Safety levels that may be used; all if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) safety_levels: Option<BTreeSet<SafetyLevel>>,
    /// Checks that must have passed before a merge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) required_checks: Vec<String>,
    /// Whether code needs a test; it can only be true.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) require_tests: bool,
    /// Share of good answers, in thousandths, without which a canary is not promoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rollback_threshold_permille: Option<u64>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TightenError {
    /// The parser or the shape refused it.
    #[error("`{path}`: {why}")]
    Shape {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
        /// Line and column, if known.
        at: Option<(u32, u32)>,
    },
    /// A value that parses and cannot be meant.
    #[error("`{path}`: `{key}` {why}")]
    Value {
        /// The file.
        path: String,
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A file stands where the host puts one of its own.
    #[error("`{path}` is made by the host: give your file another name")]
    Reserved {
        /// The file.
        path: String,
    },
    /// The same document as YAML and as JSON.
    #[error("`{path}` is there twice, as YAML and as JSON")]
    Twice {
        /// The file.
        path: String,
    },
}

impl TightenError {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } | Self::Value { .. } | Self::Twice { .. } => "AB0180",
            Self::Reserved { .. } => "AB0183",
        }
    }

    /// The file that it is about, as the bundle calls it.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Shape { path, .. }
            | Self::Value { path, .. }
            | Self::Reserved { path }
            | Self::Twice { path } => path,
        }
    }
}

impl Tighten {
    /// Reads a document as people write it; `path` is for messages.
    pub(crate) fn of_yaml(path: &str, bytes: &[u8]) -> Result<Self, TightenError> {
        let text = text(path, bytes)?;
        let found: Self = serde_saphyr::from_str(text).map_err(|error| TightenError::Shape {
            path: path.to_owned(),
            at: error
                .location()
                .and_then(|at| Some((u32::try_from(at.line()).ok()?, u32::try_from(at.column()).ok()?))),
            why: crate::config::words(&error.without_snippet().to_string()),
        })?;
        found.checked(path)
    }

    /// The same as a bundle has it.
    pub(crate) fn of_json(path: &str, bytes: &[u8]) -> Result<Self, TightenError> {
        text(path, bytes)?;
        abide_gate::source::plain_json(bytes).map_err(|why| shape(path, why))?;
        let found: Self = serde_json::from_slice(bytes).map_err(|error| shape(path, error.to_string()))?;
        found.checked(path)
    }

    /// What `ab.yml` tightens.
    pub(crate) fn of_config(config: &Config) -> Self {
        Self {
            thresholds: Sizes { lines_max: config.change_lines_max, ..Sizes::default() },
            require_tests: config.require_tests == Some(true),
            rollback_threshold_permille: config.rollback_threshold_permille,
            forbidden_patterns: config
                .forbidden_patterns
                .iter()
                .cloned()
                .map(ForbiddenPattern::Literal)
                .collect(),
            ..Self::default()
        }
    }

    fn checked(self, path: &str) -> Result<Self, TightenError> {
        let wrong = |key: &str, why: String| {
            Err(TightenError::Value { path: path.to_owned(), key: key.to_owned(), why })
        };
        if self.levels.contains_key(&ActionClass::Rollback) {
            return wrong("levels", "cannot name ROLLBACK: the way back is always open".to_owned());
        }
        let walls = [
            ("binaries_max", self.thresholds.binaries_max),
            ("file_bytes_max", self.thresholds.file_bytes_max),
        ];
        if let Some((key, _)) = walls.iter().find(|(_, most)| most.is_some()) {
            return wrong("thresholds", format!("has no `{key}`: that is a wall, among `caps`"));
        }
        let patterns: Vec<&str> = self.forbidden_patterns.iter().flat_map(texts).collect();
        let lists: [(&str, Vec<&str>); 5] = [
            ("never_touch", self.never_touch.iter().map(String::as_str).collect()),
            ("review", self.review.iter().map(String::as_str).collect()),
            ("required_checks", self.required_checks.iter().map(String::as_str).collect()),
            ("profiles", self.profiles.iter().flatten().map(String::as_str).collect()),
            ("forbidden_patterns", patterns),
        ];
        for (key, list) in &lists {
            if list.len() > ENTRIES_MAX {
                return wrong(key, format!("has {} entries; {ENTRIES_MAX} are allowed", list.len()));
            }
            let odd = list.iter().find(|text| {
                text.trim().is_empty()
                    || text.len() > TEXT_BYTES_MAX
                    || abide_core::safe_text::line(text) != **text
            });
            if odd.is_some() {
                return wrong(
                    key,
                    format!(
                        "has an entry that is not 1 to {TEXT_BYTES_MAX} bytes of visible text on one line"
                    ),
                );
            }
        }
        // A set that nothing is in would deny everything; whoever means that writes a level.
        let empty = |set: Option<usize>| set == Some(0);
        for (key, count) in [
            ("profiles", self.profiles.as_ref().map(BTreeSet::len)),
            ("safety_modes", self.safety_modes.as_ref().map(BTreeSet::len)),
            ("safety_levels", self.safety_levels.as_ref().map(BTreeSet::len)),
        ] {
            if empty(count) {
                return wrong(key, "is empty, which would deny everything: name at least one".to_owned());
            }
        }
        if self.rollback_threshold_permille.is_some_and(|permille| permille > 1000) {
            return wrong("rollback_threshold_permille", "is more than 1000 in a thousand".to_owned());
        }
        for (key, globs) in [("never_touch", &self.never_touch), ("review", &self.review)] {
            let set = GlobsConfig { about: String::new(), globs: globs.clone() };
            if let Err(error) = idle(&BTreeMap::from([(key.to_owned(), set)]), []) {
                return wrong(key, format!("has a glob that is not one: {error}"));
            }
        }
        Ok(self)
    }
}

fn texts(pattern: &ForbiddenPattern) -> Vec<&str> {
    match pattern {
        ForbiddenPattern::Literal(text) => vec![text],
        ForbiddenPattern::Rule(rule) => vec![&rule.id, &rule.regex],
    }
}

/// How a pattern is called in facts.
pub(crate) fn pattern_name(pattern: &ForbiddenPattern) -> &str {
    match pattern {
        ForbiddenPattern::Literal(text) => text,
        ForbiddenPattern::Rule(rule) => &rule.id,
    }
}

fn text<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, TightenError> {
    if bytes.len() > BYTES_MAX {
        return Err(shape(path, format!("it has {} bytes, more than {BYTES_MAX}", bytes.len())));
    }
    std::str::from_utf8(bytes).map_err(|_| shape(path, "it is not UTF-8".to_owned()))
}

fn shape(path: &str, why: String) -> TightenError {
    TightenError::Shape { path: path.to_owned(), why, at: None }
}

#[cfg(test)]
mod tests;
