//! Negative probes: for each thing that policy grants or bounds, something that asks for more, on this host and behind its walls.
//!
//! What a component may import is tried on the component itself, with one thing taken away at a time. What bounds a task cannot be: nobody can make a
//! stranger's component ask for too much. So each limit is tried on components that do nothing else (`guest-workers/hostile`), under the limits of
//! the component in question, but never more than takes a moment: it is the same check, with a smaller number.

mod lease;
mod limits;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use abide_core::id::Oid;
use abide_sandbox::inspect::Inspection;
use abide_sandbox::{DirWorkspace, Limits, NoEgress, RunOutcome, RunRequest, RunResult, Task};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::Serialize;

use super::grants::Outlook;
use crate::drive::work::told;
use crate::policy::Policy;
use crate::report::Failure;
use crate::workshop::Runner;

pub(crate) use lease::lease;
pub(crate) use limits::limits;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tried {
    /// What it is about: a capability, a package of WASI, a limit.
    pub(crate) field: String,
    /// What was asked for.
    pub(crate) asked: String,
    /// What came of it.
    pub(crate) came: String,
    /// Whether that is what it should be.
    pub(crate) holds: bool,
}

impl Tried {
    pub(crate) fn of(
        field: impl Into<String>,
        asked: impl Into<String>,
        came: impl Into<String>,
        holds: bool,
    ) -> Self {
        Self { field: field.into(), asked: asked.into(), came: came.into(), holds }
    }
}

/// What everything is tried with.
pub(crate) struct Stand<'a> {
    runner: &'a dyn Runner,
    /// The files that a probe is shown; removed with this.
    _folder: tempfile::TempDir,
    files: Arc<DirWorkspace>,
}

/// Bytes of the one large file.
const LARGE: usize = 1 << 20;

impl<'a> Stand<'a> {
    /// A folder with two files, one of them large, and a link that leads out.
    pub(crate) fn new(runner: &'a dyn Runner, policy: &Policy) -> Result<Self, Failure> {
        let fault = |error: std::io::Error| Failure::of("AB0004", error);
        let folder = tempfile::tempdir().map_err(fault)?;
        fs::write(folder.path().join("a.txt"), "one\n").map_err(fault)?;
        fs::write(folder.path().join("large"), vec![b'x'; LARGE]).map_err(fault)?;
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).map_err(fault)?;
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).map_err(fault)?;
        let files = DirWorkspace::open(dir, policy.workspace.clone())
            .map_err(|error| Failure::of(error.code(), error))?;
        Ok(Self { runner, _folder: folder, files: Arc::new(files) })
    }

    fn run(&self, request: &RunRequest) -> RunOutcome {
        self.runner.run(request, self.files.clone(), &NoEgress)
    }
}

fn task(recipe: &str, parameters: &[(&str, &str)]) -> Task {
    let parameters = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Task {
        id: "verify".to_owned(),
        recipe: recipe.to_owned(),
        parameters: parameters.collect::<BTreeMap<_, _>>(),
        scope: Vec::new(),
        base: Oid::zero(),
    }
}

/// The component under what policy would give it: that it starts, and that nothing it asks for can be missing.
pub(crate) fn imports(
    stand: &Stand<'_>,
    bytes: &[u8],
    found: &Inspection,
    outlook: &Outlook,
    limits: &Limits,
) -> Result<Vec<Tried>, Failure> {
    stand.runner.load(bytes).map_err(|error| Failure::of(error.code(), error))?;
    let whole = RunRequest {
        component: found.digest.clone(),
        // No worker has this recipe.
        task: task("ab-verify", &[]),
        grants: outlook.grants(),
        stubs: outlook.stubs.clone(),
        limits: Limits { wall_ms_max: limits.wall_ms_max.min(START_MS), ..limits.clone() },
    };
    let (first, second) = (stand.run(&whole), stand.run(&whole));
    let mut all = vec![
        Tried::of("itself", "a recipe that it does not have", came(&first), contained(&first.result)),
        repeats(&first, &second),
    ];
    for grant in &whole.grants {
        let without = without(&whole, |request| request.grants.remove(grant));
        let outcome = stand.run(&without);
        let holds = matches!(&outcome.result, RunResult::Refused(refusal) if refusal.code() == "AB0201")
            && unused(&outcome);
        all.push(Tried::of(grant.name(), "without it", came(&outcome), holds));
    }
    for stub in &whole.stubs {
        let without = without(&whole, |request| request.stubs.remove(stub));
        let outcome = stand.run(&without);
        let holds = matches!(&outcome.result, RunResult::Refused(refusal) if refusal.code() == "AB0202")
            && unused(&outcome);
        all.push(Tried::of(stub, "without its stub", came(&outcome), holds));
    }
    Ok(all)
}

/// LIMIT: milliseconds of the component's own start, runtimes of languages included.
const START_MS: u64 = 10_000;

fn without(request: &RunRequest, take: impl FnOnce(&mut RunRequest) -> bool) -> RunRequest {
    let mut less = request.clone();
    take(&mut less);
    less
}

fn unused(outcome: &RunOutcome) -> bool {
    outcome.receipt.used.is_empty() && outcome.receipt.stubs.is_empty()
}

/// Whether a component answered, in whichever way. One that breaks off cannot say what is wrong with a task.
fn contained(result: &RunResult) -> bool {
    match result {
        RunResult::Proposed(_) | RunResult::Failed(_) | RunResult::Rejected(_) => true,
        RunResult::Refused(_) | RunResult::Trapped(_) => false,
    }
}

fn repeats(first: &RunOutcome, second: &RunOutcome) -> Tried {
    let same = (&first.result, &first.receipt, &first.log) == (&second.result, &second.receipt, &second.log);
    let came = if same {
        "the same answer, notes and questions"
    } else {
        "another answer: its runs cannot be repeated"
    };
    Tried::of("itself", "the same task again", came, same)
}

/// How it ended, and what was cut.
fn came(outcome: &RunOutcome) -> String {
    let denied: Vec<String> = outcome
        .receipt
        .used
        .iter()
        .filter(|(_, usage)| usage.denied > 0)
        .map(|(capability, usage)| format!("{capability}: {} served, {} refused", usage.calls, usage.denied))
        .collect();
    if !denied.is_empty() {
        return denied.join(", ");
    }
    let code = outcome.result.code().unwrap_or_default();
    match &outcome.result {
        RunResult::Proposed(_) => told(&outcome.result),
        RunResult::Refused(_) if outcome.receipt.used.is_empty() => {
            format!("refused before anything ran [{code}]")
        }
        RunResult::Trapped(trap) => {
            let kind = format!("{:?}", trap.kind).to_lowercase();
            format!("stopped: {kind} [{code}]")
        }
        RunResult::Failed(_) | RunResult::Refused(_) | RunResult::Rejected(_) => {
            format!("{} [{code}]", told(&outcome.result))
        }
    }
}
