//! Components, a workspace, a runner and the limits that most tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abide_core::id::Digest;
use abide_sandbox::workspace::DirWorkspaceLimits;
use abide_sandbox::{
    CacheKey, Capability, CompiledCache, DirWorkspace, Egress, EngineLimits, Execution, InProcess, Limits,
    NoEgress, Processes, Program, Recorded, Recording, RunOutcome, RunRequest, RunResult, Task, Transcript,
    TrapKind, Workspace,
};

use crate::built;

/// The file of a component, or `None` (after saying so) when it is not built and need not be.
#[expect(clippy::disallowed_methods, reason = "tests are told where the components are")]
pub(crate) fn guest(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("ABIDE_GUESTS").map_or_else(default_folder, PathBuf::from);
    let file = folder.join(format!("{name}.wasm"));
    built::read(&file)
}

/// The worker in another language, or `None` (after saying so) when it is not built and need not be.
pub(crate) fn stock(language: &str) -> Option<Vec<u8>> {
    built::stock(language)
}

/// The same, ready to run in this process.
pub(crate) fn stock_here(language: &str) -> Option<(InProcess, Digest)> {
    let bytes = stock(language)?;
    let runner = InProcess::start(shipped_engine_limits()).unwrap().with_cache(compiled());
    let component = runner.load(&bytes).unwrap().digest;
    Some((runner, component))
}

/// What `policies/data/host.yaml` ships: workers of a stock toolchain need no more.
pub(crate) fn shipped_engine_limits() -> EngineLimits {
    EngineLimits {
        memory_bytes_max: 256 << 20,
        table_elements_max: 100_000,
        component_bytes_max: 32 << 20,
        compile_memory_bytes_max: 2 << 30,
        ..engine_limits()
    }
}

/// `worker-default` of `policies/data/grants.yaml`, in what is about the size of a component.
pub(crate) fn shipped_limits() -> Limits {
    Limits {
        memory_bytes_max: 256 << 20,
        table_elements_max: 100_000,
        wall_ms_max: 30_000,
        random_bytes_max: 65_536,
        ..limits()
    }
}

/// Compiled once for all tests, which are processes of their own.
fn compiled() -> CompiledCache {
    let folder = default_folder().with_file_name("guests-compiled");
    std::fs::create_dir_all(&folder).unwrap();
    let dir = cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority()).unwrap();
    CompiledCache::new(dir, CacheKey::new([7; 32]))
}

fn default_folder() -> PathBuf {
    built::target().join("guests")
}

pub(crate) fn engine_limits() -> EngineLimits {
    EngineLimits {
        instances_max: 8,
        memory_bytes_max: 64 << 20,
        table_elements_max: 20_000,
        stack_bytes_max: 512 << 10,
        component_bytes_max: 16 << 20,
        compile_memory_bytes_max: 1 << 30,
        tick_ms: 5,
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        memory_bytes_max: 32 << 20,
        table_elements_max: 20_000,
        wall_ms_max: 20_000,
        hostcall_bytes_max: 8 << 20,
        workspace_calls_max: 1_000,
        workspace_bytes_max: 8 << 20,
        log_calls_max: 20,
        log_bytes_max: 4_096,
        progress_calls_max: 20,
        files_max: 50,
        output_bytes_max: 1 << 20,
        random_bytes_max: 4_096,
        http_fields_max: 16,
        http_field_bytes_max: 4_096,
        http_body_bytes_max: 1_000,
        http_outstanding_max: 2,
        browser_pages_max: 2,
        browser_calls_max: 20,
        browser_bytes_max: 100_000,
    }
}

/// A folder of files, opened as a workspace.
pub(crate) struct Repository {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) workspace: Arc<DirWorkspace>,
}

impl Repository {
    pub(crate) fn port(&self) -> Arc<dyn Workspace> {
        self.workspace.clone()
    }

    /// The same folder, listed again.
    pub(crate) fn reopened(self) -> Self {
        Self { workspace: open(self.folder.path()), folder: self.folder }
    }
}

pub(crate) fn repository(files: &[(&str, &str)]) -> Repository {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    Repository { workspace: open(folder.path()), folder }
}

fn open(folder: &Path) -> Arc<DirWorkspace> {
    let dir = cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority()).unwrap();
    let limits =
        DirWorkspaceLimits { entries_max: 1_000, search_file_bytes_max: 1 << 20, search_bytes_max: 16 << 20 };
    Arc::new(DirWorkspace::open(dir, limits).unwrap())
}

pub(crate) fn task(recipe: &str, parameters: &[(&str, &str)]) -> Task {
    Task {
        id: "t1".to_owned(),
        recipe: recipe.to_owned(),
        parameters: parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        scope: Vec::new(),
        base: "5b1c000000000000000000000000000000000000".parse().unwrap(),
    }
}

/// Runners as `ab` starts them, but for the program.
pub(crate) fn processes(program: Program) -> Processes {
    Processes::new(program, engine_limits(), Vec::new()).with_cache(compiled())
}

/// The same, which interpret, and run nothing where a page could become executable.
pub(crate) fn interpreted(program: Program, engine: EngineLimits) -> Processes {
    Processes::new(program, engine, vec![abide_sandbox::runner::no_exec::WALL.to_owned()])
        .with_execution(Execution::Interpreted)
        .with_cache(compiled())
}

