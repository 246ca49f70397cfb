//! The shape of a unified hunk. Source: GNU diffutils manual, "Detailed Description of Unified Format".

use crate::message::{FilePatch, FileStatus, Rejection};

/// Where a hunk says it belongs: first line and number of lines, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    old_start: u64,
    old_lines: u64,
    new_start: u64,
    new_lines: u64,
}

/// Refuses hunks that are malformed, out of order, or without effect.
pub(super) fn check(file: &FilePatch) -> Result<(), Rejection> {
    let mut end = (0_u64, 0_u64);
    for (number, hunk) in (1..).zip(&file.hunks) {
        let malformed = |why: &'static str| Rejection::MalformedHunk { path: file.path.to_string(), hunk: number, why: why.to_owned() };
        let (header, body) = split(hunk).map_err(malformed)?;
        if count(body).map_err(malformed)? != (header.old_lines, header.new_lines) {
            return Err(malformed("the lines do not add up to what its header says"));
        }
        if !has_effect(body) {
            return Err(Rejection::NoChange { path: Some(file.path.to_string()) });
        }
        if header.old_start < end.0 || header.new_start < end.1 {
            return Err(malformed("it overlaps the hunk before, or comes before it"));
        }
        end = (header.old_start.saturating_add(header.old_lines), header.new_start.saturating_add(header.new_lines));
        let whole = match file.status {
            FileStatus::Added => header.old_start == 0 && header.old_lines == 0,
            FileStatus::Deleted => header.new_start == 0 && header.new_lines == 0,
            FileStatus::Modified | FileStatus::Renamed => true,
        };
        if !whole {
            return Err(malformed("an added file has no old lines, a deleted one no new lines"));
        }
    }
    Ok(())
}

fn split(hunk: &str) -> Result<(Header, &str), &'static str> {
    let (first, body) = hunk.split_once('\n').ok_or("it has no lines")?;
    let ranges = first.strip_prefix("@@ -").and_then(|rest| rest.split_once(" @@")).ok_or("it has no `@@ -a,b +c,d @@` line")?.0;
    let (old, new) = ranges.split_once(" +").ok_or("its header has no `+`")?;
    let ((old_start, old_lines), (new_start, new_lines)) = (range(old)?, range(new)?);
    Ok((Header { old_start, old_lines, new_start, new_lines }, body))
}

/// `start` or `start,length`.
fn range(text: &str) -> Result<(u64, u64), &'static str> {
    let number = |text: &str| {
        if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("its header has a number that is not one");
        }
        text.parse::<u64>().map_err(|_| "its header has a number that is not one")
    };
    let (start, lines) = match text.split_once(',') {
        Some((start, lines)) => (number(start)?, number(lines)?),
        None => (number(text)?, 1),
    };
    if start == 0 && lines != 0 { Err("line 0 has no lines") } else { Ok((start, lines)) }
}

/// Old and new lines of a body.
fn count(body: &str) -> Result<(u64, u64), &'static str> {
    let (mut old, mut new) = (0_u64, 0_u64);
    let mut may_say_no_newline = false;
    for line in body.split_inclusive('\n') {
        if !line.ends_with('\n') {
            return Err("its last line has no line feed");
        }
        match line.as_bytes().first() {
            Some(b' ') => {
                old = old.saturating_add(1);
                new = new.saturating_add(1);
            }
            Some(b'-') => old = old.saturating_add(1),
            Some(b'+') => new = new.saturating_add(1),
            Some(b'\\') if may_say_no_newline => {
                may_say_no_newline = false;
                continue;
            }
            _ => return Err("a line begins with something else than ` `, `-`, `+` or `\\`"),
        }
        may_say_no_newline = true;
    }
    Ok((old, new))
}

/// Whether what is removed differs from what is added.
fn has_effect(body: &str) -> bool {
    let side = |other: char| {
        body.split_inclusive('\n').scan(true, move |mine, line| {
            // A `\` line belongs to the line before it.
            if !line.starts_with('\\') {
                *mine = !line.starts_with(other);
            }
            Some(mine.then(|| line.get(1..).unwrap_or_default()))
        })
    };
    !side('+').flatten().eq(side('-').flatten())
}
