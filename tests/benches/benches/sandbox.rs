//! What it costs to run workers behind walls: starting, asking, many at once, for long, and interpreted. Figures are printed, never asserted:
//! `cargo xtask bench` runs this after the others; part of a section's name runs that section alone.
//!
//! What is compared is measured by turns, so that what else the machine does falls on both alike.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use abide_core::id::{Digest, RepoPath};
use abide_gate::{Ask, Judge as _, Question};
use abide_sandbox::workspace::{
    Entry, EntryKind, Listing, SearchOptions, SearchResult, TextMatch, WorkspaceError,
};
use abide_sandbox::{
    Capability, EngineLimits, Execution, InProcess, Limits, Processes, Program, RunRequest, RunResult,
    SealedJudge, Task, Workspace, runner,
};
use abide_tests::{gate, sealed};

// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Section = (&'static str, fn(&Guests));

const SECTIONS: [Section; 6] = [
    ("start", start),
    ("host-call", host_call),
    ("live-instances", live_instances),
    ("pooled-instances", pooled_instances),
    ("long-run", long_run),
    ("no-exec", no_exec),
];

fn main() {
    if runner::was_asked(std::env::args_os()) {
        return runner::serve(std::env::args_os()).unwrap();
    }
    let names: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let Some(guests) = Guests::read() else {
        return println!("skipped: no components (`cargo xtask guests`, and ABIDE_GUESTS)");
    };
    for (name, section) in SECTIONS {
        if names.is_empty() || names.iter().any(|part| name.contains(part.as_str())) {
            println!("{name}");
            section(&guests);
        }
    }
}

/// The components that are run.
struct Guests {
    codegen: Vec<u8>,
    hostile: Vec<u8>,
}

impl Guests {
    fn read() -> Option<Self> {
        let folder = PathBuf::from(std::env::var_os("ABIDE_GUESTS")?);
        let read = |name: &str| std::fs::read(folder.join(name)).ok();
        Some(Self { codegen: read("codegen.wasm")?, hostile: read("hostile.wasm")? })
    }
}

fn engine() -> EngineLimits {
    serde_json::from_value(gate::shipped().data()["host"]["engine"].clone()).unwrap()
}

fn limits() -> Limits {
    let data = gate::shipped();
    let limits = data.data()["grants"]["limit_sets"]["worker-default"].clone();
    let limits: Limits = serde_json::from_value(limits).unwrap();
    Limits { workspace_calls_max: u32::MAX, workspace_bytes_max: u64::MAX, ..limits }
}

fn request(component: &[u8], recipe: &str, parameters: &[(&str, &str)]) -> RunRequest {
    let task = Task {
        id: "bench".to_owned(),
        recipe: recipe.to_owned(),
        parameters: parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        scope: Vec::new(),
        base: gate::oid('a'),
    };
    let grants: BTreeSet<Capability> = Capability::ALL.into_iter().collect();
    RunRequest { component: Digest::of(component), task, grants, stubs: BTreeSet::new(), limits: limits() }
}

fn processes(engine: EngineLimits, execution: Execution, component: &[u8]) -> Processes {
    let processes =
        Processes::new(Program::this(), engine, Vec::new()).with_execution(execution).with_pool(1);
    processes.load(component).unwrap();
    processes
}

/// One file in memory. With a gate, nobody gets an answer before as many have asked as it is for.
#[derive(Debug)]
struct OneFile {
    text: String,
    gate: Option<Gate>,
}

#[derive(Debug)]
struct Gate {
    asked: Mutex<usize>,
    changed: Condvar,
    opens_at: usize,
}

impl OneFile {
    fn of(text: &str) -> Self {
        Self { text: text.to_owned(), gate: None }
    }

    fn wait(&self) {
        let Some(gate) = &self.gate else { return };
        let mut asked = gate.asked.lock().unwrap();
        *asked += 1;
        gate.changed.notify_all();
        drop(gate.changed.wait_while(asked, |asked| *asked < gate.opens_at).unwrap());
    }

    fn entry_of_it(&self) -> Entry {
        let bytes = u64::try_from(self.text.len()).unwrap();
        Entry { path: "lib.rs".parse().unwrap(), kind: EntryKind::File, bytes }
    }
}

impl Workspace for OneFile {
    fn list(&self, _: &str, _: Option<&str>, _: u32) -> Result<Listing, WorkspaceError> {
        self.wait();
        Ok(Listing { entries: vec![self.entry_of_it()], truncated: false })
    }

    fn entry(&self, path: &RepoPath) -> Result<Option<Entry>, WorkspaceError> {
        Ok((path.as_str() == "lib.rs").then(|| self.entry_of_it()))
    }

