//! A change in the making: old and new texts in, a proposal out.

use std::collections::BTreeMap;

use crate::{
    ExpectedOutcome, Failure, FailureKind, FileMode, FilePatch, FileStatus, Patch, PatchFormat, Proposal,
    RollbackRecipe, Source, Task, failure, unified,
};

/// What happens to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The text is replaced.
    Edit {
        /// Content at the base commit.
        old: String,
        /// Content afterwards.
        new: String,
    },
    /// A new file.
    Add {
        /// Its content.
        text: String,
        /// Its mode.
        mode: FileMode,
    },
    /// The file goes away.
    Delete {
        /// Content at the base commit.
        old: String,
    },
}

/// Why a draft does not become a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftError {
    /// Nothing would change.
    Empty,
    /// More files than the task allows.
    TooManyFiles(usize),
    /// A path is outside of the task's scope.
    OutOfScope(String),
}

impl From<DraftError> for Failure {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Empty => failure(FailureKind::NothingToDo, "nothing to change"),
            DraftError::TooManyFiles(files) => failure(
                FailureKind::TooLarge,
                format!("{files} files would change, more than this task allows"),
            ),
            DraftError::OutOfScope(path) => {
                failure(FailureKind::BadParameter, format!("`{path}` is outside of the task's scope"))
            }
        }
    }
}

/// The words that go with a patch.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// Why, in plain text.
    pub rationale: String,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Checks that would show it right.
    pub tests: Vec<String>,
    /// What is expected, in one sentence.
    pub expected: String,
}

/// Changes by path; each path at most once, the last one wins.
#[derive(Debug, Clone, Default)]
pub struct Draft(BTreeMap<String, Change>);

impl Draft {
    /// Records `change` of `path`.
    pub fn set(&mut self, path: impl Into<String>, change: Change) {
        self.0.insert(path.into(), change);
    }

    /// Records that the text of `path` becomes `new`; nothing when it already is.
    pub fn edit(&mut self, path: &str, old: String, new: String) {
        if old != new {
            self.set(path, Change::Edit { old, new });
        }
    }

    /// Number of files that change.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The proposal for `task`.
    pub fn propose(self, task: &Task, notes: Notes) -> Result<Proposal, DraftError> {
        if self.0.is_empty() {
            return Err(DraftError::Empty);
        }
        if self.0.len() > task.limits.files_max as usize {
            return Err(DraftError::TooManyFiles(self.0.len()));
        }
        if let Some(path) = self.0.keys().find(|path| !in_scope(&task.scope, path)) {
            return Err(DraftError::OutOfScope(path.clone()));
        }
        let files: Vec<FilePatch> =
            self.0.into_iter().map(|(path, change)| file_patch(path, change)).collect();
        let count = |sign: char| {
            let lines = files
                .iter()
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| hunk.lines())
                .filter(|line| line.starts_with(sign));
            u32::try_from(lines.count()).unwrap_or(u32::MAX)
        };
        let expected = ExpectedOutcome {
            summary: notes.expected,
            files: u32::try_from(files.len()).unwrap_or(u32::MAX),
            lines_added: count('+'),
            lines_removed: count('-'),
        };
        Ok(Proposal {
            patch: Patch { patch_format: PatchFormat::Unified, files },
            rationale: notes.rationale,
            sources: notes.sources,
            tests: notes.tests,
            rollback: RollbackRecipe::RevertCommit,
            expected,
        })
    }
}

/// Whether `path` is inside one of `scope`'s files and folders.
pub fn in_scope(scope: &[String], path: &str) -> bool {
    scope.is_empty()
        || scope.iter().any(|part| path == part || (part.ends_with('/') && path.starts_with(part.as_str())))
}

fn file_patch(path: String, change: Change) -> FilePatch {
    let (status, mode, hunks) = match change {
        Change::Edit { old, new } => (FileStatus::Modify, None, unified(&old, &new)),
        Change::Add { text, mode } => (FileStatus::Add, Some(mode), unified("", &text)),
        Change::Delete { old } => (FileStatus::Delete, None, unified(&old, "")),
    };
    FilePatch { path, status, old_path: None, new_mode: mode, hunks }
}
