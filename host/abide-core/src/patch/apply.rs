//! Applying the hunks of one file to its bytes, exactly where they say.

use super::hunk::{Hunk, HunkError, Mark};
use super::{Before, FileChange, FileMode, FilePatch, PatchError, PatchFault, PatchLimits, PatchStatus};
use crate::id::RepoPath;

impl FilePatch {
    /// What this part makes of the file that stands at `old_path`, or else at `path`.
    pub fn apply(&self, before: &Before, limits: &PatchLimits) -> Result<FileChange, PatchError> {
        self.change(before, limits).map_err(|fault| PatchError::file(&self.path, fault))
    }

    fn change(&self, before: &Before, limits: &PatchLimits) -> Result<FileChange, PatchFault> {
        let old = match before {
            Before::Absent => None,
            Before::Folder => return Err(PatchFault::FolderIsFile),
            Before::Symlink => return Err(PatchFault::Link("symbolic link")),
            Before::Submodule => return Err(PatchFault::Link("submodule")),
            Before::TooLarge => {
                return Err(PatchFault::TooLarge { what: "file before", max: limits.file_bytes_max });
            }
            Before::File { mode, bytes } => Some((*mode, &**bytes)),
        };
        match (self.status, old) {
            (Some(PatchStatus::Add), None) => self.add(limits),
            (None, None) if self.hunks.iter().all(Hunk::is_whole_new_file) => self.add(limits),
            (Some(PatchStatus::Add), Some(_)) => Err(PatchFault::Exists),
            // It reads as a new file, but might mean an insertion at the top: the worker must say which.
            (None, Some((_, bytes)))
                if !bytes.is_empty() && self.hunks.iter().any(Hunk::is_whole_new_file) =>
            {
                Err(PatchFault::Exists)
            }
            (None | Some(PatchStatus::Modify | PatchStatus::Delete | PatchStatus::Rename), None) => {
                Err(PatchFault::Missing)
            }
            (Some(PatchStatus::Delete), Some((_, bytes))) => self.delete(bytes, limits),
            (Some(PatchStatus::Rename), Some((mode, bytes))) => self.rename(mode, bytes, limits),
            (None | Some(PatchStatus::Modify), Some((mode, bytes))) => self.modify(mode, bytes, limits),
        }
    }

    fn add(&self, limits: &PatchLimits) -> Result<FileChange, PatchFault> {
        if self.status.is_none() && self.hunks.is_empty() {
            return Err(PatchFault::NoOp);
        }
        let bytes = patched(&[], &self.hunks, limits)?;
        let mode = self.new_mode.unwrap_or(FileMode::Plain);
        Ok(FileChange::Write { path: self.path.clone(), mode, bytes })
    }

    fn delete(&self, old: &[u8], limits: &PatchLimits) -> Result<FileChange, PatchFault> {
        if !patched(old, &self.hunks, limits)?.is_empty() {
            return Err(PatchFault::Contradiction("a deletion must state the whole contents of the file"));
        }
        Ok(FileChange::Delete { path: self.path.clone() })
    }

    fn rename(&self, mode: FileMode, old: &[u8], limits: &PatchLimits) -> Result<FileChange, PatchFault> {
        let from = self.old_path.clone().ok_or(PatchFault::Contradiction("a rename needs `old_path`"))?;
        let bytes = patched(old, &self.hunks, limits)?;
        Ok(FileChange::Rename { from, path: self.path.clone(), mode: self.new_mode.unwrap_or(mode), bytes })
    }

    fn modify(&self, mode: FileMode, old: &[u8], limits: &PatchLimits) -> Result<FileChange, PatchFault> {
        let bytes = patched(old, &self.hunks, limits)?;
        let new_mode = self.new_mode.unwrap_or(mode);
        if bytes == old && new_mode == mode {
            return Err(PatchFault::NoOp);
        }
        if bytes.is_empty() && !old.is_empty() && self.status.is_none() {
            return Err(PatchFault::Contradiction(
                "the file would be empty: say `\"status\": \"delete\"` or `\"status\": \"modify\"`",
            ));
        }
        Ok(FileChange::Write { path: self.path.clone(), mode: new_mode, bytes })
    }
}

