//! A source as one page: how far it has come and why, what policy would say now, and what its tasks brought back over time.

use abide_core::safe_text;
use abide_core::source::{SourceRecord, SourceState, SourceTerms};
use maud::{Markup, html};

use super::{Defined, Life, Sampled};
use crate::html::{self as shell, Pictures};
use crate::sources::sample::Records;

const STYLE: &str = concat!(include_str!("../pages/style.css"), include_str!("style.css"));
/// Tasks that are drawn, the newest ones.
const DRAWN_MAX: usize = 120;
/// Units of a drawing: a bar's place, and the tallest bar.
const STEP: u64 = 10;
const TALL: u64 = 100;

/// A question about its place, and the answer.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Where it would be.
    pub(crate) to: SourceState,
    /// What stands against it: rule and words.
    pub(crate) against: Vec<(String, String)>,
}

/// The whole page.
pub(crate) fn page(defined: &Defined, life: &Life, gates: &[Gate], newest: Option<&Records>) -> String {
    let title = format!("Source {}", safe_text::line(defined.name()));
    let newest_first = life.samples.len().saturating_sub(DRAWN_MAX);
    let drawn = life.samples.get(newest_first..).unwrap_or_default();
    let body = html! {
        header {
            h1 { (title) ": " (life.state.as_str()) }
            p.faint { code { (safe_text::line(&defined.path)) } ", definition " code { (defined.definition.as_str()) } }
        }
        (gates_part(gates))
        (measures(&life.record()))
        h2 { "Over time" }
        @if drawn.is_empty() { p { "No task has read it yet." } } @else { (charts(drawn)) }
        @if let Some(records) = newest { (fields(records)) }
        (steps(life))
        (tasks(drawn))
        h2 { "The ticket" }
        pre { (safe_text::block(&defined.text)) }
    };
    shell::page(&title, STYLE, Pictures::None, &body)
}

fn gates_part(gates: &[Gate]) -> Markup {
    html! {
        h2 { "What policy would say now" }
        @for gate in gates {
            h3 { "to be " (gate.to.as_str()) }
            @if gate.against.is_empty() {
                p.good { "Nothing stands against it." }
            } @else {
                ul { @for (rule, words) in &gate.against { li { code.bad { (rule) } " " (safe_text::line(words)) } } }
            }
        }
    }
}

/// Terms of use in a sentence.
pub(crate) fn terms(terms: &SourceTerms) -> String {
    let say = format!("{:?}", terms.say).to_lowercase();
    format!("{} say `{say}`, read on {} by {}", terms.at, terms.read, terms.by)
}

/// The measures, by the names that rules have for them.
pub(crate) fn rows(record: &SourceRecord) -> Vec<(&'static str, u64, &'static str)> {
    vec![
        ("samples", record.samples, "tasks that were counted"),
        ("succeeded_permille", record.succeeded_permille, "of 1,000, those that saw records"),
        ("failed_in_a_row", record.failed_in_a_row, "the newest ones that did not"),
        ("span_ms", record.span_ms, "milliseconds from the first to the last"),
        ("records", record.records, "records that the newest saw"),
        ("filled_permille", record.filled_permille, "of 1,000 of their fields, those that hold something"),
        ("shape_changes", record.shape_changes, "times that fields or types were others than before"),
        ("vanished_permille", record.vanished_permille, "of 1,000 records, the most that one task missed"),
        ("refused", record.refused, "requests that were refused"),
        ("forbidden", record.forbidden, "those that robots.txt forbids"),
        ("unchanged_ms", record.unchanged_ms, "milliseconds since the records changed"),
        ("wall_ms_median", record.wall_ms_median, "milliseconds that half of the tasks took at most"),
    ]
}

fn measures(record: &SourceRecord) -> Markup {
    html! {
        h2 { "What it has shown" }
        .wide { table {
            thead { tr { th { "measure" } th { "" } th { "what it is" } } }
            tbody { @for (name, value, words) in rows(record) { tr { th scope="row" { code { (name) } } td { (value) } td.faint { (words) } } } }
        } }
    }
}

