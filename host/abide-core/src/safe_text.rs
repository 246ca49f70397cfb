//! Text from workers, repositories and policies, made fit for a terminal: nothing in it can move the cursor, reorder or hide.

/// `text` on one line: control, bidirectional and invisible characters are written as `\u{…}`, and it is cut at 300 characters.
pub fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count >= 300 {
            safe.push('…');
            break;
        }
        push(&mut safe, c);
    }
    safe
}

/// `text` with its lines kept; each line as [`line`] would write it, but not cut.
pub fn block(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || c == '\t' { safe.push(c) } else { push(&mut safe, c) }
    }
    safe
}

fn push(safe: &mut String, c: char) {
    if hidden(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
}

/// Whether a reader would not see `c`, or would see other characters elsewhere because of it (Unicode TR 36 and 55).
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_hides() {
        assert_eq!(line("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(block("a\n\tb\r"), "a\n\tb\\u{d}");
        assert_eq!(line(&"é".repeat(400)).chars().count(), 301);
        assert_eq!(line("naïve — 日本"), "naïve — 日本");
    }
}
