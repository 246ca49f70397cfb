//! What a run saw of the web, as one HTML page: each page with its picture and the values that were read from it outlined, the records, and what was refused. No script,
//! nothing from elsewhere.
//!
//! All of it is foreign text. `maud` escapes it, and `safe_text` writes out what would hide or reorder.

use std::collections::BTreeMap;

use abide_core::id::Digest;
use abide_core::safe_text;
use abide_effects::browser::places::{Wanted, places};
use abide_effects::browser::{Album, Sight};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use crate::desk::Desk;
use crate::html::{self as shell, Pictures};
use crate::report::Failure;

const STYLE: &str = include_str!("pages/style.css");
/// Rows of one list at most; how many are left out is said.
const ROWS_MAX: usize = 300;

/// One task's pages.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The unit of work.
    pub(crate) unit: String,
    /// What it saw.
    pub(crate) album: Album,
    /// What it says of what it did, in the worker's words; or why it did nothing.
    pub(crate) says: Option<String>,
    /// The files of provenance that it proposed, or that stand where it had nothing to change: their paths and texts.
    pub(crate) provenance: Vec<(String, String)>,
}

/// A line of a file of provenance.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Line {
    Record(Box<Record>),
    Page { page: u64, snapshot: String, url: String },
}

#[derive(Debug, Clone, Deserialize)]
struct Record {
    page: u64,
    #[serde(default)]
    css: Option<String>,
    #[serde(default, rename = "record")]
    key: Value,
    strategy: String,
    values: BTreeMap<String, Origin>,
}

/// Where a value was read.
#[derive(Debug, Clone, Deserialize)]
struct Origin {
    #[serde(default)]
    css: Option<String>,
    #[serde(default)]
    raw: Option<String>,
    #[serde(default)]
    conversions: Vec<String>,
}

/// Where elements stood: left, top, width, height.
type Areas = BTreeMap<String, [i64; 4]>;

#[derive(Debug, Deserialize)]
struct AreasDoc {
    areas: Vec<(String, i64, i64, i64, i64)>,
}

/// The whole page. The same run gives the same bytes.
pub(crate) fn page(desk: &Desk, run: &str, tasks: &[Looked]) -> Result<String, Failure> {
    let parts: Vec<Markup> =
        tasks.iter().map(|task| task_part(desk, task)).collect::<Result<_, Failure>>()?;
    let title = format!("Pages of run {}", safe_text::line(run));
    let body = html! {
        header { h1 { (title) } p.faint { "Everything on the pictures and in the records is the pages' own words. Outlined is what was read." } }
        @for part in parts { (part) }
    };
    Ok(shell::page(&title, STYLE, Pictures::Inside, &body))
}