fn charts(drawn: &[Sampled]) -> Markup {
    let number = |of: fn(&Sampled) -> u64| drawn.iter().map(of).collect::<Vec<u64>>();
    html! {
        figure {
            figcaption { "How each task ended: " b { "dark" } " new records, " b { "light" } " unchanged, " b { "red" } " failed" }
            (strip(drawn))
        }
        (bars("Records", &number(|one| one.sample.count.0), drawn))
        (bars("Fields of 1,000 that hold something", &number(|one| one.sample.filled_permille.0), drawn))
        (bars("Records of 1,000 that had vanished", &number(|one| one.sample.vanished_permille.0), drawn))
        (bars("Milliseconds", &number(|one| one.sample.wall_ms.0), drawn))
    }
}

fn width(drawn: &[Sampled]) -> u64 {
    u64::try_from(drawn.len()).unwrap_or(0).max(12).saturating_mul(STEP)
}

fn strip(drawn: &[Sampled]) -> Markup {
    html! {
        svg.chart.strip viewBox=(format!("0 0 {} 20", width(drawn))) preserveAspectRatio="none" role="img" aria-label="how each task ended" {
            @for (place, one) in (0_u64..).zip(drawn) {
                rect class=(class(&one.sample.outcome)) x=(place.saturating_mul(STEP).saturating_add(1)) y="0" width=(STEP.saturating_sub(2)) height="20" {
                    title { (told(one)) }
                }
            }
        }
    }
}

fn class(outcome: &str) -> &'static str {
    match outcome {
        "records" => "records",
        "unchanged" => "unchanged",
        _ => "failed",
    }
}

fn bars(what: &str, values: &[u64], drawn: &[Sampled]) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0);
    html! {
        figure {
            figcaption { (what) ", at most " (most) }
            svg.chart.bars viewBox=(format!("0 0 {} {TALL}", width(drawn))) preserveAspectRatio="none" role="img" aria-label=(what) {
                @for ((place, value), one) in (0_u64..).zip(values).zip(drawn) {
                    @let height = value.saturating_mul(TALL).checked_div(most).unwrap_or(0);
                    rect x=(place.saturating_mul(STEP).saturating_add(1)) y=(TALL.saturating_sub(height)) width=(STEP.saturating_sub(2)) height=(height) {
                        title { (told(one)) ": " (value) }
                    }
                }
            }
        }
    }
}

fn told(one: &Sampled) -> String {
    format!("{} {}", when(one.at), one.sample.outcome)
}

/// A time as people write it, in UTC.
pub(crate) fn when(at: u64) -> String {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn fields(records: &Records) -> Markup {
    let fields = records.fields();
    html! {
        h2 { "Fields of the newest records" }
        .wide { table {
            thead { tr { th { "field" } th { "types" } th { "holds something in" } } }
            tbody { @for (name, (types, filled)) in fields { tr {
                th scope="row" { code { (safe_text::line(name)) } }
                td { (types.into_iter().collect::<Vec<_>>().join(", ")) }
                td { (filled) " of " (records.count()) }
            } } }
        } }
    }
}

fn steps(life: &Life) -> Markup {
    html! {
        h2 { "How it came there" }
        @if life.moves.is_empty() { p { "It was defined, and nobody has promoted it." } }
        @else { .wide { table {
            thead { tr { th { "when" } th { "step" } th { "by" } th { "why" } } }
            tbody { @for step in life.moves.iter().rev() { tr {
                td { (when(step.at)) }
                td { (step.from.as_str()) " → " (step.to.as_str()) }
                td { (safe_text::line(&step.by)) }
                td { (safe_text::line(&step.reasons.join("; "))) }
            } } }
        } } }
    }
}

fn tasks(drawn: &[Sampled]) -> Markup {
    html! {
        h2 { "Its tasks" }
        .wide { table {
            thead { tr { th { "when" } th { "run" } th { "ended" } th { "records" } th { "new" } th { "changed" } th { "vanished" } th { "refused" } th { "ms" } th { "why" } } }
            tbody { @for one in drawn.iter().rev() { @let sample = &one.sample; tr {
                td { (when(one.at)) }
                td { code { (one.run.as_ref().map(ToString::to_string).unwrap_or_default()) } }
                td { (sample.outcome) }
                td { (sample.count.0) } td { (sample.added.0) } td { (sample.changed.0) } td { (sample.vanished.0) } td { (sample.refused.0) } td { (sample.wall_ms.0) }
                td { (sample.code.as_deref().unwrap_or_default()) " " (safe_text::line(sample.why.as_deref().unwrap_or_default())) }
            } } }
        } }
    }
}
