//! What a runner gives up before it reads anything. Each wall is tried by itself: one that a host has not is reported, never pretended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, LandlockStatus, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetStatus, Scope,
};
use nix::errno::Errno;
use nix::sched::CloneFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use serde::{Deserialize, Serialize};

use super::no_exec;
use crate::engine::Execution;

/// A wall around a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// Its name in policies: `bounds`, `namespaces`, `landlock`, `seccomp`, `no-exec`.
    pub name: String,
    /// Whether it stands.
    pub stands: bool,
    /// What it keeps out, or why it does not stand.
    pub what: String,
}

/// Something that a runner tried and that must not be possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What.
    pub what: String,
    /// How it was refused; `None` if it was possible.
    pub refused: Option<String>,
}

/// Gives up everything that running a component in this way does not take.
pub(super) fn confine(execution: Execution) -> Vec<Wall> {
    let bounds = wall("bounds", "no core file, no file of others, not to be traced", bounds());
    let namespaces = wall(
        "namespaces",
        "user, network, IPC, host name and mounts of its own: no network device, no rights of a user",
        namespaces(),
    );
    // Without new privileges, neither of the next two can be asked for by who is not root.
    let privileges = rustix::thread::set_no_new_privs(true).map_err(io::Error::from);
    let landlock = privileges.and_then(|()| landlock());
    let (stands, what) = match landlock {
        Ok(what) => (true, what),
        Err(error) => (false, error.to_string()),
    };
    let landlock = Wall { name: "landlock".to_owned(), stands, what };
    // Before the next one, which refuses what raising it takes.
    let no_exec = match execution {
        Execution::Native => no_exec::not_raised(),
        Execution::Interpreted => no_exec::raise(),
    };
    let seccomp = wall("seccomp", "no file, socket or program can be opened", seccomp(execution));
    vec![bounds, namespaces, landlock, seccomp, no_exec]
}

fn wall(name: &str, what: &str, raised: io::Result<()>) -> Wall {
    let (stands, what) = match raised {
        Ok(()) => (true, what.to_owned()),
        Err(error) => (false, error.to_string()),
    };
    Wall { name: name.to_owned(), stands, what }
}

/// Closes what the program was started with beyond its three customary files. To be called before anything was opened.
pub(crate) fn close_what_was_inherited() {
    danger::close_beyond_the_third();
}

mod danger {
    /// Closes every file descriptor from 3 on. Where the kernel cannot (before Linux 5.9), they are counted afterwards, and told.
    #[expect(unsafe_code, reason = "descriptors that nobody here opened have no owner that could close them")]
    pub(super) fn close_beyond_the_third() {
        // SAFETY: closing a descriptor that something in this process owns would let it be used for another file. This is called first in a
        // program that has one thread and has opened nothing; its three customary files are not touched. The call takes three numbers.
        let _closed: libc::c_long = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    }
}

/// Files that a runner has open when it begins: three by custom, its socket a second time, and the folder in which they are counted.
const DESCRIPTORS: usize = 5;

/// No core files, nothing to be read by others of the same user.
fn bounds() -> io::Result<()> {
    let held = std::fs::read_dir("/proc/self/fd")?.count();
    if held > DESCRIPTORS {
        let more = held.saturating_sub(DESCRIPTORS);
        return Err(io::Error::other(format!("it was started with {more} open files that are not its own")));
    }
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// No more than `bytes` of memory to write to. What is only reserved does not count.
pub(super) fn bound_memory(bytes: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?)
}

/// A user of no rights, in a network of no devices.
fn namespaces() -> io::Result<()> {
    let away = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNS;
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | away).map_err(no_namespace)
}

/// Why no namespace was to be had. What the kernel calls it would send a person to look for a full disk.
pub(crate) fn no_namespace(errno: Errno) -> io::Error {
    if errno == Errno::ENOSPC {
        io::Error::other("this host allows no more user namespaces (sysctl user.max_user_namespaces)")
    } else if errno == Errno::EPERM {
        io::Error::other(
            "this host allows no user namespaces (AppArmor, or sysctl kernel.unprivileged_userns_clone)",
        )
    } else {
        errno.into()
    }
}