fn task_part(desk: &Desk, task: &Looked) -> Result<Markup, Failure> {
    let files: Vec<(&String, Vec<Line>)> = task
        .provenance
        .iter()
        .map(|(path, text)| (path, text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
        .collect();
    let sights: Vec<Markup> = task
        .album
        .sights
        .iter()
        .map(|sight| sight_part(desk, sight, &files))
        .collect::<Result<_, Failure>>()?;
    Ok(html! {
        section {
            h2 { "Unit " (safe_text::line(&task.unit)) }
            p.faint { "Shown by " (safe_text::line(&task.album.browser)) ", " (counted(sights.len(), "look", "looks")) "." }
            @if let Some(says) = &task.says { h3 { "What the worker says" } pre { (safe_text::block(says)) } }
            @for sight in sights { (sight) }
            @for (path, lines) in &files { (records(path, lines)) }
            (refused(&task.album))
            @if !task.album.console.is_empty() {
                h3 { "What the pages said to their console" }
                pre { @for line in task.album.console.iter().take(ROWS_MAX) { (line) "\n" } }
            }
        }
    })
}

fn sight_part(desk: &Desk, sight: &Sight, files: &[(&String, Vec<Line>)]) -> Result<Markup, Failure> {
    let digest = sight.snapshot.to_string();
    let records = files.iter().flat_map(|(_, lines)| of_page(lines, &digest)).collect::<Vec<_>>();
    let wanted: Vec<(String, Wanted<'_>)> = records
        .iter()
        .flat_map(|record| {
            record.values.iter().map(|(pointer, origin)| {
                let wanted = Wanted { record: record.css.as_deref(), value: origin.css.as_deref() };
                (format!("{} {pointer}", shown(&record.key)), wanted)
            })
        })
        .take(ROWS_MAX.saturating_mul(10))
        .collect();
    let picture = sight.screenshot.as_ref().map(|digest| desk.payload(digest)).transpose()?;
    let areas = match &sight.areas {
        Some(areas) => read_areas(&desk.payload(areas)?),
        None => Areas::new(),
    };
    let html = String::from_utf8_lossy(&desk.payload(&sight.snapshot)?).into_owned();
    let asked: Vec<Wanted<'_>> = wanted.iter().map(|(_, wanted)| *wanted).collect();
    let found = places(&html, &sight.url, &asked).unwrap_or_default();
    let marks: Vec<(&str, [i64; 4])> = wanted
        .iter()
        .zip(&found)
        .filter_map(|((name, _), path)| Some((name.as_str(), *areas.get(path.as_ref()?)?)))
        .collect();
    let drawn = picture.as_deref().and_then(|picture| Some((picture, size(picture)?)));
    let is_in =
        |(_, [_, top, ..]): &(&str, [i64; 4])| drawn.is_some_and(|(_, (_, high))| *top < i64::from(high));
    let (marks, below): (Vec<_>, Vec<_>) = marks.into_iter().partition(is_in);
    let title = if sight.title.is_empty() { "(no title)" } else { sight.title.as_str() };
    Ok(html! {
        article {
            h3 { (title) }
            p { code { (safe_text::line(&sight.url)) } }
            p.faint { "Document " code { (digest) } ", " (counted(marks.len(), "value", "values")) " of it outlined." }
            @if sight.screenshot.is_some() && sight.areas.is_none() {
                p.faint { "The page moved while it was drawn, so nothing is outlined." }
            }
            @if !below.is_empty() && drawn.is_some() {
                p.faint { (counted(below.len(), "value stands", "values stand")) " below the end of the picture." }
            }
            @match drawn {
                Some((picture, size)) => (outlined(picture, size, &marks)),
                None => p.faint { "There is no picture of it." },
            }
        }
    })
}

/// The records that were read from the document called `digest`.
fn of_page<'l>(lines: &'l [Line], digest: &str) -> Vec<&'l Record> {
    let number = lines.iter().find_map(|line| match line {
        Line::Page { page, snapshot, .. } if snapshot == digest => Some(*page),
        Line::Page { .. } | Line::Record(_) => None,
    });
    let of = |line: &'l Line| match line {
        Line::Record(record) if Some(record.page) == number => Some(&**record),
        Line::Record(_) | Line::Page { .. } => None,
    };
    lines.iter().filter_map(of).collect()
}

fn read_areas(bytes: &[u8]) -> Areas {
    let Ok(doc) = serde_json::from_slice::<AreasDoc>(bytes) else { return Areas::new() };
    doc.areas.into_iter().map(|(path, left, top, width, height)| (path, [left, top, width, height])).collect()
}

/// Pixels that are shown above and below what is outlined.
const AROUND: i64 = 120;

/// The part of the picture in which something is outlined, or all of it. Attributes alone: the page's policy lets no style stand in an element.
fn outlined(picture: &[u8], (width, height): (u32, u32), marks: &[(&str, [i64; 4])]) -> Markup {
    let data = format!("data:image/png;base64,{}", STANDARD.encode(picture));
    let high = i64::from(height);
    let first = marks.iter().map(|(_, [_, top, ..])| *top).min().unwrap_or(0);
    let last = marks.iter().map(|(_, [_, top, _, down])| top.saturating_add(*down)).max().unwrap_or(high);
    let first = first.saturating_sub(AROUND).clamp(0, high);
    let last = last.saturating_add(AROUND).clamp(first.saturating_add(1), high.max(first.saturating_add(1)));
    html! {
        @if first > 0 || last < high {
            p.faint { "Pixels " (first) " to " (last) " of " (high) " from the top." }
        }
        figure {
            svg role="img" viewBox=(format!("0 {first} {width} {}", last.saturating_sub(first))) xmlns="http://www.w3.org/2000/svg" {
                image href=(data) width=(width) height=(height) {}
                @for (name, [left, top, across, down]) in marks {
                    rect.mark x=(left) y=(top) width=(across) height=(down) { title { (safe_text::line(name)) } }
                }
            }
        }
    }
}

