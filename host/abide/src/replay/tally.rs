//! What a replay comes to: sums, flips, leading rules, and what was taken back. Numbers only; `report` and `page` put them in words.

use std::collections::BTreeMap;

use abide_core::decision::Verdict;

use super::{Change, Outcome, Past};

/// How many changes went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Would have merged by themselves.
    pub(crate) auto: u64,
    /// Would have, if what was not measured is clean. They are counted under `queue`, too.
    pub(crate) if_clean: u64,
    /// Would have waited for a person.
    pub(crate) queue: u64,
    /// Would have been denied.
    pub(crate) deny: u64,
}

impl Counts {
    pub(crate) fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            counts.add(outcome);
        }
        counts
    }

    /// Counts one more.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        let slot = match outcome.verdict {
            Verdict::Allow => &mut self.auto,
            Verdict::Review => &mut self.queue,
            Verdict::Deny => &mut self.deny,
        };
        *slot = slot.saturating_add(1);
        if outcome.if_clean {
            self.if_clean = self.if_clean.saturating_add(1);
        }
    }

    /// All of them.
    pub(crate) fn all(self) -> u64 {
        self.auto.saturating_add(self.queue).saturating_add(self.deny)
    }
}

/// What one profile would have decided.
#[derive(Debug)]
pub(crate) struct Column {
    /// The profile.
    pub(crate) profile: String,
    /// One for each change.
    pub(crate) outcomes: Vec<Outcome>,
    /// The same by the policy that is compared with.
    pub(crate) before: Option<Vec<Outcome>>,
}

/// A change about which two policies differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flip<'a> {
    /// The change.
    pub(crate) change: &'a Change,
    /// By the policy that is compared with.
    pub(crate) old: &'a Outcome,
    /// By this policy.
    pub(crate) new: &'a Outcome,
}

impl Column {
    /// Where the two policies differ: what became looser first, of that what was denied and is allowed before all. Empty without comparison.
    pub(crate) fn flips<'a>(&'a self, past: &'a Past) -> Vec<Flip<'a>> {
        let before = self.before.as_deref().unwrap_or_default();
        let all = past.changes.iter().zip(before).zip(&self.outcomes);
        let mut flips: Vec<Flip<'a>> = all
            .map(|((change, old), new)| Flip { change, old, new })
            .filter(|flip| flip.old.verdict != flip.new.verdict)
            .collect();
        flips.sort_by_key(|flip| (flip.is_stricter(), std::cmp::Reverse(flip.old.verdict), flip.new.verdict));
        flips
    }

    /// The rules that stood against most changes, each counted where it was the gravest.
    pub(crate) fn leading(&self) -> Vec<(&str, u64)> {
        counted(self.outcomes.iter().filter_map(|outcome| outcome.rules.first()))
    }

    /// The same of the changes with this verdict alone.
    pub(crate) fn leading_of(&self, verdict: Verdict) -> Vec<(&str, u64)> {
        let outcomes = self.outcomes.iter().filter(|outcome| outcome.verdict == verdict);
        counted(outcomes.filter_map(|outcome| outcome.rules.first()))
    }

    /// What would have merged by itself (or would if it were clean) and was taken back later.
    pub(crate) fn taken_back<'a>(
        &'a self,
        past: &'a Past,
    ) -> impl Iterator<Item = (&'a Change, &'a Outcome)> {
        past.changes.iter().zip(&self.outcomes).filter(|(change, outcome)| {
            change.reverted_by.is_some() && (outcome.verdict == Verdict::Allow || outcome.if_clean)
        })
    }
}

/// How often each stands there, most often first.
fn counted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<(&'a str, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for name in names {
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    counts
}

impl Flip<'_> {
    /// Whether the new policy is the stricter one.
    pub(crate) fn is_stricter(&self) -> bool {
        self.new.verdict > self.old.verdict
    }
}

/// How many flips went from where to where.
pub(crate) fn moved(flips: &[Flip<'_>]) -> BTreeMap<(Verdict, Verdict), u64> {
    let mut moved = BTreeMap::new();
    for flip in flips {
        let count: &mut u64 = moved.entry((flip.old.verdict, flip.new.verdict)).or_default();
        *count = count.saturating_add(1);
    }
    moved
}

/// Facts that could not be measured, each with the number of changes.
pub(crate) fn unmeasured(past: &Past) -> BTreeMap<&str, u64> {
    let mut found = BTreeMap::new();
    for name in past.changes.iter().flat_map(|change| &change.facts.unmeasured) {
        let count: &mut u64 = found.entry(name.as_str()).or_default();
        *count = count.saturating_add(1);
    }
    found
}

/// How a verdict is called in a table.
pub(crate) fn way(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "auto",
        Verdict::Review => "queue",
        Verdict::Deny => "deny",
    }
}
