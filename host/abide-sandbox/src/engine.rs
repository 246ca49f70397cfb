//! The engine: one per process, shared by every run, with a thread that keeps its clock.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::clock::{EpochClock, Running};

/// Core instances, memories and tables of one component: componentize-py makes 38 core instances, a `QuickJS` component has 3 memories.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
const MEMORIES_PER_COMPONENT: u32 = 4;
/// Unreadable space after each memory, so that most accesses need no check.
const GUARD_BYTES: u64 = 32 << 20;
/// Memory that a slot keeps between two runs; zeroing that much is cheaper than giving it back.
const KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// How the code of a component is run. What comes out is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// As machine code, in pages that are made executable.
    #[default]
    Native,
    /// By an interpreter (Pulley): what was translated is read and never executed, so that no page has to be executable.
    Interpreted,
}

impl Execution {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Interpreted => "interpreted",
        }
    }

    /// Sets what `config` translates to.
    pub(crate) fn aim(self, config: &mut Config) -> Result<(), EngineError> {
        match self {
            Self::Native => {}
            Self::Interpreted => {
                config.target(BYTECODE).map_err(|error| EngineError::Start(format!("{error:#}")))?;
            }
        }
        Ok(())
    }

    /// How `engine` runs code.
    pub(crate) fn of(engine: &wasmtime::Engine) -> Self {
        if engine.is_pulley() { Self::Interpreted } else { Self::Native }
    }
}

/// The engine's name for bytecode of a 64-bit machine; of one with the other byte order it would be another.
const BYTECODE: &str = if cfg!(target_endian = "big") { "pulley64be" } else { "pulley64" };

/// What an engine is built for. From policy data; there is no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineLimits {
    /// Instances at the same time.
    pub instances_max: u32,
    /// Linear memory of one instance; address space is reserved for it.
    pub memory_bytes_max: u64,
    /// Elements of one table.
    pub table_elements_max: u32,
    /// Stack of one call.
    pub stack_bytes_max: u64,
    /// A component's file.
    pub component_bytes_max: u64,
    /// Memory of the process that compiles one component.
    #[serde(default = "compile_memory_bytes_max")]
    pub compile_memory_bytes_max: u64,
    /// How often a running component is looked at, in milliseconds.
    pub tick_ms: u64,
}

/// LIMIT: of a policy from before there was one. Components of 12 MB took 480 MB.
fn compile_memory_bytes_max() -> u64 {
    2 << 30
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A number is zero or too large for this machine.
    #[error("engine limit `{limit}` is out of range")]
    OutOfRange {
        /// Field of [`EngineLimits`].
        limit: &'static str,
    },
    /// The engine refused the configuration, or the system the memory.
    #[error("the component engine does not start: {0}")]
    Start(String),
    /// The system has no thread left.
    #[error("no thread for the engine's clock")]
    Clock(#[source] std::io::Error),
}

impl EngineError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        "AB0206"
    }
}

/// Where an engine has its code from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// It compiles what it is given.
    Here,
    /// It only takes what was compiled: the compiler is switched off.
    Elsewhere,
}

/// An engine and its clock.
pub(crate) struct Engine {
    pub(crate) inner: wasmtime::Engine,
    pub(crate) limits: EngineLimits,
    clock: EpochClock,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Engine {
    pub(crate) fn start(
        limits: EngineLimits,
        execution: Execution,
        compiler: Compiler,
    ) -> Result<Self, EngineError> {
        let mut config = config(&limits, execution)?;
        match compiler {
            Compiler::Here => {}
            Compiler::Elsewhere => {
                config.enable_compiler(false);
            }
        }
        let inner =
            wasmtime::Engine::new(&config).map_err(|error| EngineError::Start(format!("{error:#}")))?;
        let clock =
            EpochClock::start(&inner, Duration::from_millis(limits.tick_ms)).map_err(EngineError::Clock)?;
        Ok(Self { inner, limits, clock })
    }

    /// Keeps the clock going until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.clock.running()
    }

    /// Ticks that cover `ms`: one more than fit, since the current one may be nearly over.
    pub(crate) fn ticks(&self, ms: u64) -> u64 {
        ms.div_ceil(self.limits.tick_ms.max(1)).saturating_add(1)
    }
}

/// An engine that compiles for [`Engine`]s with the same limits, and reserves nothing for running.
pub(crate) fn for_compiling(
    limits: &EngineLimits,
    execution: Execution,
) -> Result<wasmtime::Engine, EngineError> {
    let mut config = config(limits, execution)?;
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    wasmtime::Engine::new(&config).map_err(|error| EngineError::Start(format!("{error:#}")))
}

/// A name for everything that compiled code depends on: the engine's version, its settings, what it translates to, and what this machine's
/// processor can do.
pub(crate) fn fingerprint(limits: &EngineLimits, execution: Execution) -> Result<String, EngineError> {
    let mut hasher = DefaultHasher::new();
    for_compiling(limits, execution)?.precompile_compatibility_hash().hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn config(limits: &EngineLimits, execution: Execution) -> Result<Config, EngineError> {
    let in_range = |limit, value: u64| match usize::try_from(value) {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(EngineError::OutOfRange { limit }),
    };
    let memory = in_range("memory_bytes_max", limits.memory_bytes_max)?;
    let stack = in_range("stack_bytes_max", limits.stack_bytes_max)?;
    let tables = in_range("table_elements_max", limits.table_elements_max.into())?;
    in_range("instances_max", limits.instances_max.into())?;
    in_range("tick_ms", limits.tick_ms)?;
    let total = |per_component: u32| {
        limits
            .instances_max
            .checked_mul(per_component)
            .ok_or(EngineError::OutOfRange { limit: "instances_max" })
    };

    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances_max)
        .total_core_instances(total(CORE_INSTANCES_PER_COMPONENT)?)
        .total_memories(total(MEMORIES_PER_COMPONENT)?)
        .total_tables(total(CORE_INSTANCES_PER_COMPONENT)?)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memory_size(memory)
        .table_elements(tables)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .max_unused_warm_slots(limits.instances_max);

    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(true)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(stack)
        .memory_reservation(limits.memory_bytes_max)
        .memory_guard_size(GUARD_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    execution.aim(&mut config)?;
    Ok(config)
}
