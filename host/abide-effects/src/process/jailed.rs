//! Running a check in a jail: the same watch over time, output and the kill switch, around a process that something else walls in.
//!
//! [`Jail`] is a port: what the walls are is not known here. What a jail reports is believed, what the program in it says is not.

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::egress::Door;

use super::{Host, Nap, Output, ProcessError, ProcessLimits, collect, ended};

/// LIMIT: milliseconds that a jail may take to end all that is in it, after it was asked to.
const END_MS_MAX: u64 = 15_000;

/// What is put into a jail.
#[derive(Debug)]
pub struct Cell<'a> {
    /// Program and arguments. No shell looks at them.
    pub argv: &'a [String],
    /// Environment, besides `HOME` and `TMPDIR`.
    pub env: BTreeMap<String, String>,
    /// The work tree, which may be written.
    pub work: &'a Path,
    /// Folder of the work tree to start in.
    pub start: Option<&'a Path>,
    /// A private folder for `HOME` and `TMPDIR`.
    pub private: &'a Path,
    /// What else may be read, beside what every check sees.
    pub read: &'a [PathBuf],
    /// Bounds.
    pub limits: ProcessLimits,
    /// The way to the network; none at all for `None`.
    pub door: Option<&'a Door>,
}

/// Starts programs behind walls.
pub trait Jail: std::fmt::Debug {
    /// Starts one that prints to `output`. Its outer process leads a process group.
    fn start(&self, cell: &Cell<'_>, output: PipeWriter) -> Result<Box<dyn Inmate>, JailFault>;
}

/// A program in a jail.
pub trait Inmate: std::fmt::Debug {
    /// The listener of the jail's way out, once, if it was asked for and there is one.
    fn take_exit(&mut self) -> Option<TcpListener>;
    /// The outer process, a child of this one. It ends after everything that is inside.
    fn pid(&self) -> Pid;
    /// Asks for the end of everything inside, at once.
    fn end(&self);
    /// Waits for the end, and takes the report.
    fn report(self: Box<Self>) -> Result<Report, JailFault>;
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct JailFault {
    /// The code for `ab explain`.
    pub code: &'static str,
    /// What happened.
    pub what: String,
}

/// What a jail says of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Names of the walls that stood, sorted.
    pub walls: Vec<String>,
    /// How it came out.
    pub came: Came,
    /// What it asked for that is not there; no fault by itself.
    pub missed: Vec<String>,
}

/// How a program in a jail came out, by itself or by the jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It ended with this status.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was never started, for this reason.
    Unstarted(String),
    /// It tried to get out, in these ways.
    Breach(Vec<String>),
    /// It took more than its caps.
    Exhausted(String),
    /// It ran out of time.
    Timeout,
    /// It was cancelled.
    Cancelled,
}

/// A program that was in a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jailed {
    /// What the jail says.
    pub report: Report,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// What it printed, both streams in the order of writing.
    pub output: Output,
}

/// Runs what is in `cell` to its end. `cancelled` is asked every few milliseconds; once it says yes, everything inside is killed.
pub fn run_jailed(
    cell: &Cell<'_>,
    jail: &dyn Jail,
    host: &Host<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Jailed, ProcessError> {
    if cell.argv.is_empty() {
        return Err(ProcessError::Empty);
    }
    let start = (host.monotonic_ms)();
    let (reader, writer) = std::io::pipe().map_err(ProcessError::system("watched"))?;
    let mut inmate = jail.start(cell, writer)?;
    let serving = match (cell.door, inmate.take_exit()) {
        (Some(door), Some(listener)) => {
            Some(door.serve(listener).map_err(ProcessError::system("given its way out"))?)
        }
        // Without a listener the jail starts nothing, and its report says why.
        (Some(_) | None, _) => None,
    };
    let output = collect(reader, cell.limits.output_bytes_max);
    let deadline = start.saturating_add(cell.limits.wall_ms_max);
    let printed_max = cell.limits.printed_bytes_max;
    let mut nap = Nap::new();
    let forced = loop {
        if ended(inmate.pid())? {
            break None;
        }
        if cancelled() {
            break Some(Came::Cancelled);
        }
        if (host.monotonic_ms)() >= deadline {
            break Some(Came::Timeout);
        }
        if output.total() > printed_max {
            break Some(Came::Exhausted(format!("it printed more than {printed_max} bytes")));
        }
        nap.take();
    };
    if forced.is_some() {
        finish(&*inmate, cell.limits.grace_ms, host)?;
    }
    let report = inmate.report();
    drop(serving);
    let wall_ms = (host.monotonic_ms)().saturating_sub(start);
    let printed = output.finish();
    let report = match (forced, report) {
        // What was ended from here need not have told anything.
        (Some(came), Err(_)) => Report { walls: Vec::new(), came, missed: Vec::new() },
        (Some(came), Ok(report)) => Report { came, ..report },
        (None, report) => report?,
    };
    Ok(Jailed { report, wall_ms, output: printed })
}

/// Asks what is inside to end, waits, and then has all of it ended.
fn finish(inmate: &dyn Inmate, grace_ms: u64, host: &Host<'_>) -> Result<(), ProcessError> {
    // Failing means that it is gone already, which the wait below finds.
    kill_process_group(inmate.pid(), Signal::TERM).ok();
    if until(inmate.pid(), grace_ms, host)? {
        return Ok(());
    }
    inmate.end();
    if until(inmate.pid(), END_MS_MAX, host)? {
        return Ok(());
    }
    kill_process_group(inmate.pid(), Signal::KILL).ok();
    Ok(())
}

/// Whether the process ended within `ms` milliseconds.
fn until(pid: Pid, ms: u64, host: &Host<'_>) -> Result<bool, ProcessError> {
    let deadline = (host.monotonic_ms)().saturating_add(ms);
    let mut nap = Nap::new();
    loop {
        if ended(pid)? {
            return Ok(true);
        }
        if (host.monotonic_ms)() >= deadline {
            return Ok(false);
        }
        nap.take();
    }
}
