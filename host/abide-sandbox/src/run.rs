//! Runs components in this process. The walls around the process are another matter; the messages stay the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use abide_core::id::Digest;
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::abide::worker::{browser, egress, log, progress, types as wit, workspace};
use crate::bindings::{Any, AnyPre};
use crate::cache::{self, CompiledCache};
use crate::component::{self, ComponentInfo, LoadError};
use crate::egress::{Egress, NoEgress};
use crate::engine::{Compiler, Engine, EngineError, EngineLimits, Execution};
use crate::host::{Ports, State};
use crate::http;
use crate::message::{
    Capability, CapabilityReceipt, Failure, Limits, LogLine, Refusal, RunOutcome, RunRequest, RunResult,
    Spent, Task, Trap, TrapKind, Usage,
};
use crate::proposal;
use crate::stub::{self, Stop, Stubs};
use crate::text::clean_line;
use crate::workspace::Workspace;

/// Bytes of a trap's or a failure's message.
pub(crate) const MESSAGE_BYTES_MAX: usize = 500;

/// A runner in this process: one engine, and the components that were loaded into it.
#[derive(Debug)]
pub struct InProcess {
    engine: Engine,
    cache: Option<CompiledCache>,
    loaded: Mutex<BTreeMap<Digest, Loaded>>,
}

/// A compiled component, and what it becomes with each set of grants and stubs.
struct Loaded {
    component: Component,
    info: ComponentInfo,
    ready: BTreeMap<(BTreeSet<Capability>, BTreeSet<String>), AnyPre<State>>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("info", &self.info).finish_non_exhaustive()
    }
}

impl InProcess {
    /// Starts an engine.
    pub fn start(limits: EngineLimits) -> Result<Self, EngineError> {
        Self::start_as(limits, Execution::Native)
    }

    /// Starts an engine that runs code in this way.
    pub fn start_as(limits: EngineLimits, execution: Execution) -> Result<Self, EngineError> {
        Ok(Self::over(Engine::start(limits, execution, Compiler::Here)?))
    }

    /// The same for what was compiled elsewhere: this engine has no compiler.
    pub(crate) fn start_without_compiler(
        limits: EngineLimits,
        execution: Execution,
    ) -> Result<Self, EngineError> {
        Ok(Self::over(Engine::start(limits, execution, Compiler::Elsewhere)?))
    }

    fn over(engine: Engine) -> Self {
        Self { engine, cache: None, loaded: Mutex::default() }
    }

