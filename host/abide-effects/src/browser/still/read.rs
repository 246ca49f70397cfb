//! What a page shows: texts, elements, links and tables. Nothing runs, and style sheets are not read.

use abide_core::page::{BrowseFailure, Element, Link, Table};
use ego_tree::iter::Edge;
use scraper::{ElementRef, Node};

use super::document::{Document, TIME_MAX, failed, in_time};
use crate::browser::clock::Clock;

/// LIMIT: bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Characters of a title.
const TITLE_CHARS: usize = 300;
/// From how many elements on it pays to count places beforehand.
const MANY: usize = 64;
/// What a cell costs beside its text.
const CELL_BYTES: usize = 24;
/// Columns that a cell spans at most (HTML standard).
const COLUMNS_MAX: usize = 1_000;
/// Rows that a cell spans at most (HTML standard).
const ROWS_MAX: usize = 65_534;

/// Bytes and time that an answer may still take.
#[derive(Debug)]
pub(super) struct Left {
    bytes: usize,
    clock: Clock,
}

impl Left {
    pub(super) fn new() -> Self {
        Self { bytes: ANSWER_BYTES_MAX, clock: Clock::start(TIME_MAX) }
    }

    fn take(&mut self, bytes: usize) -> Result<(), BrowseFailure> {
        in_time(self.clock)?;
        self.bytes =
            self.bytes.checked_sub(bytes).ok_or_else(|| failed("the answer is larger than 16 MiB"))?;
        Ok(())
    }
}

/// What the page shows, line by line.
pub(super) fn text(document: &Document) -> Result<String, BrowseFailure> {
    let mut left = Left::new();
    document.elements().next().map_or_else(|| Ok(String::new()), |root| shown(root, &mut left))
}

/// The title, on one line and without what could speak to a terminal.
pub(super) fn title(document: &Document) -> String {
    let title = document.elements().find(|one| one.value().name() == "title");
    let text: String =
        title.map(|title| title.text().flat_map(str::chars).take(TITLE_CHARS).collect()).unwrap_or_default();
    abide_core::safe_text::line(&one_line(&text))
}

/// Elements that fit, with their paths.
pub(super) fn elements(
    document: &mut Document,
    selector: &str,
    limit: usize,
) -> Result<Vec<Element>, BrowseFailure> {
    if document.select(selector, limit.min(MANY))?.len() >= MANY {
        document.count_places();
    }
    let document = &*document;
    let mut left = Left::new();
    document
        .select(selector, limit)?
        .into_iter()
        .map(|one| {
            let (path, text) = (document.path(one), one_line(&shown(one, &mut left)?));
            let attributes: Vec<(String, String)> =
                one.value().attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let named = attributes.iter().map(|(name, value)| name.len().saturating_add(value.len()));
            left.take(named.fold(path.len().saturating_add(text.len()), usize::saturating_add))?;
            Ok(Element { path, tag: one.value().name().to_ascii_lowercase(), text, attributes })
        })
        .collect()
}

/// Links that lead to pages.
pub(super) fn links(document: &mut Document) -> Result<Vec<Link>, BrowseFailure> {
    document.count_places();
    let document = &*document;
    let mut left = Left::new();
    let mut links = Vec::new();
    for one in document.elements().filter(|one| ["a", "area"].contains(&one.value().name())) {
        let Some(url) = one.attr("href").and_then(|href| document.resolve(href)) else { continue };
        if !["http", "https"].contains(&url.scheme()) {
            continue;
        }
        let (url, path, text) = (String::from(url), document.path(one), one_line(&shown(one, &mut left)?));
        let rel = one.attr("rel").unwrap_or_default().to_owned();
        left.take([url.len(), path.len(), text.len(), rel.len()].into_iter().fold(0, usize::saturating_add))?;
        links.push(Link { url, text, path, rel });
    }
    Ok(links)
}

/// Tables, also those within others.
pub(super) fn tables(document: &mut Document) -> Result<Vec<Table>, BrowseFailure> {
    document.count_places();
    let document = &*document;
    let mut left = Left::new();
    let mut tables = Vec::new();
    for one in document.elements().filter(|one| one.value().name() == "table") {
        let caption = one.child_elements().find(|child| child.value().name() == "caption");
        let caption = caption.map(|caption| shown(caption, &mut left)).transpose()?;
        let path = document.path(one);
        left.take(path.len())?;
        let rows = rows(one, &mut left)?;
        tables.push(Table { path, caption: caption.map(|text| one_line(&text)).unwrap_or_default(), rows });
    }
    Ok(tables)
}

/// A cell that goes on into rows below.
#[derive(Debug, Clone, Default)]
struct Below {
    rows: usize,
    text: String,
}

fn rows(table: ElementRef<'_>, left: &mut Left) -> Result<Vec<Vec<String>>, BrowseFailure> {
    let mut rows = Vec::new();
    let (mut loose, mut groups) = (Vec::new(), Vec::new());
    for child in table.child_elements() {
        match child.value().name() {
            "tr" => loose.push(child),
            "thead" | "tbody" | "tfoot" => {
                groups.push(std::mem::take(&mut loose));
                groups.push(child.child_elements().filter(|row| row.value().name() == "tr").collect());
            }
            _ => {}
        }
    }
    groups.push(loose);
    for group in groups {
        // What spans rows ends with its group.
        let mut below: Vec<Below> = Vec::new();
        for row in group {
            rows.push(cells(row, &mut below, left)?);
        }
    }
    Ok(rows)
}

