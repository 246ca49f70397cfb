//! One finding: a code, where it is in the file that a person edits, what is wrong, and what to do.

use abide_core::safe_text;
use abide_gate::{BundleError, Doubt, Place};

use crate::cli::policy::Files;
use crate::config;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The policy does not load.
    Error,
    /// It loads, and probably does not do what was meant.
    Warning,
}

impl Level {
    /// In one word, as every format has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where in a file, counted from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) length: u32,
}

/// A finding. The order is the one in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// The file that a person edits.
    pub(super) path: String,
    /// Where in it; `None` if it is about the whole file.
    pub(super) span: Option<Span>,
    pub(super) level: Level,
    pub(super) code: &'static str,
    /// What is wrong, in one line that is safe to print.
    pub(super) message: String,
    /// A word at the place.
    pub(super) label: String,
    /// What to do next.
    pub(super) help: &'static str,
    /// The path in the bundle.
    pub(super) inner: String,
}

impl Finding {
    /// What keeps the policy from loading.
    pub(super) fn of(fault: &BundleError, files: &Files) -> Self {
        let message = fault.to_string();
        let (place, message) = match fault.place() {
            Some(place) => {
                let rest = message.strip_prefix(&format!("{place}: ")).unwrap_or(&message).to_owned();
                (Some(place.clone()), rest)
            }
            None => placed_in_words(fault, &message),
        };
        let (message, label) = match message.split_once("; did you mean ") {
            Some((message, meant)) => (message.to_owned(), format!("did you mean {meant}")),
            None => (message, String::new()),
        };
        let file = place.as_ref().map(|place| place.path.as_str()).or_else(|| fault.file());
        let is_path = matches!(fault, BundleError::Input { .. } | BundleError::DataPath { .. });
        let named = message.split('`').nth(1).filter(|_| is_path).unwrap_or_default().to_owned();
        let inner = file.unwrap_or("main.rego");
        Self::at(Level::Error, fault.code(), (inner, place.as_ref(), &named), &message, files)
            .labelled(&label)
            .helped(help(fault))
    }

    /// What is wrong with `ab.yml` of the work tree, of which no part is in the bundle.
    pub(super) fn of_settings(code: &'static str, line: usize, why: &str) -> Self {
        let number = u32::try_from(line).unwrap_or(u32::MAX);
        Self {
            path: config::FILE.to_owned(),
            span: Some(Span { line: number, column: 1, length: 1 }),
            level: Level::Error,
            code,
            message: safe_text::line(&format!("line {line}: {why}")),
            label: String::new(),
            help: "once it is committed like this, nothing runs",
            inner: String::new(),
        }
    }

    /// What loads and cannot be meant, in a file that somebody edits here.
    pub(super) fn doubt(doubt: &Doubt, files: &Files) -> Option<Self> {
        files.edited(&doubt.place.path)?;
        let label = doubt.meant.as_ref().map(|meant| format!("did you mean `{meant}`?")).unwrap_or_default();
        let help = match doubt.code {
            "AB0155" => "a comparison that never holds makes the rule silently false",
            "AB0156" => "a finding that is not understood denies everything",
            _ => "an undefined path makes the rule silently false",
        };
        let place = (doubt.place.path.as_str(), Some(&doubt.place), "");
        Some(Self::at(Level::Error, doubt.code, place, &doubt.what, files).labelled(&label).helped(help))
    }

    /// A rule that nothing reads.
    pub(super) fn unreached(place: &Place, name: &str, files: &Files) -> Option<Self> {
        let message = format!("nothing reads `data.{name}`");
        Self::warning("AB0161", place, &message, files)
            .map(|finding| finding.helped("use it in a rule that leads to a decision, or take it away"))
    }

    /// What keeps modules from being joined.
    pub(super) fn unjoined(place: &Place, why: &str, files: &Files) -> Option<Self> {
        Self::warning("AB0162", place, why, files).map(|finding| {
            finding.helped("the modules are judged as written, some times slower; choose another name")
        })
    }

    /// What keeps a policy from being what its author believes.
    pub(super) fn error(
        code: &'static str,
        inner: &str,
        place: Option<&Place>,
        message: &str,
        files: &Files,
    ) -> Self {
        Self::at(Level::Error, code, (inner, place, ""), message, files)
    }

