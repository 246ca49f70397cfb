//! The workers that this binary carries, and the runner that runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use abide_core::id::Digest;
use abide_effects::egress::vault::Vault;
use abide_ledger::Ledger;
use abide_sandbox::runner::{Attempt, Wall};
use abide_sandbox::{
    CacheKey, Capability, CompiledCache, ComponentInfo, Egress, EngineLimits, Processes, Program, RunOutcome,
    RunRequest, RunnerError, Workspace,
};
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::embedded;
use crate::home::{State, private_folder};
use crate::no_exec::Mode;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::vault::FileVault;
use crate::workers::{Kept, Registry};

/// Runs a component on a task.
pub(crate) trait Runner: fmt::Debug + Send + Sync {
    /// Makes the component known and says what it imports.
    fn load(&self, bytes: &[u8]) -> Result<ComponentInfo, RunnerError>;
    /// Runs it.
    fn run(&self, request: &RunRequest, workspace: Arc<dyn Workspace>, egress: &dyn Egress) -> RunOutcome;
    /// A task is to be expected, of this component or of one that is not known yet.
    fn prepare(&self, component: Option<&Digest>);
}

impl Runner for Processes {
    fn load(&self, bytes: &[u8]) -> Result<ComponentInfo, RunnerError> {
        Self::load(self, bytes)
    }

    fn run(&self, request: &RunRequest, workspace: Arc<dyn Workspace>, egress: &dyn Egress) -> RunOutcome {
        self.run_with(request, &*workspace, egress)
    }

    fn prepare(&self, component: Option<&Digest>) {
        match component {
            None => Self::prepare(self),
            Some(component) => self.prepare_for(component),
        }
    }
}

/// Why there is no worker to ask, and what to do about it.
fn not_run(error: RunnerError) -> Failure {
    let help = match &error {
        RunnerError::NoExec(_) => Some(
            "ab doctor --no-exec says what this kernel has; `execution: interpreted` in host.yaml goes without the wall",
        ),
        RunnerError::MachineCode => {
            Some("ab --no-exec, or ABIDE_NO_EXEC=1, or `execution: no-exec` in host.yaml interprets them")
        }
        RunnerError::Start(_)
        | RunnerError::Ended(_)
        | RunnerError::Component(_)
        | RunnerError::Compiler(_)
        | RunnerError::Wall { .. } => None,
    };
    let failure = Failure::of(error.code(), error);
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// A worker component.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    /// Its name.
    pub(crate) name: String,
    /// Digest of its file.
    pub(crate) digest: Digest,
    bytes: std::borrow::Cow<'static, [u8]>,
}

/// The workers at hand.
#[derive(Debug)]
pub(crate) struct Workshop {
    workers: BTreeMap<String, Worker>,
    terms: Terms,
    state: State,
    runner: std::sync::OnceLock<Arc<dyn Runner>>,
}

/// How workers are run here.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Limits of the engine.
    pub(crate) engine: EngineLimits,
    /// Walls without which none runs.
    pub(crate) walls_required: Vec<String>,
    /// As machine code or not.
    pub(crate) mode: Mode,
    /// Processes that are started ahead of need.
    pub(crate) ahead: usize,
}

impl Terms {
    /// What `policy` says, with `--no-exec` or without.
    pub(crate) fn of(policy: &Policy, no_exec: bool) -> Self {
        Self {
            engine: policy.engine.clone(),
            walls_required: policy.walls_required.clone(),
            mode: policy.execution.asked(no_exec),
            ahead: policy.runners_ahead,
        }
    }

    fn processes(&self, mode: Mode) -> Processes {
        let required = mode.required(&self.walls_required);
        Processes::new(Program::this(), self.engine.clone(), required)
            .with_execution(mode.execution())
            .with_pool(self.ahead)
    }
}

impl Workshop {
    /// The shipped workers. The engine starts when the first one is used; what it compiles is kept below `state`.
    pub(crate) fn shipped(terms: Terms, state: &State) -> Self {
        let workers = embedded::WORKERS.iter().map(|(file, bytes)| {
            let name = file.trim_end_matches(".wasm").rsplit('/').next().unwrap_or(file).to_owned();
            (name.clone(), Worker { name, digest: Digest::of(bytes), bytes: (*bytes).into() })
        });
        Self { workers: workers.collect(), terms, state: state.clone(), runner: std::sync::OnceLock::new() }
    }

