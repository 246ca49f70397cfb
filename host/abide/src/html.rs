//! The shell of a page that `ab` writes: one file, without scripts, that asks nobody for anything.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::report::{Exit, Failure};

/// Whether pictures stand in a page. They stand in it whole; none is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pictures {
    None,
    Inside,
}

/// A whole page. The same parts give the same bytes.
pub(crate) fn page(title: &str, style: &str, pictures: Pictures, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_policy(style, pictures));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(style)) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

/// Writes a page where a person wants it.
pub(crate) fn write(file: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(file, page).map_err(|error| {
        Failure::new("AB0175", format!("`{}` cannot be written: {error}", file.display()))
            .help("name a file in a folder that exists")
            .exit(Exit::Usage)
    })
}

/// Nothing may be fetched, run or sent, and the only style is the page's own.
fn content_policy(style: &str, pictures: Pictures) -> String {
    let digest = STANDARD.encode(Sha256::digest(style));
    let inside = match pictures {
        Pictures::None => "",
        Pictures::Inside => " img-src data:;",
    };
    format!("default-src 'none';{inside} style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
}

#[cfg(test)]
mod tests;
