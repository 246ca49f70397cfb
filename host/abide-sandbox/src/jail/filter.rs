//! Calls to the kernel that no check takes, and those that are answered by the jail.
//!
//! A list of what is refused, not of what is allowed: checks are any program. What it lists leads to other namespaces, to other processes, to the kernel's
//! insides, or around this very filter.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::told;

/// Refused without a word: programs ask for these by habit and do without.
const SILENT: &[libc::c_long] = &[
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];
/// Said not to be there. What `clone3` is told stands in memory, where a filter cannot look: the C library takes `clone` instead. What `io_uring` does,
/// no filter sees.
const ABSENT: &[libc::c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
/// Refused, and named.
pub(super) const NAMED: &[(libc::c_long, &str)] = &[
    (libc::SYS_mount, "mount a file system"),
    (libc::SYS_umount2, "unmount a file system"),
    (libc::SYS_move_mount, "mount a file system"),
    (libc::SYS_open_tree, "mount a file system"),
    (libc::SYS_fsopen, "mount a file system"),
    (libc::SYS_fsmount, "mount a file system"),
    (libc::SYS_fsconfig, "mount a file system"),
    (libc::SYS_fspick, "mount a file system"),
    (libc::SYS_mount_setattr, "mount a file system"),
    (libc::SYS_pivot_root, "change its root folder"),
    (libc::SYS_chroot, "change its root folder"),
    (libc::SYS_setns, "enter another namespace"),
    (libc::SYS_unshare, "make a namespace"),
    (libc::SYS_clone, "make a namespace"),
    (libc::SYS_ptrace, "trace a process"),
    (libc::SYS_process_vm_readv, "read the memory of a process"),
    (libc::SYS_process_vm_writev, "write the memory of a process"),
    (libc::SYS_pidfd_getfd, "take an open file of a process"),
    (libc::SYS_open_by_handle_at, "open a file without its path"),
    (libc::SYS_bpf, "load a program into the kernel"),
    (libc::SYS_init_module, "load a module into the kernel"),
    (libc::SYS_finit_module, "load a module into the kernel"),
    (libc::SYS_delete_module, "remove a module of the kernel"),
    (libc::SYS_kexec_load, "start another kernel"),
    (libc::SYS_kexec_file_load, "start another kernel"),
    (libc::SYS_reboot, "restart the host"),
    (libc::SYS_swapon, "change the host's swap space"),
    (libc::SYS_swapoff, "change the host's swap space"),
    (libc::SYS_acct, "change the host's accounting"),
    (libc::SYS_quotactl, "change the host's quotas"),
    (libc::SYS_settimeofday, "set the host's clock"),
    (libc::SYS_clock_settime, "set the host's clock"),
    (libc::SYS_sethostname, "rename the host"),
    (libc::SYS_syslog, "read the kernel's log"),
];
/// Flags of `clone` and `unshare` that make a namespace.
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80,
];

type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Raises the filter. With `own_network` sockets may be made, and who they connect to is asked; without, none may be.
///
/// With `nests` namespaces may be made. The answer is where questions arrive, or why nobody can be asked: then what would be asked is refused without a name.
pub(super) fn raise(own_network: bool, nests: bool) -> io::Result<Result<OwnedFd, String>> {
    let absent = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    apply(&guarded(compile(absent, errno(libc::ENOSYS))?))?;
    apply(&compile(silent(own_network)?, errno(libc::EPERM))?)?;
    match told::listen(&asking(compile(named(own_network, true, nests)?, SeccompAction::Trace(MARK))?)) {
        Ok(questions) => Ok(Ok(questions)),
        Err(error) => {
            apply(&compile(named(own_network, false, nests)?, errno(libc::EPERM))?)?;
            Ok(Err(error.to_string()))
        }
    }
}

