//! Looks at the bytes of a page for what would make a parser slow: it compares each attribute of an element with all before it.

/// Attributes of one element.
const ATTRIBUTES_MAX: usize = 2_000;
/// Elements whose content is text up to their own end tag.
const RAW: [&[u8]; 8] =
    [b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noscript"];

/// Refuses a page in which one element has too many attributes.
///
/// An upper bound, not a parse: words of a tag are counted, quotes respected.
pub(super) fn attributes(html: &str) -> Result<(), String> {
    let bytes = html.as_bytes();
    let mut at = 0;
    while let Some(open) = find(bytes, at, |byte| byte == b'<') {
        let after = open + 1;
        if bytes[after..].starts_with(b"!--") {
            at = seek(bytes, after + 3, b"-->").unwrap_or(bytes.len());
            continue;
        }
        if !bytes.get(after).is_some_and(u8::is_ascii_alphabetic) {
            at = after;
            continue;
        }
        let (end, words) = tag(bytes, after);
        if words > ATTRIBUTES_MAX {
            return Err(format!("an element has more than {ATTRIBUTES_MAX} attributes"));
        }
        at = end;
        let raw = RAW.iter().find(|raw| {
            let name = &bytes[after..];
            name.len() > raw.len()
                && name[..raw.len()].eq_ignore_ascii_case(raw)
                && !name[raw.len()].is_ascii_alphanumeric()
        });
        if let Some(raw) = raw {
            at = close(bytes, at, raw);
        }
    }
    Ok(())
}

/// Where the tag that begins at `at` ends, and how many words it has.
fn tag(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let mut words = 0;
    let mut within = false;
    let mut value = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'>' => return (at + 1, words),
            b'"' | b'\'' if value => {
                at = find(bytes, at + 1, |next| next == byte).unwrap_or(bytes.len());
                within = false;
                value = false;
            }
            b'=' if within => value = true,
            b'/' if !value => within = false,
            _ if byte.is_ascii_whitespace() => within = within && value,
            _ => {
                words += usize::from(!within && !value);
                // The first byte of an unquoted value: up to white space it is one word.
                if value {
                    at = find(bytes, at, |next| next.is_ascii_whitespace() || next == b'>')
                        .unwrap_or(bytes.len());
                    within = false;
                    value = false;
                    continue;
                }
                within = true;
            }
        }
        at += 1;
    }
    (bytes.len(), words)
}

fn find(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| wanted(*byte)).map(|at| from + at)
}

fn seek(bytes: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    bytes
        .get(from..)?
        .windows(wanted.len())
        .position(|part| part == wanted)
        .map(|at| from + at + wanted.len())
}

/// Where the end tag of `name` begins.
fn close(bytes: &[u8], mut at: usize, name: &[u8]) -> usize {
    while let Some(open) = find(bytes, at, |byte| byte == b'<') {
        let rest = &bytes[open + 1..];
        if rest.first() == Some(&b'/')
            && rest.get(1..=name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name))
        {
            return open;
        }
        at = open + 1;
    }
    bytes.len()
}
