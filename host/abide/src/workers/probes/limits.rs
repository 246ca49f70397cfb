//! The limits of a task, each with a component that asks for more.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::id::Digest;
use abide_sandbox::{
    Capability, Egress, EgressFailure, EgressRequest, EgressResponse, Limits, RunOutcome, RunRequest,
    RunResult, Task, TrapKind, Usage,
};

use super::{Stand, Tried, came, task};
use crate::embedded;
use crate::report::Failure;

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
    http_fields_max: 64,
    http_field_bytes_max: 64 << 10,
    http_body_bytes_max: 1 << 20,
    http_outstanding_max: 8,
    browser_pages_max: 4,
    browser_calls_max: 64,
    browser_bytes_max: 1 << 20,
};

/// One for each field of [`Limits`], but for those about `wasi:http`.
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

/// What a worker holds that asks the network by `wasi:http`.
const HTTP_PROBES: [Probe; 4] = [
    Probe {
        field: "http_fields_max",
        attacker: "hostile-http",
        recipe: "replace-text",
        parameters: &[("new", "many-fields"), ("old", URL)],
        bound: |limits| {
            limits.http_fields_max = limits.http_fields_max.min(TRIED.http_fields_max);
            ("100,000 header fields".to_owned(), limits.http_fields_max.into())
        },
        held: |outcome, bound| said(outcome, " fields").is_some_and(|many| many <= bound),
    },
    Probe {
        field: "http_field_bytes_max",
        attacker: "hostile-http",
        recipe: "replace-text",
        parameters: &[("new", "wide-field"), ("old", URL)],
        bound: |limits| {
            limits.http_field_bytes_max = limits.http_field_bytes_max.min(TRIED.http_field_bytes_max);
            ("a header field of 1 MiB".to_owned(), limits.http_field_bytes_max)
        },
        held: |outcome, _| outcome.log.iter().any(|line| line.text.starts_with("Err(")),
    },
    Probe {
        field: "http_body_bytes_max",
        attacker: "hostile-http",
        recipe: "replace-text",
        parameters: &[("new", "long-body"), ("old", URL)],
        bound: |limits| {
            limits.http_body_bytes_max = limits.http_body_bytes_max.min(TRIED.http_body_bytes_max);
            ("a body of 4 MiB".to_owned(), limits.http_body_bytes_max)
        },
        held: |outcome, _| !outcome.log.iter().any(|line| line.text.starts_with(STATUS)),
    },
    Probe {
        field: "http_outstanding_max",
        attacker: "hostile-http",
        recipe: "replace-text",
        parameters: &[("new", "never-read"), ("old", URL)],
        bound: |limits| {
            limits.http_outstanding_max = limits.http_outstanding_max.min(TRIED.http_outstanding_max);
            ("100 answers that nobody reads".to_owned(), limits.http_outstanding_max.into())
        },
        held: |outcome, bound| said(outcome, " are held").is_some_and(|many| many <= bound),
    },
];

/// Nobody's address: no request of a probe leaves this process.
const URL: &str = "https://probe.invalid/";
/// What every request of a probe is answered.
const STATUS: &str = "204";

/// A network in which everything is answered with nothing.
#[derive(Debug)]
struct Nothing;

impl Egress for Nothing {
    fn fetch(&self, _: EgressRequest) -> Result<EgressResponse, EgressFailure> {
        Ok(EgressResponse { status: 204, fields: Vec::new(), body: Vec::new().into() })
    }

    fn has_read(&self, _: &[u8]) {}
}

/// The number before `what` in the notes.
fn said(outcome: &RunOutcome, what: &str) -> Option<u64> {
    outcome.log.iter().find_map(|line| line.text.split_once(what)?.0.parse().ok())
}

/// Each field of `limits`, tried by a component that does nothing else.
pub(crate) fn limits(stand: &Stand<'_>, limits: &Limits, with_http: bool) -> Result<Vec<Tried>, Failure> {
    let mut attackers: BTreeMap<&str, Attacker> = BTreeMap::new();
    let http = if with_http { &HTTP_PROBES[..] } else { &[] };
    for name in PROBES.iter().chain(http).map(|probe| probe.attacker) {
        if !attackers.contains_key(name) {
            attackers.insert(name, Attacker::load(stand, name)?);
        }
    }
    let mut all = Vec::new();
    for probe in PROBES.iter().chain(http) {
        let Some(attacker) = attackers.get(probe.attacker) else { continue };
        let mut bounded = limits.clone();
        let (asked, bound) = (probe.bound)(&mut bounded);
        let request = attacker.request(task(probe.recipe, probe.parameters), bounded);
        let outcome = stand.runner.run(&request, stand.files.clone(), &Nothing);
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
            grants: Capability::ALL.into(),
            stubs: self.stubs.clone(),
            limits,
        }
    }
}
