//! A workspace over a folder: every access goes through a `cap_std` directory handle, so no path leaves it.

use std::io::{Read, Seek, SeekFrom};

use abide_core::id::RepoPath;
use cap_std::fs::{Dir, Metadata, MetadataExt};
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::{Entry, EntryKind, Listing, SearchOptions, SearchResult, TextMatch, Workspace, WorkspaceError};

/// Bytes looked at to tell a binary file, as git does.
const BINARY_SNIFF_BYTES: usize = 8_000;
/// Bytes of a line in a search result.
const LINE_BYTES_MAX: usize = 512;

/// Bounds on the host's own work. From policy data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirWorkspaceLimits {
    /// Paths in the folder.
    pub entries_max: u64,
    /// A larger file is not searched.
    pub search_file_bytes_max: u64,
    /// Bytes read by one search; then it ends as truncated.
    pub search_bytes_max: u64,
}

/// Why a folder cannot be a workspace.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Reading it failed.
    #[error("the workspace folder cannot be read at `{at}`")]
    Read {
        /// The path in it.
        at: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Too many paths.
    #[error("the repository has more than {limit} files")]
    TooManyEntries {
        /// `entries_max`.
        limit: u64,
    },
}

impl OpenError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "AB0221",
            Self::TooManyEntries { .. } => "AB0222",
        }
    }
}

/// The files of a folder, listed once when it is opened.
#[derive(Debug)]
pub struct DirWorkspace {
    dir: Dir,
    limits: DirWorkspaceLimits,
    /// Ascending by path.
    entries: Vec<Entry>,
    hidden: u64,
}

impl DirWorkspace {
    /// Serves `dir`, which nobody changes while this lives. A `.git` at any depth is not part of it.
    pub fn open(dir: Dir, limits: DirWorkspaceLimits) -> Result<Self, OpenError> {
        let mut workspace = Self { dir, limits, entries: Vec::new(), hidden: 0 };
        workspace.index()?;
        workspace.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(workspace)
    }

