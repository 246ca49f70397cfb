//! Where code ends and text begins: enough of each language's lexical rules to tell code, strings and comments apart.
//!
//! Not a parser. What it cannot know: text between JSX tags (code here), and names inside Rust format strings (text here).

use std::ops::Range;

mod scan;

/// A language whose lexical rules are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript and TypeScript, with JSX.
    JavaScript,
    /// Go.
    Go,
    /// C and C++.
    C,
    /// Java.
    Java,
    /// C#.
    CSharp,
    /// Kotlin.
    Kotlin,
    /// Swift.
    Swift,
}

impl Language {
    /// The language of a file, by its extension.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension {
            "rs" => Self::Rust,
            "py" | "pyi" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" => Self::JavaScript,
            "go" => Self::Go,
            "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => Self::C,
            "java" => Self::Java,
            "cs" => Self::CSharp,
            "kt" | "kts" => Self::Kotlin,
            "swift" => Self::Swift,
            _ => return None,
        })
    }

    /// Whether `c` may be part of an identifier.
    pub fn is_word(self, c: char) -> bool {
        c.is_alphanumeric() || c == '_' || (c == '$' && matches!(self, Self::JavaScript | Self::Java))
    }
}

/// What a stretch of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Code, white space included.
    Code,
    /// A string, character or regular expression literal, with its quotes.
    Text,
    /// A comment, with its marks.
    Comment,
}

/// A stretch of a file: bytes, and what they are.
pub type Region = (Range<usize>, Kind);

/// The regions of `text`, in order and without gaps.
pub fn regions(language: Language, text: &str) -> Vec<Region> {
    scan::scan(language, text)
}

/// Occurrences of the identifier `word`: start byte, and what it is in.
pub fn words(language: Language, text: &str, word: &str) -> Vec<(usize, Kind)> {
    let regions = regions(language, text);
    let is_word = |c: Option<char>| c.is_some_and(|c| language.is_word(c));
    let whole = |start: usize| {
        !is_word(text[..start].chars().next_back()) && !is_word(text[start + word.len()..].chars().next())
    };
    text.match_indices(word)
        .filter(|(start, _)| whole(*start))
        .filter_map(|(start, _)| {
            let at = regions.partition_point(|(range, _)| range.end <= start);
            regions.get(at).map(|(_, kind)| (start, *kind))
        })
        .collect()
}

#[cfg(test)]
mod tests;
