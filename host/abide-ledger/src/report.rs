//! What a verification found: one line for each thing that was looked at.

use serde::Serialize;

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Ok,
    /// It could not be looked at, and says why. It neither speaks for the evidence nor against it.
    Unchecked,
    /// It does not hold.
    Refused,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in kebab case.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// One sentence for a person.
    pub detail: String,
    /// The code for `ab explain`, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// In the order of looking.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether the evidence counts: something was looked at, and nothing was refused.
    pub fn accepted(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.outcome != Outcome::Refused)
    }

    /// The first refusal.
    pub fn refusal(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.outcome == Outcome::Refused)
    }

    pub(crate) fn ok(&mut self, name: &'static str, detail: String) {
        self.checks.push(Check { name, outcome: Outcome::Ok, detail, code: None });
    }

    pub(crate) fn unchecked(&mut self, name: &'static str, detail: String) {
        self.checks.push(Check { name, outcome: Outcome::Unchecked, detail, code: None });
    }

    pub(crate) fn refused(&mut self, name: &'static str, code: &'static str, detail: String) {
        self.checks.push(Check { name, outcome: Outcome::Refused, detail, code: Some(code) });
    }

    /// Adds what a check returned, and whether it held.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        code: &'static str,
        outcome: Result<String, String>,
    ) -> bool {
        let held = outcome.is_ok();
        match outcome {
            Ok(detail) => self.ok(name, detail),
            Err(detail) => self.refused(name, code, detail),
        }
        held
    }
}
