//! A proposal, as data. The patch has the field names of the seed contract.

use abide_core::patch::{self, FileMode, PatchError, PatchLimits, PatchStatus};
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
///
/// The wire form of [`abide_core::patch::PatchDoc`], which alone says what such a document means; see [`PatchDoc::parse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchDoc {
    /// How hunks are written.
    pub patch_format: PatchFormat,
    /// Each path once.
    pub files: Vec<FilePatch>,
}

impl PatchDoc {
    /// The document, checked.
    pub fn parse(&self, limits: &PatchLimits) -> Result<patch::PatchDoc, PatchError> {
        // A struct of strings and lists always has a JSON form; the empty text is refused like any other that is not a document.
        let json = serde_json::to_vec(self).unwrap_or_default();
        patch::PatchDoc::parse(&json, limits)
    }
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
    pub path: String,
    /// Where it was; set for a rename only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// What happens to it.
    pub status: PatchStatus,
    /// Its mode, when that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_mode: Option<FileMode>,
    /// Unified hunks, each with its `@@` line.
    pub hunks: Vec<String>,
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
