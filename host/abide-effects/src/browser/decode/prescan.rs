//! The encoding that a page names in a `meta` of its first 1,024 bytes (HTML standard, "prescan a byte stream to determine its encoding").

use encoding_rs::Encoding;

/// How far a page is looked into before it is read.
const LOOKED_INTO: usize = 1_024;

/// A place in the bytes that only moves on.
struct Walk<'a>(&'a [u8]);

/// The encoding that is named first, if it is one.
pub(super) fn said(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut walk = Walk(bytes.get(..LOOKED_INTO).unwrap_or(bytes));
    while let Some(from) = walk.0.iter().position(|byte| *byte == b'<') {
        walk.skip(from);
        if walk.begins(b"<!--") {
            // `<!-->` is a whole comment: the end may share its hyphens with the beginning.
            walk.skip(2);
            walk.past(b"-->")?;
        } else if walk.begins(b"<meta")
            && walk.0.get(5).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'/')
        {
            walk.skip(5);
            if let Some(found) = meta(&mut walk) {
                return Some(found);
            }
        } else if walk.0.get(1).is_some_and(u8::is_ascii_alphabetic)
            || (walk.0.get(1) == Some(&b'/') && walk.0.get(2).is_some_and(u8::is_ascii_alphabetic))
        {
            let name = walk.0.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>')?;
            walk.skip(name);
            while walk.attribute().is_some() {}
        } else if walk.0.get(1).is_some_and(|byte| b"!/?".contains(byte)) {
            walk.past(b">")?;
        } else {
            walk.skip(1);
        }
    }
    None
}

/// What the attributes of one `meta` say together.
fn meta(walk: &mut Walk<'_>) -> Option<&'static Encoding> {
    let (mut named, mut is_pragma, mut in_content) = (None, false, None);
    while let Some((name, value)) = walk.attribute() {
        match name.as_slice() {
            b"http-equiv" => is_pragma |= value == b"content-type",
            b"content" if in_content.is_none() => in_content = of_content(&value),
            b"charset" if named.is_none() => named = Some(Encoding::for_label(&value)),
            _ => {}
        }
    }
    match named {
        Some(named) => named,
        None => in_content.filter(|_| is_pragma),
    }
}

/// `charset=…` in the text of a `content`.
fn of_content(value: &[u8]) -> Option<&'static Encoding> {
    let text = String::from_utf8_lossy(value);
    let mut rest = text.as_ref();
    loop {
        (_, rest) = rest.split_once("charset")?;
        if let Some(after) = rest.trim_start().strip_prefix('=') {
            let after = after.trim_start();
            let label = match after.chars().next()? {
                quote @ ('"' | '\'') => after.get(1..)?.split_once(quote)?.0,
                _ => after.split(|c: char| c.is_ascii_whitespace() || c == ';').next()?,
            };
            return Encoding::for_label(label.as_bytes());
        }
    }
}

impl Walk<'_> {
    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }

    fn begins(&self, with: &[u8]) -> bool {
        self.0.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
    }

    fn past(&mut self, end: &[u8]) -> Option<()> {
        let at = self.0.windows(end.len()).position(|window| window == end)?;
        self.skip(at.saturating_add(end.len()));
        Some(())
    }

    /// Name and value of the next attribute in lower case; none at the end of the tag.
    fn attribute(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let is_gap = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'/';
        self.skip(self.0.iter().take_while(|byte| is_gap(byte)).count());
        if self.0.first().is_none_or(|byte| *byte == b'>') {
            self.skip(1);
            return None;
        }
        // A name may begin with `=`, and with nothing else of what ends it.
        let ends = |byte: &u8| is_gap(byte) || b">=".contains(byte);
        let letters = self.0.iter().skip(1).take_while(|byte| !ends(byte)).count().saturating_add(1);
        let name = self.0.get(..letters).unwrap_or_default().to_ascii_lowercase();
        self.skip(letters);
        self.space();
        if self.0.first() != Some(&b'=') {
            return Some((name, Vec::new()));
        }
        self.skip(1);
        self.space();
        let (letters, more) = if let Some(quote @ (b'"' | b'\'')) = self.0.first().copied() {
            self.skip(1);
            (self.0.iter().position(|byte| *byte == quote)?, 1)
        } else {
            (self.0.iter().take_while(|byte| !byte.is_ascii_whitespace() && **byte != b'>').count(), 0)
        };
        let value = self.0.get(..letters).unwrap_or_default().to_ascii_lowercase();
        self.skip(letters.saturating_add(more));
        Some((name, value))
    }

    fn space(&mut self) {
        self.skip(self.0.iter().take_while(|byte| byte.is_ascii_whitespace()).count());
    }
}
