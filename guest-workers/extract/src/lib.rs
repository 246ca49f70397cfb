//! The worker that brings in what stands elsewhere.
//!
//! | recipe | parameters |
//! |---|---|
//! | `refresh-file` | `path`: a text file of the repository · `url`: where its text comes from |
//!
//! It fetches before it reads: a worker that has read the repository is allowed less.

use worker_kit::{
    Change, Draft, Failure, FailureKind, FileMode, Files, Notes, Parameters, Proposal, Source, Task, Worker,
    egress, explain, failure, read_text,
};

struct Extract;

impl Worker for Extract {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        propose(&task, files, &get)
    }
}

fn propose(
    task: &Task,
    files: &dyn Files,
    get: &dyn Fn(&str) -> Result<Vec<u8>, Failure>,
) -> Result<Proposal, Failure> {
    if task.recipe != "refresh-file" {
        return Err(failure(
            FailureKind::UnknownRecipe,
            format!("there is no recipe `{}`; there is: refresh-file", task.recipe),
        ));
    }
    let mut parameters = Parameters::of(task);
    let needed = |value: Option<String>, name: &str| {
        value.ok_or_else(|| failure(FailureKind::BadParameter, format!("parameter `{name}` is missing")))
    };
    let path = needed(parameters.take("path"), "path")?;
    let url = needed(parameters.take("url"), "url")?;
    parameters.done()?;

    let new = String::from_utf8(get(&url)?)
        .map_err(|_| failure(FailureKind::Unsupported, format!("`{url}` is not text")))?
        .replace("\r\n", "\n");
    if new.contains('\0') || new.trim().is_empty() {
        return Err(failure(FailureKind::Unsupported, format!("`{url}` is empty or not text")));
    }
    let old = read_text(files, &path).map_err(|error| explain(&path, error))?;
    let mut draft = Draft::default();
    match old {
        Some(old) => draft.edit(&path, old, new),
        None => draft.set(path.clone(), Change::Add { text: new, mode: FileMode::Regular }),
    }
    if draft.is_empty() {
        return Err(failure(FailureKind::NothingToDo, format!("`{path}` is what `{url}` says")));
    }
    let notes = Notes {
        rationale: format!("`{path}` is not what `{url}` says now."),
        sources: vec![Source { location: url.clone(), note: "the text, as it was answered".to_owned() }],
        tests: Vec::new(),
        expected: format!("`{path}` says what `{url}` says."),
    };
    Ok(draft.propose(task, notes)?)
}

/// The body of what stands at `url`.
fn get(url: &str) -> Result<Vec<u8>, Failure> {
    let request = egress::Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        fields: Vec::new(),
        body: Vec::new(),
    };
    match egress::fetch(&request) {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) => {
            Err(failure(FailureKind::Unsupported, format!("`{url}` answers with status {}", answer.status)))
        }
        Err(egress::EgressError::Refused(why) | egress::EgressError::Failed(why)) => {
            Err(failure(FailureKind::Unsupported, format!("`{url}`: {why}")))
        }
    }
}

worker_kit::export!("extract", Extract, "abide:worker/egress@0.1.0": ::worker_kit::egress);

#[cfg(test)]
mod tests;