/// Width and height of a PNG, from its first chunk.
fn size(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| png.get(at..)?.first_chunk::<4>().copied().map(u32::from_be_bytes);
    png.starts_with(b"\x89PNG").then_some(())?;
    Some((number(16)?, number(20)?))
}

fn records(path: &str, lines: &[Line]) -> Markup {
    let all: Vec<&Record> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Record(record) => Some(&**record),
            Line::Page { .. } => None,
        })
        .collect();
    let pages = lines.len().saturating_sub(all.len());
    html! {
        h3 { "Records" }
        p.faint { code { (safe_text::line(path)) } ", " (counted(all.len(), "record", "records")) "." }
        .wide { table {
            thead { tr { th { "record" } th { "field" } th { "as it stood there" } th { "what was done" } th { "where" } } }
            tbody {
                @for record in all.iter().take(ROWS_MAX) {
                    @for (place, (pointer, origin)) in record.values.iter().enumerate() {
                        tr {
                            @if place == 0 {
                                th rowspan=(record.values.len()) { (shown(&record.key)) br;
                                    span.faint { (safe_text::line(&record.strategy)) @if pages > 1 { ", page " (record.page) } }
                                    @if let Some(css) = &record.css { br; code.faint { (safe_text::line(css)) } }
                                }
                            }
                            td { code { (safe_text::line(pointer)) } }
                            td { (safe_text::line(origin.raw.as_deref().unwrap_or_default())) }
                            td.faint { (safe_text::line(&origin.conversions.join(", "))) }
                            td.faint { code { (safe_text::line(origin.css.as_deref().unwrap_or_default())) } }
                        }
                    }
                }
            }
        } }
        @if all.len() > ROWS_MAX { p.faint { (all.len().saturating_sub(ROWS_MAX)) " more are in the file." } }
        @for (number, url) in lines.iter().filter_map(|line| match line {
            Line::Page { page, url, .. } => Some((page, url)),
            Line::Record(_) => None,
        }) {
            p.faint { "Page " (number) ": " code { (safe_text::line(url)) } }
        }
    }
}

/// What tells a record from another, in words.
fn shown(key: &Value) -> String {
    let parts = key.as_object().into_iter().flatten();
    let parts = parts.map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let text = parts.collect::<Vec<_>>().join(" · ");
    if text.is_empty() { "–".to_owned() } else { safe_text::line(&text) }
}

fn refused(album: &Album) -> Markup {
    html! {
        h3 { "Refused" }
        @if album.vain.is_empty() {
            p { "Nothing that the pages asked for was refused." }
        } @else {
            .wide { table {
                thead { tr { th { "what" } th { "where to" } th { "times" } th { "why" } } }
                tbody {
                    @for (vain, times) in album.vain.iter().take(ROWS_MAX) {
                        tr {
                            td { (vain.method) " " (vain.kind) }
                            td { code { (vain.url) } }
                            td { (times) }
                            td { (vain.why) }
                        }
                    }
                }
            } }
        }
        @if album.left_out > 0 { p.faint { (album.left_out) " more rows were not kept." } }
    }
}

fn counted(many: usize, one: &str, more: &str) -> String {
    format!("{many} {}", if many == 1 { one } else { more })
}

/// What a task saw, as it was kept under `digest`.
pub(crate) fn read_album(desk: &Desk, digest: &Digest) -> Result<Album, Failure> {
    let album = desk.payload(digest)?;
    serde_json::from_slice(&album).map_err(|error| Failure::of("AB0404", error))
}
