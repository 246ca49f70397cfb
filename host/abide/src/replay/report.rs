//! A replay in numbers, and in words.

use std::collections::BTreeMap;

use abide_core::decision::Verdict;
use abide_core::safe_text;
use serde_json::{Value, json};

use super::tally::{Column, Counts, Flip, moved, way};
use super::{Change, Past, naive};

/// Lines of a list of changes that are shown.
const LISTED_MAX: usize = 10;
/// Rules that are named for one profile.
const RULES_MAX: usize = 6;

/// The headline, the flips, the table, and what should not have merged.
///
/// `own` is the profile that `ab.yml` names: it stands first, and its denials are listed.
pub(crate) fn lines(past: &Past, columns: &[Column], own: Option<&str>) -> Vec<String> {
    if past.changes.is_empty() {
        return vec![format!("replay    no change of {}", safe_text::line(&past.origin))];
    }
    let mut columns: Vec<&Column> = columns.iter().collect();
    columns.sort_by_key(|column| Some(column.profile.as_str()) != own);
    // Profiles that are not meant for this repository, or leave everything to people, say nothing about single changes.
    let (idle, telling): (Vec<&Column>, Vec<&Column>) = columns.into_iter().partition(|column| {
        let counts = Counts::of(&column.outcomes);
        counts.deny == counts.all() && Some(column.profile.as_str()) != own
    });
    let mut lines = vec![headline(past)];
    lines.push(
        "asked as  a worker's MERGE: required checks passed, way back rehearsed, nobody approved; levels as the profile says"
            .to_owned(),
    );
    for column in telling.iter().chain(&idle) {
        lines.extend(flips(past, column));
    }
    lines.extend(table(past, &telling, own));
    if !idle.is_empty() {
        let names: Vec<&str> = idle.iter().map(|column| column.profile.as_str()).collect();
        lines.push(format!("deny everything here: {}", names.join(", ")));
    }
    // Whoever has a profile wants its reasons; who has none is told all.
    let has_own = telling.iter().any(|column| Some(column.profile.as_str()) == own);
    for column in telling.iter().filter(|column| !has_own || Some(column.profile.as_str()) == own) {
        lines.extend(leading(column));
    }
    lines.extend(telling.first().into_iter().flat_map(|column| denied(past, column)));
    lines.extend(reverted(past, &telling));
    lines
}

/// What the first profile denies, newest first.
fn denied(past: &Past, column: &Column) -> Vec<String> {
    let all = past.changes.iter().zip(&column.outcomes).rev();
    let lines: Vec<String> = all
        .filter(|(_, outcome)| outcome.verdict == Verdict::Deny)
        .map(|(change, outcome)| format!("  {}   {}", name(change), outcome.rules.join(", ")))
        .collect();
    if lines.is_empty() {
        return Vec::new();
    }
    [format!("denied by {}:", column.profile)].into_iter().chain(first(lines)).collect()
}

/// The first lines of a list, and how many more there are.
fn first(mut lines: Vec<String>) -> Vec<String> {
    let hidden = lines.len().saturating_sub(LISTED_MAX);
    lines.truncate(LISTED_MAX);
    if hidden > 0 {
        lines.push(format!("  … and {hidden} more; --json has all of them"));
    }
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
    let line = |flip: &Flip<'_>| {
        let (old, new) = (way(flip.old.verdict), way(flip.new.verdict));
        let (when, rules) =
            if flip.is_stricter() { ("by", &flip.new.rules) } else { ("was", &flip.old.rules) };
        format!("  {old} → {new}   {}   {when}: {}", name(flip.change), rules.join(", "))
    };
    // What became looser is never cut.
    let looser = flips.iter().filter(|flip| !flip.is_stricter()).map(line);
    let stricter = first(flips.iter().filter(|flip| flip.is_stricter()).map(line).collect());
    [format!("{}: {told}", column.profile)].into_iter().chain(looser).chain(stricter).collect()
}

fn table(past: &Past, columns: &[&Column], own: Option<&str>) -> Vec<String> {
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
        let mark = if Some(column.profile.as_str()) == own { "   ← ab.yml" } else { "" };
        lines.push(format!(
            "{:<26}{:>8}{if_clean}{:>8}{:>8}{mark}",
            column.profile, counts.auto, counts.queue, counts.deny
        ));
    }
    let by_path = past.changes.iter().filter(|change| naive(&change.facts)).count();
    lines.push(format!(
        "{:<26}{by_path:>8}   (a rule of thumb, to compare: what only touches docs and tests merges)",
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

/// The rules that stood against most changes, those that deny and those that only queue apart.
fn leading(column: &Column) -> Vec<String> {
    let rules = [Verdict::Deny, Verdict::Review].map(|verdict| (way(verdict), column.leading_of(verdict)));
    let lines = rules.into_iter().filter(|(_, rules)| !rules.is_empty()).map(|(word, rules)| {
        let told: Vec<String> =
            rules.iter().take(RULES_MAX).map(|(rule, count)| format!("{rule} {count}")).collect();
        let hidden = rules.len().saturating_sub(RULES_MAX);
        let more = if hidden > 0 { format!(" · … and {hidden} more rules") } else { String::new() };
        format!("{word} by {}: {}{more}", column.profile, told.join(" · "))
    });
    lines.collect()
}

/// What would have merged by itself and was taken back later.
fn reverted(past: &Past, columns: &[&Column]) -> Vec<String> {
    let known = past.changes.iter().filter(|change| change.reverted_by.is_some()).count();
    if known == 0 {
        return vec!["none of these was taken back later".to_owned()];
    }
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
    lines.push(format!("  and {by_path} by the rule of thumb"));
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
    let shown: Vec<Value> = columns
        .iter()
        .flat_map(|column| past.changes.iter().zip(&column.outcomes).map(move |pair| (column, pair)))
        .filter_map(|(column, (change, outcome))| {
            let (input, decision) = &**outcome.kept.as_ref()?;
            Some(json!({ "commit": change.commit, "profile": column.profile, "decision": decision, "input": input }))
        })
        .collect();
    json!({ "shown": shown, "origin": past.origin, "changes": past.changes.len(), "unread": past.unread, "profiles": profiles, "rows": rows })
}
