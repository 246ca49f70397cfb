//! Takes secrets out of what a page says. It was given them, and may write them again, as they are or as markup, scripts and addresses spell them.

use abide_core::id::Digest;
use abide_core::page::{BrowseFailure, Browsed};

use super::seen::Album;
use crate::egress::spellings;
use crate::egress::vault::Secret;

/// What stands where a secret stood.
const BLOT: &str = "(redacted)";

/// Secrets that pages were given, in all their spellings.
#[derive(Default)]
pub(super) struct Blot(Vec<String>);

impl std::fmt::Debug for Blot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blot").finish_non_exhaustive()
    }
}

impl Blot {
    /// Looks for this one, too.
    pub(super) fn add(&mut self, secret: &Secret) {
        let Ok(plain) = std::str::from_utf8(secret.expose()) else { return };
        if plain.is_empty() {
            return;
        }
        let markup = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let in_attribute = plain.replace('&', "&amp;").replace('"', "&quot;");
        let in_any_attribute = markup.replace('"', "&quot;");
        let quoted = in_any_attribute.replace('\'', "&#39;");
        let in_scripts = serde_json::Value::from(plain).to_string();
        let in_scripts = in_scripts.trim_matches('"').to_owned();
        let in_addresses = spellings(secret).into_iter().filter_map(|bytes| String::from_utf8(bytes).ok());
        // The longest first: what is a part of another must not spoil it.
        self.0.extend(in_addresses.chain([quoted, in_any_attribute, in_attribute, markup, in_scripts]));
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
        self.0.dedup();
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text without them.
    pub(super) fn text(&self, mut text: String) -> String {
        for form in &self.0 {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), BLOT);
            }
        }
        text
    }

    /// An answer without them.
    pub(super) fn answer(&self, mut answer: Browsed) -> Browsed {
        if self.is_empty() {
            return answer;
        }
        let blot = |text: &mut String| *text = self.text(std::mem::take(text));
        match &mut answer {
            Browsed::Text(text) => blot(text),
            Browsed::Links(links) => {
                links
                    .iter_mut()
                    .flat_map(|link| [&mut link.url, &mut link.text, &mut link.rel])
                    .for_each(blot);
            }
            Browsed::Elements(elements) => {
                for element in elements {
                    blot(&mut element.text);
                    element.attributes.iter_mut().for_each(|(_, value)| blot(value));
                }
            }
            Browsed::Tables(tables) => {
                for table in tables {
                    blot(&mut table.caption);
                    table.rows.iter_mut().flatten().for_each(blot);
                }
            }
            Browsed::Snapshot(snapshot) => {
                blot(&mut snapshot.url);
                blot(&mut snapshot.html);
                snapshot.digest = Digest::of(snapshot.html.as_bytes()).to_string();
            }
            Browsed::Opened(_) | Browsed::Done | Browsed::Scrolled(_) => {}
        }
        answer
    }

    /// A reason without them: it may hold the address of a page.
    pub(super) fn failure(&self, failure: BrowseFailure) -> BrowseFailure {
        failure.map(|why| self.text(why))
    }

    /// What was seen without them.
    pub(super) fn album(&self, mut album: Album) -> Album {
        let blot = |text: &mut String| *text = self.text(std::mem::take(text));
        album.console.iter_mut().for_each(blot);
        album.sights.iter_mut().for_each(|sight| blot(&mut sight.title));
        album.vain.iter_mut().flat_map(|(vain, _)| [&mut vain.url, &mut vain.why]).for_each(blot);
        album
    }
}

#[cfg(test)]
mod tests {
    use abide_core::page::BrowseFailure;

    use super::Blot;
    use crate::egress::vault::Secret;

    #[test]
    fn a_secret_is_found_however_it_is_spelt() {
        let mut blot = Blot::default();
        blot.add(&Secret::new(b"a\"b&c<d> e".to_vec()));
        for spelt in [
            "a\"b&c<d> e",
            "a\"b&amp;c&lt;d&gt; e",
            "a&quot;b&amp;c<d> e",
            "a&quot;b&amp;c&lt;d&gt; e",
            "a%22b%26c%3Cd%3E%20e",
            "a%22b%26c%3Cd%3E+e",
            "a\\\"b&c<d> e",
        ] {
            assert_eq!(blot.text(format!("1 {spelt} 2")), "1 (redacted) 2", "{spelt}");
        }
        assert_eq!(blot.text("a b c".to_owned()), "a b c");
        let address = "`https://a.example/?p=a%22b%26c%3Cd%3E+e` answers with status 404".to_owned();
        let told = blot.failure(BrowseFailure::Failed(address));
        assert_eq!(
            told,
            BrowseFailure::Failed("`https://a.example/?p=(redacted)` answers with status 404".to_owned())
        );
    }
}