    fn read(&self, _: &RepoPath, offset: u64, limit: u32) -> Result<Vec<u8>, WorkspaceError> {
        let start = usize::try_from(offset).unwrap().min(self.text.len());
        let end = start.saturating_add(usize::try_from(limit).unwrap()).min(self.text.len());
        Ok(self.text.as_bytes()[start..end].to_vec())
    }

    fn search(&self, query: &str, _: &SearchOptions) -> Result<SearchResult, WorkspaceError> {
        self.wait();
        let lines = self.text.lines().zip(1..).filter(|(line, _)| line.contains(query)).take(1);
        let path: RepoPath = "lib.rs".parse().unwrap();
        let matches = lines.map(|(line, number)| TextMatch {
            path: path.clone(),
            line: number,
            column: 0,
            text: line.to_owned(),
        });
        Ok(SearchResult { matches: matches.collect(), truncated: false })
    }
}

fn took(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

/// Medians and 99th percentiles of several things, measured by turns.
fn by_turns(turns: usize, names: &[&str], mut run: impl FnMut(usize) -> Duration) -> Vec<Duration> {
    let mut times = vec![Vec::with_capacity(turns); names.len()];
    for _ in 0..turns {
        for (which, times) in times.iter_mut().enumerate() {
            times.push(run(which));
        }
    }
    let mut medians = Vec::new();
    for (name, times) in names.iter().zip(&mut times) {
        times.sort_unstable();
        let (p50, p99) = (times[turns / 2], times[turns * 99 / 100]);
        println!("  {name:<58} p50 {:>10.1} µs   p99 {:>10.1} µs", us(p50), us(p99));
        medians.push(p50);
    }
    medians
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn ratio(what: &str, one: Duration, other: Duration) {
    println!("  {what:<58} ratio {:>8.2}", one.as_secs_f64() / other.as_secs_f64());
}

fn bubblewrap() -> Duration {
    let mut command = Command::new("bwrap");
    command.args(["--ro-bind", "/", "/", "--unshare-all", "/bin/true"]).stderr(Stdio::null());
    took(|| assert!(command.status().is_ok_and(|status| status.success())))
}

/// From nothing, from the pool and over a runner that stands, to the first answer of a task that is refused at once; beside bubblewrap.
fn start(guests: &Guests) {
    for (what, component) in [("of 470 kB", &guests.codegen), ("of 54 kB", &guests.hostile)] {
        println!("  a component {what}");
        start_of(component);
    }
}

fn start_of(component: &[u8]) {
    let (workspace, request) = (OneFile::of(""), request(component, "no-such-recipe", &[]));
    let native = processes(engine(), Execution::Native, component);
    let bytecode = processes(engine(), Execution::Interpreted, component);
    let run = |processes: &Processes| {
        took(|| {
            let outcome = processes.run(&request, &workspace);
            assert!(matches!(outcome.result, RunResult::Failed(_)), "{outcome:?}");
        })
    };
    let fresh = |processes: &Processes| {
        processes.rest();
        run(processes)
    };
    let waiting = |processes: &Processes| {
        processes.rest();
        processes.prepare();
        // Its walls are up and its engine runs long before that.
        std::thread::sleep(Duration::from_millis(60));
        run(processes)
    };
    let has_peer = Command::new("bwrap").arg("--version").stdout(Stdio::null()).status().is_ok();
    let names = [
        "a runner from nothing to its first answer",
        "one from the pool to its first answer",
        "a task over a runner that stands",
        "from nothing, interpreted",
        "from the pool, interpreted",
        "over a runner that stands, interpreted",
        "bubblewrap with /bin/true",
    ];
    let names = &names[..names.len() - usize::from(!has_peer)];
    let medians = by_turns(100, names, |which| match which {
        0 => fresh(&native),
        1 => waiting(&native),
        2 => run(&native),
        3 => fresh(&bytecode),
        4 => waiting(&bytecode),
        5 => run(&bytecode),
        _ => bubblewrap(),
    });
    if let [cold, pool, _, interpreted, _, _, peer] = medians[..] {
        ratio("from nothing, of bubblewrap", cold, peer);
        ratio("from the pool, of bubblewrap", pool, peer);
        ratio("from nothing and interpreted, of bubblewrap", interpreted, peer);
    } else {
        println!("  no bubblewrap here: no ratio");
    }
}

/// A worker that asks for a file as often as it may: what one question more costs, in this process and through the wall.
fn host_call(guests: &Guests) {
    const FEW: u32 = 2;
    const MANY: u32 = 2_002;
    let here = InProcess::start(engine()).unwrap();
    here.load(&guests.hostile).unwrap();
    let behind = processes(engine(), Execution::Native, &guests.hostile);
    let with_calls = |workspace_calls_max: u32| {
        let mut request = request(&guests.hostile, "read-flood", &[]);
        request.limits.workspace_calls_max = workspace_calls_max;
        request
    };
    let (few, many) = (with_calls(FEW), with_calls(MANY));
    let workspace = Arc::new(OneFile::of("one\n"));
    let names =
        ["in this process, few", "in this process, many", "through the wall, few", "through the wall, many"];
    let medians = by_turns(50, &names, |which| match which {
        0 => took(|| drop(here.run(&few, workspace.clone()))),
        1 => took(|| drop(here.run(&many, workspace.clone()))),
        2 => took(|| drop(behind.run(&few, &*workspace))),
        _ => took(|| drop(behind.run(&many, &*workspace))),
    });
    let [few_here, many_here, few_there, many_there] = medians[..] else { return };
    let each = |many: Duration, few: Duration| us(many.saturating_sub(few)) / f64::from(MANY - FEW);
    println!(
        "  one call, in this process {:.2} µs, through the wall {:.2} µs",
        each(many_here, few_here),
        each(many_there, few_there)
    );
}

/// Kilobytes of a process, by a field of its `status`.
fn kilobytes(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// The one process that this one has started.
fn only_child() -> u32 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists: String = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .collect::<Vec<_>>()
        .join(" ");
    let pids: Vec<u32> = lists.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let [pid] = pids[..] else { panic!("{pids:?}") };
    pid
}

/// A thousand instances of one component that live at the same time in one runner, each in a task that waits for its first answer.
fn live_instances(guests: &Guests) {
    let rename = [("old", "one"), ("new", "two")];
    live_instances_of("of 470 kB", request(&guests.codegen, "rename", &rename), &guests.codegen);
    live_instances_of("of 54 kB", request(&guests.hostile, "read-flood", &[("times", "1")]), &guests.hostile);
}

fn live_instances_of(what: &str, mut request: RunRequest, component: &[u8]) {
    const COUNT: usize = 1_000;
    let answers = |result: &RunResult| matches!(result, RunResult::Proposed(_) | RunResult::Failed(_));
    for execution in [Execution::Native, Execution::Interpreted] {
        let many = EngineLimits { instances_max: u32::try_from(COUNT).unwrap(), ..small_slots() };
        let behind = processes(many, execution, component);
        request.limits.memory_bytes_max = small_slots().memory_bytes_max;
        request.limits.table_elements_max = small_slots().table_elements_max;
        request.limits.wall_ms_max = 120_000;
        let gate = Gate { asked: Mutex::new(0), changed: Condvar::new(), opens_at: COUNT + 1 };
        let workspace = OneFile { text: "fn one() {}\n".to_owned(), gate: Some(gate) };
        // One alone first: what the process takes without them.
        let alone = OneFile::of("fn one() {}\n");
        assert!(answers(&behind.run(&request, &alone).result));
        let pid = only_child();
        let before = kilobytes(pid, "VmRSS");
        let (failed, rss, own) = std::thread::scope(|scope| {
            let tasks: Vec<_> =
                (0..COUNT).map(|_| scope.spawn(|| behind.run(&request, &workspace).result)).collect();
            let gate = workspace.gate.as_ref().unwrap();
            let asked = gate.asked.lock().unwrap();
            let mut asked = gate.changed.wait_while(asked, |asked| *asked < COUNT).unwrap();
            let (rss, own) = (kilobytes(pid, "VmRSS"), kilobytes(pid, "RssAnon"));
            *asked += 1;
            gate.changed.notify_all();
            drop(asked);
            let ends = tasks.into_iter().map(|task| task.join().unwrap());
            (ends.filter(|end| !answers(end)).count(), rss, own)
        });
        println!(
            "  {COUNT} live instances of a component {what}, {}: runner {:.1} MB resident ({:.1} MB of its own), {:.1} MB before; {failed} failed",
            execution.name(),
            megabytes(rss),
            megabytes(own),
            megabytes(before)
        );
    }
}

fn megabytes(kilobytes: u64) -> f64 {
    f64::from(u32::try_from(kilobytes).unwrap()) / 1024.0
}

/// Slots of which ten thousand fit into the address space.
fn small_slots() -> EngineLimits {
    EngineLimits { memory_bytes_max: 32 << 20, table_elements_max: 1_000, ..engine() }
}

/// Ten thousand instances at the same time, in an engine of this process.
fn pooled_instances(guests: &Guests) {
    const COUNT: u32 = 10_000;
    let here = InProcess::start(EngineLimits { instances_max: COUNT, ..small_slots() }).unwrap();
    here.load(&guests.codegen).unwrap();
    let mut request = request(&guests.codegen, "rename", &[]);
    request.limits.memory_bytes_max = small_slots().memory_bytes_max;
    request.limits.table_elements_max = small_slots().table_elements_max;
    let workspace: Arc<dyn Workspace> = Arc::new(OneFile::of(""));
    let mut made = Ok(());
    let time = took(|| made = here.try_instances(&request, &workspace, usize::try_from(COUNT).unwrap()));
    match made {
        Ok(()) => {
            println!("  {COUNT} instances at the same time, made and dropped in {:.0} ms", us(time) / 1e3)
        }
        Err(refusal) => println!("  {COUNT} instances at the same time: {refusal}"),
    }
}

/// A hundred thousand tasks over one runner: what it has resident as they pass.
fn long_run(guests: &Guests) {
    let (workspace, request) = (OneFile::of(""), request(&guests.codegen, "no-such-recipe", &[]));
    let behind = processes(engine(), Execution::Native, &guests.codegen);
    drop(behind.run(&request, &workspace));
    let (pid, me) = (only_child(), std::process::id());
    let began = Instant::now();
    for number in 1..=100_000_u32 {
        drop(behind.run(&request, &workspace));
        if [100, 1_000, 10_000, 25_000, 50_000, 75_000, 100_000].contains(&number) {
            println!(
                "  after {number:>7} tasks: runner {:.1} MB, this process {:.1} MB, {:.0} s",
                megabytes(kilobytes(pid, "VmRSS")),
                megabytes(kilobytes(me, "VmRSS")),
                began.elapsed().as_secs_f64()
            );
        }
    }
}

/// The same tasks as machine code and interpreted: one that is over at once, and one that reads through a megabyte.
fn no_exec(guests: &Guests) {
    let text =
        "/// Adds.\npub fn adds(x: u32) -> u32 {\n    x + 1 // one\n}\n".repeat(20_000) + "fn area() {}\n";
    let (small, large) = (OneFile::of(""), OneFile::of(&text));
    let at_once = request(&guests.codegen, "no-such-recipe", &[]);
    let through = request(&guests.codegen, "rename", &[("old", "area"), ("new", "surface")]);
    let native = processes(engine(), Execution::Native, &guests.codegen);
    let bytecode = processes(engine(), Execution::Interpreted, &guests.codegen);
    let same =
        [&native, &bytecode].map(|one| serde_json::to_string(&one.run(&through, &large).result).unwrap());
    assert_eq!(same[0], same[1]);
    let run = |processes: &Processes, request: &RunRequest, workspace: &OneFile| {
        took(|| drop(processes.run(request, workspace)))
    };
    let names = [
        "at once, machine code",
        "at once, interpreted",
        "through a megabyte, machine code",
        "through a megabyte, interpreted",
    ];
    let medians = by_turns(30, &names, |which| match which {
        0 => run(&native, &at_once, &small),
        1 => run(&bytecode, &at_once, &small),
        2 => run(&native, &through, &large),
        _ => run(&bytecode, &through, &large),
    });
    let [native_once, bytecode_once, native_through, bytecode_through] = medians[..] else { return };
    ratio("interpreted, of machine code: at once", bytecode_once, native_once);
    ratio("interpreted, of machine code: through a megabyte", bytecode_through, native_through);
    sealed_judge();
}

/// One decision of the sealed judge by the shipped bundle, both ways; nothing where it was not built.
fn sealed_judge() {
    let (Some(native), Some(bytecode)) = (sealed::module(), sealed::interpreted()) else { return };
    let desk = gate::desk(gate::shipped());
    let files = vec![gate::file("docs/page.md", &[], &["docs"], 3)];
    let ask = Ask { facts: Some(gate::facts(files)), protected: true, ..gate::ask("prod-conservative") };
    drop(desk.gate.admit(gate::merge(), ask).unwrap());
    let bytes = desk.log.records.lock().unwrap().pop().unwrap().input_bytes;
    let question = Question::from_bytes(bytes.to_vec()).unwrap();
    let judges = [native, bytecode].map(|module| SealedJudge::load(&module, gate::shipped().text()).unwrap());
    let names = ["a sealed decision, machine code", "a sealed decision, interpreted"];
    let medians = by_turns(100, &names, |which| took(|| drop(judges[which].decide(&question))));
    let [native, bytecode] = medians[..] else { return };
    ratio("interpreted, of machine code: a sealed decision", bytecode, native);
}