    /// A warning about a whole file.
    pub(super) fn about(code: &'static str, inner: &str, message: &str, files: &Files) -> Self {
        Self::at(Level::Warning, code, (inner, None, ""), message, files)
    }

    /// A warning, if it is about a file that somebody edits here.
    fn warning(code: &'static str, place: &Place, message: &str, files: &Files) -> Option<Self> {
        files.edited(&place.path)?;
        Some(Self::at(Level::Warning, code, (&place.path, Some(place), ""), message, files))
    }

    fn at(
        level: Level,
        code: &'static str,
        (inner, place, named): (&str, Option<&Place>, &str),
        message: &str,
        files: &Files,
    ) -> Self {
        let text = files.text(inner).unwrap_or_default();
        let span = place.map(|place| Span {
            line: place.line,
            column: place.column,
            length: length(text, place, named),
        });
        let path = files.edited(inner).unwrap_or_else(|| format!("(shipped)/{inner}"));
        Self {
            path,
            span,
            level,
            code,
            message: safe_text::line(&files.words(message)),
            label: String::new(),
            help: "",
            inner: inner.to_owned(),
        }
    }

    /// With a word at the place.
    pub(super) fn labelled(self, label: &str) -> Self {
        Self { label: safe_text::line(label), ..self }
    }

    /// With what to do next.
    pub(super) fn helped(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// Its line; 0 if it is about the whole file.
    pub(super) fn line(&self) -> u32 {
        self.span.map_or(0, |span| span.line)
    }
}

fn help(fault: &BundleError) -> &'static str {
    match fault {
        BundleError::Input { .. } | BundleError::DataPath { .. } => {
            "an undefined path makes the rule silently false"
        }
        BundleError::Function { .. } => "declare loop variables with `some`, or correct the spelling",
        BundleError::Builtin { .. } => "`ab explain policy` lists the functions that may be called",
        BundleError::Syntax { .. } => "a file that does not parse denies everything",
        BundleError::NoEntrypoint => "`main.rego` defines `decision`",
        BundleError::Limit { .. }
        | BundleError::Construct { .. }
        | BundleError::Data { .. }
        | BundleError::File { .. }
        | BundleError::Bytes { .. }
        | BundleError::Prepare { .. }
        | BundleError::Lost(_) => "",
    }
}

/// Some faults tell their place in words: `m.rego:3:32: …` of the engine, `line 2 column 1: …` of the reader of YAML.
fn placed_in_words(fault: &BundleError, message: &str) -> (Option<Place>, String) {
    let told = if let BundleError::Prepare { why } = fault {
        by_engine(why)
    } else if let BundleError::File { path, why } = fault {
        let why = why.strip_prefix("error: ").unwrap_or(why);
        return by_yaml(path, why).unwrap_or_else(|| (None, why.to_owned()));
    } else {
        None
    };
    told.unwrap_or_else(|| (None, message.to_owned()))
}

fn by_engine(why: &str) -> Option<(Option<Place>, String)> {
    let (at, sentence) = why.split_once(": ")?;
    let mut parts = at.rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some((Some(Place { path: parts.next()?.to_owned(), line, column }), sentence.to_owned()))
}

fn by_yaml(path: &str, why: &str) -> Option<(Option<Place>, String)> {
    let (line, rest) = why.strip_prefix("line ")?.split_once(" column ")?;
    let (column, rest) = rest.split_once(": ")?;
    // What follows is a frame, or advice to the programmer who calls the reader.
    let sentence = rest.split("  -->").next()?.split(", set ").next()?;
    let place = Place { path: path.to_owned(), line: line.parse().ok()?, column: column.parse().ok()? };
    Some((Some(place), sentence.to_owned()))
}

/// How many characters to underline: what is named if it stands there, else the word.
fn length(text: &str, place: &Place, named: &str) -> u32 {
    let index = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = text.lines().nth(index(place.line)).unwrap_or_default();
    let rest: String = line.chars().skip(index(place.column)).collect();
    let count = if !named.is_empty() && rest.starts_with(named) {
        named.chars().count()
    } else {
        rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.')).count()
    };
    u32::try_from(count).unwrap_or(1).clamp(1, 200)
}
