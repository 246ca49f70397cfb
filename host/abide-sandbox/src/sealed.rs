//! The sealed judge: the gate's judging code as a WebAssembly module without imports, for policies that nobody trusts.
//!
//! A policy that never ends, eats memory or breaks the interpreter costs a denial with its own code, and the instance that it ran in. Inside are
//! memory and nothing else: no clock, no files, no chance. What comes out is what a policy may say; the host adds the rest
//! (`abide_gate::sealed`).
//!
//! An instance belongs to one bundle. It is dropped after any fault, and made anew once it has grown, so a decision depends on nothing but the
//! bundle and the question (docs/decisions/0009-sealed-judge.md).

mod instance;
mod worker;

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::decision::Decision;
use abide_core::id::Digest;
use abide_gate::sealed::{Lost, Outside, Refusal};
use abide_gate::{BundleText, Judge, Place, Question};
use wasmtime::{Config, ExternType, Module};

use crate::cache::CompiledCache;
use crate::clock::EpochClock;
use crate::engine::Execution;

pub use instance::Door;
use worker::Worker;

/// What an instance may cost. The same for every policy: what is not trusted does not say how much it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedLimits {
    /// Linear memory of one instance.
    pub memory_bytes_max: usize,
    /// Memory above which an instance is made anew after a decision.
    pub memory_bytes_kept_max: usize,
    /// Stack of the machine for calls inside the module.
    pub stack_bytes_max: usize,
    /// Milliseconds that loading a bundle of a few kilobytes may take.
    pub load_ms_max: u64,
    /// Milliseconds more for each whole MiB of the bundle: data is read before anything is judged by it.
    pub load_ms_per_mib: u64,
    /// Milliseconds that a decision may take.
    pub decide_ms_max: u64,
    /// Instances of one judge at the same time; who comes later waits.
    pub instances_max: usize,
}

impl SealedLimits {
    /// The limits that ship.
    pub const SHIPPED: Self = Self {
        memory_bytes_max: 256 << 20,
        memory_bytes_kept_max: 160 << 20,
        stack_bytes_max: 64 << 20,
        load_ms_max: 900,
        load_ms_per_mib: 500,
        decide_ms_max: 900,
        instances_max: 4,
    };

    /// Those that ship where the module is interpreted: the same room, and more time for the same work.
    pub const INTERPRETED: Self = Self {
        load_ms_max: Self::SHIPPED.load_ms_max.saturating_mul(SLOWER),
        load_ms_per_mib: Self::SHIPPED.load_ms_per_mib.saturating_mul(SLOWER),
        decide_ms_max: Self::SHIPPED.decide_ms_max.saturating_mul(SLOWER),
        ..Self::SHIPPED
    };
}

/// How much more time an interpreted module is given: a little more than what was seen of workers (docs/decisions/0015-no-exec.md).
const SLOWER: u64 = 12;

impl SealedLimits {
    /// Milliseconds that loading this bundle may take.
    fn load_ms(&self, bundle: &BundleText) -> u64 {
        let mib = u64::try_from(bundle.to_bytes().len() >> 20).unwrap_or(u64::MAX);
        self.load_ms_max.saturating_add(mib.saturating_mul(self.load_ms_per_mib))
    }
}

/// How often a running module is looked at.
const TICK: Duration = Duration::from_millis(5);

/// Why there is no sealed judge.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// The module is not what it should be.
    #[error("the module of the sealed judge cannot be used: {0}")]
    Module(String),
    /// The engine or a thread did not start, or there is no place for an instance.
    #[error("the sealed judge does not start: {0}")]
    Start(String),
    /// The bundle is refused, as it is refused natively.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Loading the bundle did not come to an end.
    #[error("loading did not end: {}", told(*.0))]
    Lost(Lost),
}