fn silent(own_network: bool) -> io::Result<Calls> {
    let mut calls: Calls = SILENT.iter().map(|call| (*call, Vec::new())).collect();
    // Typing into a terminal of the host.
    let request = |number: u64| rule(&[(1, SeccompCmpOp::Eq, number)]);
    calls.insert(libc::SYS_ioctl, vec![request(libc::TIOCSTI)?, request(libc::TIOCLINUX)?]);
    calls.insert(libc::SYS_socket, vec![rule(&[(0, SeccompCmpOp::Eq, number(libc::AF_NETLINK))])?]);
    if !own_network {
        // A socket of a pair that keeps no connection could still send to any path.
        let kind = |kind: i32| rule(&[(1, SeccompCmpOp::MaskedEq(0xf), number(kind))]);
        calls.insert(libc::SYS_socketpair, vec![kind(libc::SOCK_DGRAM)?, kind(libc::SOCK_RAW)?]);
    }
    Ok(calls)
}

fn named(own_network: bool, can_ask: bool, nests: bool) -> io::Result<Calls> {
    let mut calls: Calls = NAMED.iter().map(|(call, _)| (*call, Vec::new())).collect();
    let flags = |arg| -> io::Result<Vec<SeccompRule>> {
        NAMESPACES
            .iter()
            .map(|flag| rule(&[(arg, SeccompCmpOp::MaskedEq(number(*flag)), number(*flag))]))
            .collect()
    };
    if nests {
        // What it makes it makes within a user namespace of its own; mounts stay refused.
        for call in [libc::SYS_unshare, libc::SYS_clone, libc::SYS_chroot] {
            calls.remove(&call);
        }
    } else {
        calls.insert(libc::SYS_unshare, flags(0)?);
        calls.insert(libc::SYS_clone, flags(0)?);
    }
    let other_than = |families: &[i32]| {
        let each: Vec<_> = families.iter().map(|family| (0, SeccompCmpOp::Ne, number(*family))).collect();
        rule(&each)
    };
    let mut families = vec![libc::AF_NETLINK];
    if own_network {
        families.extend([libc::AF_UNIX, libc::AF_INET, libc::AF_INET6]);
    }
    calls.insert(libc::SYS_socket, vec![other_than(&families)?]);
    if can_ask || !own_network {
        calls.insert(libc::SYS_connect, Vec::new());
        calls.insert(libc::SYS_sendto, vec![rule(&[(4, SeccompCmpOp::Ne, 0)])?]);
    }
    Ok(calls)
}

fn number(value: i32) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// A rule over arguments, all of which must hold.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> io::Result<SeccompRule> {
    let conditions: Result<Vec<_>, _> = conditions
        .iter()
        .map(|(index, operator, value)| {
            // Small numbers are passed as 32 bits: what stands above them is left over from something else.
            let length = if *index == 4 { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
            SeccompCondition::new(*index, length, operator.clone(), *value)
        })
        .collect();
    conditions.and_then(SeccompRule::new).map_err(io::Error::other)
}

fn errno(value: i32) -> SeccompAction {
    SeccompAction::Errno(u32::try_from(value).unwrap_or(1))
}

fn compile(calls: Calls, named: SeccompAction) -> io::Result<BpfProgram> {
    let target = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, named, target).map_err(io::Error::other)?;
    BpfProgram::try_from(filter).map_err(io::Error::other)
}

fn apply(program: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(program).map_err(io::Error::other)
}

/// Instructions of classic BPF, from `linux/bpf_common.h`.
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// What [`SeccompAction::Trace`] is given, to find its return again.
const MARK: u32 = 0x0abd;

/// The same program, which asks where it would have had a debugger told: the crate that compiles it does not know this answer.
fn asking(mut program: BpfProgram) -> BpfProgram {
    for one in &mut program {
        if one.code == RETURN && one.k == libc::SECCOMP_RET_TRACE | MARK {
            one.k = libc::SECCOMP_RET_USER_NOTIF;
        }
    }
    program
}

/// The same program, and before it a refusal of the second numbering that x86-64 has for its calls (x32), which no list names.
fn guarded(program: BpfProgram) -> BpfProgram {
    if !cfg!(target_arch = "x86_64") {
        return program;
    }
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let mut all = vec![
        sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: 0x4000_0000 },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: refused },
    ];
    all.extend(program);
    all
}
