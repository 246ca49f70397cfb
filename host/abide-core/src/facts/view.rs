//! One changed path, opened up: its text, and the lines that the change takes away and brings.
//!
//! Line counts are those of `git diff --numstat` for text. Where a diff would be too dear, every line counts as replaced: facts may say
//! too much, never too little.

use std::borrow::Cow;

use imara_diff::sources::byte_lines;
use imara_diff::{Algorithm, Diff, InternedInput};

use super::FileStatus;
use super::config::Limits;
use super::delta::{DeltaEntry, Side};
use super::globs::PathForms;

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
    pub(crate) fn open(entry: &'a DeltaEntry, limits: &Limits) -> Self {
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
                view.compare(old, new, limits);
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

    fn compare(&mut self, old: &'a [u8], new: &'a [u8], limits: &Limits) {
        let max = usize::try_from(limits.diff_lines_max).unwrap_or(usize::MAX);
        if lines_of(old) > count(max) || lines_of(new) > count(max) {
            self.capped = true;
            self.replace(Some(old), Some(new));
            return;
        }
        let input = InternedInput::new(byte_lines(old), byte_lines(new));
        let diff = Diff::compute(Algorithm::Myers, &input);
        self.added = u64::from(diff.count_additions());
        self.removed = u64::from(diff.count_removals());
        let old: Vec<&[u8]> = byte_lines(old).collect();
        let new: Vec<&[u8]> = byte_lines(new).collect();
        self.hunks = diff
            .hunks()
            .map(|hunk| Hunk { removed: picked(&old, &hunk.before), added: picked(&new, &hunk.after) })
            .collect();
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

fn picked<'a>(lines: &[&'a [u8]], range: &std::ops::Range<u32>) -> Vec<Line<'a>> {
    range
        .clone()
        .filter_map(|index| {
            let bytes = lines.get(usize::try_from(index).ok()?)?;
            Some(Line { number: u64::from(index).saturating_add(1), text: line_text(bytes) })
        })
        .collect()
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
