//! What is in force, for people: the levels as a table, then one line for each value, in eighty columns.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::action::ActionClass;
use abide_core::safe_text;
use abide_gate::source::Layer;
use serde_json::Value;

use super::{Cell, Origins, Row};
use crate::cli::Shell;
use crate::cli::printer::{Printer, Tone};
use crate::config::Config;
use crate::layers::Source;
use crate::policy::Policy;

/// Columns of a class in the table of levels.
const CLASS_WIDTH: usize = 9;
/// Columns of the name of a value, of the value, and of where it comes from.
const WIDTHS: (usize, usize, usize) = (27, 11, 19);

/// What is told.
type Found<'a> =
    (&'a [Row], &'a BTreeMap<String, BTreeMap<ActionClass, Cell>>, &'a [(String, BTreeSet<String>)]);

pub(super) fn tell(
    shell: &Shell,
    (policy, config, origins): (&Policy, &Config, &Origins),
    (rows, levels, rules): Found<'_>,
    all: bool,
) {
    let printer = &shell.printer;
    let mut stack = vec![if origins.version == 0 {
        "built-in".to_owned()
    } else {
        format!("bundle v{}", origins.version)
    }];
    let has = |layer: Layer| policy.bundle.modules().keys().any(|path| Layer::of(path) == Some(layer));
    if policy.organisation.is_some() {
        stack.push(origins.of(Source::Layer(Layer::Organisation)));
    }
    stack.push(origins.of(Source::Layer(Layer::Repository)));
    stack.push("ab.yml".to_owned());
    stack.extend(has(Layer::Run).then(|| "run".to_owned()));
    printer.line(&format!("{:<10} {}", "layers", stack.join(" < ")));
    printer.line(&format!(
        "{:<10} {}, safety {} at {}",
        "chosen",
        config.profile,
        config.safety_mode.as_str(),
        config.safety_level.as_str()
    ));
    if let Some(why) = &policy.degraded {
        printer.line(&format!("{} {why} [AB0262]", printer.paint(Tone::Bad, "!")));
    }
    tell_levels(printer, levels, (!all).then_some(config.profile.as_str()));
    let (name, value, from) = WIDTHS;
    printer.line("");
    printer.line(&printer.paint(
        Tone::Faint,
        &format!("{:<name$} {:<value$} {:<from$} instead of", "value", "in force", "from"),
    ));
    let shown = |row: &&Row| all || row.is_changed() || row.name.starts_with('+');
    for row in rows.iter().filter(shown) {
        tell_row(printer, row);
    }
    let hidden = rows.iter().filter(|row| !shown(row)).count();
    if hidden > 0 {
        printer.line(&printer.paint(Tone::Faint, &format!("and {hidden} that no layer changes: --all")));
    }
    for (from, names) in rules {
        let most = if all { usize::MAX } else { 4 };
        let mut list: Vec<&str> = names.iter().map(String::as_str).take(most).collect();
        if names.len() > list.len() {
            list.push("…");
        }
        printer
            .line(format!("{:<27} {:<11} {from:<19} {}", "+ rules", names.len(), list.join(", ")).trim_end());
    }
}

fn tell_row(printer: &Printer, row: &Row) {
    let (name, value, from) = WIDTHS;
    let before: Vec<String> =
        row.instead_of.iter().map(|(value, from)| format!("{} {from}", words(value))).collect();
    let text = match &row.value {
        // A list says how many, and then what.
        Value::Array(items) if row.name.starts_with('+') => {
            let list: Vec<String> = items.iter().map(words).collect();
            format!("{:<name$} {:<value$} {:<from$} {}", row.name, items.len(), row.from, list.join(", "))
        }
        Value::Array(items) => format!(
            "{:<name$} {:<value$} {:<from$} {}",
            row.name,
            format!("{} of these", items.len()),
            row.from,
            before_of(row)
        ),
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            format!("{:<name$} {:<value$} {:<from$} {}", row.name, words(one), row.from, before.join(", "))
        }
    };
    printer.line(text.trim_end());
    if let Value::Array(items) = &row.value
        && !row.name.starts_with('+')
        && row.is_changed()
    {
        let list: Vec<String> = items.iter().map(words).collect();
        printer.line(&format!("  {}", list.join(", ")));
    }
}

/// How many there were, and where.
fn before_of(row: &Row) -> String {
    let before =
        row.instead_of.iter().map(|(value, from)| format!("{} {from}", value.as_array().map_or(0, Vec::len)));
    before.collect::<Vec<_>>().join(", ")
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => safe_text::line(text),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn tell_levels(
    printer: &Printer,
    levels: &BTreeMap<String, BTreeMap<ActionClass, Cell>>,
    only: Option<&str>,
) {
    let classes = ActionClass::ALL.into_iter().filter(|class| *class != ActionClass::Rollback);
    let head: Vec<String> =
        classes.clone().map(|class| format!("{:<CLASS_WIDTH$}", class.as_str())).collect();
    let head = head.concat();
    printer.line("");
    printer.line(&printer.paint(Tone::Faint, format!("{:<19}{head}", "levels").trim_end()));
    let mut lowered: BTreeSet<(ActionClass, String)> = BTreeSet::new();
    for (profile, cells) in levels.iter().filter(|(profile, _)| only.is_none_or(|only| only == *profile)) {
        let row = classes.clone().map(|class| {
            let Some(cell) = cells.get(&class) else { return format!("{:<CLASS_WIDTH$}", "–") };
            let text = if cell.base == cell.best {
                format!("A{}", cell.base)
            } else {
                format!("A{}–A{}", cell.base, cell.best)
            };
            let mark = if cell.instead_of.is_some() { "↓" } else { "" };
            if cell.instead_of.is_some() {
                lowered.insert((class, cell.from.clone()));
            }
            format!("{:<CLASS_WIDTH$}", format!("{text}{mark}"))
        });
        let row: String = row.collect();
        printer.line(format!("{:<19}{row}", safe_text::line(profile)).trim_end());
    }
    let mut by: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (class, from) in &lowered {
        by.entry(from.clone()).or_default().push(class.as_str());
    }
    for (from, classes) in by {
        printer.line(&format!("  ↓ lowered by {from}: {}", classes.join(", ")));
    }
}
