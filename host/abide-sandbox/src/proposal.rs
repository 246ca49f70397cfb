//! From what a component returned to a proposal: sizes, words, scope, and whether the patch applies to the base, exactly.
//!
//! What the patch then does is measured from git trees, elsewhere; nothing that the worker says of it is a fact.

use abide_core::id::RepoPath;
use abide_core::patch::{self, Before, FileMode, PatchError, PatchLimits, PatchStatus};

use crate::bindings::abide::worker::types as wit;
use crate::message::{
    ExpectedOutcome, FailureKind, FilePatch, Limits, PatchDoc, PatchFormat, Proposal, Rejection,
    RollbackRecipe, Source,
};
use crate::text::clean_text;
use crate::workspace::{EntryKind, Workspace, WorkspaceError};

/// Bytes of all texts of a proposal.
pub(crate) fn bytes(proposal: &Proposal) -> u64 {
    let files = proposal.patch.files.iter().flat_map(|file| {
        [file.path.len(), file.old_path.as_ref().map_or(0, String::len)]
            .into_iter()
            .chain(file.hunks.iter().map(String::len))
    });
    let sources = proposal.sources.iter().flat_map(|source| [source.location.len(), source.note.len()]);
    let tests = proposal.tests.iter().map(String::len);
    let steps = match &proposal.rollback {
        RollbackRecipe::RevertCommit => &[][..],
        RollbackRecipe::RevertCommitAnd(steps) => steps,
    };
    let steps = steps.iter().map(String::len);
    let total = files
        .chain(sources)
        .chain(tests)
        .chain(steps)
        .chain([proposal.rationale.len(), proposal.expected.summary.len()])
        .fold(0_usize, usize::saturating_add);
    u64::try_from(total).unwrap_or(u64::MAX)
}

/// Checks `given` against `scope`, `limits` and the base that `workspace` shows, and cleans its texts.
///
/// Done by whoever is asked for the run, in the process that trusts nothing of the component's.
pub(crate) fn check(
    given: Proposal,
    scope: &[String],
    limits: &Limits,
    workspace: &dyn Workspace,
) -> Result<Proposal, Rejection> {
    let size = bytes(&given);
    if size > limits.output_bytes_max {
        return Err(too_large(size, limits.output_bytes_max, "bytes"));
    }
    let files = u64::try_from(given.patch.files.len()).unwrap_or(u64::MAX);
    if files > limits.files_max.into() {
        return Err(too_large(files, limits.files_max.into(), "files"));
    }
    // The texts were counted above; their JSON form is longer, and has a ceiling of its own.
    let parsed = given.patch.parse(&PatchLimits::CEILING).map_err(|error| refused(&error))?;
    let touched = parsed.files().iter().flat_map(|file| [Some(&file.path), file.old_path.as_ref()]).flatten();
    if let Some(path) = touched.into_iter().find(|path| !in_scope(scope, path)) {
        return Err(Rejection::OutOfScope { path: path.to_string() });
    }
    applies(&parsed, workspace)?;
    let clean = clean(given);
    for (field, said) in [("rationale", &clean.rationale), ("expected outcome", &clean.expected.summary)] {
        if said.trim().is_empty() {
            return Err(Rejection::Missing { field: field.to_owned() });
        }
    }
    Ok(clean)
}

/// The proposal with texts that can be shown. The patch is bytes to be judged, and stays as it is.
fn clean(given: Proposal) -> Proposal {
    Proposal {
        patch: given.patch,
        rationale: text(&given.rationale),
        sources: given
            .sources
            .into_iter()
            .map(|source| Source { location: text(&source.location), note: text(&source.note) })
            .collect(),
        tests: given.tests.iter().map(|test| text(test)).collect(),
        rollback: match given.rollback {
            RollbackRecipe::RevertCommit => RollbackRecipe::RevertCommit,
            RollbackRecipe::RevertCommitAnd(steps) => {
                RollbackRecipe::RevertCommitAnd(steps.iter().map(|step| text(step)).collect())
            }
        },
        expected: ExpectedOutcome { summary: text(&given.expected.summary), ..given.expected },
    }
}

