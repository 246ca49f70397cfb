//! `OpenGraph` and what else `<meta>`, `<title>` and `<link rel=canonical>` say of a page: one record for each page.

use super::{Candidate, Finding, Found, Group, Spot, choose};
use crate::Ask;
use crate::convert::{Context, Raw};
use crate::page::Page;
use crate::page::text::raw;
use crate::words::{Name, Score};

/// `og:type` of a page that is about itself.
const PAGE_ITSELF: [&str; 2] = ["", "website"];

/// # Errors
/// That the pages speak of themselves and not of one thing each.
pub(super) fn groups(pages: &[Page<'_>], ask: &Ask) -> Result<Vec<Group>, String> {
    let mut candidates = Vec::new();
    let mut kinds = Vec::new();
    let wanted = ask.hints.kind.as_deref().or(ask.shape.kind.as_deref()).map(Name::of);
    for (number, page) in pages.iter().enumerate() {
        let said = said(page);
        let kind = said
            .iter()
            .find(|(label, ..)| label == "og:type")
            .map(|(.., finding)| finding.raw.text().trim().to_lowercase())
            .unwrap_or_default();
        kinds.push(kind.clone());
        let about = match &wanted {
            Some(wanted) => kind.split(['.', ':']).any(|kind| Name::of(kind) == *wanted),
            None => !PAGE_ITSELF.contains(&kind.as_str()),
        };
        let Some(root) = page.root().filter(|_| about || ask.hints.page) else { continue };
        let context = Context { page, hints: &ask.hints };
        let found = ask.shape.fields.iter().map(|field| {
            let options: Vec<(Score, Finding)> = said
                .iter()
                .filter_map(|(label, rank, finding)| {
                    let short = label.split_once(':').map_or(label.as_str(), |(_, short)| short);
                    let score = field.score(&Name::of(short)).or_else(|| field.score(&Name::of(label)))?;
                    Some((score * 10 + rank, finding.clone()))
                })
                .collect();
            choose(context, field, options).map(Found::One)
        });
        candidates.push(Candidate {
            page: number,
            element: root.id(),
            pointer: None,
            found: found.collect(),
        });
    }
    if candidates.is_empty() {
        kinds.dedup();
        let kinds = kinds.join("`, `");
        return Err(format!(
            "`og:type` is `{kinds}`, so the pages are not one record each; `page: true` in the hints says that they are"
        ));
    }
    let name = "the pages' own description".to_owned();
    Ok(vec![Group { name, named: ask.hints.page, candidates, notes: Vec::new() }])
}

/// What the page says of itself: label, how far it is preferred, value.
fn said(page: &Page<'_>) -> Vec<(String, Score, Finding)> {
    let mut found = Vec::new();
    for element in page.elements() {
        let value = |attribute: Option<&str>, text: String| {
            let attribute = attribute.map(str::to_owned);
            let raw = if attribute.is_some() { Raw::Json(text.into()) } else { Raw::Text(text) };
            Finding::new(Spot { element: element.id(), attribute, pointer: None }, raw)
        };
        match element.value().name() {
            "meta" => {
                let label = element.attr("property").or_else(|| element.attr("name"));
                let (Some(label), Some(content)) = (label, element.attr("content")) else { continue };
                let label = label.trim().to_lowercase();
                let rank = match label.split(':').next().unwrap_or_default() {
                    "og" => 3,
                    "twitter" => 1,
                    _ => 2,
                };
                found.push((label, rank, value(Some("content"), content.to_owned())));
            }
            "link" if element.attr("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical")) => {
                let href = element.attr("href").unwrap_or_default();
                found.push(("url".to_owned(), 0, value(Some("href"), href.to_owned())));
            }
            // The one of the document: `<svg>` has its own.
            "title" if !found.iter().any(|(label, rank, _)| label == "title" && *rank == 0) => {
                found.push(("title".to_owned(), 0, value(None, raw(element))));
            }
            _ => {}
        }
    }
    found
}
