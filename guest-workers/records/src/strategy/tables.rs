//! Tables: a record for each row below the headings; for each column, where the first one has the names; and definition lists as tables of two
//! columns.

use std::collections::BTreeMap;

use scraper::{ElementRef, Selector};

use super::grid::{Grid, Row};
use super::{Candidate, Found, Group, add, found_in};
use crate::Ask;
use crate::hints::Hints;
use crate::page::Page;
use crate::page::text::raw;
use crate::schema::{Field, Shape};
use crate::words::{Name, Score, collapse, cut};

/// Rows that may be headings.
const HEADINGS_MAX: usize = 4;
/// A heading that the hints name.
const NAMED: Score = 1_000;

pub(super) fn groups(pages: &[Page<'_>], ask: &Ask) -> Vec<Group> {
    let mut groups = Vec::new();
    let chosen = ask.hints.table.as_deref().and_then(|text| Selector::parse(text).ok());
    let named = chosen.is_some() || !ask.hints.headers.is_empty();
    for (number, page) in pages.iter().enumerate() {
        let elements = match &chosen {
            Some(selector) => page.select(None, selector),
            None => page.elements(),
        };
        for element in elements {
            match element.value().name() {
                "table" => match Grid::of(element) {
                    Ok(grid) => table(&mut groups, number, &grid, ask, named),
                    Err(why) => refused(&mut groups, why),
                },
                "dl" => definitions(&mut groups, number, element, ask, named),
                _ => {}
            }
        }
    }
    groups
}

fn refused(groups: &mut Vec<Group>, why: String) {
    groups.push(Group { name: "a table".to_owned(), named: false, candidates: Vec::new(), notes: vec![why] });
}

/// Which field stands in which column (or row), best labels first; each is given once, and none where two have the same claim.
fn assign(shape: &Shape, hints: &Hints, labels: &[Vec<String>]) -> BTreeMap<usize, usize> {
    let mut pairs: Vec<(Score, usize, usize)> = Vec::new();
    for (column, texts) in labels.iter().enumerate() {
        for (field, wanted) in shape.fields.iter().enumerate() {
            let scores = texts.iter().enumerate().filter_map(|(at, text)| {
                // One of several headings above each other says less than all of them.
                let part = Score::from(texts.len() > 1 && at + 1 < texts.len());
                claim(wanted, hints, &Name::of(text)).map(|score| score * 10 - part * 5)
            });
            pairs.extend(scores.max().map(|score| (score, field, column)));
        }
    }
    pairs.sort_by_key(|(score, field, column)| (std::cmp::Reverse(*score), *field, *column));
    let mut given: BTreeMap<usize, usize> = BTreeMap::new();
    let mut settled: Vec<usize> = Vec::new();
    let mut taken: Vec<usize> = Vec::new();
    for (score, field, column) in &pairs {
        if settled.contains(field) || taken.contains(column) {
            continue;
        }
        settled.push(*field);
        let same =
            |pair: &&(Score, usize, usize)| (pair.0, pair.1) == (*score, *field) && !taken.contains(&pair.2);
        if pairs.iter().filter(same).count() == 1 {
            given.insert(*field, *column);
            taken.push(*column);
        }
    }
    given
}

/// How well a heading names a field.
fn claim(field: &Field, hints: &Hints, heading: &Name) -> Option<Score> {
    let named = hints.headers.iter().any(|(text, name)| *name == field.name && Name::of(text) == *heading);
    let more = hints.field(&field.name).map(|hint| hint.names.as_slice()).unwrap_or_default();
    if named || more.iter().any(|text| Name::of(text) == *heading) {
        return Some(NAMED);
    }
    field.score(heading)
}

fn table(groups: &mut Vec<Group>, page: usize, grid: &Grid<'_>, ask: &Ask, named: bool) {
    let heads = headings(grid, ask);
    let across: Vec<Vec<String>> =
        (0..grid.columns).map(|column| labels(grid.rows.iter().take(heads), column)).collect();
    let down: Vec<Vec<String>> =
        grid.rows.iter().map(|row| row.cell(0).map(said).into_iter().collect()).collect();
    let by_column = assign(&ask.shape, &ask.hints, &across);
    // A column of names has to look like one: its cells are headings, or it has more of the fields than the row has.
    let by_row = if grid.columns >= 2 { assign(&ask.shape, &ask.hints, &down) } else { BTreeMap::new() };
    let caption = grid.caption.map(|caption| format!(" “{}”", cut(&raw(caption), 60))).unwrap_or_default();
    if by_row.len() > by_column.len() {
        let name = format!("table{caption} with names in its first column");
        for column in 1..grid.columns {
            sideways(groups, page, grid, column, &by_row, ask, (&name, named));
        }
        return;
    }
    let texts: Vec<String> = across.iter().map(|texts| cut(&texts.join(" / "), 30)).collect();
    let name = format!("table{caption} with columns {}", texts.join(", "));
    let missing = format!("no one column for it among {}", texts.join(", "));
    for row in grid.rows.iter().skip(heads) {
        if skipped(row, grid) {
            continue;
        }
        let found = ask.shape.fields.iter().enumerate().map(|(at, field)| {
            let column = by_column.get(&at).ok_or_else(|| missing.clone())?;
            let cell = row.cell(*column).ok_or("its column is empty here")?;
            found_in(cell, field, ask).ok_or_else(|| "its cell has nothing to read".to_owned())
        });
        let found: Vec<Result<Found, String>> = found.collect();
        let candidate = Candidate { page, element: row.element.id(), pointer: None, found };
        add(groups, &name, named, candidate);
    }
}

/// Headings in between, totals, and rows with one cell for everything.
fn skipped(row: &Row<'_>, grid: &Grid<'_>) -> bool {
    row.head || row.foot || row.is_headings() || (grid.columns > 1 && row.is_one())
}

/// How many rows on top are headings.
fn headings(grid: &Grid<'_>, ask: &Ask) -> usize {
    let marked = grid.rows.iter().take_while(|row| row.head || row.is_headings()).count();
    if marked > 0 {
        return marked.min(HEADINGS_MAX);
    }
    // Without marks: the first row, when it names at least half of what is needed.
    let first: Vec<Vec<String>> =
        (0..grid.columns).map(|column| labels(grid.rows.iter().take(1), column)).collect();
    let named = assign(&ask.shape, &ask.hints, &first).len();
    usize::from(named >= crate::judge::need(&ask.shape).min(ask.shape.fields.len()) && named > 0)
}

/// What a column is called: each of its headings, and all of them together from the top.
fn labels<'r, 'p: 'r>(rows: impl Iterator<Item = &'r Row<'p>>, column: usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for cell in rows.filter_map(|row| row.cell(column)) {
        if !seen.contains(&cell.id()) {
            seen.push(cell.id());
            texts.push(said(cell));
        }
    }
    texts.retain(|text| !text.is_empty());
    if texts.len() > 1 {
        texts.push(texts.join(" "));
    }
    texts
}