impl From<wit::Proposal> for Proposal {
    fn from(given: wit::Proposal) -> Self {
        let sources = given.sources.into_iter();
        Self {
            patch: document(given.patch),
            rationale: given.rationale,
            sources: sources.map(|source| Source { location: source.location, note: source.note }).collect(),
            tests: given.tests,
            rollback: match given.rollback {
                wit::RollbackRecipe::RevertCommit => RollbackRecipe::RevertCommit,
                wit::RollbackRecipe::RevertCommitAnd(steps) => RollbackRecipe::RevertCommitAnd(steps),
            },
            expected: ExpectedOutcome {
                summary: given.expected.summary,
                files: given.expected.files,
                lines_added: given.expected.lines_added,
                lines_removed: given.expected.lines_removed,
            },
        }
    }
}

fn too_large(amount: u64, limit: u64, unit: &str) -> Rejection {
    Rejection::TooLarge { amount, limit, unit: unit.to_owned() }
}

fn refused(error: &PatchError) -> Rejection {
    Rejection::Patch { code: error.code().to_owned(), message: error.to_string() }
}

/// Text to be shown; its size was checked with the whole.
fn text(given: &str) -> String {
    clean_text(given, usize::MAX)
}

fn document(given: wit::Patch) -> PatchDoc {
    let files = given.files.into_iter().map(|file| FilePatch {
        path: file.path,
        old_path: file.old_path,
        status: match file.status {
            wit::FileStatus::Modify => PatchStatus::Modify,
            wit::FileStatus::Add => PatchStatus::Add,
            wit::FileStatus::Delete => PatchStatus::Delete,
            wit::FileStatus::Rename => PatchStatus::Rename,
        },
        new_mode: file.new_mode.map(|mode| match mode {
            wit::FileMode::Regular => FileMode::Plain,
            wit::FileMode::Executable => FileMode::Executable,
        }),
        hunks: file.hunks,
    });
    let patch_format = match given.patch_format {
        wit::PatchFormat::Unified => PatchFormat::Unified,
    };
    PatchDoc { patch_format, files: files.collect() }
}

fn in_scope(scope: &[String], path: &RepoPath) -> bool {
    let path = path.as_str();
    scope.is_empty()
        || scope.iter().any(|part| path == part || (part.ends_with('/') && path.starts_with(part.as_str())))
}

/// Tries the patch on the base: no fuzz, no part of it, no effect is refused.
fn applies(patch: &patch::PatchDoc, workspace: &dyn Workspace) -> Result<(), Rejection> {
    let tried = patch.apply(&PatchLimits::CEILING, |path| before(workspace, path));
    match tried {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refused(&error)),
        Err(error) => Err(Rejection::Untried { why: error.to_string() }),
    }
}

/// What stands at `path`. A submodule is an empty folder here, and is refused where the patch is applied to git trees.
fn before(workspace: &dyn Workspace, path: &RepoPath) -> Result<Before, WorkspaceError> {
    let Some(entry) = workspace.entry(path)? else {
        let below = workspace.list(&format!("{path}/"), None, 1)?;
        return Ok(if below.entries.is_empty() { Before::Absent } else { Before::Folder });
    };
    let mode = match entry.kind {
        EntryKind::Symlink => return Ok(Before::Symlink),
        EntryKind::File => FileMode::Plain,
        EntryKind::Executable => FileMode::Executable,
    };
    let limit = u32::try_from(PatchLimits::CEILING.file_bytes_max).unwrap_or(u32::MAX);
    if entry.bytes > limit.into() {
        return Ok(Before::TooLarge);
    }
    let bytes = workspace.read(path, 0, limit)?;
    Ok(Before::File { mode, bytes: bytes.into() })
}

impl From<wit::FailureKind> for FailureKind {
    fn from(kind: wit::FailureKind) -> Self {
        match kind {
            wit::FailureKind::NothingToDo => Self::NothingToDo,
            wit::FailureKind::UnknownRecipe => Self::UnknownRecipe,
            wit::FailureKind::BadParameter => Self::BadParameter,
            wit::FailureKind::Workspace => Self::Workspace,
            wit::FailureKind::TooLarge => Self::TooLarge,
            wit::FailureKind::Unsupported => Self::Unsupported,
        }
    }
}
