//! The repository as a recipe sees it.

use std::collections::BTreeMap;

use crate::workspace::{self, Entry, EntryKind, SearchOptions, SearchResult, TextMatch, WorkspaceError};
use crate::{Failure, FailureKind, failure};

/// Entries asked for in one call.
const PAGE: u32 = 5_000;
/// Bytes asked for in one call: what the host gives at most.
const CHUNK: u32 = 4 << 20;

/// The tracked files at the base commit.
pub trait Files {
    /// Every file whose path begins with `prefix`, ascending by path.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, WorkspaceError>;
    /// The whole content.
    fn read(&self, path: &str) -> Result<Vec<u8>, WorkspaceError>;
    /// Lines that contain `query`; see the WIT.
    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError>;
}

/// The files that the host shows.
#[derive(Debug, Clone, Copy)]
pub struct HostFiles;

impl Files for HostFiles {
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, WorkspaceError> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.path.clone());
            let page = workspace::list(prefix, after.as_deref(), PAGE)?;
            let empty = page.entries.is_empty();
            all.extend(page.entries);
            if empty || !page.truncated {
                return Ok(all);
            }
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorkspaceError> {
        let mut all = Vec::new();
        loop {
            let chunk = workspace::read(path, all.len() as u64, CHUNK)?;
            let short = chunk.len() < CHUNK as usize;
            all.extend(chunk);
            if short {
                return Ok(all);
            }
        }
    }

    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        workspace::search(query, options)
    }
}

/// Files in memory, for native tests of recipes.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    /// The given paths and contents.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect())
    }
}

impl Files for MemoryFiles {
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, WorkspaceError> {
        Ok(self
            .0
            .iter()
            .filter(|(path, _)| path.starts_with(prefix))
            .map(|(path, text)| Entry { path: path.clone(), kind: EntryKind::File, size: text.len() as u64 })
            .collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, WorkspaceError> {
        self.0.get(path).cloned().ok_or(WorkspaceError::NotFound)
    }

    /// Only what the recipes here use: prefix, suffixes, whole lines; a word boundary is left to the recipe.
    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        let wanted = |path: &str| {
            path.starts_with(&options.prefix)
                && (options.suffixes.is_empty()
                    || options.suffixes.iter().any(|suffix| path.ends_with(suffix.as_str())))
        };
        let mut found = Vec::new();
        for (path, bytes) in self.0.iter().filter(|(path, _)| wanted(path)) {
            for (line, text) in (1..).zip(String::from_utf8_lossy(bytes).lines()) {
                if let Some(column) = text.find(query) {
                    let column = u32::try_from(column).unwrap_or(u32::MAX);
                    found.push(TextMatch { path: path.clone(), line, column, text: text.to_owned() });
                }
            }
        }
        Ok(SearchResult { matches: found, truncated: false })
    }
}

/// The file as text, or `None` when it is binary (a NUL byte) or not UTF-8.
pub fn read_text(files: &dyn Files, path: &str) -> Result<Option<String>, WorkspaceError> {
    let bytes = files.read(path)?;
    Ok(if bytes.contains(&0) { None } else { String::from_utf8(bytes).ok() })
}

/// What a refusal of the workspace about `subject` means for the task.
pub fn explain(subject: &str, error: WorkspaceError) -> Failure {
    let (kind, why) = match error {
        WorkspaceError::NotFound => (FailureKind::BadParameter, "is not in the repository"),
        WorkspaceError::NotAFile => (FailureKind::BadParameter, "is not a file"),
        WorkspaceError::InvalidPath => (FailureKind::BadParameter, "is not a path inside the repository"),
        WorkspaceError::InvalidQuery => (FailureKind::BadParameter, "cannot be searched for"),
        WorkspaceError::Exhausted => {
            (FailureKind::TooLarge, "would need more of the workspace than this task allows")
        }
        WorkspaceError::Unavailable => (FailureKind::Workspace, "cannot be read"),
    };
    failure(kind, format!("`{subject}` {why}"))
}
