//! The numbers that the design names. Figures are printed, never asserted: `cargo xtask bench`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use abide_core::action::{AdoptPlan, CommitPatch};
use abide_core::facts::config::MeasureConfig;
use abide_core::facts::{DeltaEntry, Meter, Side, TreeDelta, TreePaths, WindowFacts};
use abide_core::id::{Digest, Oid, RefName};
use abide_core::input::PolicyInput;
use abide_gate::{Ask, Clock, DecisionLog, Gate, Halt, Judge, NativeJudge, Question};
use abide_ledger::{Ledger, Opening};
use abide_sandbox::jail::{self, Cell, CellLimits, Jail, Task as JailTask};
use abide_sandbox::workspace::DirWorkspaceLimits;
use abide_sandbox::{
    Capability, DirWorkspace, EngineLimits, InProcess, Limits, Processes, Program, RunRequest, SealedJudge,
    Task, Workspace, runner,
};
use abide_tests::gate::{self, StillClock};
use abide_tests::sealed;
use divan::Bencher;

// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if jail::was_asked(std::env::args_os()) {
        return jail::serve(std::env::args_os()).unwrap();
    }
    if runner::was_asked(std::env::args_os()) {
        return runner::serve(std::env::args_os()).unwrap();
    }
    divan::main();
    let names: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if names.is_empty() || names.iter().any(|name| "decide_8_files_sealed".contains(name.as_str())) {
        sealed_ratio();
    }
}

/// A change of eight documentation files.
fn eight_files() -> Ask {
    let files = (0..8).map(|n| gate::file(&format!("docs/page-{n}.md"), &[], &["docs"], 3)).collect();
    Ask { facts: Some(gate::facts(files)), ..gate::ask("prod-conservative") }
}

fn write() -> CommitPatch {
    CommitPatch {
        repo: gate::repo(),
        run: gate::run_id(),
        unit: "u1".to_owned(),
        branch: RefName::branch("ab/x/u1").unwrap(),
        expected: Oid::zero(),
        base: gate::oid('a'),
        tree: gate::oid('b'),
        patch: gate::digest("patch"),
        component: gate::digest("component"),
        title: "Repair links".to_owned(),
    }
}

/// One decision by the shipped bundle on an 8-file change, in this process.
#[divan::bench]
fn decide_8_files(bencher: Bencher<'_, '_>) {
    let desk = gate::desk(gate::shipped());
    drop(desk.gate.admit(write(), eight_files()).unwrap());
    let bytes = desk.log.records.lock().unwrap().pop().unwrap().input_bytes;
    let input: PolicyInput = serde_json::from_slice(&bytes).unwrap();
    let judge = NativeJudge::over(gate::shipped());
    let question = Question::new(input).unwrap();
    bencher.bench_local(|| judge.decide(&question));
}

/// The same, by the sealed judge; nothing where it was not built.
#[divan::bench]
fn decide_8_files_sealed(bencher: Bencher<'_, '_>) {
    let Some(module) = sealed::module() else { return };
    let judge = SealedJudge::load(&module, gate::shipped().text()).unwrap();
    let question = eight_files_question();
    bencher.bench_local(|| judge.decide(&question));
}

/// A bundle taken into the sealed judge, ready to decide: what it costs to judge by a policy that is not trusted.
#[divan::bench(sample_count = 20)]
fn load_sealed(bencher: Bencher<'_, '_>) {
    let Some(module) = sealed::module() else { return };
    let text = gate::shipped().text();
    bencher.bench_local(|| SealedJudge::load(&module, text.clone()).unwrap());
}

