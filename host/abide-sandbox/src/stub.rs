//! What a component gets that merely imports WASI, where policy lists it: functions of the right type with nothing behind them.
//!
//! Every function is made from its type alone ([`value`]) and answers with the poorest value that the type has, which is its error where it has one.
//! Randomness is drawn from a generator that the task seeds, clocks count questions, and everything that can be waited for is ready at once. So a
//! stub can tell a component nothing but what the task says already, and the same task gets the same answers.
//!
//! Not here: which interfaces may be stubbed. That is policy's to say (`policies/generate.rego`), by name, for each task.

mod value;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Type, Val};
use wasmtime::{Engine, StoreContextMut};

use crate::host::State;
use crate::http;
use crate::message::{TrapKind, Usage};
use value::{Kind, Maker, is_denial, release};

/// How the interfaces begin that can be stubbed. Nobody else's can: what nobody here knows is refused.
const FAMILY: &str = "wasi:";
/// LIMIT: resources that one instance holds at a time. The table that the engine keeps of them is this host's memory.
const HANDLES_MAX: u32 = 10_000;
/// How far a clock goes with each question, in nanoseconds.
pub(crate) const CLOCK_STEP_NS: u64 = 1_000_000;

/// What stands behind every resource of a stub.
enum Nothing {}

/// Whether an interface of this name can have nothing behind it.
pub(crate) fn is_stubbable(interface: &str) -> bool {
    interface.starts_with(FAMILY)
}

/// Why a stub ended its task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the component asked for {asked} random bytes, and {left} of {limit} are left")]
    Random { asked: u64, left: u64, limit: u64 },
    #[error("the component holds more than {HANDLES_MAX} resources of WASI")]
    Handles,
    #[error("the component holds more bytes of header fields than it may")]
    Fields,
    #[error("the component ended itself instead of answering")]
    Exit,
}

impl Stop {
    /// As it is recorded.
    pub(crate) fn kind(&self) -> TrapKind {
        match self {
            Self::Random { .. } => TrapKind::RandomBytes,
            Self::Handles | Self::Fields => TrapKind::Handles,
            Self::Exit => TrapKind::Exit,
        }
    }
}

/// What the stubs of one instance know: how often they were asked, and how far the generator and the clock are.
#[derive(Debug, Default)]
pub(crate) struct Stubs {
    seed: [u8; 32],
    blocks: u64,
    clock_ns: u64,
    handles: u32,
    random_left: u64,
    random_max: u64,
    used: BTreeMap<String, Usage>,
}

impl Stubs {
    /// For a task, which seeds the generator, of which `random_bytes_max` may be drawn.
    pub(crate) fn of_task(task: &impl serde::Serialize, random_bytes_max: u64) -> Self {
        // A struct of texts always has a JSON form.
        let seed = Sha256::digest(serde_json::to_vec(task).unwrap_or_default()).into();
        Self { seed, random_left: random_bytes_max, random_max: random_bytes_max, ..Self::default() }
    }

    /// What was asked, by interface.
    pub(crate) fn used(self) -> BTreeMap<String, Usage> {
        self.used
    }

    fn usage(&mut self, interface: &str) -> &mut Usage {
        if !self.used.contains_key(interface) {
            self.used.insert(interface.to_owned(), Usage::default());
        }
        self.used.entry(interface.to_owned()).or_default()
    }

