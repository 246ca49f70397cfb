//! Negative probes: for each thing that policy grants or bounds, something that asks for more, on this host and behind its walls.
//!
//! What a component may import is tried on the component itself, with one thing taken away at a time. What bounds a task cannot be: nobody can make a
//! stranger's component ask for too much. So each limit is tried on components that do nothing else (`guest-workers/hostile`), under the limits of
//! the component in question, but never more than takes a moment: it is the same check, with a smaller number.

mod lease;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use abide_core::id::{Digest, Oid};
use abide_sandbox::inspect::Inspection;
use abide_sandbox::{
    Capability, DirWorkspace, Limits, NoEgress, RunOutcome, RunRequest, RunResult, Task, TrapKind, Usage,
};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::Serialize;

use super::grants::Outlook;
use crate::drive::work::told;
use crate::embedded;
use crate::policy::Policy;
use crate::report::Failure;
use crate::workshop::Runner;

pub(crate) use lease::lease;

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
        grants: Capability::ALL.into_iter().filter(|one| outlook.get.contains_key(one.name())).collect(),
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

/// A component that asks for too much of one thing.
struct Probe {
    field: &'static str,
    /// `hostile`, or `hostile-wasi` for what has to do with WASI.
    attacker: &'static str,
    recipe: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    /// Makes the limits of a component smaller until the attempt takes a moment, says what is asked for, and gives the bound.
    bound: fn(&mut Limits) -> (String, u64),
    /// Whether it was held to that bound.
    held: fn(&RunOutcome, u64) -> bool,
}

fn trapped(outcome: &RunOutcome, kind: TrapKind) -> bool {
    matches!(&outcome.result, RunResult::Trapped(trap) if trap.kind == kind)
}

fn too_large(outcome: &RunOutcome) -> bool {
    matches!(&outcome.result, RunResult::Rejected(rejection) if rejection.code() == "AB0822")
}

fn used(outcome: &RunOutcome, capability: Capability) -> Usage {
    outcome.receipt.used.get(&capability).copied().unwrap_or_default()
}

/// Served up to the bound, and refused from there on.
fn cut(usage: Usage, served: u64, bound: u64) -> bool {
    served <= bound && usage.denied > 0
}

/// LIMIT: what is tried of each, however much a component gets.
const TRIED: Limits = Limits {
    memory_bytes_max: 64 << 20,
    table_elements_max: 0,
    wall_ms_max: 1_000,
    hostcall_bytes_max: 4 << 20,
    workspace_calls_max: 1_000,
    workspace_bytes_max: 4 << 20,
    log_calls_max: 1_000,
    log_bytes_max: 64 << 10,
    progress_calls_max: 1_000,
    files_max: 1_000,
    output_bytes_max: 1 << 20,
    random_bytes_max: 64 << 10,
};