impl SealedError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Module(_) | Self::Start(_) | Self::Lost(Lost::NoThread) => "AB0194",
            Self::Refused(refusal) => refusal.code(),
            Self::Lost(Lost::Deadline | Lost::Panicked | Lost::Reload(_)) => "AB0109",
            Self::Lost(Lost::Memory) => "AB0198",
            Self::Lost(Lost::Stack) => "AB0199",
            Self::Lost(Lost::Malformed(_)) => "AB0192",
        }
    }

    /// Where in the text of a policy it is.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Refused(refusal) => refusal.place(),
            Self::Module(_) | Self::Start(_) | Self::Lost(_) => None,
        }
    }
}

fn told(lost: Lost) -> &'static str {
    match lost {
        Lost::Deadline => "the sealed judge ran past its deadline",
        Lost::Memory => "the policy needs more memory than the sealed judge has",
        Lost::Stack => "the policy nests deeper than the sealed judge can follow",
        Lost::Panicked => "the sealed judge panicked",
        Lost::Malformed(why) => why,
        Lost::NoThread => "no thread could be started",
        Lost::Reload(_) => "what was loaded before was not loaded again",
    }
}

/// The module, compiled, with the clock that ends what runs too long. One for each process.
pub struct SealedModule {
    engine: wasmtime::Engine,
    module: Module,
    digest: Digest,
    clock: EpochClock,
    limits: SealedLimits,
}

impl std::fmt::Debug for SealedModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedModule").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl SealedModule {
    /// Compiles `bytes`, or takes from `cache` what was compiled before. A module that imports anything at all is refused.
    pub fn new(
        bytes: &[u8],
        cache: Option<&CompiledCache>,
        limits: SealedLimits,
    ) -> Result<Self, SealedError> {
        Self::new_as(bytes, cache, limits, Execution::Native)
    }

    /// The same, run in this way.
    pub fn new_as(
        bytes: &[u8],
        cache: Option<&CompiledCache>,
        limits: SealedLimits,
        execution: Execution,
    ) -> Result<Self, SealedError> {
        let mut config = config(&limits);
        execution.aim(&mut config).map_err(|error| SealedError::Start(error.to_string()))?;
        let engine =
            wasmtime::Engine::new(&config).map_err(|error| SealedError::Start(format!("{error:#}")))?;
        let digest = Digest::of(bytes);
        let known = cache.and_then(|cache| cache.find_module(&engine, &digest));
        let module = known.map_or_else(|| compile(&engine, cache, &digest, bytes), Ok)?;
        check(&module)?;
        let clock =
            EpochClock::start(&engine, TICK).map_err(|error| SealedError::Start(error.to_string()))?;
        Ok(Self { engine, module, digest, clock, limits })
    }

    /// SHA-256 of the module's bytes, which its decisions name.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

fn compile(
    engine: &wasmtime::Engine,
    cache: Option<&CompiledCache>,
    digest: &Digest,
    bytes: &[u8],
) -> Result<Module, SealedError> {
    let module = Module::from_binary(engine, bytes)
        .map_err(|error| SealedError::Module(format!("{error:#}").replace('\n', " ")))?;
    if let Some(cache) = cache {
        cache.keep_module(digest, &module);
    }
    Ok(module)
}

/// No imports, and exactly the calls that are made.
fn check(module: &Module) -> Result<(), SealedError> {
    if let Some(import) = module.imports().next() {
        let what = format!("it imports `{}` of `{}`", import.name(), import.module());
        return Err(SealedError::Module(what));
    }
    let is_function = |name: &str, parameters: usize, results: usize| match module.get_export(name) {
        Some(ExternType::Func(function)) => {
            function.params().len() == parameters && function.results().len() == results
        }
        _ => false,
    };
    let has_memory = matches!(module.get_export("memory"), Some(ExternType::Memory(_)));
    let whole = has_memory
        && is_function("room", 1, 1)
        && is_function("load", 0, 1)
        && is_function("load_unchecked", 0, 1)
        && is_function("decide", 0, 1);
    if whole { Ok(()) } else { Err(SealedError::Module("it does not export what a judge does".to_owned())) }
}

