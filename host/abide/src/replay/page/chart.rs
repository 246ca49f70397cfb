//! Verdicts over time, as stacked bars in inline SVG. Words stand beside the picture in HTML, so they stay readable when it shrinks.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use maud::{Markup, html};

use crate::replay::tally::{Column, Counts};
use crate::replay::{Change, Outcome, Past};

/// Bars in one chart at most, except that a year is never made coarser.
const BARS_MAX: usize = 72;

/// Units of the drawing: width of a bar's place, and height of the tallest bar.
const STEP: u64 = 10;
const TALL: u64 = 400;

/// How long one bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Day,
    Month,
    Quarter,
    Year,
}

impl Span {
    fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The first day of the span that holds `day`.
    fn start(self, day: Date) -> Date {
        let month = match self {
            Self::Day => return day,
            Self::Month => day.month(),
            Self::Quarter => {
                day.month().saturating_sub(1).saturating_div(3).saturating_mul(3).saturating_add(1)
            }
            Self::Year => 1,
        };
        Date::new(day.year(), month, 1).unwrap_or(day)
    }

    fn next(self, start: Date) -> Option<Date> {
        let span = match self {
            Self::Day => 1.day(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        };
        start.checked_add(span).ok()
    }

    fn label(self, start: Date) -> String {
        match self {
            Self::Day => start.to_string(),
            Self::Month => format!("{}-{:02}", start.year(), start.month()),
            Self::Quarter => {
                let quarter = start.month().saturating_sub(1).saturating_div(3).saturating_add(1);
                format!("{} Q{quarter}", start.year())
            }
            Self::Year => start.year().to_string(),
        }
    }

    /// Starts of all spans from `first` to `last`, `None` if they are more than `most`.
    fn starts(self, first: Date, last: Date, most: usize) -> Option<Vec<Date>> {
        let mut starts = vec![self.start(first)];
        while let Some(next) = starts.last().and_then(|start| self.next(*start)).filter(|next| *next <= last)
        {
            if starts.len() >= most {
                return None;
            }
            starts.push(next);
        }
        Some(starts)
    }
}

/// One bar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) counts: Counts,
}

/// Every span from the first change to the last has a bar, be it empty. `changes` and `outcomes` belong together, one by one.
pub(super) fn bars(changes: &[Change], outcomes: &[Outcome]) -> (Span, Vec<Bar>) {
    let days: Vec<Date> = changes.iter().map(|change| day(change.at)).collect();
    let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else {
        return (Span::Month, Vec::new());
    };
    let finer = [Span::Day, Span::Month, Span::Quarter];
    let fit = finer.into_iter().find_map(|span| Some((span, span.starts(*first, *last, BARS_MAX)?)));
    let (span, starts) =
        fit.unwrap_or_else(|| (Span::Year, Span::Year.starts(*first, *last, usize::MAX).unwrap_or_default()));
    let mut bars: Vec<Bar> =
        starts.iter().map(|start| Bar { label: span.label(*start), counts: Counts::default() }).collect();
    for (day, outcome) in days.iter().zip(outcomes) {
        let place = starts.binary_search(&span.start(*day));
        if let Some(bar) = place.ok().and_then(|place| bars.get_mut(place)) {
            bar.counts.add(outcome);
        }
    }
    (span, bars)
}

fn day(at: u64) -> Date {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::MAX);
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.date().max(date(1970, 1, 1))
}

/// The parts of a bar, from the bottom: class, colour where no style applies, words, and how many.
fn parts(counts: Counts) -> [(&'static str, &'static str, &'static str, u64); 4] {
    [
        ("auto", "#1d7a63", "auto", counts.auto),
        ("clean", "#86cdb8", "auto if clean", counts.if_clean),
        ("queue", "#dfa92b", "queue", counts.queue.saturating_sub(counts.if_clean)),
        ("deny", "#b0342c", "deny", counts.deny),
    ]
}

/// What the colours mean.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend {
            @for (class, colour, words, _) in parts(Counts::default()) {
                li {
                    svg class="key" width="12" height="12" aria-hidden="true" { rect class=(class) width="12" height="12" fill=(colour) {} }
                    " " (words)
                }
            }
        }
    }
}

/// The chart of one profile, and its numbers in a table that can be opened.
pub(super) fn figure(past: &Past, column: &Column) -> Markup {
    let (span, bars) = bars(&past.changes, &column.outcomes);
    let most = bars.iter().map(|bar| bar.counts.all()).max().unwrap_or(0);
    let ends = [bars.first(), bars.get(bars.len().saturating_div(2)), bars.last()];
    let label = format!("verdicts of {} per {}", column.profile, span.as_str());
    html! {
        figure {
            figcaption { b { (column.profile) } span.faint { " per " (span.as_str()) ", at most " (most) } }
            (picture(&bars, most, &label))
            div.axis aria-hidden="true" { @for bar in ends.into_iter().flatten() { span { (bar.label) } } }
            details {
                summary { "The numbers" }
                div.wide { table {
                    thead { tr {
                        th scope="col" { (span.as_str()) }
                        @for (_, _, words, _) in parts(Counts::default()) { th scope="col" { (words) } }
                    } }
                    tbody { @for bar in &bars { tr {
                        th scope="row" { (bar.label) }
                        @for (_, _, _, count) in parts(bar.counts) { td { (count) } }
                    } } }
                } }
            }
        }
    }
}

fn picture(bars: &[Bar], most: u64, label: &str) -> Markup {
    let width = u64::try_from(bars.len()).unwrap_or(0).saturating_mul(STEP).max(STEP);
    html! {
        svg.chart viewBox=(format!("0 0 {width} {TALL}")) preserveAspectRatio="none" width="100%" height="140" role="img" aria-label=(label) {
            line class="grid" x1="0" x2=(width) y1=(TALL / 2) y2=(TALL / 2) stroke="#999" stroke-width="1" vector-effect="non-scaling-stroke" {}
            @for (place, bar) in (0_u64..).zip(bars) {
                g {
                    title { (told(bar)) }
                    @for (class, colour, y, height) in stacked(bar.counts, most) {
                        rect class=(class) fill=(colour) x=(place.saturating_mul(STEP).saturating_add(1)) y=(y) width=(STEP.saturating_sub(2)) height=(height) {}
                    }
                }
            }
            line class="ground" x1="0" x2=(width) y1=(TALL) y2=(TALL) stroke="#666" stroke-width="2" vector-effect="non-scaling-stroke" {}
        }
    }
}

fn told(bar: &Bar) -> String {
    let parts = parts(bar.counts).map(|(_, _, words, count)| format!("{words} {count}"));
    format!("{}: {}", bar.label, parts.join(", "))
}

/// Rectangles of one bar from the bottom up: class, colour, top edge and height. Edges are rounded, not heights, so that parts never overlap.
fn stacked(counts: Counts, most: u64) -> Vec<(&'static str, &'static str, u64, u64)> {
    let top = |sum: u64| {
        let height = sum.saturating_mul(TALL).checked_div(most).unwrap_or(0);
        TALL.saturating_sub(height)
    };
    let mut sum = 0_u64;
    let mut drawn = Vec::new();
    for (class, colour, _, count) in parts(counts) {
        let bottom = top(sum);
        sum = sum.saturating_add(count);
        if count > 0 {
            drawn.push((class, colour, top(sum), bottom.saturating_sub(top(sum))));
        }
    }
    drawn
}

#[cfg(test)]
mod tests;
