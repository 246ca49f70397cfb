//! JSON-LD: `<script type="application/ld+json">` (JSON-LD 1.1, section 7). `@graph`, arrays and things inside of things are looked through; no
//! context is loaded, names are compared as they stand.

use serde_json::Value;

use super::Group;
use super::thing::{Tree, collect};
use crate::Ask;
use crate::page::Page;

pub(super) fn groups(pages: &[Page<'_>], ask: &Ask) -> Vec<Group> {
    let mut groups = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let trees: Vec<Tree> = page
            .elements()
            .into_iter()
            .filter(|element| {
                element.value().name() == "script"
                    && element.attr("type").is_some_and(|kind| {
                        let kind = kind.split(';').next().unwrap_or_default();
                        kind.trim().eq_ignore_ascii_case("application/ld+json")
                    })
            })
            .filter_map(|element| {
                let text: String = element.text().collect();
                let value: Value = serde_json::from_str(bare(&text)).ok()?;
                Some(Tree { value, element: element.id(), spots: std::collections::BTreeMap::new() })
            })
            .collect();
        collect(&mut groups, page, number, &trees, ask);
    }
    groups
}

/// Without the comment marks that old pages put around scripts.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("<!--").unwrap_or(text);
    let text = text.strip_suffix("-->").unwrap_or(text).trim();
    let text = text.strip_prefix("//<![CDATA[").or_else(|| text.strip_prefix("<![CDATA[")).unwrap_or(text);
    text.strip_suffix("//]]>").or_else(|| text.strip_suffix("]]>")).unwrap_or(text).trim()
}
