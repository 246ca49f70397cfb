//! What interpreting costs on this host: one fixed task, run both ways, and both times said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use abide_core::id::Oid;
use abide_sandbox::{Capability, DirWorkspace, NoEgress, RunOutcome, RunRequest, RunResult, Task};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::json;

use super::super::Shell;
use super::super::printer::Tone;
use super::super::run::Bench;
use crate::no_exec::Mode;
use crate::report::Failure;
use crate::wiring;
use crate::workshop::Workshop;

/// The worker of the fixed task, and functions of the file that it works over: some 200 KB.
const WORKER: &str = "codegen";
const FUNCTIONS: usize = 2_500;
/// Runs of which the median counts, after one that starts the process.
const RUNS: usize = 5;

/// Medians of the fixed task.
struct Cost {
    native: Duration,
    interpreted: Duration,
    bytes: usize,
}

/// Measures, and says so in a line; what cannot be measured is said and no number is made up.
pub(super) fn tell(shell: &Shell, bench: &Bench) -> serde_json::Value {
    match measure(bench) {
        Ok(cost) => {
            let ratio = cost.interpreted.as_secs_f64() / cost.native.as_secs_f64();
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            let text = format!(
                "interpreting takes {ratio:.1} times as long: a rename over {} KB took {:.0} ms and {:.0} ms as machine code (medians of {RUNS})",
                cost.bytes.div_ceil(1_000),
                ms(cost.interpreted),
                ms(cost.native)
            );
            say(shell, Tone::Good, "✓", &text);
            json!({ "ratio": ratio, "interpreted_ms": ms(cost.interpreted), "native_ms": ms(cost.native), "bytes": cost.bytes, "runs": RUNS })
        }
        Err(failure) => {
            let why = format!(
                "what interpreting costs could not be measured: {} → ab explain {}",
                failure.what, failure.code
            );
            say(shell, Tone::Wait, "–", &why);
            json!({ "error": why, "code": failure.code })
        }
    }
}

fn say(shell: &Shell, tone: Tone, mark: &str, text: &str) {
    let mark = shell.printer.paint(tone, mark);
    shell.printer.line(&format!("{:<14} {mark} {}", "cost", abide_core::safe_text::line(text)));
}

fn measure(bench: &Bench) -> Result<Cost, Failure> {
    let fault = |error: std::io::Error| Failure::of("AB0004", error);
    let folder = tempfile::tempdir_in(bench.known.state.scratch()?).map_err(fault)?;
    let mut text = String::new();
    for number in 0..FUNCTIONS {
        // Writing to a text does not fail.
        let _written: std::fmt::Result = writeln!(
            text,
            "/// Adds `area_{number}`.\npub fn area_{number}(x: u32) -> u32 {{\n    x + {number} // «area»\n}}"
        );
    }
    text.push_str("fn area() {}\n");
    std::fs::write(folder.path().join("lib.rs"), &text).map_err(fault)?;
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).map_err(fault)?;
    let view = DirWorkspace::open(dir, bench.desk.policy.workspace.clone())
        .map_err(|error| Failure::of(error.code(), error))?;
    let view = Arc::new(view);
    let native = bench.workshop.as_mode(Mode::Native);
    native.check()?;
    let (native, there) = median(&native, bench, &view)?;
    let (interpreted, here) = median(&bench.workshop.as_mode(Mode::Interpreted), bench, &view)?;
    if there.result != here.result || there.receipt != here.receipt || there.log != here.log {
        return Err(Failure::new("AB0882", "the two ways did not come to the same"));
    }
    Ok(Cost { native, interpreted, bytes: text.len() })
}

fn median(
    workshop: &Workshop,
    bench: &Bench,
    view: &Arc<DirWorkspace>,
) -> Result<(Duration, RunOutcome), Failure> {
    let worker = workshop.worker(WORKER)?;
    workshop.requests(worker)?;
    let limits = bench
        .desk
        .policy
        .limits
        .values()
        .max_by_key(|limits| limits.wall_ms_max)
        .ok_or_else(|| Failure::new("AB0831", "policy names no limits for workers"))?;
    let task = Task {
        id: "cost".to_owned(),
        recipe: "rename".to_owned(),
        parameters: BTreeMap::from(
            [("old", "area"), ("new", "surface")].map(|(key, value)| (key.to_owned(), value.to_owned())),
        ),
        scope: Vec::new(),
        base: Oid::zero(),
    };
    let grants = BTreeSet::from([Capability::Workspace, Capability::Log, Capability::Progress]);
    let request = RunRequest {
        component: worker.digest.clone(),
        task,
        grants,
        stubs: BTreeSet::new(),
        limits: limits.clone(),
    };
    let mut outcome = workshop.run(&request, view.clone(), &NoEgress)?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let began = wiring::monotonic();
        outcome = workshop.run(&request, view.clone(), &NoEgress)?;
        times.push(wiring::monotonic().saturating_duration_since(began));
    }
    if !matches!(outcome.result, RunResult::Proposed(_)) {
        return Err(Failure::new("AB0811", crate::drive::work::told(&outcome.result)));
    }
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok((middle, outcome))
}
