//! One changed path, opened up: its text, and the lines that the change takes away and brings.
//!
//! Line counts are those of `git diff --numstat` for text. Where a diff would be too dear, every line counts as replaced: facts may say
//! too much, never too little.

use std::borrow::Cow;

use super::FileStatus;
use super::config::Limits;
use super::delta::{DeltaEntry, Side};
use super::globs::PathForms;
use super::linediff::{LineDiff, Work, diff};

/// As far as git looks for a NUL before it calls a file binary (`buffer_is_binary` in git's `xdiff-interface.c`).
const GIT_BINARY_PROBE_BYTES: usize = 8000;

// None of these is `Debug`: they hold text, and text may hold secrets.

/// One line without its line end.
pub(crate) struct Line<'a> {
    /// Counted from 1 in its own side.
    pub(crate) number: u64,
    pub(crate) text: Cow<'a, str>,
}

/// Lines that stand next to each other on both sides.
pub(crate) struct Hunk<'a> {
    pub(crate) removed: Vec<Line<'a>>,
    pub(crate) added: Vec<Line<'a>>,
}

/// One changed path.
#[expect(clippy::struct_excessive_bools, reason = "each is asked for on its own")]
pub(crate) struct View<'a> {
    pub(crate) entry: &'a DeltaEntry,
    pub(crate) path: PathForms,
    /// Text of the side before, as far as it was read.
    pub(crate) old: Option<Cow<'a, str>>,
    /// Text of the side after, as far as it was read.
    pub(crate) new: Option<Cow<'a, str>>,
    /// A side before that is there and was not read.
    pub(crate) old_unread: bool,
    /// A side after that is there and was not read.
    pub(crate) new_unread: bool,
    pub(crate) hunks: Vec<Hunk<'a>>,
    pub(crate) added: u64,
    pub(crate) removed: u64,
    /// The counts are those of a whole replacement because a diff was too dear.
    pub(crate) capped: bool,
    /// Either side holds a NUL.
    pub(crate) nul: bool,
    /// Either side is not UTF-8.
    pub(crate) non_utf8: bool,
}

impl<'a> View<'a> {
    pub(crate) fn open(entry: &'a DeltaEntry, limits: &Limits, work: &mut Work) -> Self {
        let old_bytes = entry.old().and_then(|side| readable(side, limits));
        let new_bytes = entry.new_side().and_then(|side| readable(side, limits));
        let unread = |side: Option<&Side>, bytes: Option<&[u8]>| {
            side.is_some_and(|side| !side.is_submodule()) && bytes.is_none()
        };
        let sides = [old_bytes, new_bytes];
        let mut sides_read = sides.iter().flatten();
        let mut view = Self {
            entry,
            path: PathForms::of(entry.path()),
            old_unread: unread(entry.old(), old_bytes),
            new_unread: unread(entry.new_side(), new_bytes),
            nul: sides_read.clone().any(|bytes| bytes.contains(&0)),
            non_utf8: sides_read.any(|bytes| std::str::from_utf8(bytes).is_err()),
            old: old_bytes.map(text_of),
            new: new_bytes.map(text_of),
            hunks: Vec::new(),
            added: 0,
            removed: 0,
            capped: false,
        };
        match (old_bytes, new_bytes) {
            (Some(old), Some(new))
                if entry.status() == FileStatus::Modified
                    && !view.nul
                    && !view.old_unread
                    && !view.new_unread =>
            {
                view.compare(old, new, limits, work);
            }
            _ => view.replace(old_bytes, new_bytes),
        }
        if sides.iter().flatten().any(|bytes| git_says_binary(bytes)) {
            // What git calls binary has no lines; it counts by files and bytes.
            (view.added, view.removed) = (0, 0);
        }
        view
    }

    pub(crate) fn path(&self) -> &str {
        &self.path.shown
    }