fn said(cell: ElementRef<'_>) -> String {
    collapse(raw(cell).trim_end_matches(':'))
}

/// The record that a column is, where the rows are the fields.
fn sideways(
    groups: &mut Vec<Group>,
    page: usize,
    grid: &Grid<'_>,
    column: usize,
    by_row: &BTreeMap<usize, usize>,
    ask: &Ask,
    (name, named): (&str, bool),
) {
    let found = ask.shape.fields.iter().enumerate().map(|(at, field)| {
        let row = by_row.get(&at).ok_or("no one row for it")?;
        let row = grid.rows.get(*row).ok_or("no row for it")?;
        let own = row.cell(0).map(|cell| cell.id());
        let cell = row.cell(column).filter(|cell| Some(cell.id()) != own).ok_or("its row is empty here")?;
        found_in(cell, field, ask).ok_or_else(|| "its cell has nothing to read".to_owned())
    });
    let found: Vec<Result<Found, String>> = found.collect();
    if found.iter().any(Result::is_ok) {
        add(groups, name, named, Candidate { page, element: grid.element.id(), pointer: None, found });
    }
}

/// A definition list as one record: terms are names. Where terms come again, it is a list, which another strategy reads.
fn definitions(groups: &mut Vec<Group>, page: usize, list: ElementRef<'_>, ask: &Ask, named: bool) {
    let mut terms: Vec<Vec<String>> = Vec::new();
    let mut values: Vec<Option<ElementRef<'_>>> = Vec::new();
    let children: Vec<ElementRef<'_>> =
        list.child_elements()
            .flat_map(|child| {
                if child.value().name() == "div" { child.child_elements().collect() } else { vec![child] }
            })
            .collect();
    for child in children {
        match child.value().name() {
            "dt" => {
                let text = said(child);
                if terms.iter().any(|terms| terms.contains(&text)) {
                    return;
                }
                terms.push(vec![text]);
                values.push(None);
            }
            "dd" => {
                if let Some(value) = values.last_mut().filter(|value| value.is_none()) {
                    *value = Some(child);
                }
            }
            _ => {}
        }
    }
    let by_term = assign(&ask.shape, &ask.hints, &terms);
    if by_term.is_empty() {
        return;
    }
    let found = ask.shape.fields.iter().enumerate().map(|(at, field)| {
        let value = by_term.get(&at).and_then(|term| values.get(*term)).copied().flatten();
        let value = value.ok_or("no one term for it")?;
        found_in(value, field, ask).ok_or_else(|| "its value has nothing to read".to_owned())
    });
    let found = found.collect();
    add(groups, "definition lists", named, Candidate { page, element: list.id(), pointer: None, found });
}
