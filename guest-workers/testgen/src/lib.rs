//! The worker that drafts tests: it finds public functions that no test mentions, and writes skeletons that compile.
//!
//! A draft calls the function with the simplest input its signature allows and is marked as ignored until a person says what must come
//! out: a test that asserts nothing and passes would only look like one. Without such an input it names the function, so that a change of
//! its signature still shows.
//!
//! | recipe | parameters |
//! |---|---|
//! | `draft-tests` | `path`?: one module; otherwise every module in scope · `max`?: drafts, 20 |

mod python;
mod rust;

use worker_kit::{
    Change, Draft, EntryKind, Failure, FailureKind, FileMode, Files, Notes, Parameters, Proposal,
    SearchOptions, Source, Task, Worker, explain, failure, in_scope, is_generated, is_vendored, read_text,
};

/// Drafts in one proposal, unless the task says otherwise.
const DRAFTS_MAX: usize = 20;
/// Functions named in the rationale.
const NAMED_MAX: usize = 20;

struct Testgen;

impl Worker for Testgen {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        propose(&task, files)
    }
}

/// What one module gives.
#[derive(Debug, Default)]
struct Drafts {
    /// Functions that get a draft.
    drafted: Vec<String>,
    /// Functions that would need one and get none, with the reason.
    left: Vec<String>,
    /// The file to change and its new text; `None` when nothing was drafted.
    file: Option<(String, Option<String>, String)>,
}

fn propose(task: &Task, files: &dyn Files) -> Result<Proposal, Failure> {
    if task.recipe != "draft-tests" {
        return Err(failure(
            FailureKind::UnknownRecipe,
            format!("there is no recipe `{}`; there is: draft-tests", task.recipe),
        ));
    }
    let mut parameters = Parameters::of(task);
    let path = parameters.take("path");
    let max = match parameters.take("max").map(|text| text.parse::<usize>()) {
        None => DRAFTS_MAX,
        Some(Ok(max)) if max > 0 => max,
        Some(_) => return Err(failure(FailureKind::BadParameter, "parameter `max` is not a number above 0")),
    };
    parameters.done()?;
    let modules = match path {
        Some(path) if is_module(&path) => vec![path],
        Some(path) => {
            return Err(failure(
                FailureKind::BadParameter,
                format!("`{path}` is not a Rust or Python module"),
            ));
        }
        None => modules(task, files)?,
    };

    let (mut draft, mut drafted, mut left, mut sources) =
        (Draft::default(), Vec::new(), Vec::new(), Vec::new());
    let total = modules.len();
    for (done, path) in modules.into_iter().enumerate() {
        if drafted.len() >= max {
            break;
        }
        worker_kit::report(done, total, &path);
        let Some(text) = read_text(files, &path)
            .map_err(|error| explain(&path, error))?
            .filter(|text| !is_generated(&path, text))
        else {
            continue;
        };
        let room = max - drafted.len();
        let found = if path.ends_with(".rs") {
            rust::draft(files, &path, &text, room)?
        } else {
            python::draft(files, &path, &text, room)?
        };
        left.extend(found.left.into_iter().map(|what| format!("`{path}`: {what}")));
        if let Some((file, old, new)) = found.file {
            drafted.extend(found.drafted.into_iter().map(|name| format!("`{name}` in `{path}`")));
            sources.push(Source { location: path, note: "signatures of the functions".to_owned() });
            match old {
                Some(old) => draft.edit(&file, old, new),
                None => draft.set(file, Change::Add { text: new, mode: FileMode::Regular }),
            }
        }
    }
    if draft.is_empty() {
        let mut message = "every public function that could be drafted for is mentioned in a test".to_owned();
        list(&mut message, "Left out", &left);
        return Err(failure(FailureKind::NothingToDo, message));
    }
    let mut rationale = format!("{} public functions are not mentioned in any test.", drafted.len());
    list(&mut rationale, "Drafted", &drafted);
    list(&mut rationale, "Left out", &left);
    let notes = Notes {
        rationale,
        sources,
        tests: vec!["the drafts compile; they are ignored until someone says what must come out".to_owned()],
        expected: format!("{} ignored tests more; nothing else changes.", drafted.len()),
    };
    Ok(draft.propose(task, notes)?)
}

fn list(text: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title} ({}):", items.len()));
    for item in items.iter().take(NAMED_MAX) {
        text.push_str("\n- ");
        text.push_str(item);
    }
    if items.len() > NAMED_MAX {
        text.push_str(&format!("\n- and {} more", items.len() - NAMED_MAX));
    }
}

fn is_module(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let code = path.ends_with(".rs") || path.ends_with(".py");
    code && !is_test(path) && !matches!(name, "build.rs" | "setup.py" | "conftest.py" | "__main__.py")
}

/// Whether a path holds tests, by the customs of cargo and pytest.
fn is_test(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    folders.split('/').any(|folder| matches!(folder, "tests" | "test" | "testing" | "benches" | "examples"))
        || matches!(stem, "tests" | "test" | "testing")
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
}

fn modules(task: &Task, files: &dyn Files) -> Result<Vec<String>, Failure> {
    let all = files.list("").map_err(|error| explain("the repository", error))?;
    let wanted = |path: &str| is_module(path) && in_scope(&task.scope, path) && !is_vendored(path);
    Ok(all
        .into_iter()
        .filter(|entry| entry.kind != EntryKind::Symlink && wanted(&entry.path))
        .map(|entry| entry.path)
        .collect())
}

/// Whether a test file with `suffix` mentions `name` as a whole word.
fn is_mentioned_in_tests(files: &dyn Files, name: &str, suffix: &str) -> Result<bool, Failure> {
    let options = SearchOptions {
        prefix: String::new(),
        suffixes: vec![suffix.to_owned()],
        ignore_case: false,
        whole_word: true,
        limit: 10_000,
    };
    let found = files.search(name, &options).map_err(|error| explain(name, error))?;
    Ok(found.matches.iter().any(|found| is_test(&found.path)))
}

worker_kit::export!("testgen", Testgen);

#[cfg(test)]
mod testing;
