//! Blanks comments and multi-line strings, keeping every line in its place. A lexer for strings and comments, not a parser.

use super::Language;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// Depth, for languages whose comments nest.
    BlockComment(u32),
    /// The quote, and whether it ends with the line at the latest.
    Text(char, bool),
    /// A raw string of Rust, with its number of `#`.
    Raw(usize),
    /// A triple-quoted string of Python or Kotlin; blanked.
    Triple(char),
}

/// `text` with the contents of comments and triple-quoted strings replaced by spaces.
pub(super) fn code_only(text: &str, language: Language) -> String {
    let mut out = String::with_capacity(text.len());
    let mut state = State::Code;
    let mut rest = text;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        if let Some(run) = plain_run(state, rest, language) {
            out.push_str(run);
            previous = run.chars().next_back().unwrap_or(previous);
            rest = rest.get(run.len()..).unwrap_or_default();
            continue;
        }
        let (next, taken, shown) = match state {
            State::Code => begin(rest, c, previous, language),
            State::LineComment
            | State::BlockComment(_)
            | State::Text(..)
            | State::Raw(_)
            | State::Triple(_) => go_on(state, rest, c, language),
        };
        let one = c.len_utf8();
        let piece = rest.get(..taken.max(one)).or_else(|| rest.get(..one)).unwrap_or(rest);
        for kept in piece.chars() {
            out.push(if shown || kept == '\n' { kept } else { ' ' });
        }
        previous = piece.chars().next_back().unwrap_or(c);
        rest = rest.get(piece.len()..).unwrap_or_default();
        state = next;
    }
    out
}

/// Code up to the next character that might begin something else; `None` if it stands first.
fn plain_run(state: State, rest: &str, language: Language) -> Option<&str> {
    if state != State::Code {
        return None;
    }
    let bytes = rest.as_bytes();
    let special = |(at, byte): (usize, &u8)| match byte {
        b'"' | b'\'' | b'`' => true,
        b'/' => language != Language::Python,
        b'#' => language == Language::Python,
        b'r' => language == Language::Rust && matches!(bytes.get(at.saturating_add(1)), Some(b'"' | b'#')),
        _ => false,
    };
    let end = bytes.iter().enumerate().position(special).unwrap_or(bytes.len());
    rest.get(..end).filter(|run| !run.is_empty())
}

/// In code: what begins here, how many bytes it takes, and whether they are shown.
fn begin(rest: &str, c: char, previous: char, language: Language) -> (State, usize, bool) {
    let slashes = language != Language::Python;
    match c {
        '/' if slashes && rest.starts_with("//") => {
            // A build constraint of Go is a comment that counts.
            if rest.starts_with("//go:build") {
                (State::Code, 2, true)
            } else {
                (State::LineComment, 2, false)
            }
        }
        '/' if slashes && rest.starts_with("/*") => (State::BlockComment(1), 2, false),
        '#' if !slashes => (State::LineComment, 1, false),
        '"' | '\'' if !slashes && rest.starts_with(triple(c)) => (State::Triple(c), 3, false),
        '"' if language == Language::Jvm && rest.starts_with("\"\"\"") => (State::Triple('"'), 3, false),
        'r' if language == Language::Rust && !previous.is_alphanumeric() && previous != '_' => raw(rest),
        '"' => (State::Text('"', language != Language::Rust), 1, true),
        '\'' if language == Language::Rust => (State::Code, char_literal(rest), true),
        '\'' => (State::Text('\'', true), 1, true),
        '`' if matches!(language, Language::Script | Language::Go) => (State::Text('`', false), 1, true),
        _ => (State::Code, c.len_utf8(), true),
    }
}

fn go_on(state: State, rest: &str, c: char, language: Language) -> (State, usize, bool) {
    match state {
        State::LineComment | State::Text(_, true) if c == '\n' => (State::Code, 1, true),
        State::BlockComment(depth) if rest.starts_with("*/") => {
            let left = depth.saturating_sub(1);
            (if left == 0 { State::Code } else { State::BlockComment(left) }, 2, false)
        }
        State::BlockComment(depth) if language == Language::Rust && rest.starts_with("/*") => {
            (State::BlockComment(depth.saturating_add(1)), 2, false)
        }
        State::Text('`', _) if language == Language::Go => {
            (if c == '`' { State::Code } else { state }, c.len_utf8(), true)
        }
        State::Text(_, _) if c == '\\' => {
            let escaped = rest.chars().nth(1).filter(|next| *next != '\n').map_or(0, char::len_utf8);
            (state, escaped.saturating_add(1), true)
        }
        State::Text(quote, _) if c == quote => (State::Code, 1, true),
        State::Text(..) => (state, c.len_utf8(), true),
        State::Raw(hashes) => {
            let end = rest
                .strip_prefix('"')
                .is_some_and(|after| after.bytes().take_while(|b| *b == b'#').count() >= hashes);
            (
                if end { State::Code } else { state },
                if end { hashes.saturating_add(1) } else { c.len_utf8() },
                false,
            )
        }
        State::Triple(quote) if rest.starts_with(triple(quote)) => (State::Code, 3, false),
        State::Triple(_) if c == '\\' && language == Language::Python => {
            let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
            (state, escaped.saturating_add(1), false)
        }
        State::LineComment | State::BlockComment(_) | State::Triple(_) => (state, c.len_utf8(), false),
        State::Code => (State::Code, c.len_utf8(), true),
    }
}

fn triple(quote: char) -> &'static str {
    if quote == '"' { "\"\"\"" } else { "'''" }
}

/// `r"…"` or `r#"…"#` of Rust.
fn raw(rest: &str) -> (State, usize, bool) {
    let hashes = rest.bytes().skip(1).take_while(|byte| *byte == b'#').count();
    let quote = rest.as_bytes().get(hashes.saturating_add(1)) == Some(&b'"');
    if quote { (State::Raw(hashes), hashes.saturating_add(2), true) } else { (State::Code, 1, true) }
}

/// Bytes of a character literal of Rust, or 1 for the tick of a lifetime.
fn char_literal(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => {
            rest.get(3..).and_then(|tail| tail.find('\'')).map_or(1, |at| at.saturating_add(4)).min(14)
        }
        (Some(_), Some((at, '\''))) => at.saturating_add(1),
        _ => 1,
    }
}
