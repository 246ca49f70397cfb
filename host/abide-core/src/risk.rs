//! A risk score from facts, with weights that are policy data. It orders the queue and feeds thresholds; it is no probability.
//!
//! The score grows with every fact and never falls (property test). What a worker claims may raise it, never lower it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::input::RiskInput;

/// Score at which each band begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    /// Always 0.
    #[serde(default)]
    pub low: u32,
    /// Least score of `medium`.
    pub medium: u32,
    /// Least score of `high`.
    pub high: u32,
    /// Least score of `critical`.
    pub critical: u32,
}

/// Points for each kind of fact. A weight counts once for one such fact, twice for two, three times for four, and so on by doubling;
/// `lines` counts once for each power of ten, `bytes` likewise in KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Changed files.
    pub files: u32,
    /// Lines added and removed.
    pub lines: u32,
    /// Bytes after the change.
    pub bytes: u32,
    /// Binary files.
    pub binaries: u32,
    /// Deleted files.
    pub deleted: u32,
    /// Symbolic links.
    pub symlinks: u32,
    /// Submodules.
    pub submodules: u32,
    /// Files that gained the executable bit.
    pub made_executable: u32,
    /// Dependencies changed.
    pub dependencies: u32,
    /// Tests removed or weakened.
    pub tests_removed: u32,
    /// Destructive operations.
    pub destructive: u32,
    /// Hazards in texts and paths, and collisions.
    pub hazards: u32,
    /// Facts that could not be measured.
    pub unmeasured: u32,
    /// Secrets found.
    #[serde(default = "hundred")]
    pub secrets: u32,
    /// Forbidden patterns found.
    #[serde(default = "hundred")]
    pub forbidden: u32,
    /// Points for each zone that is touched.
    pub zones: BTreeMap<String, u32>,
    /// Points for the category that has most.
    pub categories: BTreeMap<String, u32>,
}

fn hundred() -> u32 {
    100
}

/// How risk is scored (`risk` in policy data).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskConfig {
    /// Where bands begin.
    pub bands: Bands,
    /// Points.
    pub weights: Weights,
}

/// Data that no risk can be scored with.
#[derive(Debug, thiserror::Error)]
pub enum RiskConfigError {
    /// The data has another shape.
    #[error("policy data `risk` does not parse: {0}")]
    Shape(#[source] serde_json::Error),
    /// The bands do not rise.
    #[error("the bands of `risk` do not rise from low to critical, or begin beyond 100")]
    Bands,
}

impl RiskConfigError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "AB0740",
            Self::Bands => "AB0741",
        }
    }
}

impl RiskConfig {
    /// The key `risk` of a bundle's data document.
    pub fn from_data(data: &serde_json::Value) -> Result<Self, RiskConfigError> {
        let risk = data.get("risk").cloned().unwrap_or_default();
        let config: Self = serde_json::from_value(risk).map_err(RiskConfigError::Shape)?;
        let Bands { low, medium, high, critical } = config.bands;
        if low == 0 && medium <= high && high <= critical && critical <= 100 {
            Ok(config)
        } else {
            Err(RiskConfigError::Bands)
        }
    }

    /// The risk of a change.
    pub fn assess(&self, facts: &Facts) -> RiskInput {
        let weights = &self.weights;
        let totals = &facts.totals;
        let number = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
        let tests = totals_of_tests(facts);
        let hazards = number(facts.hazards.len()).saturating_add(number(facts.collisions.len()));
        let counted = [
            ("files", weights.files, doublings(totals.files)),
            ("lines", weights.lines, tens(totals.added.saturating_add(totals.removed))),
            ("bytes", weights.bytes, tens(totals.bytes >> 10)),
            ("binaries", weights.binaries, doublings(totals.binaries)),
            ("deleted", weights.deleted, doublings(totals.deleted)),
            ("symlinks", weights.symlinks, doublings(totals.symlinks)),
            ("submodules", weights.submodules, doublings(totals.submodules)),
            ("made_executable", weights.made_executable, doublings(totals.made_executable)),
            ("dependencies", weights.dependencies, doublings(number(facts.dependencies.len()))),
            ("tests_removed", weights.tests_removed, doublings(tests)),
            ("destructive", weights.destructive, doublings(number(facts.destructive.len()))),
            ("hazards", weights.hazards, doublings(hazards)),
            ("unmeasured", weights.unmeasured, doublings(number(facts.unmeasured.len()))),
            ("secrets", weights.secrets, doublings(number(facts.secrets.len()))),
            ("forbidden", weights.forbidden, doublings(number(facts.forbidden.len()))),
        ];
        let mut parts: BTreeMap<String, u32> = counted
            .into_iter()
            .map(|(name, weight, steps)| (name.to_owned(), weight.saturating_mul(steps)))
            .collect();
        // A zone or category without a weight counts like the heaviest: a name that data forgot is no discount.
        let of = |table: &BTreeMap<String, u32>, name: &String| {
            table.get(name).or_else(|| table.values().max()).copied().unwrap_or(0)
        };
        for zone in &facts.zones {
            parts.insert(format!("zone:{zone}"), of(&weights.zones, zone));
        }
        let category = facts.categories.iter().map(|name| of(&weights.categories, name)).max().unwrap_or(0);
        parts.insert("category".to_owned(), category);
        parts.retain(|_, points| *points > 0);
        self.sum(parts)
    }

    /// `risk` as a worker would have it: its claim counts where it is higher.
    #[must_use]
    pub fn raised(&self, risk: &RiskInput, claimed: u32) -> RiskInput {
        let mut parts = risk.parts.clone();
        let more = claimed.min(100).saturating_sub(risk.score);
        if more > 0 {
            let part = parts.entry("claimed".to_owned()).or_default();
            *part = part.saturating_add(more);
        }
        self.sum(parts)
    }

    fn sum(&self, parts: BTreeMap<String, u32>) -> RiskInput {
        let score = parts.values().fold(0_u32, |sum, points| sum.saturating_add(*points)).min(100);
        RiskInput { score, band: self.band(score).to_owned(), parts }
    }

    /// The name of the band that `score` lies in.
    pub fn band(&self, score: u32) -> &'static str {
        let bands = &self.bands;
        match score {
            _ if score >= bands.critical => "critical",
            _ if score >= bands.high => "high",
            _ if score >= bands.medium => "medium",
            _ => "low",
        }
    }
}

fn totals_of_tests(facts: &Facts) -> u64 {
    let listed = facts.tests.weakened.len().saturating_add(facts.tests.files_removed.len());
    facts.tests.removed.saturating_add(u64::try_from(listed).unwrap_or(u64::MAX))
}

/// 0, 1, 2, 2, 3, 3, 3, 3, 4, …
fn doublings(number: u64) -> u32 {
    number.checked_ilog2().map_or(0, |log| log.saturating_add(1))
}

/// 0 below ten, 1 below a hundred, 2 below a thousand, …
fn tens(number: u64) -> u32 {
    number.checked_ilog10().unwrap_or(0)
}

#[cfg(test)]
mod tests;