    /// Paths that a worker cannot be shown: not UTF-8, or with characters that [`RepoPath`] refuses.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    fn index(&mut self) -> Result<(), OpenError> {
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let at = if folder.is_empty() { "." } else { folder.as_str() };
            let fail = |source| OpenError::Read { at: at.to_owned(), source };
            for entry in self.dir.read_dir(at).map_err(fail)? {
                let entry = entry.map_err(fail)?;
                let path = entry.file_name().into_string().ok().map(|name| join(&folder, &name));
                let Some(path) = path.and_then(|path| path.parse::<RepoPath>().ok()) else {
                    self.hidden = self.hidden.saturating_add(1);
                    continue;
                };
                let metadata = entry.metadata().map_err(fail)?;
                if metadata.is_dir() {
                    folders.push(path.into());
                } else if let Some(kind) = kind(&metadata) {
                    self.entries.push(Entry { path, kind, bytes: metadata.len() });
                }
            }
            if u64::try_from(self.entries.len()).unwrap_or(u64::MAX) > self.limits.entries_max {
                return Err(OpenError::TooManyEntries { limit: self.limits.entries_max });
            }
        }
        Ok(())
    }

    /// The entries from the first one on that is not `before`.
    fn from(&self, before: impl Fn(&str) -> bool) -> &[Entry] {
        let at = self.entries.partition_point(|entry| before(entry.path.as_str()));
        self.entries.get(at..).unwrap_or_default()
    }

    /// The content of a searchable file, `None` if it is binary.
    fn text(&self, path: &RepoPath) -> Result<Option<Vec<u8>>, WorkspaceError> {
        let bytes = self.dir.read(path.as_str()).map_err(unavailable)?;
        let binary = bytes.iter().take(BINARY_SNIFF_BYTES).any(|byte| *byte == 0);
        Ok(if binary { None } else { Some(bytes) })
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// `None` for what git does not track: sockets, devices, pipes.
fn kind(metadata: &Metadata) -> Option<EntryKind> {
    if metadata.is_symlink() {
        Some(EntryKind::Symlink)
    } else if metadata.is_file() {
        Some(if metadata.mode() & 0o100 == 0 { EntryKind::File } else { EntryKind::Executable })
    } else {
        None
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unavailable(error: std::io::Error) -> WorkspaceError {
    WorkspaceError::Unavailable(error.to_string())
}

impl Workspace for DirWorkspace {
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Listing, WorkspaceError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let first = self.from(|path| path < prefix || after.is_some_and(|after| path <= after));
        let mut wanted = first.iter().take_while(|entry| entry.path.as_str().starts_with(prefix)).cloned();
        let entries = wanted.by_ref().take(limit).collect();
        Ok(Listing { entries, truncated: wanted.next().is_some() })
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        let first = self.from(|other| other < path.as_str()).first();
        Ok(first.filter(|entry| entry.path == *path).cloned())
    }

    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        match self.entry(path)?.map(|entry| entry.kind) {
            Some(EntryKind::File | EntryKind::Executable) => {}
            Some(EntryKind::Symlink) => return Err(WorkspaceError::NotAFile),
            None => {
                let is_folder = !self.list(&format!("{path}/"), None, 1)?.entries.is_empty();
                return Err(if is_folder { WorkspaceError::NotAFile } else { WorkspaceError::NotFound });
            }
        }
        let mut file = self.dir.open(path.as_str()).map_err(unavailable)?;
        file.seek(SeekFrom::Start(offset)).map_err(unavailable)?;
        let mut bytes = Vec::new();
        file.take(limit.into()).read_to_end(&mut bytes).map_err(unavailable)?;
        Ok(bytes)
    }

    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        let pattern = RegexBuilder::new(&regex::escape(query))
            .unicode(false)
            .case_insensitive(options.ignore_case)
            .build()
            .map_err(|_| WorkspaceError::InvalidQuery)?;
        let mut found =
            Found { matches: Vec::new(), limit: usize::try_from(options.limit).unwrap_or(usize::MAX) };
        let mut read: u64 = 0;
        for Entry { path, kind, bytes } in self.from(|path| path < options.prefix.as_str()) {
            if !path.as_str().starts_with(&options.prefix) {
                break;
            }
            let wanted = options.suffixes.is_empty()
                || options.suffixes.iter().any(|suffix| path.as_str().ends_with(suffix));
            if !wanted || *kind == EntryKind::Symlink || *bytes > self.limits.search_file_bytes_max {
                continue;
            }
            read = read.saturating_add(*bytes);
            if read > self.limits.search_bytes_max {
                return Ok(SearchResult { matches: found.matches, truncated: true });
            }
            if let Some(text) = self.text(path)?
                && found.scan(path, &text, &pattern, options.whole_word)
            {
                return Ok(SearchResult { matches: found.matches, truncated: true });
            }
        }
        Ok(SearchResult { matches: found.matches, truncated: false })
    }
}

/// Matches so far.
struct Found {
    matches: Vec<TextMatch>,
    limit: usize,
}

impl Found {
    /// Adds the matches in one file; true when there are more than fit.
    fn scan(&mut self, path: &RepoPath, text: &[u8], pattern: &Regex, whole_word: bool) -> bool {
        for (line, bytes) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            for hit in pattern.find_iter(bytes) {
                if whole_word && !is_whole_word(bytes, hit.start(), hit.end()) {
                    continue;
                }
                if self.matches.len() >= self.limit {
                    return true;
                }
                let shown = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
                self.matches.push(TextMatch {
                    path: path.clone(),
                    line,
                    column: u32::try_from(hit.start()).unwrap_or(u32::MAX),
                    text: String::from_utf8_lossy(shown).trim_end_matches(['\r', '\u{fffd}']).to_owned(),
                });
            }
        }
        false
    }
}

/// Bytes of other scripts count as letters.
fn is_whole_word(line: &[u8], start: usize, end: usize) -> bool {
    let is_word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80)
    };
    !is_word(start.checked_sub(1).and_then(|before| line.get(before))) && !is_word(line.get(end))
}

#[cfg(test)]
mod tests;
