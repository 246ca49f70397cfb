//! What the hints point at: an element for each record, and selectors inside of it. Fields without one go by their names.

use scraper::{ElementRef, Selector};

use super::labels::Labels;
use super::{Candidate, Found, Group, found_in};
use crate::Ask;
use crate::convert::Context;
use crate::page::Page;
use crate::schema::{Field, Kind};

/// # Errors
/// That the hints point at nothing.
pub(super) fn groups(pages: &[Page<'_>], ask: &Ask) -> Result<Vec<Group>, String> {
    let parse = |text: &str| Selector::parse(text).ok();
    let record = ask.hints.record.as_deref().and_then(parse);
    let fields: Vec<Option<(String, Selector)>> = ask
        .shape
        .fields
        .iter()
        .map(|field| {
            let text = ask.hints.field(&field.name)?.selector.clone()?;
            let selector = parse(&text)?;
            Some((text, selector))
        })
        .collect();
    if record.is_none() && fields.iter().all(Option::is_none) {
        return Err("the hints have no selector".to_owned());
    }
    let mut candidates = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let tops: Vec<ElementRef<'_>> = match &record {
            Some(record) => page.select(None, record),
            None => page.root().into_iter().collect(),
        };
        for top in tops {
            let labels = Labels::of(&[top]);
            let context = Context { page, hints: &ask.hints };
            let found = ask.shape.fields.iter().zip(&fields).map(|(field, selector)| match selector {
                Some((text, selector)) => selected(page, top, field, text, selector, ask),
                // The whole page has too many names for one of them to mean something.
                None if record.is_none() => Err("no selector for it".to_owned()),
                None => labels.find(context, field, ask),
            });
            let found = found.collect();
            candidates.push(Candidate { page: number, element: top.id(), pointer: None, found });
        }
    }
    if candidates.is_empty() {
        return Err(format!("nothing at `{}`", ask.hints.record.as_deref().unwrap_or("html")));
    }
    let name = match &ask.hints.record {
        Some(record) => format!("`{record}`"),
        None => "whole pages".to_owned(),
    };
    Ok(vec![Group { name, named: true, candidates, notes: Vec::new() }])
}

/// The first element at `selector`; for an array, all of them.
fn selected(
    page: &Page<'_>,
    top: ElementRef<'_>,
    field: &Field,
    text: &str,
    selector: &Selector,
    ask: &Ask,
) -> Result<Found, String> {
    let hits = page.select(Some(top), selector);
    let Some(first) = hits.first() else { return Err(format!("nothing at `{text}`")) };
    let unread = || format!("nothing to read at `{text}`");
    if field.may_be(Kind::Array) && hits.len() > 1 {
        let mut all = Vec::new();
        for hit in &hits {
            match found_in(*hit, field, ask).ok_or_else(unread)? {
                Found::Many(many) => all.extend(many),
                one => all.push(one),
            }
        }
        return Ok(Found::Many(all));
    }
    let mut found = found_in(*first, field, ask).ok_or_else(unread)?;
    if let (Found::One(finding), true) = (&mut found, hits.len() > 1) {
        finding.notes.push(format!("first of {} at `{text}`", hits.len()));
    }
    Ok(found)
}