fn config(limits: &SealedLimits) -> Config {
    let mut config = Config::new();
    config
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        // The same bits on every machine.
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes_max)
        // Nothing here is asynchronous, but the engine wants the one to fit into the other.
        .async_stack_size(limits.stack_bytes_max.saturating_add(1 << 20))
        .wasm_backtrace_max_frames(None)
        // Address space for all that 32 bits can name: then no access needs to be checked, which a decision is a quarter faster by.
        .memory_reservation(4 << 30)
        .memory_may_move(false);
    config
}

/// Judges by one bundle, in instances of the module.
#[derive(Debug)]
pub struct SealedJudge {
    module: Arc<SealedModule>,
    outside: Outside,
    door: Door,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Worker>,
    /// Idle ones, and those at work.
    live: usize,
}

impl SealedJudge {
    /// Loads a bundle inside the module.
    pub fn load(module: &Arc<SealedModule>, text: BundleText) -> Result<Self, SealedError> {
        Self::load_by(module, text, Door::Inspected)
    }

    /// The same by a door of one's choice.
    pub fn load_by(module: &Arc<SealedModule>, text: BundleText, door: Door) -> Result<Self, SealedError> {
        let outside = Outside::new(text, module.digest());
        let judge = Self {
            module: Arc::clone(module),
            outside,
            door,
            pool: Mutex::new(Pool::default()),
            freed: Condvar::new(),
        };
        let (worker, loaded) = judge.begin().map_err(SealedError::Lost)?;
        let deadline = ms(module.limits.load_ms(judge.outside.text()));
        match loaded.recv_timeout(deadline.saturating_add(GRACE)) {
            Ok(loaded) => loaded?,
            Err(RecvTimeoutError::Timeout) => return Err(SealedError::Lost(Lost::Deadline)),
            Err(RecvTimeoutError::Disconnected) => return Err(SealedError::Lost(Lost::Panicked)),
        }
        *judge.pool() = Pool { idle: vec![worker], live: 1 };
        Ok(judge)
    }

    /// The bundle that it judges by.
    pub fn text(&self) -> &BundleText {
        self.outside.text()
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Result<(Worker, worker::Loading), Lost> {
        Worker::start(&self.module, self.outside.text(), self.door)
    }

    /// A worker that nobody else has.
    fn take(&self) -> Result<Worker, Lost> {
        let mut pool = self.pool();
        loop {
            if let Some(worker) = pool.idle.pop() {
                return Ok(worker);
            }
            if pool.live < self.module.limits.instances_max {
                pool.live = pool.live.saturating_add(1);
                drop(pool);
                // What loading says, the first question is told.
                let begun = self.begin().map(|(worker, _)| worker);
                if begun.is_err() {
                    self.give(None);
                }
                return begun;
            }
            // Whoever has one is done within its deadline.
            pool = self.freed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a worker back, or counts one less.
    fn give(&self, worker: Option<Worker>) {
        let mut pool = self.pool();
        match worker {
            Some(worker) => pool.idle.push(worker),
            None => pool.live = pool.live.saturating_sub(1),
        }
        drop(pool);
        self.freed.notify_one();
    }

    fn ask(&self, request: Vec<u8>) -> Result<Vec<u8>, Lost> {
        let worker = self.take()?;
        let limits = &self.module.limits;
        // It may have to load before it decides. The epoch ends both; waiting longer than that is for a machine that stands still.
        let load = limits.load_ms(self.outside.text());
        let deadline = ms(load.saturating_add(limits.decide_ms_max)).saturating_add(GRACE);
        let (reply, is_usable) = worker.decide(request, deadline);
        self.give(is_usable.then_some(worker));
        reply
    }
}

impl Judge for SealedJudge {
    fn decide(&self, question: &Question) -> Decision {
        let request = match self.outside.request(question) {
            Ok(request) => request,
            Err(denial) => return *denial,
        };
        let reply = self.ask(request);
        self.outside.decision(question, reply.as_deref().map_err(|lost| *lost))
    }
}

/// How much later than its deadline a thread may say that it passed.
const GRACE: Duration = Duration::from_millis(500);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
