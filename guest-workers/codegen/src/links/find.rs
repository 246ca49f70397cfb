//! Finds link destinations in Markdown, as `CommonMark` sees them: not in code, not in HTML, escapes respected.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

/// A destination in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Its bytes, without the brackets of `<…>`.
    pub(super) at: Range<usize>,
    /// What it says.
    pub(super) destination: String,
    /// Written `<…>`, where a space is allowed.
    pub(super) bracketed: bool,
}

/// Destinations of inline links, images and reference definitions. One that is written with escapes or entities is left out.
pub(super) fn links(text: &str) -> Vec<Link> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let parser = Parser::new_ext(text, options);
    let mut found: Vec<Link> = Vec::new();
    for (_, definition) in parser.reference_definitions().iter() {
        let span = definition.span.clone();
        let after_label = text[span.clone()].find("]:").map(|at| span.start + at + 2);
        found.extend(after_label.and_then(|from| destination(text, from, span.end, &definition.dest)));
    }
    // Open links and images: destination, and where the text inside them ended so far.
    let mut open: Vec<(Option<String>, usize)> = Vec::new();
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) => {
                let inline = matches!(link_type, LinkType::Inline).then(|| dest_url.to_string());
                open.push((inline, range.start + 1));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some((Some(wanted), inner_end)) = open.pop() {
                    let after_text = text[inner_end..range.end].find("](").map(|at| inner_end + at + 2);
                    found.extend(after_text.and_then(|from| destination(text, from, range.end, &wanted)));
                }
                widen(&mut open, range.end);
            }
            _ => widen(&mut open, range.end),
        }
    }
    found
}

fn widen(open: &mut [(Option<String>, usize)], end: usize) {
    // A start event spans all that is inside it, and so does not count; only text and ends reach here with their own range.
    if let Some((_, inner_end)) = open.last_mut() {
        *inner_end = (*inner_end).max(end);
    }
}

/// The destination that begins after white space at `from`, if it is spelled exactly as `wanted`.
fn destination(text: &str, from: usize, end: usize, wanted: &str) -> Option<Link> {
    let rest = &text[from..end];
    let start = from + (rest.len() - rest.trim_start().len());
    let rest = &text[start..end];
    if let Some(inner) = rest.strip_prefix('<') {
        let length = inner.find('>')?;
        let at = start + 1..start + 1 + length;
        return (text[at.clone()] == *wanted).then(|| Link {
            at,
            destination: wanted.to_owned(),
            bracketed: true,
        });
    }
    rest.starts_with(wanted).then(|| Link {
        at: start..start + wanted.len(),
        destination: wanted.to_owned(),
        bracketed: false,
    })
}
