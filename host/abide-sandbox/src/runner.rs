//! Workers behind a wall: a process of its own for each component, which holds nothing of this one.
//!
//! The runner is this program again, started with [`ARGUMENT`] and with one socket as its standard input. Before it reads anything it gives up what it
//! can ([`walls`]): the network, the file system, other processes, and every call to the kernel that running a component does not take. Then it is
//! given compiled code and tasks. Each task has a socket of its own, over which the worker asks for what was granted; [`Processes`] answers,
//! counts and bounds here, and trusts nothing that it reads: a proposal, a log line or a number is checked as if the component had sent it itself.
//!
//! Untrusted bytes are compiled in such a process too, in [`compiler`]: a mistake in the compiler is as good as one in the engine.

mod child;
mod compiler;
mod hand;
pub mod no_exec;
pub(crate) mod pipe;
mod process;
mod remote;
mod task;
#[cfg(test)]
mod tests;
pub(crate) mod walls;
pub(crate) mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use child::{serve, was_asked};
pub use hand::{Program, RunnerError};
pub use process::Processes;
pub use walls::{Attempt, Wall};

/// Bytes of a runner's answer to an order that is not about code.
const WORD_BYTES_MAX: u64 = 1 << 20;

/// What the program's first argument is when it is to be a runner.
pub const ARGUMENT: &str = "runner-process";

/// And its second, where what it runs is interpreted.
const INTERPRETED: &str = "no-exec";

/// The value, whatever happened to a thread that had it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
