//! Raw git paths as text: the shown form, and the forms that globs are matched against.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// `path` as UTF-8; bytes that are not UTF-8 (and `%` in such a path) are percent-escaped, so two paths never show alike.
pub(crate) fn shown(path: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(path) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '%' {
                text.push_str("%25");
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push('%');
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    text
}

/// `path` in Unicode normalisation form C, the form in which globs are written.
pub(crate) fn nfc(path: &str) -> Cow<'_, str> {
    if path.is_ascii() { Cow::Borrowed(path) } else { Cow::Owned(path.nfc().collect()) }
}

/// `path` as a case-folding, normalising file system with HFS+ rules compares it.
///
/// NFD, ignorable code points dropped, every character lowered through its upper case so that `ſ`, `K` (Kelvin) and `ß` meet their
/// partners. This over-folds rather than under-folds.
pub(crate) fn folded(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    path.nfd()
        .filter(|c| !is_ignorable(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .nfc()
        .collect()
}

/// `path` as Windows takes it: `\` separates, and a component ends before its trailing dots and spaces and before a `:`.
pub(crate) fn windows(path: &str) -> Cow<'_, str> {
    if !path.contains(['\\', ':'])
        && !path.contains("./")
        && !path.contains(" /")
        && !path.ends_with(['.', ' '])
    {
        return Cow::Borrowed(path);
    }
    let components: Vec<&str> = path
        .split(['/', '\\'])
        .map(|component| component.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']))
        .collect();
    Cow::Owned(components.join("/"))
}

/// Code points that HFS+ ignores in names, and the other default-ignorable ones that a reader does not see.
pub(crate) fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}'
    )
}
