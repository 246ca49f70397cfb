//! What a reader of a text or path would not see, or could not be asked to read.
//!
//! Sources: CVE-2021-42574 (bidirectional controls), UTS 39 (mixed scripts), UAX 9, the default-ignorable code points of Unicode.

use unicode_security::MixedScript as _;

use super::config::TextConfig;
use super::findings::Findings;
use super::view::{View, count};
use super::{Hazard, paths};

/// A run of encoded characters this long is data, not text.
const OPAQUE_RUN_BYTES: usize = 400;
/// As many lines of nothing but encoded characters, one after the other, are data too.
const OPAQUE_LINES: u32 = 12;
const OPAQUE_LINE_BYTES: usize = 56;

/// Finds hazards in text.
#[derive(Debug)]
pub(crate) struct Text {
    line_chars_max: usize,
}

impl Text {
    pub(crate) fn new(config: &TextConfig) -> Self {
        Self { line_chars_max: usize::try_from(config.line_chars_max).unwrap_or(usize::MAX) }
    }

    pub(crate) fn find(&self, view: &View<'_>, found: &mut Findings<Hazard>) {
        let mut say = |kind: &str, line: u64| {
            found.push(
                kind,
                view.path(),
                Hazard { kind: kind.to_owned(), path: view.path().to_owned(), line },
            );
        };
        if std::str::from_utf8(view.entry.path()).is_err() {
            say("non-utf8-path", 0);
        }
        hazards_in_line(view.path(), false, &mut |kind| say(kind, 0));
        if view.non_utf8 && view.entry.new_side().is_some() {
            say("non-utf8-text", 0);
        }
        if view.nul {
            // Not a text: its bytes are counted as a binary's.
            return;
        }
        let mut encoded = Encoded::default();
        for line in view.added_lines() {
            if exceeds(&line.text, self.line_chars_max) {
                say("long-line", line.number);
            }
            hazards_in_line(&line.text, line.number == 1, &mut |kind| say(kind, line.number));
            if let Some(number) = encoded.step(line.number, &line.text) {
                say("opaque", number);
            }
        }
    }
}

fn exceeds(text: &str, chars_max: usize) -> bool {
    text.len() > chars_max && text.chars().nth(chars_max).is_some()
}

/// Calls `say` with each kind of hazard in a line, each once.
pub(crate) fn hazards_in_line(text: &str, first: bool, say: &mut dyn FnMut(&'static str)) {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if text.as_bytes().iter().all(plain) {
        return;
    }
    let (mut bidi, mut control, mut invisible) = (false, false, false);
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let after = rest.clone().next();
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                bidi = true;
            }
            '\t' => {}
            '\u{c}' if text.trim().is_empty() => {}
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => control = true,
            _ => invisible |= hides(c, before, after, first),
        }
        before = Some(c);
    }
    for (is, kind) in
        [(bidi, "bidi"), (control, "control"), (invisible, "invisible"), (mixes(text), "mixed-script")]
    {
        if is {
            say(kind);
        }
    }
}

/// Whether `c` is there and not seen. Joiners and variation selectors are what they are for between letters of scripts that need them.
fn hides(c: char, before: Option<char>, after: Option<char>, first: bool) -> bool {
    let latin = |side: Option<char>| side.is_none_or(|c| c.is_ascii());
    match c {
        '\u{feff}' => !(first && before.is_none()),
        '\u{200c}' | '\u{200d}' => latin(before) || latin(after),
        '\u{fe00}'..='\u{fe0f}' => before
            .is_none_or(|c| c.is_ascii_alphabetic() || c.is_ascii_whitespace() || paths::is_ignorable(c)),
        '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => true,
        _ => paths::is_ignorable(c),
    }
}

/// Whether an identifier in `text` mixes scripts that no language mixes.
fn mixes(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !word(c)).any(|word| !word.is_ascii() && !word.is_single_script() && !is_quantity(word))
}

/// `μs`, `Δx`, `Ωm`: Greek signs for units and quantities look like no Latin letter.
fn is_quantity(word: &str) -> bool {
    word.chars().all(|c| {
        c.is_ascii()
            || matches!(
                c,
                'μ' | 'Ω'
                    | 'Δ'
                    | 'π'
                    | 'λ'
                    | 'θ'
                    | 'σ'
                    | 'φ'
                    | 'Σ'
                    | 'Π'
                    | 'Φ'
                    | 'Λ'
                    | 'Θ'
                    | 'ε'
                    | 'δ'
                    | 'β'
            )
    })
}

/// Follows lines that look encoded.
#[derive(Debug, Default)]
struct Encoded {
    lines: u32,
    last: u64,
}

impl Encoded {
    /// The number of the line, if with it the text has become opaque.
    fn step(&mut self, number: u64, text: &str) -> Option<u64> {
        if longest_encoded_run(text) >= OPAQUE_RUN_BYTES {
            return Some(number);
        }
        let trimmed = text.trim().trim_matches(['"', '\'', ',', '+', '\\', '#', '/', '*', ' ']);
        let encoded = trimmed.len() >= OPAQUE_LINE_BYTES
            && trimmed.bytes().all(is_encoded)
            && trimmed.bytes().any(|b| b.is_ascii_digit());
        self.lines = match (encoded, self.last.saturating_add(1) == number) {
            (false, _) => 0,
            (true, true) => self.lines.saturating_add(1),
            (true, false) => 1,
        };
        self.last = number;
        (self.lines == OPAQUE_LINES).then_some(number)
    }
}

fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'\\')
}

/// Length of the longest run of encoded characters that has digits in it. A run of one sign, such as a ruled line, is none.
fn longest_encoded_run(text: &str) -> usize {
    if text.len() < OPAQUE_RUN_BYTES {
        return 0;
    }
    let runs = text.as_bytes().split(|byte| !is_encoded(*byte));
    runs.filter(|run| run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

/// Number of characters of the longest line, for telling minified files.
pub(crate) fn longest_line(text: &str) -> u64 {
    text.lines().map(|line| count(line.len())).max().unwrap_or(0)
}
