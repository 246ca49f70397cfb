//! Text from a worker, made safe to show to a person.

/// `text` without escape sequences, control and invisible formatting characters, on one line, cut at `bytes_max`.
///
/// Sequences by ECMA-48: CSI, and the string controls OSC, DCS, SOS, PM and APC up to their terminator. A line feed or tab becomes a
/// space. Bidirectional controls and zero-width characters can make a text read differently from what it is.
pub(crate) fn clean_line(text: &str, bytes_max: usize) -> String {
    clean(text, bytes_max, false)
}

/// As [`clean_line`], but line feeds stay.
pub(crate) fn clean_text(text: &str, bytes_max: usize) -> String {
    clean(text, bytes_max, true)
}

fn clean(text: &str, bytes_max: usize, keep_lines: bool) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let shown = match c {
            '\n' if keep_lines => Some('\n'),
            '\n' | '\t' => Some(' '),
            '\u{1b}' => {
                skip_escape(&mut chars);
                None
            }
            '\u{9b}' => {
                skip_csi(&mut chars);
                None
            }
            c if c.is_control() || is_invisible(c) => None,
            c => Some(c),
        };
        if let Some(c) = shown {
            if out.len().saturating_add(c.len_utf8()) > bytes_max {
                break;
            }
            out.push(c);
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_escape(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_csi(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // Two-character sequences; intermediate bytes (0x20 to 0x2f) are followed by one more.
        Some(' '..='/') => {
            chars.next();
        }
        _ => {}
    }
}

/// Parameter and intermediate bytes, then one final byte.
fn skip_csi(chars: &mut Chars<'_>) {
    while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    chars.next_if(|c| matches!(c, '@'..='~'));
}

/// Up to BEL or ESC `\`.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next() {
        if c == '\u{7}' || c == '\u{9c}' {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if(|c| *c == '\\');
            return;
        }
    }
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests;
