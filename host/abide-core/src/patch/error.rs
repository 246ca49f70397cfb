//! Why a patch was refused. Every variant has its own code: a worker can be told what to do better.

use crate::id::{PathError, RepoPath};

use super::hunk::HunkError;

/// A patch that was refused, with the file that it was about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", .path.as_ref().map(|path| format!("patch of `{path}`: ")).unwrap_or_default())]
pub struct PatchError {
    /// The file, where one is to blame.
    pub path: Option<RepoPath>,
    /// What is wrong.
    pub fault: PatchFault,
}

/// What is wrong with a patch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchFault {
    /// Text, not a document.
    #[error("the proposal is free text, not a patch document")]
    FreeText,
    /// A document of another shape.
    #[error("the patch document does not parse: {0}")]
    Shape(String),
    /// A format that is not known.
    #[error("patch format `{}` is not known, `unified` is", .0.escape_default())]
    UnknownFormat(String),
    /// A path that leaves the repository.
    #[error("the path escapes: {0}")]
    Escape(PathError),
    /// A link or submodule would be made, changed or written through.
    #[error("a {0} cannot be made, changed or written through by a patch")]
    Link(&'static str),
    /// A mode that is not one of a file.
    #[error("mode `{}` is not `100644` or `100755`", .0.escape_default())]
    Mode(String),
    /// A path with two entries.
    #[error("`{0}` is named twice")]
    Twice(RepoPath),
    /// A file stands where a folder is needed.
    #[error("`{0}` is a file here, so nothing can stand below it")]
    FileIsFolder(RepoPath),
    /// A folder stands where a file is to be.
    #[error("a folder stands there")]
    FolderIsFile,
    /// Larger than its limit.
    #[error("the {what} is larger than {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes or entries.
        max: usize,
    },
    /// A hunk that is malformed or cut short.
    #[error("hunk {}: {why}", .index.saturating_add(1))]
    Hunk {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong.
        why: HunkError,
    },
    /// The file does not read as the hunk says.
    #[error("hunk {} does not fit: line {line} should read `{expected}` and reads `{found}`", .index.saturating_add(1))]
    Context {
        /// Which hunk, counted from 0.
        index: usize,
        /// Line of the old file, counted from 1.
        line: usize,
        /// What the hunk says, cut and escaped.
        expected: String,
        /// What is there, cut and escaped.
        found: String,
    },
    /// Nothing would change.
    #[error("the patch changes nothing")]
    NoOp,
    /// The file to change is not there.
    #[error("the file is not there")]
    Missing,
    /// The file to add is there already.
    #[error("the file is there already")]
    Exists,
    /// The file is not UTF-8 text.
    #[error("the file is not UTF-8 text, so hunks cannot be checked against it")]
    NotText,
    /// Status, paths, mode and hunks do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl PatchError {
    pub(crate) fn doc(fault: PatchFault) -> Self {
        Self { path: None, fault }
    }

    pub(crate) fn file(path: &RepoPath, fault: PatchFault) -> Self {
        Self { path: Some(path.clone()), fault }
    }

    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match &self.fault {
            PatchFault::FreeText => "AB0720",
            PatchFault::Shape(_) => "AB0721",
            PatchFault::UnknownFormat(_) => "AB0722",
            PatchFault::Escape(_) => "AB0723",
            PatchFault::Link(_) => "AB0724",
            PatchFault::Mode(_) => "AB0725",
            PatchFault::Twice(_) | PatchFault::FileIsFolder(_) | PatchFault::FolderIsFile => "AB0726",
            PatchFault::TooLarge { .. } => "AB0727",
            PatchFault::Hunk { .. } => "AB0728",
            PatchFault::Context { .. } => "AB0729",
            PatchFault::NoOp => "AB0730",
            PatchFault::Missing => "AB0731",
            PatchFault::Exists => "AB0732",
            PatchFault::NotText => "AB0733",
            PatchFault::Contradiction(_) => "AB0734",
        }
    }
}
