//! `ab show --html`: what a run saw of the web, as one page.

use std::path::Path;

use abide_core::event::Body;
use abide_core::id::{Oid, RepoPath};
use abide_core::patch::{Before, FileChange, FileMode, PatchLimits};
use abide_core::safe_text;
use abide_effects::forge::ReadError;
use abide_sandbox::message::Proposal;
use abide_sandbox::{RunResult, Transcript};

use super::super::Shell;
use super::super::kill::parse;
use super::super::run::Bench;
use super::says;
use crate::html;
use crate::pages::{self, Looked};
use crate::report::{Exit, Failure};

/// LIMIT: bytes of one file of provenance.
const PROVENANCE_BYTES_MAX: u64 = 64 << 20;
/// How such a file is called.
const PROVENANCE: &str = ".provenance.jsonl";

/// Writes what the run saw to `file`.
pub(super) fn write(shell: &Shell, bench: &Bench, what: &str, file: &Path) -> Result<Exit, Failure> {
    let id = parse(what)?;
    let history = bench.desk.history(&id)?;
    let mut tasks = Vec::new();
    for (_, event) in history.iter().filter(|(_, event)| event.run.as_ref() == Some(&id)) {
        if let Body::EgressUsed(used) = &event.body
            && let Some(seen) = &used.pages
        {
            let album = pages::read_album(&bench.desk, &seen.album)?;
            tasks.push(Looked { unit: used.unit.clone(), album, says: None, provenance: Vec::new() });
        }
    }
    if tasks.is_empty() {
        return Err(Failure::new("AB0049", format!("run {id} looked at no pages"))
            .help("ab show lists what a run did; a worker needs the grant `browser` to look at pages")
            .exit(Exit::Usage));
    }
    for task in &mut tasks {
        let ran = history.iter().rev().find_map(|(_, event)| match &event.body {
            Body::TaskRan(ran) if ran.unit == task.unit => Some(ran.transcript.clone()),
            _ => None,
        });
        let Some(ran) = ran else { continue };
        let Ok(transcript) = Transcript::unpack(&bench.desk.payload(&ran)?) else { continue };
        task.says = Some(says(&transcript.outcome.result));
        task.provenance = provenance(bench, &transcript);
    }
    let page = pages::page(&bench.desk, &id.to_string(), &tasks)?;
    html::write(file, &page)?;
    shell.printer.line(&format!("wrote {}", safe_text::line(&file.to_string_lossy())));
    Ok(Exit::Done)
}

/// The files of provenance: as the task proposed them, whatever came of it, or as they stood where it had nothing to change.
fn provenance(bench: &Bench, transcript: &Transcript) -> Vec<(String, String)> {
    let task = &transcript.request.task;
    match &transcript.outcome.result {
        RunResult::Proposed(proposal) => proposed(bench, &task.base, proposal),
        RunResult::Failed(failure) if failure.code().is_none() => {
            let path = task.parameters.get("path").map_or("", String::as_str);
            let stem = path.strip_suffix(".jsonl").or_else(|| path.strip_suffix(".json")).unwrap_or(path);
            let path = format!("{stem}{PROVENANCE}");
            let stood = path.parse().ok().and_then(|at| stood(bench, &task.base, &at).ok()?);
            stood.and_then(|bytes| Some((path, String::from_utf8(bytes).ok()?))).into_iter().collect()
        }
        RunResult::Failed(_) | RunResult::Refused(_) | RunResult::Trapped(_) | RunResult::Rejected(_) => {
            Vec::new()
        }
    }
}

fn stood(bench: &Bench, base: &Oid, at: &RepoPath) -> Result<Option<Vec<u8>>, ReadError> {
    bench.known.repo.read_blob_at(base, at, PROVENANCE_BYTES_MAX)
}

fn proposed(bench: &Bench, base: &Oid, proposal: &Proposal) -> Vec<(String, String)> {
    let limits = &PatchLimits::CEILING;
    let Ok(patch) = proposal.patch.parse(limits) else { return Vec::new() };
    let applied = patch.apply(limits, |at| {
        let bytes = stood(bench, base, at)?;
        Ok::<_, ReadError>(
            bytes.map_or(Before::Absent, |bytes| Before::File { mode: FileMode::Plain, bytes: bytes.into() }),
        )
    });
    let Ok(Ok(changes)) = applied else { return Vec::new() };
    let files = changes.into_iter().filter_map(|change| match change {
        FileChange::Write { path, bytes, .. } | FileChange::Rename { path, bytes, .. } => Some((path, bytes)),
        FileChange::Delete { .. } => None,
    });
    files
        .filter(|(path, _)| path.as_str().ends_with(PROVENANCE))
        .filter_map(|(path, bytes)| Some((path.to_string(), String::from_utf8(bytes).ok()?)))
        .collect()
}
