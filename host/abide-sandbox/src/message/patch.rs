//! A proposal, as data. The patch has the field names of the seed contract.

use abide_core::id::RepoPath;
use serde::{Deserialize, Serialize};

/// A change and the reasons for it. Its shape was checked; what it says about itself is not a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The change.
    pub patch: PatchDoc,
    /// Why, in the worker's words. Show it apart from measured facts.
    pub rationale: String,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Checks that would show it right.
    pub tests: Vec<String>,
    /// How to take it back.
    pub rollback: RollbackRecipe,
    /// What the worker expects.
    pub expected: ExpectedOutcome,
}

/// A patch: `{"patch_format":"unified","files":[{"path":"src/foo.ts","hunks":["@@ -12,6 +12,7 @@ ..."]}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchDoc {
    /// How hunks are written.
    pub patch_format: PatchFormat,
    /// Ascending by path, each path once.
    pub files: Vec<FilePatch>,
}

/// How hunks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchFormat {
    /// Unified diff hunks.
    Unified,
}

/// The change of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePatch {
    /// Where.
    pub path: RepoPath,
    /// What happens to it.
    #[serde(default, skip_serializing_if = "FileStatus::is_modified")]
    pub status: FileStatus,
    /// Where it was; set for `renamed` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<RepoPath>,
    /// Its mode, when that is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FileMode>,
    /// Unified hunks, each with its `@@` line.
    pub hunks: Vec<String>,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// Its content or mode changes. What the seed contract means when it says nothing.
    #[default]
    Modified,
    /// It is new.
    Added,
    /// It goes away.
    Deleted,
    /// It moves, and may change.
    Renamed,
}

impl FileStatus {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
    fn is_modified(&self) -> bool {
        *self == Self::Modified
    }
}

/// The modes that a worker may ask for, written as git writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileMode {
    /// A plain file.
    #[serde(rename = "100644")]
    Regular,
    /// A file that may be executed.
    #[serde(rename = "100755")]
    Executable,
}

/// Something that a proposal rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A file, a line of it, or a URL.
    pub location: String,
    /// What it says.
    pub note: String,
}

/// How to take a change back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "steps")]
pub enum RollbackRecipe {
    /// Revert the merged commit.
    RevertCommit,
    /// Revert it, and then these steps, by a person.
    RevertCommitAnd(Vec<String>),
}

/// What the worker expects of its change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedOutcome {
    /// One sentence.
    pub summary: String,
    /// Files that change.
    pub files: u32,
    /// Lines added.
    pub lines_added: u32,
    /// Lines removed.
    pub lines_removed: u32,
}
