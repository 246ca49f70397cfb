//! One hunk of a unified diff, parsed to the letter (POSIX `diff -u`, with git's `\ No newline at end of file`).

use serde::{Serialize, Serializer};

/// Why a text is not a hunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HunkError {
    /// The first line is not `@@ -a,b +c,d @@`.
    #[error("it does not begin with `@@ -line,count +line,count @@`")]
    Header,
    /// A line that begins with something else than ` `, `+`, `-` or `\`.
    #[error("line {0} begins with neither a space, `+`, `-` nor `\\`")]
    Line(usize),
    /// The lines do not add up to the header.
    #[error("the header says {stated} {side} lines, the hunk has {counted}")]
    Count {
        /// `old` or `new`.
        side: &'static str,
        /// What the header says.
        stated: usize,
        /// What there is.
        counted: usize,
    },
    /// A `\ No newline at end of file` that follows nothing or is followed by another line of that side.
    #[error("`\\ No newline at end of file` stands in the wrong place")]
    Newline,
    /// No line is added or removed.
    #[error("it changes nothing")]
    NoOp,
    /// It begins before the end of the hunk before it, or beyond the end of the file, or its new line number does not follow.
    #[error("its line numbers do not follow from the hunks before it or from the file")]
    Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Context,
    Removed,
    Added,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) mark: Mark,
    /// With its newline, unless there is none.
    pub(super) text: String,
}

/// A hunk whose counts are right. Whether it fits a file is seen when it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    raw: String,
    /// Lines of the old file before the hunk.
    pub(super) old_skip: usize,
    /// Lines of the new file before the hunk.
    pub(super) new_skip: usize,
    pub(super) old_count: usize,
    pub(super) new_count: usize,
    pub(super) lines: Vec<Line>,
}

impl Serialize for Hunk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.raw)
    }
}

impl Hunk {
    /// Parses one whole hunk, header first.
    pub fn parse(text: &str) -> Result<Self, HunkError> {
        let (header, body) = text.split_once('\n').unwrap_or((text, ""));
        let (old, new) = header_ranges(header).ok_or(HunkError::Header)?;
        let lines = body_lines(body)?;
        let counted = |skip: Mark| lines.iter().filter(|line| line.mark != skip).count();
        for (side, stated, counted) in
            [("old", old.count, counted(Mark::Added)), ("new", new.count, counted(Mark::Removed))]
        {
            if stated != counted {
                return Err(HunkError::Count { side, stated, counted });
            }
        }
        if lines.iter().all(|line| line.mark == Mark::Context) {
            return Err(HunkError::NoOp);
        }
        for other in [Mark::Added, Mark::Removed] {
            let mut side = lines.iter().filter(|line| line.mark != other);
            side.next_back();
            if side.any(|line| !line.text.ends_with('\n')) {
                return Err(HunkError::Newline);
            }
        }
        Ok(Self {
            raw: text.to_owned(),
            old_skip: old.skip,
            new_skip: new.skip,
            old_count: old.count,
            new_count: new.count,
            lines,
        })
    }

    /// Whether it begins `@@ -0,0`, as the only hunk of a new file does.
    pub(super) fn is_whole_new_file(&self) -> bool {
        self.old_skip == 0 && self.old_count == 0
    }

    /// The text that it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.raw
    }
}

struct Range {
    /// Lines before the range.
    skip: usize,
    count: usize,
}

fn header_ranges(header: &str) -> Option<(Range, Range)> {
    let header = header.strip_suffix('\r').unwrap_or(header);
    let rest = header.strip_prefix("@@ -")?;
    let (ranges, section) = rest.split_once(" @@")?;
    if !(section.is_empty() || section.starts_with(' ')) {
        return None;
    }
    let (old, new) = ranges.split_once(" +")?;
    Some((range(old)?, range(new)?))
}

fn range(text: &str) -> Option<Range> {
    let (line, count) = text.split_once(',').unwrap_or((text, "1"));
    let (line, count) = (number(line)?, number(count)?);
    // With a count of 0 the line is the one before the gap; else it is the first line of the range.
    let skip = if count == 0 { line } else { line.checked_sub(1)? };
    Some(Range { skip, count })
}

fn number(text: &str) -> Option<usize> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn body_lines(body: &str) -> Result<Vec<Line>, HunkError> {
    let mut lines: Vec<Line> = Vec::new();
    let mut closed = false;
    for (index, raw) in body.split_inclusive('\n').enumerate() {
        // LIMIT: line numbers are counted from the header, which is line 1.
        let number = index.saturating_add(2);
        let raw = raw.strip_suffix('\n').unwrap_or(raw);
        let mark = match raw.as_bytes().first() {
            Some(b' ') => Mark::Context,
            Some(b'-') => Mark::Removed,
            Some(b'+') => Mark::Added,
            Some(b'\\') => {
                if raw.trim_end_matches('\r') != "\\ No newline at end of file" {
                    return Err(HunkError::Line(number));
                }
                let last = lines.last_mut().filter(|_| !closed).ok_or(HunkError::Newline)?;
                last.text.pop();
                closed = true;
                continue;
            }
            Some(_) | None => return Err(HunkError::Line(number)),
        };
        closed = false;
        lines.push(Line { mark, text: format!("{}\n", raw.get(1..).unwrap_or_default()) });
    }
    Ok(lines)
}