/// What stands in the way of a new path: something at the path itself, or a file or link where a folder is needed.
pub(super) fn obstacle<E>(
    change: &FileChange,
    before: &Before,
    read: &mut impl FnMut(&RepoPath) -> Result<Before, E>,
) -> Result<Option<PatchFault>, E> {
    let path = match change {
        FileChange::Write { path, .. } if *before == Before::Absent => path,
        FileChange::Write { .. } | FileChange::Delete { .. } => return Ok(None),
        FileChange::Rename { path, .. } => {
            match read(path)? {
                Before::Absent => {}
                Before::Folder => return Ok(Some(PatchFault::FolderIsFile)),
                Before::Symlink | Before::Submodule | Before::File { .. } | Before::TooLarge => {
                    return Ok(Some(PatchFault::Exists));
                }
            }
            path
        }
    };
    let mut folder = path.parent();
    while let Ok(above) = folder.parse::<RepoPath>() {
        match read(&above)? {
            Before::Absent | Before::Folder => {}
            Before::Symlink => return Ok(Some(PatchFault::Link("symbolic link"))),
            Before::Submodule => return Ok(Some(PatchFault::Link("submodule"))),
            Before::File { .. } | Before::TooLarge => return Ok(Some(PatchFault::FileIsFolder(above))),
        }
        folder = folder.rsplit_once('/').map_or("", |(up, _)| up);
    }
    Ok(None)
}

/// `old` with every hunk applied.
fn patched(old: &[u8], hunks: &[Hunk], limits: &PatchLimits) -> Result<Vec<u8>, PatchFault> {
    if hunks.is_empty() {
        return Ok(old.to_vec());
    }
    let text =
        std::str::from_utf8(old).ok().filter(|text| !text.contains('\0')).ok_or(PatchFault::NotText)?;
    let mut rest = text.split_inclusive('\n');
    let mut read = 0_usize;
    let mut new = String::with_capacity(text.len());
    let mut written = 0_usize;
    for (index, hunk) in hunks.iter().enumerate() {
        let misplaced = || PatchFault::Hunk { index, why: HunkError::Position };
        let gap = hunk.old_skip.checked_sub(read).ok_or_else(misplaced)?;
        for _ in 0..gap {
            begin_line(&new).ok_or(PatchFault::Hunk { index, why: HunkError::Newline })?;
            new.push_str(rest.next().ok_or_else(misplaced)?);
            written = written.saturating_add(1);
        }
        read = hunk.old_skip;
        if hunk.new_skip != written {
            return Err(misplaced());
        }
        for line in &hunk.lines {
            if line.mark == Mark::Added {
                begin_line(&new).ok_or(PatchFault::Hunk { index, why: HunkError::Newline })?;
                new.push_str(&line.text);
                continue;
            }
            read = read.saturating_add(1);
            let found = rest.next();
            if found != Some(line.text.as_str()) {
                return Err(PatchFault::Context {
                    index,
                    line: read,
                    expected: quoted(&line.text),
                    found: found.map_or_else(|| "(end of file)".to_owned(), quoted),
                });
            }
            if line.mark == Mark::Context {
                begin_line(&new).ok_or(PatchFault::Hunk { index, why: HunkError::Newline })?;
                new.push_str(&line.text);
            }
        }
        written = written.saturating_add(hunk.new_count);
        if new.len() > limits.file_bytes_max {
            return Err(PatchFault::TooLarge { what: "file after", max: limits.file_bytes_max });
        }
    }
    let last = hunks.len().saturating_sub(1);
    for line in rest {
        begin_line(&new).ok_or(PatchFault::Hunk { index: last, why: HunkError::Newline })?;
        new.push_str(line);
    }
    if new.len() > limits.file_bytes_max {
        return Err(PatchFault::TooLarge { what: "file after", max: limits.file_bytes_max });
    }
    if new.contains('\0') {
        return Err(PatchFault::NotText);
    }
    Ok(new.into_bytes())
}

/// A line may begin here: nothing was written, or the line before it ended.
fn begin_line(new: &str) -> Option<()> {
    (new.is_empty() || new.ends_with('\n')).then_some(())
}

/// A line for a message: escaped, cut at 80 characters, with a sign where the newline is missing.
fn quoted(line: &str) -> String {
    let (line, end) = line.strip_suffix('\n').map_or((line, " (no newline)"), |line| (line, ""));
    let mut text: String = line.chars().take(80).flat_map(char::escape_default).collect();
    if line.chars().nth(80).is_some() {
        text.push('…');
    }
    text.push_str(end);
    text
}
