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
mod pipe;
mod process;
mod remote;
#[cfg(test)]
mod tests;
mod walls;
mod wire;

pub use child::{serve, was_asked};
pub use process::{Processes, Program, RunnerError};
pub use walls::{Attempt, Wall};

/// What the program's first argument is when it is to be a runner.
pub const ARGUMENT: &str = "runner-process";
