//! The other side of the wall: what this program does when it is a runner.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::remote::Remote;
use super::wire::{Order, Purpose, WireError, Word, receive, send};
use super::{ARGUMENT, INTERPRETED, compiler, no_exec, pipe, walls};
use crate::engine::{EngineLimits, Execution};
use crate::host::Ports;
use crate::message::RunRequest;
use crate::run::InProcess;

/// Bytes of one order: compiled code is some ten times as large as a component.
const ORDER_BYTES_MAX: u64 = 1 << 30;
/// Stack of a task's thread, beside what its component may use.
const STACK_BYTES: usize = 512 << 10;

/// Whether the program was started to be a runner.
pub fn was_asked(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> bool {
    arguments.into_iter().nth(1).is_some_and(|first| first.as_ref() == ARGUMENT)
}

/// How its code is to be run, which decides about the walls before anything is read.
fn execution(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Execution {
    let asked = arguments.into_iter().nth(2).is_some_and(|second| second.as_ref() == INTERPRETED);
    if asked { Execution::Interpreted } else { Execution::Native }
}

/// Serves until the other side hangs up. Nothing that happens here can be told but by ending.
///
/// To be called first in the program, while it has one thread and has opened nothing: the walls hold for the threads that come after, and files
/// that were left open by whoever started it are closed.
pub fn serve(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> io::Result<()> {
    walls::close_what_was_inherited();
    // Each task has a thread, and each thread a little memory of the allocator's, which would have it in pages of 2 MiB: a thousand tasks that wait
    // took three to six times as much. Without this call, which is not on every kernel, it is only that.
    let _set = nix::sys::prctl::set_thp_disable(true);
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let execution = execution(arguments);
    let stand = walls::confine(execution);
    match listen(&mut control, (execution, stand)) {
        Ok(()) | Err(WireError::Closed) => Ok(()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn listen(control: &mut UnixStream, (raised, stand): (Execution, Vec<walls::Wall>)) -> Result<(), WireError> {
    let Order::Start { limits, execution, purpose } = receive(control, ORDER_BYTES_MAX)? else {
        return Err(WireError::Malformed);
    };
    if execution != raised {
        return Err(WireError::Malformed);
    }
    let sealed = stand.iter().any(|wall| wall.name == "seccomp" && wall.stands);
    send(control, &Word::Ready(stand))?;
    // After the answer: the other side prepares the code meanwhile, or has no use for it yet.
    let mut fresh = (purpose == Purpose::Run).then(|| started(&limits, execution));
    let mut engine = None;
    loop {
        match receive(control, ORDER_BYTES_MAX)? {
            Order::Start { .. } => return Err(WireError::Malformed),
            Order::Compile(bytes) => {
                walls::bound_memory(limits.compile_memory_bytes_max)?;
                send(control, &Word::Compiled(compiler::compile(&limits, execution, &bytes)))?;
            }
            Order::Load { component, bytes, code } => {
                // One component for each process: a second one finds no engine.
                let fresh = fresh.take().ok_or(WireError::Malformed)?;
                let loaded = fresh.and_then(|started: InProcess| {
                    started.load_compiled(component, bytes, &code)?;
                    seal(execution, sealed).map_err(|error| error.to_string())?;
                    engine = Some(Arc::new(started));
                    Ok(())
                });
                send(control, &Word::Loaded(loaded))?;
            }
            Order::Run(request) => {
                let socket = pipe::receive(control)?;
                let Some(engine) = engine.clone() else { return Err(WireError::Malformed) };
                let request = serde_json::from_slice(&request).map_err(|_| WireError::Malformed)?;
                begin(&limits, engine, request, socket)?;
            }
            Order::Try => {
                seal(execution, sealed)?;
                let attempts = walls::attempts().into_iter().chain(no_exec::attempts()).collect();
                send(control, &Word::Tried(attempts))?;
            }
        }
    }
}

/// The code is there, and no other page becomes executable. Where it is interpreted, none ever could.
fn seal(execution: Execution, has_filters: bool) -> io::Result<()> {
    match execution {
        Execution::Interpreted => Ok(()),
        Execution::Native => match no_exec::seal() {
            // A host without filters is told of as one.
            Err(_) if !has_filters => Ok(()),
            sealed => sealed,
        },
    }
}

fn started(limits: &EngineLimits, execution: Execution) -> Result<InProcess, String> {
    InProcess::start_without_compiler(limits.clone(), execution).map_err(|error| error.to_string())
}

/// Runs a task on a thread of its own. One that cannot be begun hangs up.
fn begin(
    limits: &EngineLimits,
    engine: Arc<InProcess>,
    request: RunRequest,
    socket: UnixStream,
) -> Result<(), WireError> {
    let stack = usize::try_from(limits.stack_bytes_max).unwrap_or(usize::MAX).saturating_add(STACK_BYTES);
    let task = move || {
        let remote = Arc::new(Remote::new(socket));
        let ports = Ports { workspace: remote.clone(), egress: remote.clone() };
        let outcome = engine.ask(&request, ports);
        // A struct of texts and numbers always has a JSON form; an empty one is refused like any other that is none.
        remote.done(serde_json::to_vec(&outcome).unwrap_or_default());
    };
    std::thread::Builder::new().stack_size(stack).spawn(task).map(drop)?;
    Ok(())
}