    /// Keeps what it compiles in `cache`, and takes from there what was compiled before.
    #[must_use]
    pub fn with_cache(self, cache: CompiledCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Compiles a component, once per digest. Loading grants nothing and runs nothing.
    pub fn load(&self, bytes: &[u8]) -> Result<ComponentInfo, LoadError> {
        let digest = Digest::of(bytes);
        if let Some(info) = self.info(&digest) {
            return Ok(info);
        }
        let (component, info) = component::load(&self.engine, self.cache.as_ref(), bytes)?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.entry(digest).or_insert_with(|| Loaded {
            component,
            info: info.clone(),
            ready: BTreeMap::new(),
        });
        Ok(info)
    }

    /// Takes what was compiled from the component with `digest`, a file of `bytes` bytes.
    ///
    /// The code is run as it is: it comes from a process that may do to this one what it likes.
    pub(crate) fn load_compiled(&self, digest: Digest, bytes: u64, code: &[u8]) -> Result<(), String> {
        let component = cache::trusted(&self.engine.inner, code)
            .ok_or("the code was compiled for another engine or machine")?;
        let info = component::describe(&self.engine.inner, &component, digest.clone(), bytes)
            .map_err(|error| error.to_string())?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.insert(digest, Loaded { component, info, ready: BTreeMap::new() });
        Ok(())
    }

    /// What is known of a loaded component.
    pub fn info(&self, digest: &Digest) -> Option<ComponentInfo> {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .map(|loaded| loaded.info.clone())
    }

    /// Runs one task in a fresh instance.
    pub fn run(&self, request: &RunRequest, workspace: Arc<dyn Workspace>) -> RunOutcome {
        self.run_with(request, workspace, Arc::new(NoEgress))
    }

    /// The same with a way to the network, if the request grants it.
    #[tracing::instrument(name = "task", skip_all, fields(task.id = %request.task.id, component = request.component.short()))]
    pub fn run_with(
        &self,
        request: &RunRequest,
        workspace: Arc<dyn Workspace>,
        egress: Arc<dyn Egress>,
    ) -> RunOutcome {
        let base = Arc::clone(&workspace);
        judged(self.ask(request, Ports { workspace, egress }), request, &*base)
    }

    /// The same without looking at the proposal: whoever trusts nothing that comes out of this process does that.
    pub(crate) fn ask(&self, request: &RunRequest, ports: Ports) -> RunOutcome {
        let requested = self.info(&request.component).map(|info| info.imports).unwrap_or_default();
        let receipt = CapabilityReceipt {
            requested,
            granted: request.grants.clone(),
            used: BTreeMap::new(),
            stubs: BTreeMap::new(),
        };
        let end = match self.prepare(request) {
            Ok(ready) => self.call(&ready, request, ports),
            Err(refusal) => End::refused(refusal),
        };
        RunOutcome {
            result: end.result,
            receipt: CapabilityReceipt { used: end.used, stubs: end.stubs, ..receipt },
            log: end.log,
            spent: end.spent,
            execution: Execution::of(&self.engine.inner),
        }
    }

    /// Makes an instance and drops it: whether the component fits its grants and the engine, without asking it anything.
    pub fn try_instance(&self, request: &RunRequest, workspace: Arc<dyn Workspace>) -> Result<(), Refusal> {
        let ready = self.prepare(request)?;
        let _running = self.engine.running();
        self.instance(&ready, request, workspace).map(drop)
    }

    /// The same with `count` of them at the same time.
    pub fn try_instances(
        &self,
        request: &RunRequest,
        workspace: &Arc<dyn Workspace>,
        count: usize,
    ) -> Result<(), Refusal> {
        let ready = self.prepare(request)?;
        let _running = self.engine.running();
        let instance = |_| self.instance(&ready, request, Arc::clone(workspace));
        (0..count).map(instance).collect::<Result<Vec<_>, _>>().map(drop)
    }

    fn instance(
        &self,
        ready: &AnyPre<State>,
        request: &RunRequest,
        workspace: Arc<dyn Workspace>,
    ) -> Result<Store<State>, Refusal> {
        let mut store = self.store(request, Ports { workspace, egress: Arc::new(NoEgress) });
        ready.instantiate(&mut store).map_err(|error| not_made(&error))?;
        Ok(store)
    }

    /// A store that holds one instance to the limits of its task.
    fn store(&self, request: &RunRequest, ports: Ports) -> Store<State> {
        let limits = &request.limits;
        let stubs = Stubs::of_task(&request.task, limits.random_bytes_max);
        let mut store = Store::new(&self.engine.inner, State::new(ports, limits.clone(), stubs));
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(usize::try_from(limits.hostcall_bytes_max).unwrap_or(usize::MAX));
        store.epoch_deadline_trap();
        store.set_epoch_deadline(self.engine.ticks(limits.wall_ms_max));
        store
    }

    /// Everything that can be refused before an instance exists.
    fn prepare(&self, request: &RunRequest) -> Result<AnyPre<State>, Refusal> {
        check_limits(&request.limits, &self.engine.limits)?;
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = all
            .get_mut(&request.component)
            .ok_or_else(|| Refusal::UnknownComponent { component: request.component.to_string() })?;
        component::check_imports(&loaded.info, &request.grants, &request.stubs)?;
        let key = (request.grants.clone(), request.stubs.clone());
        if let Some(ready) = loaded.ready.get(&key) {
            return Ok(ready.clone());
        }
        let incompatible = |error: wasmtime::Error| Refusal::Incompatible { why: shorten(&error) };
        let mut linker = linker(&self.engine.inner, &request.grants).map_err(incompatible)?;
        let served = http::served(loaded.info.imports.iter().map(String::as_str), &request.grants);
        if !served.is_empty() {
            http::link(&mut linker).map_err(incompatible)?;
        }
        stub::link(&mut linker, &self.engine.inner, &loaded.component, &request.stubs, &served)
            .map_err(incompatible)?;
        let ready = AnyPre::new(linker.instantiate_pre(&loaded.component).map_err(incompatible)?)
            .map_err(incompatible)?;
        loaded.ready.insert(key, ready.clone());
        Ok(ready)
    }

    fn call(&self, ready: &AnyPre<State>, request: &RunRequest, ports: Ports) -> End {
        let running = self.engine.running();
        let mut store = self.store(request, ports);
        let answer = match ready.instantiate(&mut store) {
            Ok(instance) => propose(&instance, &mut store, request).map_err(|error| (Began::Yes, error)),
            Err(error) => Err((Began::No, error)),
        };
        let spent = Spent {
            wall_ms: running.elapsed_ticks().saturating_mul(self.engine.limits.tick_ms),
            memory_bytes: u64::try_from(store.data().memory.bytes_peak).unwrap_or(u64::MAX),
            output_bytes: 0,
        };
        let result = match answer {
            Ok(Ok(given)) => RunResult::Proposed(Box::new(given.into())),
            Ok(Err(failure)) => RunResult::Failed(Failure {
                kind: failure.kind.into(),
                message: clean_line(&failure.message, MESSAGE_BYTES_MAX),
            }),
            Err((began, error)) => stopped(began, &error, store.data().memory.refused > 0),
        };
        let state = store.into_data();
        End { result, used: state.used(), stubs: state.stubs.used(), log: state.log, spent }
    }
}

/// The outcome with its proposal checked against the task and the base, or rejected.
pub(crate) fn judged(outcome: RunOutcome, request: &RunRequest, workspace: &dyn Workspace) -> RunOutcome {
    let RunResult::Proposed(given) = outcome.result else { return outcome };
    let spent = Spent { output_bytes: proposal::bytes(&given), ..outcome.spent };
    let result = match proposal::check(*given, &request.task.scope, &request.limits, workspace) {
        Ok(proposal) => RunResult::Proposed(Box::new(proposal)),
        Err(rejection) => RunResult::Rejected(rejection),
    };
    RunOutcome { result, spent, ..outcome }
}

fn propose(
    instance: &Any,
    store: &mut Store<State>,
    request: &RunRequest,
) -> wasmtime::Result<Result<wit::Proposal, wit::Failure>> {
    instance.call_propose(store, &task(&request.task, &request.limits))
}

/// What a run leaves behind.
struct End {
    result: RunResult,
    used: BTreeMap<Capability, Usage>,
    stubs: BTreeMap<String, Usage>,
    log: Vec<LogLine>,
    spent: Spent,
}

impl End {
    fn refused(refusal: Refusal) -> Self {
        Self {
            result: RunResult::Refused(refusal),
            used: BTreeMap::new(),
            stubs: BTreeMap::new(),
            log: Vec::new(),
            spent: Spent::default(),
        }
    }
}

fn check_limits(limits: &Limits, engine: &EngineLimits) -> Result<(), Refusal> {
    let pairs = [
        ("memory_bytes_max", limits.memory_bytes_max, engine.memory_bytes_max),
        ("table_elements_max", limits.table_elements_max.into(), engine.table_elements_max.into()),
    ];
    match pairs.into_iter().find(|(_, asked, most)| asked > most) {
        Some((limit, asked, most)) => Err(Refusal::LimitTooHigh { limit: limit.to_owned(), asked, most }),
        None => Ok(()),
    }
}

/// A linker that holds the granted interfaces and nothing else.
fn linker(engine: &wasmtime::Engine, grants: &BTreeSet<Capability>) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    for grant in grants {
        match grant {
            Capability::Workspace => {
                workspace::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
            }
            Capability::Log => {
                log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
            }
            Capability::Egress => {
                egress::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
            }
            Capability::Browser => {
                browser::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
            }
            Capability::Progress => {
                progress::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
            }
        }
    }
    Ok(linker)
}

