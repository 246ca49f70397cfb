//! Running one program of the user's with a cleared environment, a time limit, bounded output and nothing left behind.
//!
//! [`run`] is containment of processes, not a jail: the program sees the file system and the network as this user does. It is for what the operator wrote. Code
//! that is being judged runs by [`run_jailed`]. The strongest way
//! that the host offers is probed once ([`Containment::probe`]) and reported, so that nobody takes the weaker one for the stronger.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use serde::Serialize;

mod jailed;
mod output;

pub use jailed::{Came, Cell, Inmate, Jail, JailFault, Jailed, Report, run_jailed};
pub use output::Output;

/// How the program's children are kept together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Containment {
    /// Its own PID namespace, by `unshare` of util-linux: whatever it starts ends with it, and it ends with this program.
    PidNamespace,
    /// A process group and a search for leftovers by their environment. A program that leaves its group *and* clears its environment
    /// outlives its check, and all of it outlives this program if that is killed.
    ProcessGroup,
}

/// What this host can do, and the clock that limits are measured with.
pub struct Host<'a> {
    /// Value of `PATH` for the program.
    pub path: String,
    /// Milliseconds on a clock that never jumps.
    pub monotonic_ms: &'a dyn Fn() -> u64,
    /// Where programs are kept together best.
    pub containment: Containment,
}

/// Bounds on one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Wall time in milliseconds.
    pub wall_ms_max: u64,
    /// Milliseconds between the request to end and the kill.
    pub grace_ms: u64,
    /// Processor seconds of each process.
    pub cpu_s_max: u64,
    /// Bytes of each file written.
    pub file_bytes_max: u64,
    /// Bytes of output that are kept, half from its beginning and half from its end.
    pub output_bytes_max: usize,
    /// Bytes that may be printed at all, in a jail; what prints more is ended.
    pub printed_bytes_max: u64,
}

/// A program to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// Program and arguments. No shell looks at them.
    pub argv: &'a [String],
    /// Where it starts.
    pub folder: &'a Path,
    /// Its private folder: `HOME` and `TMPDIR` are below it. The name must be unique, leftovers are found by it.
    pub private: &'a Path,
    /// Environment besides `PATH`, `HOME`, `TMPDIR` and `LANG`.
    pub env: &'a BTreeMap<String, String>,
    /// Bounds.
    pub limits: ProcessLimits,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// It ran out of time and was killed.
    Timeout,
    /// It was cancelled and killed.
    Cancelled,
}

/// A program that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// What it printed, both streams in the order of writing.
    pub output: Output,
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is nothing to run.
    #[error("the command is empty")]
    Empty,
    /// The system refused.
    #[error("the program could not be {doing}")]
    System {
        /// `started`, `watched` or `given its folders`.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The jail failed.
    #[error(transparent)]
    Jail(#[from] JailFault),
}

impl ProcessError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "AB0506",
            Self::System { .. } => "AB0507",
            Self::Jail(fault) => fault.code,
        }
    }

    fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { doing, source }
    }
}

/// The shell that sets limits on itself and then waits for the program. It stays alive on `TERM` so that the program has its grace; as
/// the first process of a namespace it also reaps what the program leaves.
const WRAPPER: &str =
    r#"trap : TERM; umask 022; ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; shift 2; "$@"; exit $?"#;
const SHELL: &str = "/bin/sh";
/// A namespace of its own, all of which is killed when its first process ends, which is killed when this program ends, however it ends.
/// Both tools are of util-linux.
const SETPRIV: &str = "/usr/bin/setpriv";
const NAMESPACE: [&str; 7] =
    ["--pdeathsig=KILL", "/usr/bin/unshare", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--"];

impl std::fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("path", &self.path)
            .field("containment", &self.containment)
            .finish_non_exhaustive()
    }
}

impl Containment {
    /// The strongest that this host offers, found by trying it.
    #[expect(clippy::disallowed_methods, reason = "runs `true` to learn what the host can do; no effect")]
    pub fn probe() -> Self {
        let tried = Command::new(SETPRIV)
            .args(namespace_arguments())
            .arg("/bin/true")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if tried.is_ok_and(|status| status.success()) { Self::PidNamespace } else { Self::ProcessGroup }
    }
}

fn namespace_arguments() -> Vec<&'static str> {
    let root = rustix::process::geteuid().is_root();
    let user: &[&str] = if root { &[] } else { &["--user", "--map-current-user"] };
    let (last, first) = NAMESPACE.split_last().unzip();
    first.into_iter().flatten().chain(user).chain(last).copied().collect()
}

/// Runs `job` to its end. `cancelled` is asked every few milliseconds; once it says yes, the program is killed.
pub fn run(job: &Job<'_>, host: &Host<'_>, cancelled: &dyn Fn() -> bool) -> Result<Ended, ProcessError> {
    if job.argv.is_empty() {
        return Err(ProcessError::Empty);
    }
    let start = (host.monotonic_ms)();
    let (reader, writer) = std::io::pipe().map_err(ProcessError::system("watched"))?;
    let mut child = spawn(job, host, writer)?;
    let output = collect(reader, job.limits.output_bytes_max);
    let ending = watch(&mut child, job, host, start, cancelled);
    let home = job.private.to_owned();
    if host.containment == Containment::ProcessGroup {
        kill_leftovers(&home);
    }
    let wall_ms = (host.monotonic_ms)().saturating_sub(start);
    Ok(Ended { ending: ending?, wall_ms, output: output.finish() })
}