/// One for each field of [`Limits`].
const PROBES: [Probe; 12] = [
    Probe {
        field: "memory_bytes_max",
        attacker: "hostile",
        recipe: "grow",
        parameters: &[],
        bound: |limits| {
            limits.memory_bytes_max = limits.memory_bytes_max.min(TRIED.memory_bytes_max);
            ("memory without end".to_owned(), limits.memory_bytes_max)
        },
        held: |outcome, bound| trapped(outcome, TrapKind::Memory) && outcome.spent.memory_bytes <= bound,
    },
    Probe {
        field: "table_elements_max",
        attacker: "hostile",
        recipe: "good",
        parameters: &[],
        bound: |limits| {
            limits.table_elements_max = TRIED.table_elements_max;
            ("a table where there may be none".to_owned(), 0)
        },
        held: |outcome, _| trapped(outcome, TrapKind::Memory) && outcome.receipt.used.is_empty(),
    },
    Probe {
        field: "wall_ms_max",
        attacker: "hostile",
        recipe: "spin",
        parameters: &[],
        bound: |limits| {
            limits.wall_ms_max = limits.wall_ms_max.min(TRIED.wall_ms_max);
            ("a loop without end".to_owned(), limits.wall_ms_max)
        },
        held: |outcome, _| trapped(outcome, TrapKind::Deadline),
    },
    Probe {
        field: "hostcall_bytes_max",
        attacker: "hostile",
        recipe: "huge-log",
        parameters: &[],
        bound: |limits| {
            limits.hostcall_bytes_max = limits.hostcall_bytes_max.min(TRIED.hostcall_bytes_max);
            ("one note of 16 MiB".to_owned(), limits.hostcall_bytes_max)
        },
        held: |outcome, _| trapped(outcome, TrapKind::HostcallBytes),
    },
    Probe {
        field: "workspace_calls_max",
        attacker: "hostile",
        recipe: "read-flood",
        parameters: &[("times", "2000")],
        bound: |limits| {
            limits.workspace_calls_max = limits.workspace_calls_max.min(TRIED.workspace_calls_max);
            limits.workspace_bytes_max = u64::MAX;
            ("2,000 reads".to_owned(), limits.workspace_calls_max.into())
        },
        held: |outcome, bound| {
            let used = used(outcome, Capability::Workspace);
            cut(used, used.calls, bound)
        },
    },
    Probe {
        field: "workspace_bytes_max",
        attacker: "hostile",
        recipe: "read-flood",
        parameters: &[("times", "40")],
        bound: |limits| {
            limits.workspace_calls_max = u32::MAX;
            limits.workspace_bytes_max = limits.workspace_bytes_max.min(TRIED.workspace_bytes_max);
            ("20 times a file of 1 MiB".to_owned(), limits.workspace_bytes_max)
        },
        held: |outcome, bound| {
            let used = used(outcome, Capability::Workspace);
            cut(used, used.bytes, bound)
        },
    },
    Probe {
        field: "log_calls_max",
        attacker: "hostile",
        recipe: "log-flood",
        parameters: &[],
        bound: |limits| {
            limits.log_calls_max = limits.log_calls_max.min(TRIED.log_calls_max);
            limits.log_bytes_max = u64::MAX;
            ("100,000 notes".to_owned(), limits.log_calls_max.into())
        },
        held: |outcome, bound| {
            let used = used(outcome, Capability::Log);
            cut(used, used.calls, bound)
        },
    },
    Probe {
        field: "log_bytes_max",
        attacker: "hostile",
        recipe: "log-flood",
        parameters: &[],
        bound: |limits| {
            limits.log_calls_max = u32::MAX;
            limits.log_bytes_max = limits.log_bytes_max.min(TRIED.log_bytes_max);
            ("notes of 1 MB".to_owned(), limits.log_bytes_max)
        },
        held: |outcome, bound| {
            let used = used(outcome, Capability::Log);
            cut(used, used.bytes, bound)
        },
    },
    Probe {
        field: "progress_calls_max",
        attacker: "hostile",
        recipe: "progress-flood",
        parameters: &[],
        bound: |limits| {
            limits.progress_calls_max = limits.progress_calls_max.min(TRIED.progress_calls_max);
            ("100,000 reports".to_owned(), limits.progress_calls_max.into())
        },
        held: |outcome, bound| {
            let used = used(outcome, Capability::Progress);
            cut(used, used.calls, bound)
        },
    },
    Probe {
        field: "files_max",
        attacker: "hostile",
        recipe: "many-files",
        parameters: &[],
        bound: |limits| {
            limits.files_max = limits.files_max.min(TRIED.files_max);
            ("a change of 5,000 files".to_owned(), limits.files_max.into())
        },
        held: |outcome, _| too_large(outcome),
    },
    Probe {
        field: "output_bytes_max",
        attacker: "hostile",
        recipe: "big-output",
        parameters: &[],
        bound: |limits| {
            limits.output_bytes_max = limits.output_bytes_max.min(TRIED.output_bytes_max);
            ("a proposal of 4 MiB".to_owned(), limits.output_bytes_max)
        },
        held: |outcome, _| too_large(outcome),
    },
    Probe {
        field: "random_bytes_max",
        attacker: "hostile-wasi",
        recipe: "random",
        parameters: &[("bytes", "18446744073709551615")],
        bound: |limits| {
            limits.random_bytes_max = limits.random_bytes_max.min(TRIED.random_bytes_max);
            ("random bytes without end".to_owned(), limits.random_bytes_max)
        },
        held: |outcome, _| trapped(outcome, TrapKind::RandomBytes),
    },
];

/// Each field of `limits`, tried by a component that does nothing else.
pub(crate) fn limits(stand: &Stand<'_>, limits: &Limits) -> Result<Vec<Tried>, Failure> {
    let mut attackers: BTreeMap<&str, Attacker> = BTreeMap::new();
    for name in ["hostile", "hostile-wasi"] {
        attackers.insert(name, Attacker::load(stand, name)?);
    }
    let mut all = Vec::new();
    for probe in &PROBES {
        let Some(attacker) = attackers.get(probe.attacker) else { continue };
        let mut bounded = limits.clone();
        let (asked, bound) = (probe.bound)(&mut bounded);
        let outcome = stand.run(&attacker.request(task(probe.recipe, probe.parameters), bounded));
        let holds = (probe.held)(&outcome, bound);
        all.push(Tried::of(probe.field, format!("{asked}, at {bound}"), came(&outcome), holds));
    }
    if let Some(attacker) = attackers.get("hostile") {
        let outcome = stand.run(&attacker.request(task("read-outside", &[]), limits.clone()));
        let refused = matches!(&outcome.result, RunResult::Failed(failure) if failure.message.matches("=refused").count() == PATHS_OUT);
        all.push(Tried::of(
            "workspace",
            format!("{PATHS_OUT} paths that lead out"),
            if refused { "all refused".to_owned() } else { came(&outcome) },
            refused,
        ));
    }
    Ok(all)
}

/// Paths that `read-outside` of `guest-workers/hostile` tries.
const PATHS_OUT: usize = 9;

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

/// A component that is made to break a rule.
struct Attacker {
    component: Digest,
    stubs: BTreeSet<String>,
}

impl Attacker {
    fn load(stand: &Stand<'_>, name: &str) -> Result<Self, Failure> {
        let file = format!("{name}.wasm");
        let bytes = embedded::PROBES.iter().find(|(path, _)| **path == file).map(|(_, bytes)| *bytes);
        let bytes = bytes.ok_or_else(|| {
            Failure::new("AB0858", format!("this binary was built without its probe `{name}`"))
                .help("cargo xtask guests, then build again")
        })?;
        let info = stand.runner.load(bytes).map_err(|error| Failure::of(error.code(), error))?;
        let stubs = info.imports.into_iter().filter(|import| import.starts_with("wasi:")).collect();
        Ok(Self { component: info.digest, stubs })
    }

    /// With everything that it asks for, so that it is the limits that hold it.
    fn request(&self, task: Task, limits: Limits) -> RunRequest {
        RunRequest {
            component: self.component.clone(),
            task,
            grants: [Capability::Log, Capability::Progress, Capability::Workspace].into(),
            stubs: self.stubs.clone(),
            limits,
        }
    }
}
