//! Adds `SPDX-License-Identifier` headers to source files that have none, in the comment style of each language.
//!
//! Format: SPDX specification, annex E "Using SPDX License List short identifiers in source files"; REUSE 3.3 for the
//! order with `SPDX-FileCopyrightText`.

use std::collections::BTreeMap;

use worker_kit::{
    Draft, EntryKind, Failure, FailureKind, Files, Notes, Parameters, Proposal, Source, Task, explain,
    failure, in_scope, is_generated, is_vendored, read_text,
};

mod style;

use style::Style;

/// Put together, so that this file's own text is no header.
const IDENTIFIER: &str = concat!("SPDX-License", "-Identifier:");
const COPYRIGHT: &str = concat!("SPDX-FileCopyright", "Text:");
/// Lines in which an existing header is looked for.
const HEAD_LINES: usize = 40;

/// The recipe `add-spdx`.
pub(crate) fn add(task: &Task, mut parameters: Parameters, files: &dyn Files) -> Result<Proposal, Failure> {
    let license = parameters.require("license")?;
    let copyright = parameters.take("copyright");
    let include_data = parameters.flag("include-data")?;
    parameters.done()?;
    if license.is_empty() || !license.chars().all(|c| c.is_ascii_alphanumeric() || "-.+() :".contains(c)) {
        return Err(failure(
            FailureKind::BadParameter,
            format!("`{license}` is not an SPDX license expression"),
        ));
    }
    if copyright
        .as_ref()
        .is_some_and(|text| text.chars().any(char::is_control) || text.contains("*/") || text.contains("--"))
    {
        return Err(failure(
            FailureKind::BadParameter,
            "parameter `copyright` is not one line of plain text",
        ));
    }
    let mut lines = Vec::new();
    lines.extend(copyright.map(|text| format!("{COPYRIGHT} {text}")));
    lines.push(format!("{IDENTIFIER} {license}"));

    let mut draft = Draft::default();
    let mut by_language: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left = 0_usize;
    for entry in files.list("").map_err(|error| explain("the repository", error))? {
        let path = &entry.path;
        let Some(style) = Style::of_path(path).filter(|style| include_data || !style.is_data()) else {
            continue;
        };
        if entry.kind == EntryKind::Symlink || entry.size == 0 || !in_scope(&task.scope, path) {
            continue;
        }
        if is_vendored(path) {
            left += 1;
            continue;
        }
        let text = read_text(files, path).map_err(|error| explain(path, error))?;
        let Some(text) = text.filter(|text| !is_generated(path, text)) else {
            left += 1;
            continue;
        };
        if text.trim().is_empty() || text.lines().take(HEAD_LINES).any(|line| line.contains(IDENTIFIER)) {
            continue;
        }
        let with_header = insert(&text, style, &lines);
        *by_language.entry(style.name()).or_default() += 1;
        draft.edit(path, text, with_header);
    }
    let count = draft.len();
    let by_language: Vec<String> =
        by_language.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    let notes = Notes {
        rationale: format!(
            "{count} files had no license identifier and get `{license}`: {}. Shebangs, prologs and encoding lines stay first. \
             {left} generated, vendored or binary files were left alone.",
            by_language.join(", ")
        ),
        sources: vec![Source {
            location: "https://spdx.dev/learn/handling-license-info/".to_owned(),
            note: "the form of the line".to_owned(),
        }],
        expected: format!("Every source file in scope names its license, `{license}`. Only comments change."),
        ..Notes::default()
    };
    Ok(draft.propose(task, notes)?)
}

/// `text` with a comment of `lines` after what must stay first.
fn insert(text: &str, style: Style, lines: &[String]) -> String {
    let line_end = if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    let at = style.first_line_free(text);
    let (head, tail) = text.split_at(at);
    let mut out = head.to_owned();
    if !head.is_empty() && !head.ends_with('\n') && head != "\u{feff}" {
        out.push_str(line_end);
    }
    for line in lines {
        out.push_str(&style.comment(line));
        out.push_str(line_end);
    }
    if tail.lines().next().is_some_and(|line| !line.trim().is_empty()) {
        out.push_str(line_end);
    }
    out.push_str(tail);
    out
}

#[cfg(test)]
mod tests;
