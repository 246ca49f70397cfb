//! Recipes that change named files.

use worker_kit::{Draft, Failure, FailureKind, Files, Notes, Parameters, Proposal, Task, failure, read_text};

/// Replaces every occurrence of `old` by `new` in the file `path`.
pub(crate) fn replace_text(task: &Task, mut parameters: Parameters, files: &dyn Files) -> Result<Proposal, Failure> {
    let path = parameters.require("path")?;
    let old = parameters.require("old")?;
    let new = parameters.require("new")?;
    parameters.done()?;
    let text = read_text(files, &path)
        .map_err(|error| failure(FailureKind::Workspace, format!("`{path}`: {error}")))?
        .ok_or_else(|| failure(FailureKind::Unsupported, format!("`{path}` is not text")))?;
    let count = text.matches(&old).count();
    let replaced = text.replace(&old, &new);
    let mut draft = Draft::default();
    draft.edit(&path, text, replaced);
    let notes = Notes { rationale: format!("{count} occurrences in `{path}`"), expected: "x".into(), ..Notes::default() };
    Ok(draft.propose(task, notes)?)
}
