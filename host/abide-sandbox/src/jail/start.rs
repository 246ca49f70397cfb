//! This side of the wall: starting a jail, ending it, and taking its report.

use std::collections::BTreeMap;
use std::io::{self, PipeWriter};
use std::net::{Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::report::Report;
use super::{ARGUMENT, LIGHT, MESSAGE_BYTES_MAX};
use crate::runner::pipe;
use crate::runner::wire::{self, WireError};

/// The walls of a jail, by what they keep.
///
/// `files`: nothing is seen but the toolchain, the work tree and a temporary folder. `network`: no address beyond the jail's own loopback, no socket of the host.
/// `processes`: everything that was started ends with the check. `kernel`: no call that leads elsewhere. `bounds`: no rights, nothing open, caps.
/// `told`: what is tried nevertheless is named.
pub const WALLS: [&str; 6] = ["files", "network", "processes", "kernel", "bounds", "told"];

/// Caps on what is in a jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellLimits {
    /// Bytes of memory, over all processes; no process may reserve more data than this either.
    pub memory_bytes_max: u64,
    /// Processes and threads.
    pub processes_max: u64,
    /// Open files of one process.
    pub open_files_max: u64,
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Processor seconds of one process.
    pub cpu_s_max: u64,
}

/// What is done in the jail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Run a program with its arguments. No shell looks at them.
    Run(Vec<String>),
    /// Try the ways out.
    Try {
        /// A port of the host's loopback where somebody listens.
        port: u16,
        /// A local socket of the host where somebody listens.
        socket: PathBuf,
        /// An abstract one.
        name: String,
    },
}

/// One jail: what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// What is done.
    pub task: Task,
    /// Environment, besides `HOME` and `TMPDIR`.
    pub env: BTreeMap<String, String>,
    /// The work tree: a folder, absolute, that may be written.
    pub work: PathBuf,
    /// Folder of the work tree to start in.
    pub start: Option<PathBuf>,
    /// An empty folder, absolute, for what the jail itself needs. `HOME` and `TMPDIR` are below it.
    pub private: PathBuf,
    /// Files and folders that may be read and executed, absolute. One that does not exist is left out.
    pub read: Vec<PathBuf>,
    /// Caps.
    pub limits: CellLimits,
    /// Walls without which nothing is started.
    pub required: Vec<String>,
    /// Whether there is a way out: a port of the jail's own loopback, whose listener is given to whoever starts it, and the variables that name it as a proxy.
    /// Nothing is started where the jail has no network of its own.
    pub exit: bool,
    /// Whether its standard input and output are a line to whoever starts it ([`Inmate::take_line`]).
    pub line: bool,
    /// Files below `/etc` that are made for it, by their paths there. Only in a view of its own.
    pub etc: BTreeMap<String, String>,
    /// Whether it brings a sandbox of its own: it may make namespaces, in a user namespace that it makes first, and change its root folder there.
    pub nests: bool,
}

/// What a jail says before anything runs in it, if it was asked for a way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Offer {
    /// A listener follows.
    Listener,
    /// One end of a line follows.
    Line,
    /// There is none; the report says why.
    None,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The system started none.
    #[error("no jail could be started")]
    Start(#[source] io::Error),
    /// It ended without a word, or said what it must not.
    #[error("the jail ended without a report: {0}")]
    Lost(String),
}

impl JailError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start(_) => "AB0950",
            Self::Lost(_) => "AB0951",
        }
    }
}

impl From<WireError> for JailError {
    fn from(error: WireError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Starts jails of one program.
#[derive(Debug, Clone)]
pub struct Jail {
    program: PathBuf,
}

impl Jail {
    /// Jails of the program at `path`, which calls [`super::serve`] when [`super::was_asked`].
    pub fn of(path: impl Into<PathBuf>) -> Self {
        Self { program: path.into() }
    }

    /// Jails of this program, also when its file was replaced meanwhile.
    pub fn this() -> Self {
        Self::of("/proc/self/exe")
    }

    /// Starts one. What is in it prints to `output`.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a jail")]
    pub fn start(&self, cell: &Cell, output: PipeWriter) -> Result<Inmate, JailError> {
        prepared(&cell.private).map_err(JailError::Start)?;
        let (mut ours, theirs) = UnixStream::pair().map_err(JailError::Start)?;
        let errors = output.try_clone().map_err(JailError::Start)?;
        let child = Command::new(&self.program)
            .arg(ARGUMENT)
            .env_clear()
            .envs(LIGHT)
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(JailError::Start)?;
        let control = ours.try_clone().map_err(JailError::Start)?;
        let mut inmate = Inmate { child, control, exit: None, line: None };
        // A jail that ended already tells more by its report, or by having none.
        drop(wire::send(&mut ours, cell));
        if cell.exit && matches!(wire::receive(&mut ours, MESSAGE_BYTES_MAX), Ok(Offer::Listener)) {
            let end = pipe::receive_end(&ours).map_err(JailError::Start)?;
            inmate.exit = Some(TcpListener::from(end));
        }
        if cell.line && matches!(wire::receive(&mut ours, MESSAGE_BYTES_MAX), Ok(Offer::Line)) {
            inmate.line = Some(pipe::receive(&ours).map_err(JailError::Start)?);
        }
        Ok(inmate)
    }
}

/// The folders that a cell has of its own.
fn prepared(private: &Path) -> io::Result<()> {
    for name in [HOME, TEMPORARY, ROOT] {
        std::fs::create_dir_all(private.join(name))?;
    }
    Ok(())
}

/// Names below the private folder.
pub(super) const HOME: &str = "home";
pub(super) const TEMPORARY: &str = "tmp";
pub(super) const ROOT: &str = "root";

/// A jail that was started. Dropping it ends it.
#[derive(Debug)]
pub struct Inmate {
    child: Child,
    control: UnixStream,
    exit: Option<TcpListener>,
    line: Option<UnixStream>,
}

impl Inmate {
    /// The listener on the jail's own loopback, once. It belongs to the jail's network: who connects to it is inside.
    pub fn take_exit(&mut self) -> Option<TcpListener> {
        self.exit.take()
    }

    /// The line to the program, once.
    pub fn take_line(&mut self) -> Option<UnixStream> {
        self.line.take()
    }

    /// The outer process. It leads a process group of its own, and ends last.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Asks for the end of everything in it, at once. It is over when the outer process is.
    pub fn end(&self) {
        // It may be over already.
        drop(self.control.shutdown(Shutdown::Both));
    }

    /// Takes the report of what is over, or else ends it after `time`, which leaves no report.
    pub fn report_within(self, time: Duration) -> Result<Report, JailError> {
        self.control.set_read_timeout(Some(time)).map_err(JailError::Start)?;
        self.report()
    }

    /// Waits for the end, and takes the report.
    pub fn report(mut self) -> Result<Report, JailError> {
        let report = wire::receive(&mut self.control, MESSAGE_BYTES_MAX);
        // Over or not: there is nothing more to be told.
        self.end();
        let status = self.child.wait().map_err(JailError::Start)?;
        match report {
            Ok(report) if status.success() => Ok(report),
            Ok(_) => Err(JailError::Lost(format!("not all of it could be ended ({status})"))),
            Err(error) => Err(JailError::Lost(format!("{error} ({status})"))),
        }
    }
}

impl Drop for Inmate {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.end();
        if self.child.wait().is_err() {
            kill_process_group(self.pid(), Signal::KILL).ok();
        }
    }
}
