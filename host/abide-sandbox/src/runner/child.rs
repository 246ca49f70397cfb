//! The other side of the wall: what this program does when it is a runner.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::remote::Remote;
use super::wire::{Order, WireError, Word, receive, send};
use super::{ARGUMENT, compiler, pipe, walls};
use crate::engine::EngineLimits;
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

/// Serves until the other side hangs up. Nothing that happens here can be told but by ending.
///
/// To be called first in the program, while it has one thread and has opened nothing: the walls hold for the threads that come after, and files
/// that were left open by whoever started it are closed.
pub fn serve() -> io::Result<()> {
    walls::close_what_was_inherited();
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let stand = walls::confine();
    match listen(&mut control, stand) {
        Ok(()) | Err(WireError::Closed) => Ok(()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn listen(control: &mut UnixStream, stand: Vec<walls::Wall>) -> Result<(), WireError> {
    let Order::Start(limits) = receive(control, ORDER_BYTES_MAX)? else { return Err(WireError::Malformed) };
    send(control, &Word::Ready(stand))?;
    let mut engine = None;
    loop {
        match receive(control, ORDER_BYTES_MAX)? {
            Order::Start(_) => return Err(WireError::Malformed),
            Order::Compile(bytes) => {
                walls::bound_memory(limits.compile_memory_bytes_max)?;
                send(control, &Word::Compiled(compiler::compile(&limits, &bytes)))?;
            }
            Order::Load { component, bytes, code } => {
                let loaded = started(&limits).and_then(|started: InProcess| {
                    started.load_compiled(component, bytes, &code)?;
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
            Order::Try => send(control, &Word::Tried(walls::attempts()))?,
        }
    }
}

fn started(limits: &EngineLimits) -> Result<InProcess, String> {
    InProcess::start(limits.clone()).map_err(|error| error.to_string())
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
