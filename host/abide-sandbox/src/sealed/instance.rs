//! One instance of the module: memory, two calls, and what may end them.

use abide_gate::sealed::{Lost, REPLY_BYTES_MAX};
use wasmtime::{Instance as Core, Memory, ResourceLimiter, Store, Trap, TypedFunc};

use super::{SealedModule, TICK};

/// How a bundle comes into the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Inspected as every bundle is.
    Inspected,
    /// Not inspected, with every builtin that the interpreter has: to see that the wall holds without the guard in front of it. No decision
    /// may rest on this.
    DangerUnchecked,
}

/// Counts memory, and remembers that more was asked for than there is.
struct Growth {
    bytes_max: usize,
    was_denied: bool,
}

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.bytes_max;
        self.was_denied |= !fits;
        Ok(fits)
    }

    /// The host itself has no more. For the policy that is the same, and no panic.
    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.was_denied = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // The one table is made with all that is in it.
        Ok(current == 0 || desired <= current)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

pub(super) struct Instance {
    store: Store<Growth>,
    memory: Memory,
    room: TypedFunc<u32, u32>,
    load: TypedFunc<(), u64>,
    decide: TypedFunc<(), u64>,
}

impl Instance {
    pub(super) fn new(module: &SealedModule, door: Door) -> Result<Self, String> {
        let growth = Growth { bytes_max: module.limits.memory_bytes_max, was_denied: false };
        let mut store = Store::new(&module.engine, growth);
        store.limiter(|growth| growth);
        let told = |error: wasmtime::Error| format!("{error:#}").replace('\n', " ");
        store.set_epoch_deadline(ticks(module.limits.load_ms_max));
        let core = Core::new(&mut store, &module.module, &[]).map_err(told)?;
        let memory = core.get_memory(&mut store, "memory").ok_or("it has no memory")?;
        let room = core.get_typed_func(&mut store, "room").map_err(told)?;
        let load = match door {
            Door::Inspected => "load",
            Door::DangerUnchecked => "load_unchecked",
        };
        let load = core.get_typed_func(&mut store, load).map_err(told)?;
        let decide = core.get_typed_func(&mut store, "decide").map_err(told)?;
        Ok(Self { store, memory, room, load, decide })
    }

    pub(super) fn load(&mut self, bundle: &[u8], ticks: u64) -> Result<Vec<u8>, Lost> {
        let load = self.load.clone();
        self.call(&load, bundle, ticks)
    }

    pub(super) fn decide(&mut self, request: &[u8], ticks: u64) -> Result<Vec<u8>, Lost> {
        let decide = self.decide.clone();
        self.call(&decide, request, ticks)
    }

    /// Bytes of memory that it has come to.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    fn call(&mut self, function: &TypedFunc<(), u64>, bytes: &[u8], ticks: u64) -> Result<Vec<u8>, Lost> {
        self.store.data_mut().was_denied = false;
        self.store.set_epoch_deadline(ticks.max(1));
        let length = u32::try_from(bytes.len()).map_err(|_| Lost::Memory)?;
        let address = self.room.call(&mut self.store, length).map_err(|error| self.lost(&error))?;
        let at = usize::try_from(address).map_err(|_| OUTSIDE)?;
        self.memory.write(&mut self.store, at, bytes).map_err(|_| OUTSIDE)?;
        let place = function.call(&mut self.store, ()).map_err(|error| self.lost(&error))?;
        let half = |half: u64| usize::try_from(half & u64::from(u32::MAX)).map_err(|_| OUTSIDE);
        let (start, length) = (half(place >> 32)?, half(place)?);
        if length > REPLY_BYTES_MAX {
            return Err(Lost::Malformed("it is too large"));
        }
        let end = start.checked_add(length).ok_or(OUTSIDE)?;
        Ok(self.memory.data(&self.store).get(start..end).ok_or(OUTSIDE)?.to_vec())
    }

    fn lost(&self, error: &wasmtime::Error) -> Lost {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Lost::Deadline,
            // Its own stack lies at the bottom of its memory: what overruns it leaves memory.
            Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => Lost::Stack,
            // An allocation that fails ends a Rust program by `unreachable`, as a panic does.
            _ if self.store.data().was_denied => Lost::Memory,
            _ => Lost::Panicked,
        }
    }
}

const OUTSIDE: Lost = Lost::Malformed("it points outside of the memory");

/// Ticks that cover `ms`: one more than fit, since the current one may be nearly over.
pub(super) fn ticks(ms: u64) -> u64 {
    let tick = u64::try_from(TICK.as_millis()).unwrap_or(1).max(1);
    ms.div_ceil(tick).saturating_add(1)
}
