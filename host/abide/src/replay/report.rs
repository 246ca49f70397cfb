//! A replay in numbers, and in words.

use std::collections::BTreeMap;

use abide_core::decision::Verdict;
use abide_core::safe_text;
use serde_json::{Value, json};

use super::{Change, Outcome, Past, naive};

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
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let count = |test: &dyn Fn(&Outcome) -> bool| {
            u64::try_from(outcomes.iter().filter(|outcome| test(outcome)).count()).unwrap_or(u64::MAX)
        };
        Self {
            auto: count(&|outcome| outcome.verdict == Verdict::Allow),
            if_clean: count(&|outcome| outcome.if_clean),
            queue: count(&|outcome| outcome.verdict == Verdict::Review),
            deny: count(&|outcome| outcome.verdict == Verdict::Deny),
        }
    }

    fn json(self) -> Value {
        json!({ "auto": self.auto, "auto_if_clean": self.if_clean, "queue": self.queue, "deny": self.deny })
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

/// How a verdict is called in a table.
pub(crate) fn way(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "auto",
        Verdict::Review => "queue",
        Verdict::Deny => "deny",
    }
}

/// The headline, the flips, the table, and what should not have merged.
pub(crate) fn lines(past: &Past, columns: &[Column]) -> Vec<String> {
    let mut lines = vec![headline(past)];
    lines.push(
        "asked as  a worker's MERGE: required checks passed, way back rehearsed, nobody approved; levels as the profile says"
            .to_owned(),
    );
    for column in columns {
        lines.extend(flips(past, column));
    }
    lines.extend(table(past, columns));
    for column in columns {
        lines.extend(leading(column));
    }
    lines.extend(reverted(past, columns));
    lines
}

fn headline(past: &Past) -> String {
    let day = |change: Option<&Change>| change.map_or_else(|| "?".to_owned(), |change| date(change.at));
    let (first, last) = (day(past.changes.first()), day(past.changes.last()));
    format!(
        "replay    {} changes of {}, {first} to {last}",
        past.changes.len(),
        safe_text::line(&past.origin)
    )
}

