//! A replay in numbers, and in words.

use std::collections::BTreeMap;

use abide_core::safe_text;
use serde_json::{Value, json};

use super::tally::{Column, Counts, moved, way};
use super::{Change, Past, naive};

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
    lines.extend(columns.iter().map(leading));
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
    if column.before.is_none() {
        return Vec::new();
    }
    let flips = column.flips(past);
    let counts: Vec<String> = moved(&flips)
        .iter()
        .map(|((old, new), count)| format!("{} → {} {count}", way(*old), way(*new)))
        .collect();
    let told = if counts.is_empty() { "no verdict differs".to_owned() } else { counts.join(" · ") };
    let looser = flips.iter().filter(|flip| !flip.is_stricter()).map(|flip| {
        let (old, new) = (way(flip.old.verdict), way(flip.new.verdict));
        format!("  {old} → {new}   {}   was: {}", name(flip.change), flip.old.rules.join(", "))
    });
    [format!("{}: {told}", column.profile)].into_iter().chain(looser).collect()
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

fn leading(column: &Column) -> String {
    let rules = column.leading();
    let told: Vec<String> = rules.iter().take(6).map(|(rule, count)| format!("{rule} {count}")).collect();
    format!("{:<26}{}", format!("why: {}", column.profile), told.join(" · "))
}

/// What would have merged by itself and was taken back later.
fn reverted(past: &Past, columns: &[Column]) -> Vec<String> {
    let known = past.changes.iter().filter(|change| change.reverted_by.is_some()).count();
    let mut lines = vec![format!("{known} of these were taken back later; of them merged by themselves:")];
    let none = lines.len();
    for column in columns {
        for (change, outcome) in column.taken_back(past) {
            let if_clean = if outcome.if_clean { " (if clean)" } else { "" };
            lines.push(format!("  {:<20}{}{if_clean}", column.profile, name(change)));
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

fn counts(counts: Counts) -> Value {
    json!({ "auto": counts.auto, "auto_if_clean": counts.if_clean, "queue": counts.queue, "deny": counts.deny })
}

/// Everything, for machines.
pub(crate) fn data(past: &Past, columns: &[Column]) -> Value {
    let profiles: BTreeMap<&str, Value> = columns
        .iter()
        .map(|column| (column.profile.as_str(), counts(Counts::of(&column.outcomes))))
        .collect();
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
