//! Recipes that change named files: what a person could say in one sentence, for small errands and for demonstrations.

use worker_kit::{
    Change, Draft, Failure, FailureKind, FileMode, Files, Notes, Parameters, Proposal, Source, Task,
    WorkspaceError, explain, failure, read_text,
};

/// Replaces every occurrence of `old` by `new` in the file `path`; with `expect`, only if there are exactly that many.
pub(crate) fn replace_text(
    task: &Task,
    mut parameters: Parameters,
    files: &dyn Files,
) -> Result<Proposal, Failure> {
    let path = parameters.require("path")?;
    let old = parameters.require("old")?;
    let new = parameters.require("new")?;
    let expect = parameters
        .take("expect")
        .map(|text| text.parse::<usize>().map_err(|_| bad(format!("`expect` is not a number: `{text}`"))));
    parameters.done()?;
    if old.is_empty() {
        return Err(bad("parameter `old` is empty"));
    }
    let text = existing(files, &path)?;
    let count = text.matches(&old).count();
    if count == 0 {
        return Err(bad(format!("`{path}` does not contain the text to replace")));
    }
    if let Some(expect) = expect.transpose()?.filter(|expect| *expect != count) {
        return Err(bad(format!("`{path}` contains the text {count} times, and {expect} were expected")));
    }
    let replaced = text.replace(&old, &new);
    let mut draft = Draft::default();
    draft.edit(&path, text, replaced);
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let notes = Notes {
        rationale: format!("The task asks for this text to be replaced in `{path}`; it occurs {times}."),
        sources: vec![Source { location: path.clone(), note: "the text to replace".to_owned() }],
        expected: format!("`{path}` says the new text wherever it said the old one."),
        ..Notes::default()
    };
    Ok(draft.propose(task, notes)?)
}

/// Makes `path` contain exactly `text`, or deletes it.
pub(crate) fn edit_file(
    task: &Task,
    mut parameters: Parameters,
    files: &dyn Files,
) -> Result<Proposal, Failure> {
    let path = parameters.require("path")?;
    let text = parameters.take("text");
    let delete = parameters.flag("delete")?;
    let executable = parameters.flag("executable")?;
    parameters.done()?;
    let current = match files.read(&path) {
        Ok(_) => Some(existing(files, &path)?),
        Err(WorkspaceError::NotFound) => None,
        Err(error) => return Err(explain(&path, error)),
    };
    let mode = if executable { FileMode::Executable } else { FileMode::Regular };
    let mut draft = Draft::default();
    let verb = match (text, delete, current) {
        (None, true, Some(old)) => {
            draft.set(&path, Change::Delete { old });
            "removed"
        }
        (None, true, None) => return Err(bad(format!("`{path}` is not there to be deleted"))),
        (Some(text), false, None) => {
            draft.set(&path, Change::Add { text, mode });
            "added"
        }
        (Some(_), false, Some(_)) if executable => {
            return Err(bad("parameter `executable` is for new files"));
        }
        (Some(text), false, Some(old)) => {
            draft.edit(&path, old, text);
            "rewritten"
        }
        (Some(_), true, _) | (None, false, _) => return Err(bad("give either `text` or `delete=true`")),
    };
    let notes = Notes {
        rationale: format!("The task asks for `{path}` to be {verb}."),
        expected: format!("`{path}` is {verb}."),
        ..Notes::default()
    };
    Ok(draft.propose(task, notes)?)
}

fn existing(files: &dyn Files, path: &str) -> Result<String, Failure> {
    read_text(files, path)
        .map_err(|error| explain(path, error))?
        .ok_or_else(|| failure(FailureKind::Unsupported, format!("`{path}` is not UTF-8 text")))
}

fn bad(message: impl Into<String>) -> Failure {
    failure(FailureKind::BadParameter, message)
}

#[cfg(test)]
mod tests;