/// Prints the ratio of the two, from decisions by turns, so that what else the machine does falls on both alike.
fn sealed_ratio() {
    let Some(module) = sealed::module() else { return };
    let (native, question) = (NativeJudge::over(gate::shipped()), eight_files_question());
    let judge = SealedJudge::load(&module, gate::shipped().text()).unwrap();
    let took = |judge: &dyn Judge| {
        let began = Instant::now();
        drop(judge.decide(&question));
        began.elapsed()
    };
    let (mut natively, mut sealed): (Vec<_>, Vec<_>) =
        (0..2_000).map(|_| (took(&native), took(&judge))).unzip();
    natively.sort_unstable();
    sealed.sort_unstable();
    let (native, sealed) = (natively[1_000].as_secs_f64() * 1e6, sealed[1_000].as_secs_f64() * 1e6);
    println!(
        "decide_8_files, by turns: native {native:.0} µs, sealed {sealed:.0} µs (p50), ratio {:.2}",
        sealed / native
    );
}

/// The same change, asked to be merged: levels, sizes, tests and risk are looked at as well.
#[divan::bench]
fn decide_merge_of_8_files(bencher: Bencher<'_, '_>) {
    let desk = gate::desk(gate::shipped());
    drop(desk.gate.admit(gate::merge(), Ask { protected: true, ..eight_files() }).unwrap());
    let bytes = desk.log.records.lock().unwrap().pop().unwrap().input_bytes;
    let judge = NativeJudge::over(gate::shipped());
    let question = Question::new(serde_json::from_slice(&bytes).unwrap()).unwrap();
    bencher.bench_local(|| judge.decide(&question));
}

/// The same with a policy of one rule: what the machinery itself costs.
#[divan::bench]
fn decide_one_rule(bencher: Bencher<'_, '_>) {
    let desk = gate::allow_all();
    drop(desk.gate.admit(write(), eight_files()).unwrap());
    let bytes = desk.log.records.lock().unwrap().pop().unwrap().input_bytes;
    let question = Question::new(serde_json::from_slice(&bytes).unwrap()).unwrap();
    let text = "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []}".to_owned();
    let modules = BTreeMap::from([("one.rego".to_owned(), text)]);
    let judge = NativeJudge::over(abide_gate::Bundle::load(modules, serde_json::json!({})).unwrap());
    bencher.bench_local(|| judge.decide(&question));
}

/// The question of `decide_8_files`, for other policies.
fn eight_files_question() -> Question {
    let desk = gate::desk(gate::shipped());
    drop(desk.gate.admit(write(), eight_files()).unwrap());
    let bytes = desk.log.records.lock().unwrap().pop().unwrap().input_bytes;
    Question::new(serde_json::from_slice(&bytes).unwrap()).unwrap()
}

/// The shipped bundle with as many more modules, each a layer with a rule about another class of action.
#[divan::bench(args = [0, 1, 10, 100])]
fn decide_with_modules(bencher: Bencher<'_, '_>, count: usize) {
    let shipped = gate::shipped();
    let mut modules = shipped.modules().clone();
    for n in 0..count {
        let text = format!(
            "package abide.layers.l{n}\nfindings contains {{\"rule\": \"r\", \"level\": \"deny\", \"msg\": \"m\"}} if {{\n\tinput.action.class == \"DEPLOY\"\n\tdata.caps.files_max == 0\n}}"
        );
        modules.insert(format!("layers/l{n}.rego"), text);
    }
    let judge = NativeJudge::over(abide_gate::Bundle::load(modules, shipped.data().clone()).unwrap());
    let question = eight_files_question();
    bencher.bench_local(|| judge.decide(&question));
}

/// The shipped bundle with as many more kilobytes of data, under one key.
#[divan::bench(args = [0, 1_000, 10_000])]
fn decide_with_kilobytes_of_data(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let shipped = gate::shipped();
    let mut data = shipped.data().clone();
    let entries = (0..kilobytes * 10).map(|n| (format!("key-{n:07}"), serde_json::json!("x".repeat(80))));
    data["more"] = serde_json::Value::Object(entries.collect());
    let judge = NativeJudge::over(abide_gate::Bundle::load(shipped.modules().clone(), data).unwrap());
    let question = eight_files_question();
    bencher.bench_local(|| judge.decide(&question));
}

