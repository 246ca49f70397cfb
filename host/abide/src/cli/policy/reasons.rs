//! The reasons of a decision in words and for programs: rules that fired, data they read, and what would make another verdict.

use abide_core::safe_text;
use abide_gate::source::{self, Layer};
use serde_json::{Value, json};

use super::level;
use crate::why::{Fired, Flip};

/// Lines of each kind on the one screen.
const SHOWN: usize = 8;

/// How many lines of each kind to show.
pub(super) fn most(trace: bool) -> usize {
    if trace { usize::MAX } else { SHOWN }
}

/// Names the files of the repository's own rules as a person edits them, in `folder`.
pub(super) fn edited(fired: &mut [Fired], folder: &str) {
    for place in fired.iter_mut().flat_map(|rule| &mut rule.stands) {
        if Layer::of(place.split(':').next().unwrap_or_default()) != Some(Layer::Repository) {
            continue;
        }
        if let Some(own) = place.strip_prefix(source::LAYERS) {
            *place = format!("{folder}/{own}");
        }
    }
}

/// Lines below the headline.
pub(super) fn lines(fired: &[Fired], flips: &[Flip], most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if fired.is_empty() {
        lines.push("no rule found anything".to_owned());
    }
    for rule in fired.iter().take(most) {
        lines.push(format!("  {:<7}{}", level(rule.level), rule.rule));
        lines.extend(
            rule.said.iter().take(most.min(2)).map(|said| format!("         {}", safe_text::line(said))),
        );
        let hidden = rule.said.len().saturating_sub(most.min(2));
        if hidden > 0 {
            lines.push(format!("         and {hidden} more"));
        }
        let places = if most == usize::MAX { rule.stands.len() } else { 1 };
        for (number, place) in rule.stands.iter().take(places).enumerate() {
            let left = rule.stands.len().saturating_sub(number).saturating_sub(1);
            let more = if number.saturating_add(1) == places && left > 0 {
                format!(" and {left} more places: --trace")
            } else {
                String::new()
            };
            lines.push(format!("         rule   {place}{more}"));
        }
        for (path, value) in rule.data.iter().take(most) {
            lines.push(format!("         data   {path} = {}", short(value, most)));
        }
    }
    lines.extend(hidden(fired.len(), most, "rules"));
    lines.push(
        format!(
            "another verdict by one change: {}",
            if flips.is_empty() { "none of those tried" } else { "" }
        )
        .trim_end()
        .to_owned(),
    );
    for flip in flips.iter().take(most) {
        lines.push(format!("  {:<7}{}", flip.verdict.as_str(), safe_text::line(&flip.what)));
    }
    lines.extend(hidden(flips.len(), most, "changes"));
    lines
}

fn hidden(count: usize, most: usize, what: &str) -> Option<String> {
    let left = count.saturating_sub(most);
    (left > 0).then(|| format!("  and {left} more {what}: --trace"))
}

fn short(value: &Value, most: usize) -> String {
    let text = value.to_string();
    if text.chars().count() <= 72 || most == usize::MAX {
        return text;
    }
    format!("{}…", text.chars().take(71).collect::<String>())
}

/// The rules and the flips.
pub(super) fn data(fired: &[Fired], flips: &[Flip]) -> (Vec<Value>, Vec<Value>) {
    let rules = fired
        .iter()
        .map(|rule| json!({ "rule": rule.rule, "level": level(rule.level), "said": rule.said, "stands": rule.stands, "data": rule.data }))
        .collect();
    let flips =
        flips.iter().map(|flip| json!({ "verdict": flip.verdict.as_str(), "what": flip.what })).collect();
    (rules, flips)
}