#[expect(clippy::disallowed_methods, reason = "the one place where a program of the user's is started")]
fn spawn(job: &Job<'_>, host: &Host<'_>, writer: std::io::PipeWriter) -> Result<Child, ProcessError> {
    let given = |source| ProcessError::System { doing: "given its folders", source };
    let (home, tmp) = (job.private.join("home"), job.private.join("tmp"));
    std::fs::create_dir_all(&home).map_err(given)?;
    std::fs::create_dir_all(&tmp).map_err(given)?;
    let mut command = match host.containment {
        Containment::PidNamespace => {
            let mut command = Command::new(SETPRIV);
            command.args(namespace_arguments()).arg(SHELL);
            command
        }
        Containment::ProcessGroup => Command::new(SHELL),
    };
    let blocks = job.limits.file_bytes_max.div_ceil(512);
    command
        .args(["-c", WRAPPER, "ab-check", &job.limits.cpu_s_max.to_string(), &blocks.to_string()])
        .args(job.argv)
        .current_dir(job.folder)
        .env_clear()
        .envs(job.env)
        .env("PATH", &host.path)
        .env("HOME", &home)
        .env("TMPDIR", &tmp)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(ProcessError::system("started"))?)
        .stderr(writer)
        .process_group(0);
    command.spawn().map_err(ProcessError::system("started"))
}

/// Waits for the end, and leaves nothing of the process group behind.
fn watch(
    child: &mut Child,
    job: &Job<'_>,
    host: &Host<'_>,
    start: u64,
    cancelled: &dyn Fn() -> bool,
) -> Result<Ending, ProcessError> {
    let pid = Pid::from_child(child);
    let deadline = start.saturating_add(job.limits.wall_ms_max);
    let mut nap = Nap::new();
    let forced = loop {
        if ended(pid)? {
            break None;
        }
        if cancelled() {
            break Some(Ending::Cancelled);
        }
        if (host.monotonic_ms)() >= deadline {
            break Some(Ending::Timeout);
        }
        nap.take();
    };
    if forced.is_some() {
        // Failing means that it is gone already, which the wait below finds.
        kill_process_group(pid, Signal::TERM).ok();
        let deadline = (host.monotonic_ms)().saturating_add(job.limits.grace_ms);
        let mut nap = Nap::new();
        while !ended(pid)? && (host.monotonic_ms)() < deadline {
            nap.take();
        }
    }
    // The leader is not reaped yet, so the number of its group cannot belong to anybody else.
    kill_process_group(pid, Signal::KILL).ok();
    let status = child.wait().map_err(ProcessError::system("watched"))?;
    Ok(forced.unwrap_or_else(|| match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }))
}

/// Whether the process ended. It is not reaped.
fn ended(pid: Pid) -> Result<bool, ProcessError> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), options) {
        Ok(status) => Ok(status.is_some()),
        Err(error) => Err(ProcessError::System { doing: "watched", source: error.into() }),
    }
}

/// Short waits that grow, so that a quick program is noticed quickly and a slow one costs nothing.
struct Nap(Duration);

impl Nap {
    fn new() -> Self {
        Self(Duration::from_millis(1))
    }

    fn take(&mut self) {
        std::thread::sleep(self.0);
        self.0 = self.0.saturating_mul(2).min(Duration::from_millis(20));
    }
}

/// Kills processes whose environment names `private`: those that left the process group.
fn kill_leftovers(private: &Path) {
    // LIMIT: rounds, in case a leftover starts others while it is being killed.
    for _ in 0..8 {
        let leftovers = leftovers(private);
        if leftovers.is_empty() {
            return;
        }
        for pid in leftovers {
            kill_process(pid, Signal::KILL).ok();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn leftovers(private: &Path) -> Vec<Pid> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut mark = b"HOME=".to_vec();
    mark.extend_from_slice(private.join("home").as_os_str().as_bytes());
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let marked = |pid: &i32| {
        let environment = std::fs::read(PathBuf::from(format!("/proc/{pid}/environ"))).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark)
    };
    numbers.filter(marked).filter_map(Pid::from_raw).collect()
}

/// What is being printed, read by its own thread.
struct Collector {
    output: std::sync::Arc<std::sync::Mutex<output::Recorder>>,
    done: mpsc::Receiver<()>,
}

fn collect(mut reader: std::io::PipeReader, bytes_max: usize) -> Collector {
    let output = std::sync::Arc::new(std::sync::Mutex::new(output::Recorder::new(bytes_max)));
    let (finished, done) = mpsc::channel();
    let recorder = std::sync::Arc::clone(&output);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count) = reader.read(&mut buffer) {
            let (Some(bytes), Ok(mut recorder)) = (buffer.get(..count), recorder.lock()) else { break };
            if bytes.is_empty() {
                break;
            }
            recorder.take(bytes);
        }
        finished.send(()).ok();
    });
    Collector { output, done }
}

impl Collector {
    /// Bytes that were printed so far.
    fn total(&self) -> u64 {
        self.output.lock().map_or(0, |recorder| recorder.total())
    }

    /// What was printed. A process that escaped may hold the pipe open: it is not waited for longer than two seconds.
    fn finish(self) -> Output {
        let complete = self.done.recv_timeout(Duration::from_secs(2)).is_ok();
        match self.output.lock() {
            Ok(recorder) => recorder.output(complete),
            Err(poisoned) => poisoned.into_inner().output(false),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