/// Judged, recorded on disk so that a power cut would not lose it, and minted; nothing else in flight.
#[divan::bench(sample_count = 200)]
fn admit_durably(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(StillClock(gate::NOW.into()));
    let at = clock.now();
    let ledger = Arc::new(
        Ledger::create(&folder.path().join("l"), &[7; 32], "abide/bench", at, &Opening::STANDARD).unwrap(),
    );
    let judge = Arc::new(NativeJudge::over(gate::shipped()));
    let (log, halt): (Arc<dyn DecisionLog>, Arc<dyn Halt>) = (ledger.clone(), ledger);
    let desk = Gate::new(judge, log, clock, halt);
    let plan = || AdoptPlan { run: gate::run_id(), plan: gate::digest("plan"), base: gate::oid('a') };
    bencher.bench_local(|| desk.admit(plan(), gate::ask("prod-conservative")).unwrap());
}

/// Facts of a change of a thousand files of forty lines.
#[divan::bench(sample_count = 20)]
fn facts_of_1000_files(bencher: Bencher<'_, '_>) {
    let data = gate::shipped();
    let meter = Meter::compile(&MeasureConfig::from_data(data.data()).unwrap()).unwrap();
    let line = |n: usize| (0..40).map(|l| format!("let value_{n}_{l} = compute({l});\n")).collect::<String>();
    let entries = (0..1000).map(|n| {
        let old = Side::blob(gate::oid('1'), 0o100_644, line(n).into_bytes());
        let new = Side::blob(gate::oid('2'), 0o100_644, line(n).replace("compute", "measure").into_bytes());
        DeltaEntry::changed(format!("src/module_{n}.rs"), old, new)
    });
    let paths = (0..1000).map(|n| format!("src/module_{n}.rs").into_bytes()).collect();
    let delta =
        TreeDelta::new(gate::oid('a'), gate::oid('b'), entries.collect(), TreePaths::All(paths)).unwrap();
    bencher.bench_local(|| meter.measure(&delta, WindowFacts::default()));
}