    /// Takes a component from a file in place of the shipped one of that name.
    pub(crate) fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.workers.insert(name.to_owned(), Self::candidate(name, bytes));
    }

    /// Names of the workers that there are places for.
    pub(crate) fn places(&self) -> Vec<String> {
        self.workers.keys().cloned().collect()
    }

    /// The worker called `name`.
    pub(crate) fn worker(&self, name: &str) -> Result<&Worker, Failure> {
        self.workers.get(name).ok_or_else(|| {
            let known: Vec<_> = self.workers.keys().map(String::as_str).collect();
            let help = match known.as_slice() {
                [] => {
                    "this binary was built without workers: cargo xtask guests, then build again".to_owned()
                }
                _ => format!("there are: {}", known.join(", ")),
            };
            Failure::new("AB0830", format!("there is no worker `{name}`")).help(help).exit(Exit::Usage)
        })
    }

    /// The worker called `name`: one that is at hand, or else the one that was admitted under that name.
    pub(crate) fn named(&self, name: &str, ledger: &Ledger) -> Result<Worker, Failure> {
        if let Some(worker) = self.workers.get(name) {
            return Ok(worker.clone());
        }
        let component = Registry::of(ledger)?.usable(name)?.offer.component.clone();
        let bytes = Kept::of(&self.state).read(&component)?;
        Ok(Worker { name: name.to_owned(), digest: component, bytes: bytes.into() })
    }

    /// The worker called `name`, or the admitted one that the unit was planned with: whichever process carries a run on, the bytes that began it
    /// go on with it. One that was revoked meanwhile does not.
    pub(crate) fn of_unit(
        &self,
        name: &str,
        planned: Option<&Digest>,
        ledger: &Ledger,
    ) -> Result<Worker, Failure> {
        let here = self.workers.get(name);
        let other = planned.filter(|planned| here.is_none_or(|here| **planned != here.digest));
        let Some(planned) = other else { return self.named(name, ledger) };
        let registry = Registry::of(ledger)?;
        if let Some(entry) = registry.revoked(planned) {
            let what = format!("the worker of this unit, `{}`, was revoked", entry.offer.name);
            return Err(Failure::new("AB0848", what)
                .help("ab worker list says by whom and why; ab kill --run RUN ends the run")
                .exit(Exit::Denied));
        }
        if !registry.admits(planned) {
            return self.named(name, ledger);
        }
        let bytes = Kept::of(&self.state).read(planned)?;
        Ok(Worker { name: name.to_owned(), digest: planned.clone(), bytes: bytes.into() })
    }

    /// The bytes of a component that was run before: one that this binary carries, or one that was handed in.
    pub(crate) fn of_digest(&self, component: &Digest) -> Option<Worker> {
        if let Some(worker) = self.workers.values().find(|worker| worker.digest == *component) {
            return Some(worker.clone());
        }
        let bytes = Kept::of(&self.state).read(component).ok()?;
        Some(Worker { name: component.short().to_owned(), digest: component.clone(), bytes: bytes.into() })
    }

    /// A component that is nobody's yet, to be tried.
    pub(crate) fn candidate(name: &str, bytes: Vec<u8>) -> Worker {
        Worker { name: name.to_owned(), digest: Digest::of(&bytes), bytes: bytes.into() }
    }

    /// What `worker` imports, by the names that policies use. An interface that this host does not have keeps its own name.
    pub(crate) fn requests(&self, worker: &Worker) -> Result<BTreeSet<String>, Failure> {
        let info = self.runner()?.load(&worker.bytes).map_err(not_run)?;
        let name = |interface: &String| {
            Capability::of_interface(interface)
                .map_or_else(|| interface.clone(), |capability| capability.name().to_owned())
        };
        Ok(info.imports.iter().map(name).collect())
    }

    /// Runs a component that was loaded by [`Workshop::requests`].
    pub(crate) fn run(
        &self,
        request: &RunRequest,
        workspace: Arc<dyn Workspace>,
        egress: &dyn Egress,
    ) -> Result<RunOutcome, Failure> {
        Ok(self.runner()?.run(request, workspace, egress))
    }

    fn runner(&self) -> Result<&Arc<dyn Runner>, Failure> {
        if let Some(runner) = self.runner.get() {
            return Ok(runner);
        }
        let runner = self.processes().with_cache(cache(&self.state)?);
        Ok(self.runner.get_or_init(|| Arc::new(runner)))
    }

    /// The secrets of this repository's leases.
    pub(crate) fn vault(&self) -> Arc<dyn Vault> {
        Arc::new(FileVault::of(&self.state))
    }

    /// The same workers, run in another way.
    pub(crate) fn as_mode(&self, mode: Mode) -> Self {
        Self {
            workers: self.workers.clone(),
            terms: Terms { mode, ..self.terms.clone() },
            state: self.state.clone(),
            runner: std::sync::OnceLock::new(),
        }
    }

    /// How they are run.
    pub(crate) fn mode(&self) -> Mode {
        self.terms.mode
    }

    /// Starts a process for a worker before it is known which one: its walls are up when the task is there. What fails here fails no task.
    pub(crate) fn prepare(&self) {
        if let Ok(runner) = self.runner() {
            runner.prepare(None);
        }
    }

    /// The same, unless one of this worker stands.
    pub(crate) fn prepare_for(&self, worker: &Worker) {
        if let Ok(runner) = self.runner() {
            runner.prepare(Some(&worker.digest));
        }
    }

    /// Refuses a host on which workers cannot be run in this way.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.processes().check().map_err(|error| not_run(error).exit(Exit::Gate))
    }

    /// Refuses a host that cannot hold the promise of `--no-exec`, before anything is recorded.
    pub(crate) fn check_no_exec(&self) -> Result<(), Failure> {
        match self.terms.mode {
            Mode::Native | Mode::Interpreted => Ok(()),
            Mode::NoExec => self.check(),
        }
    }

    fn processes(&self) -> Processes {
        self.processes_as(self.terms.mode)
    }

    fn processes_as(&self, mode: Mode) -> Processes {
        self.terms.processes(mode)
    }

    /// The walls around a runner on this host, and every way out of one that was tried.
    pub(crate) fn examine(&self) -> Result<(Vec<Wall>, Vec<Attempt>), RunnerError> {
        self.processes().examine()
    }
}

/// A runner for components that no run uses; what it compiles is kept only where there is a state folder.
pub(crate) fn apart(policy: &Policy, no_exec: bool, state: Option<&State>) -> Result<Processes, Failure> {
    let terms = Terms::of(policy, no_exec);
    let processes = terms.processes(terms.mode);
    Ok(match state {
        Some(state) => processes.with_cache(cache(state)?),
        None => processes,
    })
}

/// Compiled components, under a key of this state folder.
fn cache(state: &State) -> Result<CompiledCache, Failure> {
    let folder = state.folder.join("compiled");
    private_folder(&folder)?;
    let dir =
        Dir::open_ambient_dir(&folder, ambient_authority()).map_err(|error| Failure::of("AB0004", error))?;
    Ok(CompiledCache::new(dir, CacheKey::new(state.secret("compiled.key")?)))
}
