//! One runner: a process behind the walls, and the socket to it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_bytes::ByteBuf;

use super::walls::Wall;
use super::wire::{Order, WireError, Word, receive, send};
use super::{ARGUMENT, WORD_BYTES_MAX, lock, pipe};
use crate::component::LoadError;
use crate::engine::EngineLimits;
use crate::message::RunRequest;
use crate::run::MESSAGE_BYTES_MAX;
use crate::text::clean_line;

/// The program to start as a runner.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The program at `path`, which calls [`super::serve`] when [`super::was_asked`].
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// This program again, also when its file was replaced meanwhile.
    pub fn this() -> Self {
        Self::at("/proc/self/exe")
    }

    /// Starts it with one end of a socket, and nothing else: no environment, no other file, no terminal.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a runner")]
    fn start(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&self.path)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((child, ours))
    }
}

/// Why there is no runner.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The system started none.
    #[error("no runner process could be started")]
    Start(#[source] io::Error),
    /// It ended, or said what it should not.
    #[error("the runner process ended before it was ready: {0}")]
    Ended(String),
    /// The bytes are no worker.
    #[error(transparent)]
    Component(#[from] LoadError),
    /// The process that compiles ended, was late, or said what it must not.
    #[error("the component could not be compiled: {0}")]
    Compiler(String),
    /// A wall that policy demands does not stand.
    #[error("the wall `{wall}` does not stand on this host: {why}")]
    Wall {
        /// Its name.
        wall: String,
        /// Why not.
        why: String,
    },
}

impl RunnerError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::Ended(_) => "AB0215",
            Self::Component(error) => error.code(),
            Self::Compiler(_) => "AB0807",
            Self::Wall { .. } => "AB0216",
        }
    }
}

impl From<WireError> for RunnerError {
    fn from(error: WireError) -> Self {
        Self::Ended(error.to_string())
    }
}

/// A process behind the walls.
#[derive(Debug)]
pub(super) struct Hand {
    child: Mutex<Child>,
    control: Mutex<UnixStream>,
    /// What stands around it.
    pub(super) walls: Vec<Wall>,
}

impl Hand {
    /// Starts one, and sees that the `required` walls stand.
    pub(super) fn start(
        program: &Program,
        limits: &EngineLimits,
        required: &[String],
        patience: Duration,
    ) -> Result<Self, RunnerError> {
        let (child, control) = program.start().map_err(RunnerError::Start)?;
        let mut hand = Self { child: Mutex::new(child), control: Mutex::new(control), walls: Vec::new() };
        let said = hand.ask(&Order::Start(limits.clone()), WORD_BYTES_MAX, patience)?;
        let Word::Ready(walls) = said else { return Err(WireError::Malformed.into()) };
        hand.walls = walls;
        for name in required {
            let wall = hand.walls.iter().find(|wall| wall.name == *name);
            let why = match wall {
                Some(wall) if wall.stands => continue,
                Some(wall) => clean_line(&wall.what, MESSAGE_BYTES_MAX),
                None => "there is no such wall".to_owned(),
            };
            return Err(RunnerError::Wall { wall: name.clone(), why });
        }
        Ok(hand)
    }

    /// Gives an order and waits for the answer.
    pub(super) fn ask(&self, order: &Order, limit: u64, patience: Duration) -> Result<Word, WireError> {
        let mut control = lock(&self.control);
        control.set_read_timeout(Some(patience))?;
        control.set_write_timeout(Some(patience))?;
        send(&mut *control, order)?;
        receive(&mut *control, limit)
    }

    /// Begins a task; what comes back is its socket.
    pub(super) fn begin(&self, request: &RunRequest) -> Result<UnixStream, WireError> {
        let request = serde_json::to_vec(request).map_err(|_| WireError::Malformed)?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut control = lock(&self.control);
        send(&mut *control, &Order::Run(ByteBuf::from(request)))?;
        pipe::send(&control, theirs)?;
        Ok(ours)
    }

    /// Ends it, with all that it runs.
    pub(super) fn kill(&self) {
        let mut child = lock(&self.child);
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.kill();
    }
}
