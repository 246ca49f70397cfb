//! No page becomes executable: what a process gives up from the start where its worker is interpreted, and once it has its code where it is not.
//!
//! Two things refuse, each by itself: the kernel's memory-deny-write-execute (`PR_SET_MDWE`, Linux 6.3), for the whole process, and a seccomp filter
//! over the calls that name a page's protection, for its threads. MDWE lets a file be mapped executable that was written before, also one in
//! memory; the filter does not.

use std::collections::BTreeMap;
use std::io;

use rustix::mm::ProtFlags;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::walls::{Attempt, Wall, attempt};

/// The name of this wall in policies.
pub const WALL: &str = "no-exec";

/// Raises the wall in a process with one thread. To be called before the filter that refuses the calls that this takes.
pub(super) fn raise() -> Wall {
    let (kernel, filter) = (danger::deny(0), refuse_executable(&[], Threads::This));
    let (stands, what) = match (&kernel, &filter) {
        (Ok(()), Ok(())) => (true, "no page is or becomes executable (MDWE, seccomp)".to_owned()),
        (Err(_), Ok(())) => {
            (true, "no page is or becomes executable (seccomp; MDWE takes Linux 6.3)".to_owned())
        }
        (Ok(()), Err(error)) => (
            true,
            format!("no page that was written becomes executable (MDWE); files in memory could: {error}"),
        ),
        (Err(kernel), Err(filter)) => (false, format!("no MDWE: {kernel}; no filter: {filter}")),
    };
    Wall { name: WALL.to_owned(), stands, what }
}

/// The wall where workers run as machine code: it stands only if whoever started this process raised it, and then no machine code runs.
pub(super) fn not_raised() -> Wall {
    let (stands, what) = match danger::written_made_executable() {
        Ok(()) => (
            false,
            "workers run as machine code; once it is loaded, no other page becomes executable \
             (--no-exec interprets them)",
        ),
        Err(_) => (true, "this host makes no page executable: workers run with --no-exec alone"),
    };
    Wall { name: WALL.to_owned(), stands, what: what.to_owned() }
}

/// The calls that [`seal`] takes, and that a process may have until then: each only ever gives something up.
pub(super) fn calls_of_seal() -> io::Result<Vec<(libc::c_long, Vec<SeccompRule>)>> {
    let is = |value: u64| rule(0, SeccompCmpOp::Eq, value);
    let number = |value: libc::c_int| u64::try_from(value).map_err(io::Error::other);
    let mode = u64::from(libc::SECCOMP_SET_MODE_FILTER);
    let prctl = vec![is(number(libc::PR_SET_MDWE)?)?, is(number(libc::PR_SET_NO_NEW_PRIVS)?)?];
    Ok(vec![(libc::SYS_prctl, prctl), (libc::SYS_seccomp, vec![is(mode)?])])
}

/// Gives up new executable pages for good, in every thread: the code that this process runs is there.
pub(super) fn seal() -> io::Result<()> {
    // The filter is what holds; a kernel without MDWE has it as well.
    drop(danger::deny(0));
    refuse_executable(&[libc::SYS_prctl, libc::SYS_seccomp], Threads::All)
}

/// From here on no page of this process becomes executable. What it starts is free to: a check may bring a compiler of its own.
///
/// An error where the kernel has no such thing (before Linux 6.6).
pub fn deny_executable_pages_here() -> io::Result<()> {
    danger::deny(libc::PR_MDWE_NO_INHERIT)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    This,
    All,
}

/// Refuses every call that would make a page executable, and those in `more`.
fn refuse_executable(more: &[libc::c_long], threads: Threads) -> io::Result<()> {
    let executable = u64::from(ProtFlags::EXEC.bits());
    let asks = || rule(2, SeccompCmpOp::MaskedEq(executable), executable);
    let shared = u64::try_from(libc::SHM_EXEC).map_err(io::Error::other)?;
    let mut calls = BTreeMap::from([
        (libc::SYS_mmap, vec![asks()?]),
        (libc::SYS_mprotect, vec![asks()?]),
        (libc::SYS_pkey_mprotect, vec![asks()?]),
        (libc::SYS_shmat, vec![rule(2, SeccompCmpOp::MaskedEq(shared), shared)?]),
    ]);
    calls.extend(more.iter().map(|call| (*call, Vec::new())));
    let refused = SeccompAction::Errno(u32::try_from(libc::EACCES).unwrap_or(1));
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter =
        SeccompFilter::new(calls, SeccompAction::Allow, refused, target).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    match threads {
        Threads::This => seccompiler::apply_filter(&program),
        Threads::All => seccompiler::apply_filter_all_threads(&program),
    }
    .map_err(io::Error::other)
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(io::Error::other)
}

/// Tries to come by a page that can be executed.
pub(super) fn attempts() -> Vec<Attempt> {
    let written = ProtFlags::READ | ProtFlags::WRITE;
    let executed = ProtFlags::READ | ProtFlags::EXEC;
    let file = || {
        let file = rustix::fs::memfd_create("abide-was-here", rustix::fs::MemfdFlags::CLOEXEC)?;
        rustix::io::write(&file, &[0xc3])?;
        danger::map(executed, Some(&file))
    };
    vec![
        attempt("map a page to write and execute", danger::map(written | ProtFlags::EXEC, None)),
        attempt("make a page executable that it wrote", danger::written_made_executable()),
        attempt("execute a file in memory", file()),
    ]
}

mod danger {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::ptr;

    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};

    const PAGE: usize = 4096;

    /// Asks the kernel to refuse executable pages that were writable, now and later.
    #[expect(unsafe_code, reason = "no library has this call yet")]
    pub(super) fn deny(more: libc::c_uint) -> io::Result<()> {
        let call = |option: libc::c_int, flags: libc::c_uint| {
            let (flags, none) = (libc::c_ulong::from(flags), libc::c_ulong::from(0_u32));
            // SAFETY: the call takes numbers, touches no memory of ours and changes no mapping that there is.
            let answer = unsafe { libc::prctl(option, flags, none, none, none) };
            if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
        };
        match call(libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN | more) {
            Ok(_) => Ok(()),
            // One that was inherited stays, and stays as it is.
            Err(error) => match call(libc::PR_GET_MDWE, 0) {
                Ok(held) if held > 0 => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// A new page of anonymous memory, or of a file. It is left behind: this is tried in processes that end.
    #[expect(unsafe_code, reason = "the attempt that a wall must refuse")]
    pub(super) fn map(protection: ProtFlags, file: Option<&OwnedFd>) -> io::Result<*mut libc::c_void> {
        // SAFETY: without an address the kernel takes one that nothing else has, and nobody reads, writes or runs what is there.
        Ok(unsafe {
            match file {
                Some(file) => mmap(ptr::null_mut(), PAGE, protection, MapFlags::PRIVATE, file, 0)?,
                None => mmap_anonymous(ptr::null_mut(), PAGE, protection, MapFlags::PRIVATE)?,
            }
        })
    }

    /// A page that was writable and is made executable.
    #[expect(unsafe_code, reason = "the attempt that a wall must refuse")]
    pub(super) fn written_made_executable() -> io::Result<()> {
        let page = map(ProtFlags::READ | ProtFlags::WRITE, None)?;
        // SAFETY: the page was mapped just now, and nothing else refers to it, neither before nor when it is gone.
        unsafe {
            let tried = mprotect(page, PAGE, MprotectFlags::READ | MprotectFlags::EXEC);
            munmap(page, PAGE)?;
            Ok(tried?)
        }
    }
}
