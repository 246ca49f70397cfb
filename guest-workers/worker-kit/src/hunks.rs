//! Unified hunks from an old and a new text.

use std::fmt::Write as _;

use similar::{ChangeTag, DiffTag, TextDiff};

/// Lines of context around a change, as git writes by default.
const CONTEXT: usize = 3;

/// The hunks that turn `old` into `new`, each with its `@@` line; empty when they are equal.
///
/// Format: GNU diffutils manual, "Detailed Description of Unified Format". An empty side begins at line 0; a last line
/// without a line feed is followed by `\ No newline at end of file`.
pub fn unified(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    diff.grouped_ops(CONTEXT)
        .iter()
        .filter(|group| group.iter().any(|op| op.tag() != DiffTag::Equal))
        .map(|group| {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { return String::new() };
            let olds = first.old_range().start..last.old_range().end;
            let news = first.new_range().start..last.new_range().end;
            let mut hunk =
                format!("@@ -{} +{} @@\n", span(olds.start, olds.len()), span(news.start, news.len()));
            for op in group {
                for change in diff.iter_changes(op) {
                    let sign = match change.tag() {
                        ChangeTag::Equal => ' ',
                        ChangeTag::Delete => '-',
                        ChangeTag::Insert => '+',
                    };
                    let _ = write!(hunk, "{sign}{}", change.value());
                    if !change.value().ends_with('\n') {
                        hunk.push_str("\n\\ No newline at end of file\n");
                    }
                }
            }
            hunk
        })
        .collect()
}

/// `start,length` as the format wants it: from 1, and the line before when nothing is there.
fn span(start: usize, length: usize) -> String {
    match length {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        _ => format!("{},{length}", start + 1),
    }
}

#[cfg(test)]
mod tests;
