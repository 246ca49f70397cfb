//! A replay as one HTML page to put into a review: no script, nothing from elsewhere, no time of its making.
//!
//! Everything that came from a repository is foreign text. `maud` escapes it, and `safe_text` writes out what would hide or reorder.

mod chart;

use abide_core::id::Digest;
use abide_core::safe_text;
use maud::{Markup, html};

use super::report::date;
use super::tally::{Column, Counts, Flip, moved, unmeasured, way};
use super::{Change, Fixed, Outcome, Past, naive};
use crate::html::{self as shell, Pictures};

const STYLE: &str = include_str!("page/style.css");

/// Rows of one list at most; how many are left out is said.
const ROWS_MAX: usize = 300;
/// Rules that are listed for one profile.
const RULES_MAX: usize = 10;

/// What was run, so that somebody else can run it again.
#[derive(Debug)]
pub(crate) struct Made {
    /// The command, without the name of the page's file.
    pub(crate) command: String,
    /// The same over a past that cannot move, if that is another command.
    pub(crate) fixed: Option<String>,
    /// The policy that decided.
    pub(crate) policy: Digest,
    /// The policy that it is compared with.
    pub(crate) against: Option<Digest>,
}

/// The whole page. The same replay gives the same bytes.
pub(crate) fn page(past: &Past, columns: &[Column], made: &Made) -> String {
    let title = format!("Replay of {}", safe_text::line(&past.origin));
    let body = html! {
        (head(&title, past, made))
        (flips(past, columns))
        (table(past, columns))
        (taken_back(past, columns))
        section {
            h2 { "Over time" }
            (chart::legend())
            @for column in columns { (chart::figure(past, column)) }
        }
        (leading(columns))
        (not_measured(past))
        (again(past, made))
    };
    shell::page(&title, STYLE, Pictures::None, &body)
}

fn head(title: &str, past: &Past, made: &Made) -> Markup {
    let day = |change: Option<&Change>| change.map_or_else(|| "?".to_owned(), |change| date(change.at));
    html! {
        header {
            h1 { (title) }
            p.lead {
                b { (past.changes.len()) } " changes, " (day(past.changes.first())) " to " (day(past.changes.last()))
                ", judged by policy " code { (made.policy.short()) }
                @if let Some(against) = &made.against { ", compared with " code { (against.short()) } }
                "."
            }
            p.faint {
                "Each was put as the same question: a worker asks to merge it, required checks passed, the way back was rehearsed, and nobody \
                 approved. Levels are those of the profile. This is what would have been decided; it changed nothing and permits nothing."
            }
        }
    }
}

fn flips(past: &Past, columns: &[Column]) -> Markup {
    if columns.iter().all(|column| column.before.is_none()) {
        return html! {};
    }
    html! {
        section {
            h2 { "What the new policy changes" }
            @for column in columns { (flips_of(past, column)) }
        }
    }
}

fn flips_of(past: &Past, column: &Column) -> Markup {
    let flips = column.flips(past);
    let (looser, stricter): (Vec<Flip<'_>>, Vec<Flip<'_>>) =
        flips.iter().copied().partition(|flip| !flip.is_stricter());
    html! {
        h3 { (column.profile) }
        @if flips.is_empty() { p { "No verdict differs." } } @else {
            p.sums { @for ((old, new), count) in moved(&flips) {
                span { (way(old)) " → " (way(new)) " " b { (count) } } " "
            } }
        }
        @if !looser.is_empty() {
            h4.bad { "Looser than before: " (looser.len()) }
            (flip_rows(&looser))
        }
        @if !stricter.is_empty() {
            details { summary { "Stricter than before: " (stricter.len()) } (flip_rows(&stricter)) }
        }
    }
}