/// Day of a time, in UTC.
pub(crate) fn date(at: u64) -> String {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// One change on one line.
pub(crate) fn name(change: &Change) -> String {
    let title: String = change.title.chars().take(64).collect();
    format!("{} {} {}", change.commit.short(), date(change.at), safe_text::line(&title))
}

fn flips(past: &Past, column: &Column) -> Vec<String> {
    let Some(before) = &column.before else { return Vec::new() };
    let mut looser = Vec::new();
    let mut moved: BTreeMap<(Verdict, Verdict), u64> = BTreeMap::new();
    for ((change, old), new) in past.changes.iter().zip(before).zip(&column.outcomes) {
        if old.verdict == new.verdict {
            continue;
        }
        let count = moved.entry((old.verdict, new.verdict)).or_default();
        *count = count.saturating_add(1);
        if new.verdict < old.verdict {
            let text = format!(
                "  {} → {}   {}   was: {}",
                way(old.verdict),
                way(new.verdict),
                name(change),
                old.rules.join(", ")
            );
            looser.push((old.verdict, new.verdict, text));
        }
    }
    // From denied to allowed first.
    looser.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let counts: Vec<String> =
        moved.iter().map(|((old, new), count)| format!("{} → {} {count}", way(*old), way(*new))).collect();
    let told = if counts.is_empty() { "no verdict differs".to_owned() } else { counts.join(" · ") };
    let mut lines = vec![format!("{}: {told}", column.profile)];
    lines.extend(looser.into_iter().map(|(_, _, text)| text));
    lines
}

fn table(past: &Past, columns: &[Column]) -> Vec<String> {
    let unmeasured = past.changes.iter().any(|change| !change.facts.unmeasured.is_empty());
    let mut lines = vec![String::new()];
    let mut head = format!("{:<26}{:>8}", "", "auto");
    if unmeasured {
        head.push_str("  if clean*");
    }
    lines.push(format!("{head}{:>8}{:>8}", "queue", "deny"));
    for column in columns {
        let counts = Counts::of(&column.outcomes);
        let if_clean = if unmeasured { format!("{:>11}", counts.if_clean) } else { String::new() };
        lines.push(format!(
            "{:<26}{:>8}{if_clean}{:>8}{:>8}",
            column.profile, counts.auto, counts.queue, counts.deny
        ));
    }
    let by_path = past.changes.iter().filter(|change| naive(&change.facts)).count();
    lines.push(format!(
        "{:<26}{by_path:>8}   (the usual rule: documentation and tests by their paths)",
        "docs and tests by path"
    ));
    if unmeasured {
        lines.push(
            "* of those that queue: they would merge by themselves if what was not measured is clean. It never counts as clean."
                .to_owned(),
        );
    }
    lines
}

/// The rules that stood against most changes, each counted where it was the gravest.
fn leading(column: &Column) -> Vec<String> {
    let mut rules: BTreeMap<&str, u64> = BTreeMap::new();
    for outcome in &column.outcomes {
        if let Some(rule) = outcome.rules.first() {
            let count = rules.entry(rule).or_default();
            *count = count.saturating_add(1);
        }
    }
    let mut rules: Vec<(&str, u64)> = rules.into_iter().collect();
    rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let told: Vec<String> = rules.iter().take(6).map(|(rule, count)| format!("{rule} {count}")).collect();
    vec![format!("{:<26}{}", format!("why: {}", column.profile), told.join(" · "))]
}

/// What would have merged by itself and was taken back later.
fn reverted(past: &Past, columns: &[Column]) -> Vec<String> {
    let known = past.changes.iter().filter(|change| change.reverted_by.is_some()).count();
    let mut lines = vec![format!("{known} of these were taken back later; of them merged by themselves:")];
    let none = lines.len();
    for column in columns {
        for (change, outcome) in past.changes.iter().zip(&column.outcomes) {
            if change.reverted_by.is_some() && (outcome.verdict == Verdict::Allow || outcome.if_clean) {
                let if_clean = if outcome.if_clean { " (if clean)" } else { "" };
                lines.push(format!("  {:<20}{}{if_clean}", column.profile, name(change)));
            }
        }
    }
    let by_path =
        past.changes.iter().filter(|change| change.reverted_by.is_some() && naive(&change.facts)).count();
    if lines.len() == none {
        lines.push("  none".to_owned());
    }
    lines.push(format!("  and {by_path} by the usual rule"));
    lines
}

/// Everything, for machines.
pub(crate) fn data(past: &Past, columns: &[Column]) -> Value {
    let profiles: BTreeMap<&str, Value> =
        columns.iter().map(|column| (column.profile.as_str(), Counts::of(&column.outcomes).json())).collect();
    let rows: Vec<Value> = past
        .changes
        .iter()
        .enumerate()
        .map(|(place, change)| {
            let decided: BTreeMap<&str, Value> = columns
                .iter()
                .filter_map(|column| {
                    let outcome = column.outcomes.get(place)?;
                    let before = column.before.as_ref().and_then(|before| before.get(place));
                    let value = json!({
                        "verdict": way(outcome.verdict), "if_clean": outcome.if_clean, "rules": outcome.rules,
                        "before": before.map(|outcome| way(outcome.verdict)),
                    });
                    Some((column.profile.as_str(), value))
                })
                .collect();
            json!({
                "commit": change.commit, "at": change.at, "title": change.title, "usual_rule": naive(&change.facts),
                "reverted_by": change.reverted_by, "decided": decided,
            })
        })
        .collect();
    json!({ "origin": past.origin, "changes": past.changes.len(), "unread": past.unread, "profiles": profiles, "rows": rows })
}