    pub(crate) fn added_lines(&self) -> impl Iterator<Item = &Line<'a>> {
        self.hunks.iter().flat_map(|hunk| &hunk.added)
    }

    fn compare(&mut self, old: &'a [u8], new: &'a [u8], limits: &Limits, work: &mut Work) {
        let max = u64::from(limits.diff_lines_max);
        let (old_lines, new_lines): (Vec<&[u8]>, Vec<&[u8]>) =
            (byte_lines(old).collect(), byte_lines(new).collect());
        if count(old_lines.len()) > max || count(new_lines.len()) > max {
            self.capped = true;
            self.replace(Some(old), Some(new));
            return;
        }
        let diff = diff(&old_lines, &new_lines, work);
        self.capped = !diff.exact;
        self.hunks = hunks(&old_lines, &new_lines, &diff);
        let sum = |side: fn(&Hunk<'a>) -> usize| self.hunks.iter().map(|hunk| count(side(hunk))).sum();
        self.removed = sum(|hunk| hunk.removed.len());
        self.added = sum(|hunk| hunk.added.len());
    }

    /// Every line of `old` goes, every line of `new` comes. What is not read has at least as many lines as this can know: none.
    fn replace(&mut self, old: Option<&'a [u8]>, new: Option<&'a [u8]>) {
        self.removed = old.map_or(0, lines_of);
        self.added = new.map_or(0, lines_of);
        // Git shows a submodule as one line that names its commit.
        let link = |side: Option<&Side>| u64::from(side.is_some_and(Side::is_submodule));
        self.removed = self.removed.saturating_add(link(self.entry.old()));
        self.added = self.added.saturating_add(link(self.entry.new_side()));
        self.hunks =
            vec![Hunk { removed: old.map_or_else(Vec::new, all), added: new.map_or_else(Vec::new, all) }];
    }
}

/// A number of things, as facts count them.
pub(crate) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn readable<'a>(side: &'a Side, limits: &Limits) -> Option<&'a [u8]> {
    side.bytes().filter(|bytes| count(bytes.len()) <= limits.blob_bytes_max)
}

fn git_says_binary(bytes: &[u8]) -> bool {
    bytes.get(..GIT_BINARY_PROBE_BYTES).unwrap_or(bytes).contains(&0)
}

fn lines_of(bytes: &[u8]) -> u64 {
    count(byte_lines(bytes).count())
}

/// The lines that differ, those that stand next to each other together.
fn hunks<'a>(old: &[&'a [u8]], new: &[&'a [u8]], diff: &LineDiff) -> Vec<Hunk<'a>> {
    let mut hunks: Vec<Hunk<'a>> = Vec::new();
    let mut removed = numbered(old, &diff.removed).peekable();
    let mut added = numbered(new, &diff.added).peekable();
    while removed.peek().is_some() || added.peek().is_some() {
        let mut hunk = Hunk { removed: Vec::new(), added: Vec::new() };
        while let Some((index, bytes, _)) = removed.next_if(|(_, _, differs)| *differs) {
            hunk.removed.push(line(index, bytes));
        }
        while let Some((index, bytes, _)) = added.next_if(|(_, _, differs)| *differs) {
            hunk.added.push(line(index, bytes));
        }
        if !hunk.removed.is_empty() || !hunk.added.is_empty() {
            hunks.push(hunk);
        }
        // Both sides now stand at a common line, or at their end.
        removed.next();
        added.next();
    }
    hunks
}

fn numbered<'a>(lines: &[&'a [u8]], differs: &[bool]) -> impl Iterator<Item = (usize, &'a [u8], bool)> {
    lines.iter().zip(differs).enumerate().map(|(index, (line, differs))| (index, *line, *differs))
}

fn line(index: usize, bytes: &[u8]) -> Line<'_> {
    Line { number: count(index).saturating_add(1), text: line_text(bytes) }
}

/// Lines with their ends, as git splits them.
fn byte_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

fn line_text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes))
}

/// Every line of a side, decoded if it is UTF-16.
fn all(bytes: &[u8]) -> Vec<Line<'_>> {
    let number = |index: usize| count(index).saturating_add(1);
    match text_of(bytes) {
        Cow::Borrowed(_) => {
            let lines = byte_lines(bytes).enumerate();
            lines.map(|(index, line)| Line { number: number(index), text: line_text(line) }).collect()
        }
        Cow::Owned(text) => text
            .lines()
            .enumerate()
            .map(|(index, line)| Line { number: number(index), text: Cow::Owned(line.to_owned()) })
            .collect(),
    }
}

/// The text in `bytes` as far as there is any: UTF-8, or UTF-16 with a byte order mark, or what is left without NULs, so that UTF-16
/// without a mark does not hide what is looked for.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |from: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes.as_chunks::<2>();
        let units = pairs.iter().skip(1).map(|pair| from(*pair));
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
    };
    match bytes {
        [0xff, 0xfe, ..] => Cow::Owned(wide(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Cow::Owned(wide(u16::from_be_bytes)),
        _ if bytes.contains(&0) => Cow::Owned(String::from_utf8_lossy(bytes).replace('\0', "")),
        _ => String::from_utf8_lossy(bytes),
    }
}
