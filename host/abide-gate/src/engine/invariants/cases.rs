//! The document that invariants are asked about, made as the engine has it.

use std::collections::BTreeMap;

use abide_core::decision::{FindingLevel, Verdict};
use regorus::Value;

use crate::engine::opinion::Opinion;

/// Name of an axis, or of a value on it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(Value);

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(Value::from(name))
    }
}

/// Cases that are held against the invariants together, and what is compared among them. Cases are spoken of by their numbers, from 0.
#[derive(Debug, Default)]
pub struct Cases {
    told: Vec<Value>,
    /// Rank of each, and whether a hard rule stands against it.
    seen: Vec<(u64, bool)>,
    steps: BTreeMap<Value, Vec<Value>>,
    splits: Vec<Value>,
}

/// 0 allow, 1 review, 2 deny.
fn rank(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Review => 1,
        Verdict::Deny => 2,
    }
}

impl Cases {
    /// Adds a case: its value on each axis, and what would be decided.
    pub fn add(&mut self, place: impl IntoIterator<Item = (Name, Name)>, opinion: &Opinion) {
        let mut fields: BTreeMap<Value, Value> =
            place.into_iter().map(|(axis, value)| (axis.0, value.0)).collect();
        let (rank, hard) =
            (rank(opinion.verdict), opinion.findings.iter().any(|one| one.level == FindingLevel::Hard));
        let against = opinion.findings.iter().filter(|finding| finding.level > FindingLevel::Warn);
        let rules: Vec<Value> = against.map(|finding| Value::from(finding.rule.as_str())).collect();
        fields.extend([
            (Value::from("n"), number(self.told.len())),
            (Value::from("verdict"), Value::from(opinion.verdict.as_str())),
            (Value::from("rank"), Value::from(rank)),
            (Value::from("hard"), Value::from(hard)),
            (Value::from("rules"), Value::from(rules)),
            (Value::from("fault"), Value::from(opinion.fault.as_deref().unwrap_or_default())),
        ]);
        self.told.push(Value::from(fields));
        self.seen.push((rank, hard));
    }

    /// Compares two cases that differ on one axis.
    pub fn step(&mut self, axis: &Name, from: usize, to: usize) {
        let ((before, hard), (after, _)) = (self.seen(from), self.seen(to));
        let step = object([
            ("after", Value::from(after)),
            ("before", Value::from(before)),
            ("from", number(from)),
            ("hard", Value::from(hard)),
            ("to", number(to)),
        ]);
        self.steps.entry(axis.0.clone()).or_default().push(step);
    }

    /// Compares a change as a whole with the worst of its pieces.
    pub fn split(&mut self, whole: usize, piece: usize) {
        let ((before, _), (after, _)) = (self.seen(whole), self.seen(piece));
        self.splits.push(object([
            ("after", Value::from(after)),
            ("before", Value::from(before)),
            ("piece", number(piece)),
            ("whole", number(whole)),
        ]));
    }

    /// A denial where there is none.
    fn seen(&self, number: usize) -> (u64, bool) {
        self.seen.get(number).copied().unwrap_or((2, false))
    }

    pub(super) fn into_value(self) -> Value {
        let steps: BTreeMap<Value, Value> =
            self.steps.into_iter().map(|(axis, steps)| (axis, Value::from(steps))).collect();
        object([
            ("cases", Value::from(self.told)),
            ("splits", Value::from(self.splits)),
            ("steps", Value::from(steps)),
        ])
    }
}

fn number(number: usize) -> Value {
    Value::from(u64::try_from(number).unwrap_or(u64::MAX))
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::from(
        fields.map(|(name, value)| (Value::from(name), value)).into_iter().collect::<BTreeMap<_, _>>(),
    )
}