    /// The next `count` bytes: SHA-256 over the seed and a counter.
    fn random(&mut self, count: u64) -> Result<Vec<u8>, Stop> {
        let spent = || Stop::Random { asked: count, left: self.random_left, limit: self.random_max };
        let left = self.random_left.checked_sub(count).ok_or_else(spent)?;
        let length = usize::try_from(count).map_err(|_| spent())?;
        self.random_left = left;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let block = Sha256::new().chain_update(self.seed).chain_update(self.blocks.to_le_bytes());
            bytes.extend_from_slice(&block.finalize());
            self.blocks = self.blocks.saturating_add(1);
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// One more resource, if there may be one.
    pub(crate) fn hold_one(&mut self) -> Result<(), Stop> {
        if self.handles >= HANDLES_MAX {
            return Err(Stop::Handles);
        }
        self.handles = self.handles.saturating_add(1);
        Ok(())
    }

    /// One less.
    pub(crate) fn let_go_one(&mut self) {
        self.handles = self.handles.saturating_sub(1);
    }

    /// The clock's next reading.
    pub(crate) fn now_ns(&mut self) -> u64 {
        let now = self.clock_ns;
        self.clock_ns = now.saturating_add(CLOCK_STEP_NS);
        now
    }
}

/// Links every instance that `component` imports and `stubs` names, but for what is `served` otherwise, to functions with nothing behind them.
pub(crate) fn link(
    linker: &mut Linker<State>,
    engine: &Engine,
    component: &Component,
    stubs: &BTreeSet<String>,
    served: &BTreeSet<&str>,
) -> wasmtime::Result<()> {
    let theirs = http::resources(engine, component, served);
    for (name, import) in component.component_type().imports(engine) {
        if let ComponentItem::ComponentInstance(instance) = &import.ty
            && is_stubbable(name)
            && stubs.contains(name)
            && !served.contains(name)
        {
            link_instance(&mut linker.instance(name)?, engine, name, instance, &theirs)?;
        }
    }
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an item that is new to the engine cannot be stubbed")]
fn link_instance(
    linker: &mut LinkerInstance<'_, State>,
    engine: &Engine,
    interface: &str,
    instance: &ComponentInstance,
    theirs: &[ResourceType],
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(engine) {
        match &export.ty {
            ComponentItem::Type(_) => {}
            // It is another interface's, and stands there.
            ComponentItem::Resource(ty) if theirs.contains(ty) => {}
            ComponentItem::Resource(_) => {
                linker.resource(name, ResourceType::host::<Nothing>(), |mut store, _| {
                    store.data_mut().stubs.let_go_one();
                    Ok(())
                })?;
            }
            ComponentItem::ComponentFunc(function) if !function.async_() => {
                let kind = Kind::of(interface, name);
                let interface = interface.to_owned();
                linker.func_new(name, move |store, function, given, answers| {
                    let types: Vec<Type> = function.results().collect();
                    answer(store, &interface, kind, &types, given, answers)
                })?;
            }
            _ => wasmtime::bail!("`{interface}` has `{name}`, which cannot have nothing behind it"),
        }
    }
    Ok(())
}

/// Answers one call, and counts it.
fn answer(
    mut store: StoreContextMut<'_, State>,
    interface: &str,
    kind: Kind,
    types: &[Type],
    given: &[Val],
    answers: &mut [Val],
) -> wasmtime::Result<()> {
    let drawn = store.data().stubs.random_left;
    let mut is_denied = kind == Kind::Exit;
    let mut maker = Maker::new(&mut store, kind, given);
    let mut made = Ok(());
    for (ty, answer) in types.iter().zip(answers) {
        match maker.make(ty) {
            Ok(value) => {
                is_denied |= is_denial(&value);
                *answer = value;
            }
            Err(error) => made = Err(error),
        }
    }
    // What was given away, and what was lent, goes back before the call ends.
    let released = given.iter().try_for_each(|value| release(&mut store, value));
    let stubs = &mut store.data_mut().stubs;
    let drawn = drawn.saturating_sub(stubs.random_left);
    let usage = stubs.usage(interface);
    usage.bytes = usage.bytes.saturating_add(drawn);
    let count = if is_denied || made.is_err() { &mut usage.denied } else { &mut usage.calls };
    *count = count.saturating_add(1);
    if kind == Kind::Exit {
        return Err(Stop::Exit.into());
    }
    made.and(released)
}