/// No path can be opened, no port bound or reached, no process outside of the runner signalled.
pub(super) fn landlock() -> io::Result<String> {
    let newest = ABI::V6;
    let made = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .and_then(RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    let abi = abi(made.landlock);
    match made.ruleset {
        RulesetStatus::FullyEnforced => Ok(format!("no path, no port, no signal ({abi})")),
        RulesetStatus::PartiallyEnforced => {
            Ok(format!("no path; this kernel has not all of it: ports from ABI 4, signals from 6 ({abi})"))
        }
        RulesetStatus::NotEnforced => Err(io::Error::other(abi)),
    }
}

/// What this kernel has of it, in words.
fn abi(status: LandlockStatus) -> String {
    match status {
        LandlockStatus::Available { effective_abi, kernel_abi: None } => {
            format!("Landlock ABI {effective_abi}")
        }
        LandlockStatus::Available { kernel_abi: Some(kernel), .. } => format!("Landlock ABI {kernel}"),
        LandlockStatus::NotEnabled => "it is switched off in this kernel (boot parameter lsm=)".to_owned(),
        LandlockStatus::NotImplemented => "this kernel has none (before Linux 5.13)".to_owned(),
    }
}

/// What running a component takes. Everything else is refused with `EPERM`.
const CALLS: &[libc::c_long] = &[
    // The sockets that it was given.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_shutdown,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    // Memory; a component's first memory is an image in memory that instances share.
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads of its own.
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_tgkill,
    // Traps arrive as signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time, chance, sizes.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_prlimit64,
];

/// Calls beyond the list are refused; a thread may be started, a process may not.
pub(super) fn seccomp(execution: Execution) -> io::Result<()> {
    let refuse = |errno: i32| SeccompAction::Errno(u32::try_from(errno).unwrap_or(1));
    let thread = u64::try_from(libc::CLONE_THREAD).unwrap_or_default();
    let is_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), thread)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(io::Error::other)?;
    let mut calls: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    calls.insert(libc::SYS_clone, vec![is_thread]);
    if execution == Execution::Native {
        calls.extend(no_exec::calls_of_seal()?);
    }
    // Its flags stand in memory, where a filter cannot look: the C library takes `clone` where this one is not there.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    // The stricter answer of the two counts, whichever came first; after the second one there is no third.
    apply(newer, SeccompAction::Allow, refuse(libc::ENOSYS))?;
    apply(calls, refuse(libc::EPERM), SeccompAction::Allow)
}

fn apply(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    named: SeccompAction,
) -> io::Result<()> {
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(calls, otherwise, named, target).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// Tries to get out.
pub(super) fn attempts() -> Vec<Attempt> {
    vec![
        attempt("read a file", File::open("/etc/passwd")),
        attempt("read what this process is", File::open("/proc/self/environ")),
        attempt("write a file", File::create("/tmp/abide-was-here")),
        attempt("list a folder", std::fs::read_dir("/")),
        attempt("reach the loopback address", TcpStream::connect(("127.0.0.1", 9))),
        attempt("open a local socket", UnixDatagram::unbound()),
        attempt(
            "make another process traceable",
            set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(Into::into),
        ),
        attempt("enter another namespace", nix::sched::unshare(CloneFlags::CLONE_NEWNS).map_err(Into::into)),
        attempt(
            "signal its parent",
            rustix::process::test_kill_process(rustix::process::Pid::INIT).map_err(Into::into),
        ),
        start_a_program(),
    ]
}

/// What came of trying something.
pub(super) fn attempt<T>(what: &str, tried: io::Result<T>) -> Attempt {
    Attempt { what: what.to_owned(), refused: tried.err().map(|error| error.to_string()) }
}

#[expect(clippy::disallowed_methods, reason = "the attempt that a wall must refuse")]
fn start_a_program() -> Attempt {
    let tried = std::process::Command::new("/bin/true").spawn();
    Attempt { what: "start a program".to_owned(), refused: tried.err().map(|error| error.to_string()) }
}
