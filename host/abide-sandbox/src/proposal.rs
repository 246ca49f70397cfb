//! From what a component returned to a proposal: shape, paths, sizes. Whether the hunks apply is the core's question, and what they do
//! is measured from git trees.

use abide_core::id::RepoPath;

use crate::bindings::abide::worker::types as wit;
use crate::message::{
    ExpectedOutcome, FailureKind, FileMode, FilePatch, FileStatus, Limits, PatchDoc, PatchFormat, Proposal, Rejection, RollbackRecipe, Source,
};
use crate::text::clean_text;

mod hunk;

/// Bytes of all texts of a proposal.
pub(crate) fn bytes(proposal: &wit::Proposal) -> u64 {
    let files = proposal.patch.files.iter().flat_map(|file| {
        [file.path.len(), file.old_path.as_ref().map_or(0, String::len)].into_iter().chain(file.hunks.iter().map(String::len))
    });
    let sources = proposal.sources.iter().flat_map(|source| [source.location.len(), source.note.len()]);
    let tests = proposal.tests.iter().map(String::len);
    let steps = match &proposal.rollback {
        wit::RollbackRecipe::RevertCommit => &[][..],
        wit::RollbackRecipe::RevertCommitAnd(steps) => steps,
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

/// Checks the shape of `given` against `scope` and `limits`.
pub(crate) fn check(given: wit::Proposal, scope: &[String], limits: &Limits) -> Result<Proposal, Rejection> {
    let too_large = |amount: u64, limit: u64, unit: &str| Rejection::TooLarge { amount, limit, unit: unit.to_owned() };
    let size = bytes(&given);
    if size > limits.output_bytes_max {
        return Err(too_large(size, limits.output_bytes_max, "bytes"));
    }
    let count = u64::try_from(given.patch.files.len()).unwrap_or(u64::MAX);
    if count > limits.files_max.into() {
        return Err(too_large(count, limits.files_max.into(), "files"));
    }
    if count == 0 {
        return Err(Rejection::NoChange { path: None });
    }
    let mut files: Vec<FilePatch> = Vec::with_capacity(given.patch.files.len());
    for file in given.patch.files {
        let file = file_patch(file, scope)?;
        if files.last().is_some_and(|last| last.path >= file.path) {
            return Err(Rejection::Order { path: file.path.into() });
        }
        files.push(file);
    }
    let limit = usize::try_from(limits.output_bytes_max).unwrap_or(usize::MAX);
    let text = |text: String| clean_text(&text, limit);
    let rationale = text(given.rationale);
    if rationale.trim().is_empty() {
        return Err(Rejection::Missing { field: "rationale".to_owned() });
    }
    let summary = text(given.expected.summary);
    if summary.trim().is_empty() {
        return Err(Rejection::Missing { field: "expected outcome".to_owned() });
    }
    Ok(Proposal {
        patch: PatchDoc {
            patch_format: match given.patch.patch_format {
                wit::PatchFormat::Unified => PatchFormat::Unified,
            },
            files,
        },
        rationale,
        sources: given.sources.into_iter().map(|source| Source { location: text(source.location), note: text(source.note) }).collect(),
        tests: given.tests.into_iter().map(text).collect(),
        rollback: match given.rollback {
            wit::RollbackRecipe::RevertCommit => RollbackRecipe::RevertCommit,
            wit::RollbackRecipe::RevertCommitAnd(steps) => RollbackRecipe::RevertCommitAnd(steps.into_iter().map(text).collect()),
        },
        expected: ExpectedOutcome {
            summary,
            files: given.expected.files,
            lines_added: given.expected.lines_added,
            lines_removed: given.expected.lines_removed,
        },
    })
}

fn repo_path(path: String) -> Result<RepoPath, Rejection> {
    path.parse::<RepoPath>().map_err(|error| Rejection::Escape { path, why: error.why.to_owned() })
}

fn file_patch(file: wit::FilePatch, scope: &[String]) -> Result<FilePatch, Rejection> {
    let path = repo_path(file.path)?;
    let old_path = file.old_path.map(repo_path).transpose()?;
    for touched in [Some(&path), old_path.as_ref()].into_iter().flatten() {
        if !in_scope(scope, touched) {
            return Err(Rejection::OutOfScope { path: touched.to_string() });
        }
    }
    let status = match file.status {
        wit::FileStatus::Modified => FileStatus::Modified,
        wit::FileStatus::Added => FileStatus::Added,
        wit::FileStatus::Deleted => FileStatus::Deleted,
        wit::FileStatus::Renamed => FileStatus::Renamed,
    };
    let mode = file.mode.map(|mode| match mode {
        wit::FileMode::Regular => FileMode::Regular,
        wit::FileMode::Executable => FileMode::Executable,
    });
    let file = FilePatch { path, status, old_path, mode, hunks: file.hunks };
    hunk::check(&file)?;
    consistent(&file)?;
    Ok(file)
}

/// Refuses a file whose parts do not go together.
fn consistent(file: &FilePatch) -> Result<(), Rejection> {
    let contradiction = |why: &str| Err(Rejection::Contradiction { path: file.path.to_string(), why: why.to_owned() });
    match (file.status, &file.old_path) {
        (FileStatus::Renamed, None) => return contradiction("it is renamed, and has no old path"),
        (FileStatus::Renamed, Some(old)) if *old == file.path => return contradiction("it is renamed to itself"),
        (FileStatus::Modified | FileStatus::Added | FileStatus::Deleted, Some(_)) => {
            return contradiction("it has an old path, and is not renamed");
        }
        _ => {}
    }
    match (file.status, file.mode) {
        (FileStatus::Added, None) => contradiction("it is added, and has no mode"),
        (FileStatus::Deleted, Some(_)) => contradiction("it is deleted, and has a mode"),
        (FileStatus::Added | FileStatus::Deleted, _) if file.hunks.len() > 1 => contradiction("a whole file is one hunk"),
        (FileStatus::Modified, None) if file.hunks.is_empty() => Err(Rejection::NoChange { path: Some(file.path.to_string()) }),
        _ => Ok(()),
    }
}

fn in_scope(scope: &[String], path: &RepoPath) -> bool {
    let path = path.as_str();
    scope.is_empty() || scope.iter().any(|part| path == part || (part.ends_with('/') && path.starts_with(part.as_str())))
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

#[cfg(test)]
mod tests;
