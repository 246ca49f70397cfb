//! Repairs relative links in Markdown whose file moved: the file is found again by its name and as much of its path as is unique.
//!
//! URLs, code and what a site generator may resolve in its own way are left alone; what is ambiguous is left alone and said.

use worker_kit::{
    Draft, EntryKind, Failure, Files, Notes, Parameters, Proposal, Source, Task, explain, in_scope,
    is_vendored, read_text,
};

mod find;
mod resolve;

use find::Link;
use resolve::{Answer, Tree};

/// Links named in the rationale, of each sort.
const NAMED_MAX: usize = 20;

/// What happened to the broken links.
#[derive(Debug, Default)]
struct Report {
    repaired: Vec<String>,
    ambiguous: Vec<String>,
    lost: Vec<String>,
}

/// The recipe `repair-links`.
pub(crate) fn repair(task: &Task, parameters: Parameters, files: &dyn Files) -> Result<Proposal, Failure> {
    parameters.done()?;
    let entries = files.list("").map_err(|error| explain("the repository", error))?;
    let tree = Tree::new(entries.iter().map(|entry| entry.path.as_str()));
    let documents: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.kind != EntryKind::Symlink && is_markdown(&entry.path))
        .map(|entry| entry.path.as_str())
        .filter(|path| in_scope(&task.scope, path) && !is_vendored(path))
        .collect();
    let total = documents.len();
    let (mut draft, mut report, mut sources) = (Draft::default(), Report::default(), Vec::new());
    for (done, path) in documents.into_iter().enumerate() {
        worker_kit::report(done, total, path);
        let Some(text) = read_text(files, path).map_err(|error| explain(path, error))? else { continue };
        let repaired = repair_document(path, &text, &tree, &mut report, &mut sources);
        draft.edit(path, text, repaired);
    }
    let rationale = report.rationale(draft.len());
    if draft.is_empty() {
        return Err(worker_kit::failure(worker_kit::FailureKind::NothingToDo, rationale));
    }
    let notes = Notes {
        rationale,
        sources,
        tests: vec!["links".to_owned()],
        expected: format!(
            "{} links lead to an existing file again; no other text changes.",
            report.repaired.len()
        ),
    };
    Ok(draft.propose(task, notes)?)
}

fn is_markdown(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.ends_with(".md") || lower.ends_with(".markdown")
}

/// The document with its broken links replaced.
fn repair_document(
    path: &str,
    text: &str,
    tree: &Tree<'_>,
    report: &mut Report,
    sources: &mut Vec<Source>,
) -> String {
    let mut links = find::links(text);
    links.sort_by_key(|link| link.at.start);
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for Link { at, destination, bracketed } in links {
        let line = text[..at.start].matches('\n').count() + 1;
        let place = format!("`{path}:{line}`: `{destination}`");
        match tree.resolve(path, &destination, bracketed) {
            Answer::Lost => report.lost.push(place),
            Answer::Ambiguous(candidates) => {
                report.ambiguous.push(format!("{place} could be any of {}", candidates.join(", ")));
            }
            Answer::Moved { to, file } if at.start >= end => {
                out.push_str(&text[end..at.start]);
                out.push_str(&to);
                end = at.end;
                report.repaired.push(format!("{place} → `{to}`"));
                if !sources.iter().any(|source| source.location == file) {
                    sources.push(Source { location: file, note: "where the file is now".to_owned() });
                }
            }
            Answer::Fine | Answer::Moved { .. } => {}
        }
    }
    out.push_str(&text[end..]);
    out
}

impl Report {
    fn rationale(&self, documents: usize) -> String {
        let mut text = format!(
            "{} broken relative links in {documents} documents lead to files that moved.",
            self.repaired.len()
        );
        list(&mut text, "Repaired", &self.repaired);
        list(&mut text, "Left alone, ambiguous", &self.ambiguous);
        list(&mut text, "Left alone, no file of that name is left", &self.lost);
        text
    }
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

#[cfg(test)]
mod tests;
