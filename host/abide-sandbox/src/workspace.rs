//! The port through which workers look at a repository: the tracked files of one commit, read-only.
//!
//! Effects materialise the commit into a private folder (no filters, no hooks, no submodules); [`DirWorkspace`] serves it.

use abide_core::id::RepoPath;
use serde::{Deserialize, Serialize};

mod dir;

pub use dir::{DirWorkspace, DirWorkspaceLimits, OpenError};

/// The tracked files at the base commit.
pub trait Workspace: std::fmt::Debug + Send + Sync {
    /// Files whose path begins with `prefix` and sorts after `after`, ascending by bytes, at most `limit`.
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Listing, WorkspaceError>;
    /// What stands at a path, if a file or link does.
    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError>;
    /// Up to `limit` bytes of a file from `offset`.
    fn read(&self, path: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError>;
    /// Lines that contain `query` literally; by path, line, column.
    fn search(&self, query: &str, options: &SearchOptions) -> Result<SearchResult, WorkspaceError>;
}

/// Why a worker does not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WorkspaceError {
    /// No such file at the base commit.
    #[error("no such file at the base commit")]
    NotFound,
    /// A folder or a symbolic link.
    #[error("not a file")]
    NotAFile,
    /// Not a path inside the repository.
    #[error("not a path inside the repository")]
    InvalidPath,
    /// The query cannot be searched for.
    #[error("not a query")]
    InvalidQuery,
    /// A limit of the task is used up.
    #[error("a limit of the task is used up")]
    Exhausted,
    /// The host could not read.
    #[error("the workspace cannot be read: {0}")]
    Unavailable(String),
}

impl WorkspaceError {
    /// Whether the host refused, as opposed to had nothing to give.
    pub fn is_denial(&self) -> bool {
        match self {
            Self::InvalidPath | Self::Exhausted => true,
            Self::NotFound | Self::NotAFile | Self::InvalidQuery | Self::Unavailable(_) => false,
        }
    }
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A plain file.
    File,
    /// A file that may be executed.
    Executable,
    /// A symbolic link: listed, never followed.
    Symlink,
}

/// One tracked path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where.
    pub path: RepoPath,
    /// What.
    pub kind: EntryKind,
    /// Size of the file, or of the link's text.
    pub bytes: u64,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Ascending by path.
    pub entries: Vec<Entry>,
    /// There are more.
    pub truncated: bool,
}

/// What to search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchOptions {
    /// Only paths that begin with this.
    pub prefix: String,
    /// Only paths that end with one of these; empty for all.
    pub suffixes: Vec<String>,
    /// ASCII letters match in either case.
    pub ignore_case: bool,
    /// No letter, digit or `_` on either side.
    pub whole_word: bool,
    /// Most matches.
    pub limit: u32,
}

/// One match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextMatch {
    /// Where.
    pub path: RepoPath,
    /// From 1.
    pub line: u32,
    /// Byte in the line, from 0.
    pub column: u32,
    /// The line, cut at 512 bytes.
    pub text: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResult {
    /// By path, line, column.
    pub matches: Vec<TextMatch>,
    /// There may be more.
    pub truncated: bool,
}