fn flip_rows(flips: &[Flip<'_>]) -> Markup {
    html! {
        ul.changes {
            @for flip in flips.iter().take(ROWS_MAX) {
                @let (is, strict, loose) =
                    if flip.is_stricter() { ("now", flip.new, flip.old) } else { ("was", flip.old, flip.new) };
                li {
                    span.flip { (verdict(flip.old)) " → " (verdict(flip.new)) }
                    (name(flip.change))
                    @for said in said(strict, loose) { div.why { (is) ": " (said) } }
                }
            }
            (left_out(flips.len()))
        }
    }
}

fn verdict(outcome: &Outcome) -> Markup {
    let way = way(outcome.verdict);
    html! { span class=(format!("verdict {way}")) { (way) } }
}

/// A change by name, with the files it touches.
fn name(change: &Change) -> Markup {
    let paths: Vec<String> =
        change.facts.files.iter().take(3).map(|file| safe_text::line(&file.path)).collect();
    let more = change.facts.files.len().saturating_sub(paths.len());
    html! {
        code { (change.commit.short()) } " " span.day { (date(change.at)) } " " (safe_text::line(&change.title))
        div.paths {
            @for path in paths { code { (path) } " " }
            @if more > 0 { "and " (more) " more files" }
        }
    }
}

/// What the gravest of those rules said that stood against a change only by the stricter policy, two of them at most.
fn said(strict: &Outcome, loose: &Outcome) -> Vec<String> {
    let rules = strict.rules.iter().filter(|rule| !loose.rules.contains(rule)).take(2);
    rules
        .filter_map(|rule| {
            let finding = strict.findings.iter().find(|finding| finding.rule == *rule)?;
            let path = finding.path.as_ref().map(|path| format!(" ({path})")).unwrap_or_default();
            Some(safe_text::line(&format!("{rule}: {}{path}", finding.msg)))
        })
        .collect()
}

fn left_out(count: usize) -> Markup {
    let left = count.saturating_sub(ROWS_MAX);
    html! { @if left > 0 { li.faint { "and " (left) " more: --json has them all" } } }
}

fn table(past: &Past, columns: &[Column]) -> Markup {
    let is_unmeasured = !unmeasured(past).is_empty();
    let by_path = past.changes.iter().filter(|change| naive(&change.facts)).count();
    let known = past.changes.iter().filter(|change| change.reverted_by.is_some());
    let by_path_back = known.filter(|change| naive(&change.facts)).count();
    html! {
        section {
            h2 { "In sum" }
            div.wide { table {
                thead { tr {
                    th scope="col" { "profile" }
                    th scope="col" { "auto" }
                    @if is_unmeasured { th scope="col" { "auto if clean" } }
                    th scope="col" { "queue" }
                    th scope="col" { "deny" }
                    th scope="col" { "auto, reverted" }
                } }
                tbody { @for column in columns {
                    @let counts = Counts::of(&column.outcomes);
                    tr {
                        th scope="row" { (column.profile) }
                        td { (counts.auto) }
                        @if is_unmeasured { td { (counts.if_clean) } }
                        td { (counts.queue) }
                        td { (counts.deny) }
                        td { (column.taken_back(past).count()) }
                    }
                } }
                tfoot { tr {
                    th scope="row" { "docs and tests by path" }
                    td { (by_path) }
                    @if is_unmeasured { td { "–" } }
                    td { "–" }
                    td { "–" }
                    td { (by_path_back) }
                } }
            } }
            p.faint {
                "The last row is the usual rule of thumb, for contrast: documentation and tests, told by their paths, merge by themselves."
                @if is_unmeasured {
                    " “Auto if clean” is a part of the queue: these would merge by themselves if what was not measured is clean. It never counts as clean."
                }
            }
        }
    }
}

fn taken_back(past: &Past, columns: &[Column]) -> Markup {
    let known = past.changes.iter().filter(|change| change.reverted_by.is_some()).count();
    html! {
        section {
            h2 { "Merged by itself, and taken back later" }
            p { (known) " of the " (past.changes.len()) " changes were taken back by a later commit that says so." }
            @let (none, some): (Vec<&Column>, Vec<&Column>) =
                columns.iter().partition(|column| column.taken_back(past).next().is_none());
            @if known > 0 && !none.is_empty() {
                @let names: Vec<&str> = none.iter().map(|column| column.profile.as_str()).collect();
                p { "None of them would have merged by itself under " b { (names.join(", ")) } "." }
            }
            @for column in some { (taken_back_by(past, column)) }
        }
    }
}

fn taken_back_by(past: &Past, column: &Column) -> Markup {
    let rows: Vec<(&Change, &Outcome)> = column.taken_back(past).collect();
    html! {
        h3 { (column.profile) }
        ul.changes {
            @for (change, outcome) in rows.iter().take(ROWS_MAX) {
                li {
                    (name(change))
                    div.why {
                        @if outcome.if_clean { "if what was not measured is clean; " }
                        "taken back by " code { (by(change)) }
                    }
                }
            }
            (left_out(rows.len()))
        }
    }
}

fn by(change: &Change) -> String {
    let by = change.reverted_by.as_deref().unwrap_or_default();
    safe_text::line(&by.chars().take(12).collect::<String>())
}

fn leading(columns: &[Column]) -> Markup {
    html! {
        section {
            h2 { "Rules that stood against most changes" }
            p.faint { "Each change counts for the gravest rule that stood against it." }
            div.lists { @for column in columns {
                div {
                    h3 { (column.profile) }
                    @let rules = column.leading();
                    ol {
                        @for (rule, count) in rules.iter().take(RULES_MAX) { li { code { (safe_text::line(rule)) } " " b { (count) } } }
                        @if rules.is_empty() { li { "none" } }
                    }
                    @if rules.len() > RULES_MAX { p.faint { "and " (rules.len().saturating_sub(RULES_MAX)) " more" } }
                }
            } }
        }
    }
}

fn not_measured(past: &Past) -> Markup {
    let names = unmeasured(past);
    html! {
        section {
            h2 { "What was not measured" }
            @if names.is_empty() { p { "Everything that the policy reads was measured." } } @else {
                p { "What was not measured never counts as clean. Number of changes:" }
                ul { @for (name, count) in names { li { code { (safe_text::line(name)) } " " b { (count) } } } }
            }
            @if !past.unread.is_empty() {
                p.bad { (past.unread.len()) " changes could not be read and are not counted:" }
                ul {
                    @for why in past.unread.iter().take(ROWS_MAX) { li { (safe_text::line(why)) } }
                    (left_out(past.unread.len()))
                }
            }
        }
    }
}

fn again(past: &Past, made: &Made) -> Markup {
    html! {
        section {
            h2 { "How to make this again" }
            pre { code { (safe_text::block(&made.command)) } }
            dl {
                dt { "policy" } dd { code { (made.policy) } }
                @if let Some(against) = &made.against { dt { "compared with" } dd { code { (against) } } }
                @match &past.fixed {
                    Fixed::Range(range) => { dt { "commits (first parents)" } dd { code { (range) } } }
                    Fixed::File(digest) => { dt { "corpus" } dd { code { (digest) } } }
                }
                dt { "made by" } dd { "ab " (env!("CARGO_PKG_VERSION")) }
            }
            @if let Some(fixed) = &made.fixed {
                p { "A branch moves. Over exactly these commits:" }
                pre { code { (safe_text::block(fixed)) } }
            }
            p.faint {
                "Two replays of the same past by the same policy are the same to the byte, this page included. The policy digests are printed above: \
                 if yours differ, the policy folder does."
            }
        }
    }
}