/// This crate's own runner.
pub(crate) fn runner() -> Program {
    Program::at(env!("CARGO_BIN_EXE_abide-runner"))
}

/// A component in an engine of its own, and in a process of its own.
pub(crate) struct Bench {
    pub(crate) runner: InProcess,
    pub(crate) behind: Processes,
    /// The same without an executable page.
    pub(crate) interpreted: Processes,
    pub(crate) request: RunRequest,
}

impl Bench {
    /// `None` when the component is not built.
    pub(crate) fn of(component: &str) -> Option<Self> {
        Some(Self::of_bytes(&guest(component)?, engine_limits(), limits()))
    }

    /// A worker in another language, under the limits that ship, with nothing behind what it imports of WASI.
    pub(crate) fn of_stock(language: &str) -> Option<Self> {
        let mut bench = Self::of_bytes(&stock(language)?, shipped_engine_limits(), shipped_limits());
        let imports = bench.runner.info(&bench.request.component).unwrap().imports;
        bench.request.stubs = imports.into_iter().filter(|name| name.starts_with("wasi:")).collect();
        Some(bench)
    }

    pub(crate) fn of_bytes(bytes: &[u8], engine: EngineLimits, limits: Limits) -> Self {
        let runner = InProcess::start(engine.clone()).unwrap().with_cache(compiled());
        let behind = Processes::new(self::runner(), engine.clone(), Vec::new()).with_cache(compiled());
        let interpreted = interpreted(self::runner(), engine);
        let info = runner.load(bytes).unwrap();
        assert_eq!(behind.load(bytes).unwrap(), info);
        assert_eq!(interpreted.load(bytes).unwrap(), info);
        let request = RunRequest {
            component: info.digest,
            task: task("", &[]),
            grants: BTreeSet::from(Capability::ALL),
            stubs: BTreeSet::new(),
            limits,
        };
        Self { runner, behind, interpreted, request }
    }

    /// Runs the task here and behind the walls, as machine code and interpreted, and from what was recorded: what comes out is the same, but for
    /// time.
    pub(crate) fn run(&self, task: Task, repository: &Repository) -> RunOutcome {
        self.run_over(task, repository, &NoEgress)
    }

    /// The same with a way to the network, which has to answer the same thing twice.
    pub(crate) fn run_over(
        &self,
        task: Task,
        repository: &Repository,
        egress: &'static dyn Egress,
    ) -> RunOutcome {
        let request = RunRequest { task, ..self.request.clone() };
        let recording = Arc::new(Recording::over(repository.port()));
        let heard = Arc::new(recording.egress(egress));
        let here = self.runner.run_with(&request, recording.clone(), heard);
        let packed = recording.transcript(request.clone(), here.clone()).pack().unwrap();
        let there = self.behind.run_with(&request, &*repository.port(), egress);
        assert_eq!((&there.result, &there.receipt, &there.log), (&here.result, &here.receipt, &here.log));
        assert_eq!(there.spent.output_bytes, here.spent.output_bytes);
        assert_eq!((here.execution, there.execution), (Execution::Native, Execution::Native));
        self.again(&packed, &here);
        self.without_executable_pages(&packed, &here);
        here
    }

    /// Runs a recorded task once more, without the repository. What was ended by the clock may have come further.
    fn again(&self, packed: &[u8], then: &RunOutcome) {
        if matches!(&then.result, RunResult::Trapped(trap) if trap.kind == TrapKind::Deadline) {
            return;
        }
        let transcript = Transcript::unpack(packed).unwrap();
        assert!(transcript.complete);
        let recorded = Arc::new(Recorded::of(&transcript));
        let now = self.behind.run_with(&transcript.request, &*recorded, &*recorded);
        assert_eq!((recorded.departure(), recorded.left()), (None, 0));
        assert_eq!((&now.result, &now.receipt, &now.log), (&then.result, &then.receipt, &then.log));
    }

    /// Runs it once more, interpreted: it asks the same questions in the same order, and what comes out is the same to the byte.
    fn without_executable_pages(&self, packed: &[u8], then: &RunOutcome) {
        if matches!(&then.result, RunResult::Trapped(trap) if trap.kind == TrapKind::Deadline) {
            return;
        }
        let transcript = Transcript::unpack(packed).unwrap();
        let recorded = Arc::new(Recorded::of(&transcript));
        let mut request = transcript.request.clone();
        // No component sees how long it may take.
        request.limits.wall_ms_max = request.limits.wall_ms_max.saturating_mul(20);
        let now = self.interpreted.run_with(&request, &*recorded, &*recorded);
        assert_eq!((recorded.departure(), recorded.left()), (None, 0));
        let bytes = |outcome: &RunOutcome| {
            serde_json::to_vec(&(&outcome.result, &outcome.receipt, &outcome.log)).unwrap()
        };
        assert_eq!(bytes(&now), bytes(then), "{:?} and {:?}", now.result, then.result);
        assert_eq!(
            (now.spent.memory_bytes, now.spent.output_bytes, now.execution),
            (then.spent.memory_bytes, then.spent.output_bytes, Execution::Interpreted)
        );
    }
}
