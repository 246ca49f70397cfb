//! Signatures of the functions at the top of a Python module.

use worker_kit::lex::{self, Kind, Language};

/// A parameter that must be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) annotation: Option<String>,
    /// After a `*`.
    pub(super) by_name: bool,
}

/// A function at the top of the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) is_async: bool,
    pub(super) required: Vec<Parameter>,
    pub(super) returns: Option<String>,
}

/// Functions that begin at the left margin, without `@overload` and `@property`.
pub(super) fn functions(text: &str) -> Vec<Function> {
    let code = masked(text);
    let mut found: Vec<Function> = Vec::new();
    let (mut at, mut decorated) = (0, Vec::new());
    for line in code.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if let Some(decorator) = line.strip_prefix('@') {
            decorated.push(decorator.trim().rsplit('.').next().unwrap_or_default().to_owned());
            continue;
        }
        let is_async = line.starts_with("async def ");
        let after = line.strip_prefix("def ").or_else(|| line.strip_prefix("async def "));
        let skip = decorated.iter().any(|name| matches!(name.as_str(), "overload" | "property" | "fixture"));
        if let Some(after) = after.filter(|_| !skip) {
            let name_at = start + line.len() - after.len();
            found.extend(function(&code[name_at..], is_async));
        }
        if !line.trim().is_empty() && !line.starts_with([' ', '\t', ')']) {
            decorated.clear();
        }
    }
    // A later definition replaces an earlier one.
    let mut last: Vec<Function> = Vec::new();
    for function in found {
        last.retain(|other| other.name != function.name);
        last.push(function);
    }
    last
}

/// The text with strings and comments blanked, byte for byte.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (range, kind) in lex::regions(Language::Python, text) {
        match kind {
            Kind::Code => out.push_str(&text[range]),
            Kind::Text | Kind::Comment => {
                out.extend(text[range].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            }
        }
    }
    out
}

/// Reads `name(parameters) -> returns:`.
fn function(code: &str, is_async: bool) -> Option<Function> {
    let open = code.find('(')?;
    let name = code[..open].split('[').next().unwrap_or_default().trim().to_owned();
    let close = open + closing(&code[open..])?;
    let after = &code[close + 1..];
    let colon = after.find(':')?;
    let returns = after[..colon].trim().strip_prefix("->").map(|ty| ty.trim().to_owned());
    let mut by_name = false;
    let mut required = Vec::new();
    for part in split(&code[open + 1..close]) {
        let part = part.trim();
        if part == "*" || (part.starts_with('*') && !part.starts_with("**")) {
            by_name = true;
            continue;
        }
        if part.is_empty() || part == "/" || part.starts_with("**") || top_level(part, '=') {
            continue;
        }
        let (name, annotation) =
            part.split_once(':').map_or((part, None), |(name, ty)| (name, Some(ty.trim().to_owned())));
        required.push(Parameter { name: name.trim().to_owned(), annotation, by_name });
    }
    (!name.is_empty()).then_some(Function { name, is_async, required, returns })
}

/// Where the bracket closes that `code` begins with.
fn closing(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits at commas outside of brackets.
fn split(code: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&code[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&code[start..]);
    parts
}

/// Whether `mark` stands outside of brackets.
fn top_level(code: &str, mark: char) -> bool {
    let mut depth = 0_i32;
    code.chars().any(|c| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        depth == 0 && c == mark
    })
}