fn cells(row: ElementRef<'_>, below: &mut Vec<Below>, left: &mut Left) -> Result<Vec<String>, BrowseFailure> {
    let mut cells = Vec::new();
    for cell in row.child_elements().filter(|cell| ["td", "th"].contains(&cell.value().name())) {
        while take_from_above(&mut cells, below, left)? {}
        let text = one_line(&shown(cell, left)?);
        // Nought is the rest of the group.
        let span = |name: &str| cell.attr(name).and_then(|value| value.trim().parse::<usize>().ok());
        let columns = span("colspan").filter(|columns| *columns > 0).unwrap_or(1).min(COLUMNS_MAX);
        let down = match span("rowspan") {
            Some(0) => ROWS_MAX,
            Some(down) => down.min(ROWS_MAX),
            None => 1,
        };
        for _ in 0..columns {
            left.take(text.len().saturating_add(CELL_BYTES))?;
            let rows = down.saturating_sub(1);
            let goes_on = Below { rows, text: if rows > 0 { text.clone() } else { String::new() } };
            match below.get_mut(cells.len()) {
                Some(place) => *place = goes_on,
                None => below.push(goes_on),
            }
            cells.push(text.clone());
        }
    }
    while cells.len() < below.len() {
        if !take_from_above(&mut cells, below, left)? {
            // A gap, if something still comes down to its right.
            if below.iter().skip(cells.len()).all(|one| one.rows == 0) {
                break;
            }
            left.take(CELL_BYTES)?;
            cells.push(String::new());
        }
    }
    Ok(cells)
}

/// Takes the cell that comes down in the next column, if one does.
fn take_from_above(
    cells: &mut Vec<String>,
    below: &mut [Below],
    left: &mut Left,
) -> Result<bool, BrowseFailure> {
    let Some(above) = below.get_mut(cells.len()).filter(|above| above.rows > 0) else { return Ok(false) };
    above.rows = above.rows.saturating_sub(1);
    left.take(above.text.len().saturating_add(CELL_BYTES))?;
    cells.push(above.text.clone());
    Ok(true)
}

/// A text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an element shows, roughly as `innerText` says it: lines where blocks begin and end, tabs between cells.
pub(super) fn shown(element: ElementRef<'_>, left: &mut Left) -> Result<String, BrowseFailure> {
    let mut out = Lines::default();
    let mut hidden = None;
    let mut as_written = 0_usize;
    for (step, edge) in element.traverse().enumerate() {
        if step % 1_024 == 0 {
            in_time(left.clock)?;
        }
        let (node, opens) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        if let Some(within) = hidden {
            if !opens && within == node.id() {
                hidden = None;
            }
            continue;
        }
        match node.value() {
            Node::Text(text) if opens && as_written > 0 => out.push_as_written(text),
            Node::Text(text) if opens => out.push(text),
            Node::Element(one) => {
                let name = one.name();
                if opens && node.id() != element.id() && (hides(name) || is_hidden(one)) {
                    hidden = Some(node.id());
                    continue;
                }
                match name {
                    "br" if opens => out.line(),
                    "td" | "th"
                        if opens && node.prev_siblings().any(|before| before.value().is_element()) =>
                    {
                        out.tab();
                    }
                    "pre" => {
                        as_written =
                            if opens { as_written.saturating_add(1) } else { as_written.saturating_sub(1) };
                        out.fresh();
                    }
                    _ if is_block(name) => out.fresh(),
                    _ => {}
                }
            }
            Node::Text(_)
            | Node::Document
            | Node::Fragment
            | Node::Doctype(_)
            | Node::Comment(_)
            | Node::ProcessingInstruction(_) => {}
        }
        if out.text.len() > left.bytes {
            return Err(failed("the answer is larger than 16 MiB"));
        }
    }
    Ok(out.done())
}

fn is_hidden(element: &scraper::node::Element) -> bool {
    let style = element.attr("style").unwrap_or_default();
    let plain: String =
        style.chars().filter(|c| !c.is_whitespace()).take(2_000).collect::<String>().to_ascii_lowercase();
    element.attr("hidden").is_some() || plain.contains("display:none") || plain.contains("visibility:hidden")
}

/// Elements that show nothing of what is in them.
fn hides(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "audio"
            | "base"
            | "canvas"
            | "datalist"
            | "embed"
            | "head"
            | "iframe"
            | "input"
            | "link"
            | "meta"
            | "noembed"
            | "noframes"
            | "object"
            | "param"
            | "rp"
            | "script"
            | "style"
            | "svg"
            | "template"
            | "textarea"
            | "title"
            | "track"
            | "video"
    )
}

/// Elements that stand on lines of their own.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "option"
            | "p"
            | "pre"
            | "search"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "tr"
            | "ul"
    )
}

/// A text that grows, with white space as it is shown.
#[derive(Debug, Default)]
struct Lines {
    text: String,
    has_gap: bool,
}

impl Lines {
    fn push(&mut self, text: &str) {
        for part in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
            let word = part.trim_end_matches(|c: char| c.is_ascii_whitespace());
            if !word.is_empty() {
                if self.has_gap && !self.text.is_empty() && !self.text.ends_with(['\n', '\t']) {
                    self.text.push(' ');
                }
                self.text.push_str(word);
                self.has_gap = false;
            }
            self.has_gap |= word.len() < part.len();
        }
    }

    fn push_as_written(&mut self, text: &str) {
        self.text.push_str(text);
        self.has_gap = false;
    }

    fn fresh(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.has_gap = false;
    }

    fn line(&mut self) {
        self.text.push('\n');
        self.has_gap = false;
    }

    fn tab(&mut self) {
        self.text.push('\t');
        self.has_gap = false;
    }

    fn done(self) -> String {
        self.text.trim_matches(['\n', ' ']).to_owned()
    }
}

#[cfg(test)]
mod tests;
