//! `ab show --html`: what a run saw of the web, as one page.

use std::path::Path;

use abide_core::event::Body;
use abide_core::id::{Oid, RepoPath};
use abide_core::safe_text;
use abide_sandbox::{RunResult, Transcript};

use super::super::Shell;
use super::super::kill::parse;
use super::super::run::Bench;
use crate::html;
use crate::pages::{self, Looked};
use crate::report::{Exit, Failure};

/// LIMIT: bytes of one file of provenance.
const PROVENANCE_BYTES_MAX: u64 = 64 << 20;

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
            tasks.push(Looked { unit: used.unit.clone(), album, provenance: Vec::new() });
        }
    }
    if tasks.is_empty() {
        return Err(Failure::new("AB0049", format!("run {id} looked at no pages"))
            .help("ab show lists what a run did; a worker needs the grant `browser` to look at pages")
            .exit(Exit::Usage));
    }
    for task in &mut tasks {
        let of_unit = |unit: &String| *unit == task.unit;
        let commit = history.iter().rev().find_map(|(_, event)| match &event.body {
            Body::PatchCommitted { unit, commit, .. } if of_unit(unit) => Some(commit.clone()),
            _ => None,
        });
        let ran = history.iter().rev().find_map(|(_, event)| match &event.body {
            Body::TaskRan(ran) if of_unit(&ran.unit) => Some(ran.transcript.clone()),
            _ => None,
        });
        if let (Some(commit), Some(ran)) = (commit, ran) {
            task.provenance = provenance(bench, &commit, &bench.desk.payload(&ran)?);
        }
    }
    let page = pages::page(&bench.desk, &id.to_string(), &tasks)?;
    html::write(file, &page)?;
    shell.printer.line(&format!("wrote {}", safe_text::line(&file.to_string_lossy())));
    Ok(Exit::Done)
}

/// The files of provenance that the task proposed, as they were committed.
fn provenance(bench: &Bench, commit: &Oid, transcript: &[u8]) -> Vec<(String, String)> {
    let Ok(transcript) = Transcript::unpack(transcript) else { return Vec::new() };
    let RunResult::Proposed(proposal) = transcript.outcome.result else { return Vec::new() };
    let paths = proposal.patch.files.into_iter().map(|file| file.path);
    paths
        .filter(|path| path.ends_with(".provenance.jsonl"))
        .filter_map(|path| {
            let at: RepoPath = path.parse().ok()?;
            let bytes = bench.known.repo.read_blob_at(commit, &at, PROVENANCE_BYTES_MAX).ok()??;
            Some((path, String::from_utf8(bytes).ok()?))
        })
        .collect()
}
