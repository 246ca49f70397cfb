//! Memory and processes of a jail, added up. It needs no right and no control group; what it costs is said in the decision record.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::report::Over;
use super::start::CellLimits;

/// LIMIT: milliseconds between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// A process, as `/proc` tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    pub(super) pid: i32,
    parent: i32,
    threads: u64,
    /// Bytes that are its own: anonymous memory and shared memory, not mapped files.
    bytes: u64,
}

/// Threads of this user on this host: what the kernel counts where there is no user namespace.
pub(super) fn threads_of_this_user() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let me = rustix::process::getuid().as_raw();
    let is_mine =
        |one: &&Process| std::fs::metadata(format!("/proc/{}", one.pid)).is_ok_and(|meta| meta.uid() == me);
    processes().iter().filter(is_mine).fold(0, |sum, one| sum.saturating_add(one.threads))
}

/// Every process that is to be seen.
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn process(pid: i32) -> Option<Process> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
    };
    let kib = number("RssAnon:").unwrap_or(0).saturating_add(number("RssShmem:").unwrap_or(0));
    Some(Process {
        pid,
        parent: i32::try_from(number("PPid:")?).ok()?,
        threads: number("Threads:").unwrap_or(1),
        bytes: kib.saturating_mul(1024),
    })
}

/// What belongs to the jail: everything, where it has a PID namespace; or else what is below its outer process, which adopts what loses its parent.
fn inmates(own_namespace: bool) -> Vec<Process> {
    let me = rustix::process::getpid();
    let mut all = match rustix::process::getppid() {
        Some(outer) if !own_namespace => below(outer),
        _ => processes(),
    };
    all.retain(|one| one.pid != me.as_raw_nonzero().get());
    all
}

/// The descendants of a process.
pub(super) fn below(top: Pid) -> Vec<Process> {
    let all = processes();
    let mut parents = vec![top.as_raw_nonzero().get()];
    let mut found = Vec::new();
    while let Some(parent) = parents.pop() {
        for one in all.iter().filter(|one| one.parent == parent && one.pid != parent) {
            parents.push(one.pid);
            found.push(*one);
        }
    }
    found
}

/// Kills everything in the jail but this process, at once, where it has no PID namespace: what may be signalled at all is then the jail, by
/// Landlock. That this is so is tried on the outer process first, for else it would be everything of this user.
pub(super) fn sweep() {
    let outer = rustix::process::getppid().map(rustix::process::test_kill_process);
    if matches!(outer, Some(Err(rustix::io::Errno::PERM))) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), nix::sys::signal::Signal::SIGKILL).ok();
    }
}

/// Which cap was reached, if one was.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached(Arc<AtomicU8>);

impl Reached {
    pub(super) fn over(&self) -> Option<Over> {
        match self.0.load(Ordering::SeqCst) {
            1 => Some(Over::Memory),
            2 => Some(Over::Processes),
            _ => None,
        }
    }
}

/// Looks from a thread of its own, and ends the check when a cap is reached.
pub(super) fn start(check: Pid, limits: CellLimits, own_namespace: bool) -> io::Result<Reached> {
    let reached = Reached::default();
    let flag = reached.clone();
    std::thread::Builder::new().spawn(move || {
        loop {
            std::thread::sleep(LOOK_EVERY);
            let all = inmates(own_namespace);
            let bytes = all.iter().fold(0_u64, |sum, one| sum.saturating_add(one.bytes));
            let threads = all.iter().fold(0_u64, |sum, one| sum.saturating_add(one.threads));
            let over = if bytes > limits.memory_bytes_max {
                1
            } else if threads > limits.processes_max {
                2
            } else {
                continue;
            };
            flag.0.store(over, Ordering::SeqCst);
            if !own_namespace {
                sweep();
            }
            kill_process(check, Signal::KILL).ok();
        }
    })?;
    Ok(reached)
}
