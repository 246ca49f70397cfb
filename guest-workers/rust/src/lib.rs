//! A worker in Rust, with nothing but the bindings of its world.
//!
//! `one-newline` ends text files in the task's scope with exactly one line feed.

#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "codegen" });
}

use bindings::abide::worker::log;
use bindings::abide::worker::types::{
    ExpectedOutcome, FailureKind, FilePatch, FileStatus, Patch, PatchFormat, RollbackRecipe, Source,
};
use bindings::abide::worker::workspace::{self, EntryKind};
use bindings::{Failure, Proposal, Task};

/// Files of a page of the listing.
const PAGE: u32 = 1000;
/// Bytes of one read.
const CHUNK: u32 = 1 << 20;
/// What counts as text.
const TEXT: [&str; 4] = [".md", ".txt", ".rs", ".toml"];

struct Worker;

impl bindings::Guest for Worker {
    fn propose(task: Task) -> Result<Proposal, Failure> {
        if task.recipe != "one-newline" {
            return Err(failure(FailureKind::UnknownRecipe, format!("there is no recipe `{}`", task.recipe)));
        }
        let mut files = Vec::new();
        for path in paths(&task.scope)?.into_iter().filter(|path| TEXT.iter().any(|end| path.ends_with(end))) {
            let Some(text) = text(&path)? else {
                log::write(log::Level::Warn, &format!("{path} is not UTF-8, and stays as it is"));
                continue;
            };
            files.extend(hunk(&text).map(|hunk| modified(path, hunk)));
        }
        if files.is_empty() {
            return Err(failure(FailureKind::NothingToDo, "every file ends as it should"));
        }
        Ok(proposal(files))
    }
}

fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into() }
}

fn refused(path: &str, error: workspace::WorkspaceError) -> Failure {
    failure(FailureKind::Workspace, format!("{path}: {error}"))
}

/// Every file of the scope; the whole repository if there is none.
fn paths(scope: &[String]) -> Result<Vec<String>, Failure> {
    let everywhere = [String::new()];
    let mut found = Vec::new();
    for prefix in if scope.is_empty() { &everywhere[..] } else { scope } {
        let mut after = None;
        loop {
            let page = workspace::list(prefix, after.as_deref(), PAGE).map_err(|error| refused(prefix, error))?;
            after = page.entries.last().map(|entry| entry.path.clone());
            let files = page.entries.into_iter().filter(|entry| entry.kind != EntryKind::Symlink);
            found.extend(files.map(|entry| entry.path));
            if !page.truncated || after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// The whole file, if it is text.
fn text(path: &str) -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let chunk = workspace::read(path, bytes.len() as u64, CHUNK).map_err(|error| refused(path, error))?;
        let is_last = chunk.len() < CHUNK as usize;
        bytes.extend(chunk);
        if is_last {
            return Ok(String::from_utf8(bytes).ok());
        }
    }
}

/// The hunk that leaves one line feed at the end; none for a file that is empty or right.
fn hunk(text: &str) -> Option<String> {
    let kept = text.trim_end_matches('\n');
    let many = text.len() - kept.len();
    if kept.is_empty() || many == 1 {
        return None;
    }
    let lines = kept.split('\n').count();
    let last = kept.rsplit('\n').next().unwrap_or(kept);
    Some(if many == 0 {
        format!("@@ -{lines},1 +{lines},1 @@\n-{last}\n\\ No newline at end of file\n+{last}\n")
    } else {
        let extra = many - 1;
        format!("@@ -{},{extra} +{lines},0 @@\n{}", lines + 1, "-\n".repeat(extra))
    })
}

fn modified(path: String, hunk: String) -> FilePatch {
    FilePatch { path, status: FileStatus::Modify, old_path: None, new_mode: None, hunks: vec![hunk] }
}

fn proposal(files: Vec<FilePatch>) -> Proposal {
    let count = |mark: char| {
        let lines = files.iter().flat_map(|file| file.hunks[0].lines().skip(1));
        lines.filter(|line| line.starts_with(mark)).count() as u32
    };
    Proposal {
        rationale: "A file that ends with one line feed has smaller diffs later.".to_owned(),
        sources: files
            .iter()
            .map(|file| Source { location: file.path.clone(), note: "was read".to_owned() })
            .collect(),
        tests: Vec::new(),
        rollback: RollbackRecipe::RevertCommit,
        expected: ExpectedOutcome {
            summary: format!("{} files end with one line feed, and nothing else changes.", files.len()),
            files: files.len() as u32,
            lines_added: count('+'),
            lines_removed: count('-'),
        },
        patch: Patch { patch_format: PatchFormat::Unified, files },
    }
}

bindings::export!(Worker with_types_in bindings);