fn task(task: &Task, limits: &Limits) -> wit::Task {
    wit::Task {
        id: task.id.clone(),
        recipe: task.recipe.clone(),
        parameters: task
            .parameters
            .iter()
            .map(|(key, value)| wit::Parameter { key: key.clone(), value: value.clone() })
            .collect(),
        scope: task.scope.clone(),
        base: task.base.to_string(),
        limits: wit::TaskLimits {
            files_max: limits.files_max,
            output_bytes_max: u32::try_from(limits.output_bytes_max).unwrap_or(u32::MAX),
            workspace_bytes_max: limits.workspace_bytes_max,
            workspace_calls_max: limits.workspace_calls_max,
        },
    }
}

/// Whether an instance existed when it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Began {
    Yes,
    No,
}

fn not_made(error: &wasmtime::Error) -> Refusal {
    if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
        Refusal::Busy
    } else {
        Refusal::Instantiation { why: shorten(error) }
    }
}

/// Tells why there is no answer. A component can run into its limits before it is whole: its memory, or its start functions.
fn stopped(began: Began, error: &wasmtime::Error, was_refused_memory: bool) -> RunResult {
    let trap = error.downcast_ref::<wasmtime::Trap>().copied();
    let stop = error.downcast_ref::<Stop>();
    if began == Began::No && trap.is_none() && stop.is_none() && !was_refused_memory {
        return RunResult::Refused(not_made(error));
    }
    let hostcall = error
        .chain()
        .any(|cause| cause.to_string().contains("fuel allocated for hostcalls has been exhausted"));
    let kind = if let Some(stop) = stop {
        stop.kind()
    } else if trap == Some(wasmtime::Trap::Interrupt) {
        TrapKind::Deadline
    } else if trap == Some(wasmtime::Trap::StackOverflow) {
        TrapKind::Stack
    } else if hostcall {
        TrapKind::HostcallBytes
    } else if was_refused_memory {
        TrapKind::Memory
    } else {
        TrapKind::Fault
    };
    RunResult::Trapped(Trap { kind, message: shorten(error) })
}

/// The cause; what is around it is a backtrace of offsets.
fn shorten(error: &wasmtime::Error) -> String {
    clean_line(&error.root_cause().to_string(), MESSAGE_BYTES_MAX)
}
