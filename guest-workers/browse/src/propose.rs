//! From snapshots to a proposal: schema and hints are read now, after the last page.

use records::{Ask as Wanted, Extraction, Hints, Refusal, compare, extract, files};
use worker_kit::{
    Change, Draft, Failure, FailureKind, FileMode, Files, Notes, Proposal, Source, Task, WorkspaceError,
    explain, failure, read_text,
};

use crate::parameters::Ask;
use crate::visit::Visit;

/// Bytes of a patch that the host reads (AB0727).
const PATCH_BYTES_MAX: usize = 8 << 20;
/// Records that are refused and told one by one.
const TOLD_MAX: usize = 10;

/// The text of a file of the repository.
pub(crate) fn text(files: &dyn Files, path: &str) -> Result<String, Failure> {
    read_text(files, path)
        .map_err(|error| explain(path, error))?
        .ok_or_else(|| failure(FailureKind::BadParameter, format!("`{path}` is not text")))
}

/// # Errors
/// A schema or hints that cannot be used, pages without records, more than the task allows, or nothing new.
pub(crate) fn records(task: &Task, tree: &dyn Files, ask: &Ask, visit: &Visit) -> Result<Proposal, Failure> {
    let wanted = wanted(tree, &ask.schema, ask.hints.as_deref())?;
    let found = extract(&visit.pages, &wanted).map_err(|refusal| {
        let kind = match refusal {
            Refusal::Schema(_) | Refusal::Hints(_) => FailureKind::BadParameter,
            Refusal::Page { .. } | Refusal::NoRecords(_) => FailureKind::Unsupported,
        };
        failure(kind, refusal.to_string())
    })?;
    let new = files(&found, &wanted, &ask.path);
    let mut draft = Draft::default();
    let before = put(&mut draft, tree, &ask.path, new.records)?;
    if draft.is_empty() {
        // Snapshots differ from day to day; where the records do not, the ones that they were read from still say so.
        return Err(failure(
            FailureKind::NothingToDo,
            format!("`{}` holds the {} records that the pages show", ask.path, found.records.len()),
        ));
    }
    put(&mut draft, tree, &new.provenance_path, new.provenance)?;
    let mut rationale = rationale(&found, visit);
    if let Some(before) = before {
        rationale.push(compare(&before, &found, &wanted).to_string());
    }
    let notes = Notes {
        rationale: rationale.join("\n"),
        sources: visit
            .pages
            .iter()
            .map(|page| Source { location: page.url.clone(), note: format!("snapshot {}", page.digest) })
            .collect(),
        tests: Vec::new(),
        expected: format!(
            "`{}` holds {} records of {} pages.",
            ask.path,
            found.records.len(),
            visit.pages.len()
        ),
    };
    let proposal = draft.propose(task, notes)?;
    let room = PATCH_BYTES_MAX.min(task.limits.output_bytes_max as usize);
    let size = size(&proposal);
    if size > room {
        let message = format!(
            "{} records and where they come from are a patch of {size} bytes, and it may have {room}; fewer pages or fields make it less",
            found.records.len()
        );
        return Err(failure(FailureKind::TooLarge, message));
    }
    Ok(proposal)
}

/// Bytes of the patch as the host writes it down: JSON, in which each quote of a record takes one more.
fn size(proposal: &Proposal) -> usize {
    let hunks = proposal.patch.files.iter().flat_map(|file| &file.hunks);
    let escaped = |byte: u8| 1 + usize::from(matches!(byte, b'"' | b'\\' | b'\n'));
    hunks.flat_map(|hunk| hunk.bytes()).map(escaped).sum()
}

/// What is looked for: the schema at `schema`, with hints that stand there or in a file.
pub(crate) fn wanted(tree: &dyn Files, schema: &str, hints: Option<&str>) -> Result<Wanted, Failure> {
    let bad = |message: String| failure(FailureKind::BadParameter, message);
    let text_of = text(tree, schema)?;
    let parsed = serde_json::from_str(&text_of).map_err(|error| bad(format!("`{schema}`: {error}")))?;
    let hints = match hints {
        None => Hints::default(),
        Some(hints) => {
            let (name, json) = if hints.trim_start().starts_with('{') {
                ("hints", hints.to_owned())
            } else {
                (hints, text(tree, hints)?)
            };
            Hints::parse(&json).map_err(|error| bad(format!("`{name}`: {error}")))?
        }
    };
    Wanted::new(&parsed, hints).map_err(|refusal| bad(refusal.to_string()))
}

/// Sets `path` to `new`, and returns what it was.
fn put(draft: &mut Draft, tree: &dyn Files, path: &str, new: String) -> Result<Option<String>, Failure> {
    match read_text(tree, path) {
        Ok(Some(old)) => {
            draft.edit(path, old.clone(), new);
            Ok(Some(old))
        }
        Ok(None) => Err(failure(FailureKind::Unsupported, format!("`{path}` is there, and is not text"))),
        Err(WorkspaceError::NotFound) => {
            draft.set(path, Change::Add { text: new, mode: FileMode::Regular });
            Ok(None)
        }
        Err(error) => Err(explain(path, error)),
    }
}

/// What a person has to know who approves: a sentence on each line.
fn rationale(found: &Extraction, visit: &Visit) -> Vec<String> {
    let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let (records, pages) = (many(found.records.len(), "record"), many(visit.pages.len(), "page"));
    let mut lines = vec![format!("{records} from {pages}, by {}.", found.strategy.name())];
    lines.extend(found.tried.iter().map(|tried| format!("{tried}.")));
    if !found.rejected.is_empty() {
        lines.push(format!("{} were refused:", found.rejected.len()));
        lines.extend(found.rejected.iter().take(TOLD_MAX).map(|rejected| {
            format!("- {} `{}`: {}", rejected.url, rejected.css, rejected.faults.join("; "))
        }));
    }
    for (key, more) in found.duplicates.iter().take(TOLD_MAX) {
        lines.push(format!("{key} came {more} times more; the first was taken."));
    }
    for (field, (count, why)) in &found.left_out {
        lines.push(format!("`{field}` was left out of {count} records: the first {why}."));
    }
    if !found.empty_pages.is_empty() {
        let pages: Vec<&str> = found.empty_pages.iter().take(TOLD_MAX).map(String::as_str).collect();
        lines.push(format!("No record on {} pages: {}.", found.empty_pages.len(), pages.join(", ")));
    }
    lines.extend(visit.notes.iter().cloned());
    lines
}