/// A loaded component with what one run of it takes; `None` where the components were not built.
fn worker() -> Option<(InProcess, RunRequest, Arc<dyn Workspace>, tempfile::TempDir)> {
    let bytes = std::fs::read(PathBuf::from(std::env::var_os("ABIDE_GUESTS")?).join("codegen.wasm")).ok()?;
    let data = gate::shipped();
    let engine: EngineLimits = serde_json::from_value(data.data()["host"]["engine"].clone()).unwrap();
    let limits: Limits =
        serde_json::from_value(data.data()["grants"]["limit_sets"]["worker-default"].clone()).unwrap();
    let limits = Limits { workspace_calls_max: u32::MAX, workspace_bytes_max: u64::MAX, ..limits };
    let view: DirWorkspaceLimits = serde_json::from_value(data.data()["host"]["workspace"].clone()).unwrap();
    let runner = InProcess::start(engine).unwrap();
    runner.load(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
    let task = Task {
        id: "bench".to_owned(),
        recipe: "no-such-recipe".to_owned(),
        parameters: BTreeMap::new(),
        scope: Vec::new(),
        base: gate::oid('a'),
    };
    let grants: BTreeSet<Capability> = Capability::ALL.into_iter().collect();
    let request = RunRequest { component: Digest::of(&bytes), task, grants, stubs: BTreeSet::new(), limits };
    Some((runner, request, Arc::new(DirWorkspace::open(dir, view).unwrap()), folder))
}

/// An instance made and dropped.
#[divan::bench]
fn instantiate(bencher: Bencher<'_, '_>) {
    let Some((runner, request, workspace, _folder)) = worker() else { return };
    bencher.bench_local(|| runner.try_instance(&request, workspace.clone()).unwrap());
}

/// Instance, call of a recipe that is refused at once, answer, drop.
#[divan::bench]
fn call_and_drop(bencher: Bencher<'_, '_>) {
    let Some((runner, request, workspace, _folder)) = worker() else { return };
    bencher.bench_local(|| runner.run(&request, workspace.clone()));
}

/// Runners of this program, with the component compiled; what one run takes.
fn behind_walls() -> Option<(Processes, RunRequest, Arc<dyn Workspace>, tempfile::TempDir)> {
    let (_, request, workspace, folder) = worker()?;
    let bytes = std::fs::read(PathBuf::from(std::env::var_os("ABIDE_GUESTS")?).join("codegen.wasm")).ok()?;
    let engine: EngineLimits =
        serde_json::from_value(gate::shipped().data()["host"]["engine"].clone()).unwrap();
    let processes = Processes::new(Program::this(), engine, Vec::new());
    processes.load(&bytes).unwrap();
    Some((processes, request, workspace, folder))
}

/// A runner started, its walls raised, compiled code taken, a first answer; and the runner ended.
#[divan::bench(sample_count = 100)]
fn runner_cold(bencher: Bencher<'_, '_>) {
    let Some((processes, request, workspace, _folder)) = behind_walls() else { return };
    bencher.bench_local(|| {
        processes.rest();
        processes.run(&request, &*workspace)
    });
}

/// A task over a runner that stands.
#[divan::bench]
fn runner_warm(bencher: Bencher<'_, '_>) {
    let Some((processes, request, workspace, _folder)) = behind_walls() else { return };
    drop(processes.run(&request, &*workspace));
    bencher.bench_local(|| processes.run(&request, &*workspace));
}

/// A worker that asks its workspace a thousand times, behind the walls; the figure is for all of them.
#[divan::bench(sample_count = 100)]
fn runner_thousand_calls(bencher: Bencher<'_, '_>) {
    let Some((processes, mut request, workspace, folder)) = behind_walls() else { return };
    for number in 0..1_000 {
        std::fs::write(folder.path().join(format!("f{number}.rs")), "pub fn name() {}\n").unwrap();
    }
    drop(workspace);
    let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
    let view = serde_json::from_value(gate::shipped().data()["host"]["workspace"].clone()).unwrap();
    let workspace = DirWorkspace::open(dir, view).unwrap();
    "add-spdx".clone_into(&mut request.task.recipe);
    request.task.parameters.insert("license".to_owned(), "MIT".to_owned());
    let first = processes.run(&request, &workspace);
    println!("calls: {:?}", first.receipt.used.get(&Capability::Workspace));
    bencher.bench_local(|| processes.run(&request, &workspace));
}

/// A jail around a program that does nothing: started, every wall raised, ended, reported.
#[divan::bench(sample_count = 100)]
fn jail_true(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let limits = CellLimits {
        memory_bytes_max: 1 << 30,
        processes_max: 100,
        open_files_max: 256,
        file_bytes_max: 1 << 20,
        cpu_s_max: 10,
    };
    let (work, private) = (folder.path().join("work"), folder.path().join("private"));
    std::fs::create_dir(&work).unwrap();
    let read: Vec<PathBuf> =
        serde_json::from_value(gate::shipped().data()["host"]["jail"]["read"].clone()).unwrap();
    let cell = Cell {
        task: JailTask::Run(vec!["/bin/true".to_owned()]),
        env: BTreeMap::new(),
        work,
        start: None,
        private,
        read,
        limits,
        required: Vec::new(),
        exit: false,
        line: false,
        etc: BTreeMap::new(),
        nests: false,
    };
    let jail = Jail::this();
    bencher.bench_local(|| {
        let (_reader, writer) = std::io::pipe().unwrap();
        let report = jail.start(&cell, writer).unwrap().report().unwrap();
        assert!(report.ended.is_ok(), "{report:?}");
    });
}

/// The peer: a program started in namespaces of its own by bubblewrap, where the host has it.
#[divan::bench(sample_count = 100)]
fn bubblewrap_true(bencher: Bencher<'_, '_>) {
    let bwrap = || {
        std::process::Command::new("bwrap")
            .args(["--ro-bind", "/", "/", "--unshare-all", "/bin/true"])
            .status()
    };
    if bwrap().is_err() {
        return println!("skipped: no bubblewrap");
    }
    bencher.bench_local(|| bwrap().unwrap());
}
