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
use super::wire::{Order, Purpose, WireError, Word, receive, send};
use super::{ARGUMENT, INTERPRETED, WORD_BYTES_MAX, lock, no_exec, pipe};
use crate::component::LoadError;
use crate::engine::{EngineLimits, Execution};
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
    fn start(&self, execution: Execution) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let how = match execution {
            Execution::Native => None,
            Execution::Interpreted => Some(INTERPRETED),
        };
        let child = Command::new(&self.path)
            .arg(ARGUMENT)
            .args(how)
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
    /// Workers are to be interpreted behind a wall that this host does not have.
    #[error("this host cannot keep pages from becoming executable: {0}")]
    NoExec(String),
    /// Workers are to run as machine code where no page becomes executable.
    #[error("workers cannot run as machine code here: this host makes no page executable")]
    MachineCode,
}

impl RunnerError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::Ended(_) => "AB0215",
            Self::Component(error) => error.code(),
            Self::Compiler(_) => "AB0807",
            Self::Wall { .. } => "AB0216",
            Self::NoExec(_) => "AB0880",
            Self::MachineCode => "AB0881",
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

/// What a runner is to be.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// What it is a process of.
    pub(super) program: Program,
    /// How large its engine.
    pub(super) limits: EngineLimits,
    /// How it runs code.
    pub(super) execution: Execution,
    /// Walls without which it is not used.
    pub(super) required: Vec<String>,
    /// How long this side waits for a word.
    pub(super) patience: Duration,
}

/// A runner that was started and has not been heard: it raises its walls meanwhile.
#[derive(Debug)]
pub(super) struct Starting(Hand);

impl Starting {
    /// Starts a process. It has nothing, and knows nothing of what it will run.
    pub(super) fn of(terms: &Terms, purpose: Purpose) -> Result<Self, RunnerError> {
        let (child, mut control) = terms.program.start(terms.execution).map_err(RunnerError::Start)?;
        control.set_write_timeout(Some(terms.patience)).map_err(RunnerError::Start)?;
        let (limits, execution) = (terms.limits.clone(), terms.execution);
        let said = send(&mut control, &Order::Start { limits, execution, purpose });
        let hand = Hand { child: Mutex::new(child), control: Mutex::new(control), walls: Vec::new() };
        match said {
            // One that ended at once is told of when it is to be used, like one that ends later.
            Ok(()) | Err(WireError::Closed) => Ok(Self(hand)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it is gone.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(lock(&self.0.child).try_wait(), Ok(None))
    }

    /// The runner, once its walls stand.
    pub(super) fn ready(self, terms: &Terms) -> Result<Hand, RunnerError> {
        let hand = self.heard(terms.patience)?;
        let no_exec = hand.walls.iter().find(|wall| wall.name == no_exec::WALL);
        if terms.execution == Execution::Native && no_exec.is_some_and(|wall| wall.stands) {
            return Err(RunnerError::MachineCode);
        }
        for name in &terms.required {
            let wall = hand.walls.iter().find(|wall| wall.name == *name);
            let why = match wall {
                Some(wall) if wall.stands => continue,
                Some(wall) => clean_line(&wall.what, MESSAGE_BYTES_MAX),
                None => "there is no such wall".to_owned(),
            };
            if terms.execution == Execution::Interpreted && name == no_exec::WALL {
                return Err(RunnerError::NoExec(why));
            }
            return Err(RunnerError::Wall { wall: name.clone(), why });
        }
        Ok(hand)
    }

    /// The runner, whichever walls stand around it.
    pub(super) fn heard(self, patience: Duration) -> Result<Hand, RunnerError> {
        let Self(mut hand) = self;
        let said = hand.answer(WORD_BYTES_MAX, patience)?;
        let Word::Ready(walls) = said else { return Err(WireError::Malformed.into()) };
        hand.walls = walls;
        Ok(hand)
    }
}

impl Hand {
    /// Waits for a word.
    fn answer(&self, limit: u64, patience: Duration) -> Result<Word, WireError> {
        let mut control = lock(&self.control);
        control.set_read_timeout(Some(patience))?;
        receive(&mut *control, limit)
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
