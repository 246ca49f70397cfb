//! The scanner behind [`super::regions`]: one pass, one token at a time.

use super::{Kind, Language, Region};

/// Splits `text` into regions.
pub(super) fn scan(language: Language, text: &str) -> Vec<Region> {
    let mut scanner = Scanner { language, text, at: 0, regions: Vec::new() };
    scanner.code(None);
    scanner.regions
}

struct Scanner<'a> {
    language: Language,
    text: &'a str,
    at: usize,
    regions: Vec<Region>,
}

/// A string's rules.
#[derive(Clone, Copy)]
struct Quote<'q> {
    close: &'q str,
    escapes: bool,
    multiline: bool,
    /// What begins a piece of code inside.
    hole: Option<&'q str>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, end: usize, kind: Kind) {
        if end <= self.at {
            return;
        }
        match self.regions.last_mut() {
            Some((range, last)) if *last == kind && range.end == self.at => range.end = end,
            _ => self.regions.push((self.at..end, kind)),
        }
        self.at = end;
    }

    fn step(&mut self, kind: Kind) {
        if let Some(c) = self.rest().chars().next() {
            self.push(self.at + c.len_utf8(), kind);
        }
    }

    /// Code up to the end, or up to the `closer` that belongs to a hole in a string.
    fn code(&mut self, closer: Option<char>) {
        let mut depth = 0_usize;
        while let Some(c) = self.rest().chars().next() {
            if let Some(closer) = closer {
                let opener = if closer == ')' { '(' } else { '{' };
                if c == closer && depth == 0 {
                    return;
                }
                if c == opener {
                    depth += 1;
                } else if c == closer {
                    depth -= 1;
                }
            }
            if !self.comment() && !self.literal(c) {
                self.word_or_char(c);
            }
        }
    }

    /// A whole word at once, so that a quote after it is seen with its prefix.
    fn word_or_char(&mut self, c: char) {
        if self.language.is_word(c) {
            let rest = self.rest();
            let end = rest.find(|c: char| !self.language.is_word(c)).unwrap_or(rest.len());
            self.push(self.at + end, Kind::Code);
        } else {
            self.step(Kind::Code);
        }
    }

    fn comment(&mut self) -> bool {
        let rest = self.rest();
        let line_mark = if self.language == Language::Python { "#" } else { "//" };
        if rest.starts_with(line_mark) {
            let end = rest.find('\n').unwrap_or(rest.len());
            self.push(self.at + end, Kind::Comment);
            return true;
        }
        if self.language != Language::Python && rest.starts_with("/*") {
            let nests = matches!(self.language, Language::Rust | Language::Kotlin | Language::Swift);
            let end = self.at + block_comment(rest, nests);
            self.push(end, Kind::Comment);
            return true;
        }
        false
    }

    /// A literal that begins here, its prefix included.
    fn literal(&mut self, c: char) -> bool {
        match self.language {
            Language::Rust => self.rust(c),
            Language::Python => self.python(c),
            Language::JavaScript => self.javascript(c),
            Language::Go => match c {
                '`' => self.quoted(1, Quote { close: "`", escapes: false, multiline: true, hole: None }),
                '"' | '\'' => self.plain(c),
                _ => false,
            },
            Language::C => self.c(c),
            Language::Java => self.triple() || (matches!(c, '"' | '\'') && self.plain(c)),
            Language::Kotlin => self.holed("${", c),
            Language::Swift => self.holed("\\(", c),
            Language::CSharp => self.csharp(c),
        }
    }

    /// `"…"` or `'…'` on one line, with backslash escapes.
    fn plain(&mut self, quote: char) -> bool {
        let close = if quote == '"' { "\"" } else { "'" };
        self.quoted(1, Quote { close, escapes: true, multiline: false, hole: None })
    }

    fn triple(&mut self) -> bool {
        self.rest().starts_with("\"\"\"")
            && self.quoted(3, Quote { close: "\"\"\"", escapes: true, multiline: true, hole: None })
    }

    fn holed(&mut self, hole: &'static str, c: char) -> bool {
        if self.rest().starts_with("\"\"\"") {
            return self.quoted(
                3,
                Quote { close: "\"\"\"", escapes: hole == "\\(", multiline: true, hole: Some(hole) },
            );
        }
        match c {
            '"' => self.quoted(1, Quote { close: "\"", escapes: true, multiline: false, hole: Some(hole) }),
            '\'' if hole == "${" => self.plain(c),
            _ => false,
        }
    }

    fn rust(&mut self, c: char) -> bool {
        let rest = self.rest();
        if c == '\'' {
            return self.rust_char(rest);
        }
        let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(rest.len());
        let known = matches!(&rest[..prefix], "" | "b" | "c" | "r" | "br" | "cr");
        if !known || (prefix > 0 && self.follows_word()) {
            return false;
        }
        let after = &rest[prefix..];
        if rest[..prefix].ends_with('r') {
            let hashes = after.find(|c| c != '#').unwrap_or(after.len());
            if after[hashes..].starts_with('"') {
                let close = format!("\"{}", "#".repeat(hashes));
                return self.quoted(
                    prefix + hashes + 1,
                    Quote { close: &close, escapes: false, multiline: true, hole: None },
                );
            }
            return false;
        }
        match after.chars().next() {
            Some('"') => {
                self.quoted(prefix + 1, Quote { close: "\"", escapes: true, multiline: true, hole: None })
            }
            Some('\'') if &rest[..prefix] == "b" => {
                self.quoted(prefix + 1, Quote { close: "'", escapes: true, multiline: false, hole: None })
            }
            _ => false,
        }
    }

    /// A character literal; a lifetime or label is code.
    fn rust_char(&mut self, rest: &str) -> bool {
        let mut chars = rest.chars().skip(1);
        match (chars.next(), chars.next()) {
            (Some('\\'), _) => {
                self.quoted(1, Quote { close: "'", escapes: true, multiline: false, hole: None })
            }
            (Some(c), Some('\'')) => {
                self.push(self.at + 2 + c.len_utf8(), Kind::Text);
                true
            }
            _ => false,
        }
    }

    fn python(&mut self, c: char) -> bool {
        let rest = self.rest();
        let prefix = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let letters = rest[..prefix].to_ascii_lowercase();
        let is_prefix = matches!(
            letters.as_str(),
            "" | "r" | "u" | "b" | "f" | "t" | "br" | "rb" | "fr" | "rf" | "tr" | "rt"
        );
        let Some(quote @ ('"' | '\'')) = rest[prefix..].chars().next() else { return false };
        if !is_prefix || (prefix > 0 && self.follows_word()) || (prefix == 0 && c != quote) {
            return false;
        }
        let hole = letters.contains(['f', 't']).then_some("{");
        let triple = String::from(quote).repeat(3);
        if rest[prefix..].starts_with(&triple) {
            return self.quoted(prefix + 3, Quote { close: &triple, escapes: true, multiline: true, hole });
        }
        let close = if quote == '"' { "\"" } else { "'" };
        // A backslash also keeps a raw string open.
        self.quoted(prefix + 1, Quote { close, escapes: true, multiline: false, hole })
    }

    fn javascript(&mut self, c: char) -> bool {
        match c {
            '`' => self.quoted(1, Quote { close: "`", escapes: true, multiline: true, hole: Some("${") }),
            '"' | '\'' => self.plain(c),
            '/' if self.regex_may_follow() => self.regex(),
            _ => false,
        }
    }

    fn c(&mut self, c: char) -> bool {
        let rest = self.rest();
        if let Some(raw) = ["R\"", "LR\"", "uR\"", "UR\"", "u8R\""].iter().find(|raw| rest.starts_with(**raw))
        {
            if let Some((delimiter, _)) =
                rest[raw.len()..].split_once('(').filter(|(d, _)| d.len() <= 16 && !self.follows_word())
            {
                let close = format!("){delimiter}\"");
                return self.quoted(
                    raw.len() + delimiter.len() + 1,
                    Quote { close: &close, escapes: false, multiline: true, hole: None },
                );
            }
        }
        match c {
            '"' => self.plain(c),
            // 1'000'000 has separators, not characters.
            '\'' if !self.text[..self.at].ends_with(|c: char| c.is_ascii_hexdigit())
                || self.char_prefix() =>
            {
                self.plain(c)
            }
            _ => false,
        }
    }

    fn char_prefix(&self) -> bool {
        let before = &self.text[..self.at];
        let word = before.rfind(|c: char| !self.language.is_word(c)).map_or(before, |at| &before[at + 1..]);
        matches!(word, "u8" | "L" | "u" | "U")
    }

    fn csharp(&mut self, c: char) -> bool {
        let rest = self.rest();
        for (open, hole) in [("$@\"", Some("{")), ("@$\"", Some("{")), ("@\"", None)] {
            if rest.starts_with(open) {
                return self.quoted(open.len(), Quote { close: "\"", escapes: false, multiline: true, hole });
            }
        }
        if rest.starts_with("$\"") {
            return self.quoted(2, Quote { close: "\"", escapes: true, multiline: false, hole: Some("{") });
        }
        self.triple() || (matches!(c, '"' | '\'') && self.plain(c))
    }

    fn follows_word(&self) -> bool {
        self.text[..self.at].chars().next_back().is_some_and(|c| self.language.is_word(c))
    }

    /// A string whose opening is `open` bytes long. One that should end on its line and does not is no string: false.
    fn quoted(&mut self, open: usize, quote: Quote<'_>) -> bool {
        let (start, saved) = (self.at, self.regions.len());
        let before = self.regions.last().cloned();
        let mut at = self.at + open;
        loop {
            let rest = &self.text[at..];
            let Some(c) = rest.chars().next() else {
                if quote.multiline {
                    self.push(at, Kind::Text);
                    return true;
                }
                break;
            };
            if let Some(hole) = quote.hole.filter(|hole| rest.starts_with(hole)) {
                if hole == "{" && rest.starts_with("{{") {
                    at += 2;
                    continue;
                }
                self.push(at + hole.len(), Kind::Text);
                self.code(Some(if hole.ends_with('(') { ')' } else { '}' }));
                at = self.at;
                continue;
            }
            if rest.starts_with(quote.close) {
                self.push(at + quote.close.len(), Kind::Text);
                return true;
            }
            if c == '\n' && !quote.multiline {
                break;
            }
            at += c.len_utf8();
            if quote.escapes && c == '\\' {
                at += self.text[at..].chars().next().map_or(0, char::len_utf8);
            }
        }
        // Not a string after all: take back what was pushed for its holes.
        self.regions.truncate(saved);
        if let (Some(last), Some(before)) = (self.regions.last_mut(), before) {
            *last = before;
        }
        self.at = start;
        false
    }

    /// Whether `/` begins a regular expression here: after an operator, an opening bracket or some keywords.
    fn regex_may_follow(&self) -> bool {
        let before = self.text[..self.at].trim_end();
        match before.chars().next_back() {
            None => true,
            Some(c) if self.language.is_word(c) => {
                let word =
                    before.rfind(|c: char| !self.language.is_word(c)).map_or(before, |at| &before[at + 1..]);
                matches!(
                    word,
                    "return"
                        | "typeof"
                        | "case"
                        | "in"
                        | "of"
                        | "delete"
                        | "void"
                        | "throw"
                        | "new"
                        | "do"
                        | "else"
                        | "yield"
                        | "await"
                )
            }
            Some(c) => {
                "(,=:[!&|?{};+-*%<>~^".contains(c)
                    && !before.ends_with("</")
                    && !self.rest().starts_with("/>")
            }
        }
    }

    fn regex(&mut self) -> bool {
        let rest = self.rest();
        let (mut in_class, mut escaped) = (false, false);
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '\n' => return false,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    let flags = rest[at + 1..]
                        .find(|c: char| !c.is_ascii_alphabetic())
                        .unwrap_or(rest.len() - at - 1);
                    self.push(self.at + at + 1 + flags, Kind::Text);
                    return true;
                }
                _ => {}
            }
        }
        false
    }
}

/// Length of the block comment that `rest` begins with.
fn block_comment(rest: &str, nests: bool) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") && (nests || depth == 0) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}
