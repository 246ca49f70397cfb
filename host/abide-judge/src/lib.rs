//! The judge as a WebAssembly module without imports: it has memory, and nothing else of the world.
//!
//! Three calls over linear memory. `room(n)` gives a place for `n` bytes, `load()` takes a bundle that was put there, `decide()` a request; the last
//! two return where the reply stands, as address × 2³² + length. What is said is `abide_gate::sealed`. A module holds one bundle; a second
//! `load` replaces it. `load_unchecked()` takes one without inspecting it, so that tests can see that the wall holds by itself. Whatever goes wrong in here ends the module by a trap, and the host outside drops it.
#![cfg(target_family = "wasm")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_gate::sealed::Inside;

/// What is kept between two calls.
struct State {
    room: Vec<u8>,
    inside: Option<Inside>,
    reply: Vec<u8>,
}

static STATE: Mutex<State> = Mutex::new(State { room: Vec::new(), inside: None, reply: Vec::new() });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Keeps the reply, and says where it stands.
    fn put(&mut self, reply: Vec<u8>) -> u64 {
        self.reply = reply;
        let (address, length) = (self.reply.as_ptr().addr() as u64, self.reply.len() as u64);
        (address << 32) | length
    }
}

/// The names that the host calls. Nothing in here is unsafe but that a name can be only once in a module.
mod danger {
    #![expect(unsafe_code, reason = "an export of a module needs a name that is not mangled")]

    use super::{Inside, state};

    #[unsafe(no_mangle)]
    extern "C" fn room(length: u32) -> *mut u8 {
        let mut state = state();
        state.room.clear();
        state.room.resize(length as usize, 0);
        state.room.as_mut_ptr()
    }

    #[unsafe(no_mangle)]
    extern "C" fn load() -> u64 {
        load_by(Inside::load)
    }

    /// Not inspected: for the tests of the wall.
    #[unsafe(no_mangle)]
    extern "C" fn load_unchecked() -> u64 {
        load_by(Inside::load_unchecked)
    }

    fn load_by(load: fn(&[u8]) -> (Option<Inside>, Vec<u8>)) -> u64 {
        let mut state = state();
        let bytes = std::mem::take(&mut state.room);
        // The one before goes first: both at once might not find room.
        state.inside = None;
        let (inside, reply) = load(&bytes);
        state.inside = inside;
        state.put(reply)
    }

    #[unsafe(no_mangle)]
    extern "C" fn decide() -> u64 {
        let mut state = state();
        // An empty reply is none: nothing was loaded.
        let reply = state.inside.as_ref().map(|inside| inside.reply(&state.room)).unwrap_or_default();
        state.put(reply)
    }
}
