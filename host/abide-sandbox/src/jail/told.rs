//! What a check tries in order to get out, in words. A call that would lead out stops in the kernel, and is answered here.
//!
//! A name is only a name: what is written in the check's memory may change after it was read. What keeps it in are the namespaces and the filter, and an answer of
//! "go on" is given only where going on leads nowhere.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use seccompiler::BpfProgram;

use super::filter::NAMED;
use crate::runner::lock;
use crate::text::clean_line;

/// LIMIT: how many things are named.
const NAMES_MAX: usize = 16;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 160;
/// Bytes of the longest address of a socket.
const ADDRESS_BYTES_MAX: usize = 128;
/// Local sockets that the C library and its like ask for by themselves, and do without.
const HABITS: [&str; 6] =
    ["/var/run/nscd/", "/run/nscd/", "/run/systemd/", "/dev/log", "/var/run/setrans/", "/run/dbus/"];

/// What was heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<(Vec<String>, Vec<String>)>>);

impl Heard {
    /// What was tried, and what was not there.
    pub(super) fn all(&self) -> (Vec<String>, Vec<String>) {
        lock(&self.0).clone()
    }

    fn tried(&self, what: &str) {
        keep(&mut lock(&self.0).0, what);
    }

    fn missed(&self, what: &str) {
        keep(&mut lock(&self.0).1, what);
    }
}

fn keep(names: &mut Vec<String>, what: &str) {
    let what = clean_line(what, NAME_BYTES_MAX);
    if names.len() < NAMES_MAX && !names.contains(&what) {
        names.push(what);
    }
}

/// What the jail has of its own, where a call may go on.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) own_network: bool,
    /// Folders whose local sockets are the check's own; none where files are the host's.
    pub(super) folders: Vec<PathBuf>,
}

/// An answer to a call.
enum Answer {
    GoOn,
    Refuse(i32),
}

/// Raises a filter that asks; the questions arrive at what comes back.
pub(super) fn listen(program: &BpfProgram) -> io::Result<OwnedFd> {
    danger::filter_with_listener(program)
}

/// Answers from a thread of its own.
pub(super) fn answer(questions: OwnedFd, ground: Ground) -> io::Result<Heard> {
    let heard = Heard::default();
    let ear = heard.clone();
    std::thread::Builder::new().spawn(move || {
        while let Ok(asked) = danger::next(&questions) {
            let answer = judged(&asked, &ground, &ear);
            // Who asked may be gone.
            drop(danger::answer(&questions, asked.id, &answer));
        }
    })?;
    Ok(heard)
}

fn judged(asked: &libc::seccomp_notif, ground: &Ground, heard: &Heard) -> Answer {
    let args = asked.data.args;
    let call = libc::c_long::from(asked.data.nr);
    match call {
        libc::SYS_connect => to(&address(asked.pid, args[1], args[2]), ground, heard),
        libc::SYS_sendto => to(&address(asked.pid, args[4], args[5]), ground, heard),
        libc::SYS_socket => {
            heard.tried(&format!("open a socket of {}", family(args[0])));
            Answer::Refuse(libc::EAFNOSUPPORT)
        }
        other => {
            let name = NAMED
                .iter()
                .find(|(call, _)| *call == other)
                .map_or("make a refused call", |(_, name)| *name);
            heard.tried(name);
            Answer::Refuse(libc::EPERM)
        }
    }
}

fn family(number: u64) -> String {
    let name = |family: i32| u64::try_from(family).is_ok_and(|family| family == number);
    let known = [
        (libc::AF_INET, "the internet (IPv4)"),
        (libc::AF_INET6, "the internet (IPv6)"),
        (libc::AF_UNIX, "the host (AF_UNIX)"),
        (libc::AF_PACKET, "raw packets (AF_PACKET)"),
        (libc::AF_VSOCK, "the hypervisor (AF_VSOCK)"),
    ];
    known
        .into_iter()
        .find(|(family, _)| name(*family))
        .map_or_else(|| format!("address family {number}"), |(_, name)| name.to_owned())
}

/// Where something is sent to.
enum Place {
    Internet(SocketAddr),
    File(PathBuf),
    Abstract(Vec<u8>),
    Nowhere,
    Unread,
}

/// The address that a process of the check passed.
fn address(pid: u32, at: u64, bytes: u64) -> Place {
    let mut space = [0_u8; ADDRESS_BYTES_MAX];
    let length = usize::try_from(bytes & 0xffff_ffff).unwrap_or(usize::MAX).min(ADDRESS_BYTES_MAX);
    let Some(room) = space.get_mut(..length) else { return Place::Unread };
    let read = File::open(format!("/proc/{pid}/mem")).and_then(|memory| memory.read_exact_at(room, at));
    if read.is_err() {
        return Place::Unread;
    }
    parsed(room)
}

fn parsed(bytes: &[u8]) -> Place {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return Place::Unread };
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_UNSPEC => Place::Nowhere,
        libc::AF_UNIX => local(rest),
        libc::AF_INET => {
            let (Some(port), Some(address)) = (array::<2>(rest, 0), array::<4>(rest, 2)) else {
                return Place::Unread;
            };
            Place::Internet((Ipv4Addr::from(address), u16::from_be_bytes(port)).into())
        }
        libc::AF_INET6 => {
            let (Some(port), Some(address)) = (array::<2>(rest, 0), array::<16>(rest, 6)) else {
                return Place::Unread;
            };
            Place::Internet((Ipv6Addr::from(address), u16::from_be_bytes(port)).into())
        }
        _ => Place::Unread,
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn local(path: &[u8]) -> Place {
    match path.split_first() {
        None => Place::Nowhere,
        Some((0, name)) => Place::Abstract(name.to_vec()),
        Some(_) => {
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            let path = path.get(..end).unwrap_or_default().to_vec();
            Place::File(PathBuf::from(std::ffi::OsString::from_vec(path)))
        }
    }
}

fn to(place: &Place, ground: &Ground, heard: &Heard) -> Answer {
    if !ground.own_network {
        heard.tried(&format!("reach {}", shown(place)));
        return Answer::Refuse(libc::EACCES);
    }
    match place {
        Place::Nowhere => Answer::GoOn,
        Place::Unread => {
            heard.tried("reach an address that could not be read");
            Answer::Refuse(libc::EACCES)
        }
        Place::Internet(address) => internet(address, heard),
        Place::File(path) => {
            let own = path.is_relative() || ground.folders.iter().any(|folder| path.starts_with(folder));
            if own {
                if path.is_absolute() && !path.exists() {
                    heard.missed(&format!("{}, which is not there in the jail", shown(place)));
                }
                return Answer::GoOn;
            }
            if !HABITS.iter().any(|habit| path.to_string_lossy().starts_with(habit)) {
                heard.tried(&format!("reach {}", shown(place)));
            }
            Answer::Refuse(libc::ENOENT)
        }
        Place::Abstract(name) => {
            if is_bound(name) {
                return Answer::GoOn;
            }
            heard.tried(&format!("reach {}", shown(place)));
            Answer::Refuse(libc::ECONNREFUSED)
        }
    }
}

fn internet(address: &SocketAddr, heard: &Heard) -> Answer {
    let ip = address.ip().to_canonical();
    if !ip.is_loopback() && !ip.is_unspecified() {
        heard.tried(&format!("reach {address}"));
        return Answer::Refuse(libc::ENETUNREACH);
    }
    if address.port() == 53 {
        // Nobody in a jail may listen there: it is where the C library looks names up that are not in its files.
        heard.tried("look up a host name");
        return Answer::Refuse(libc::ECONNREFUSED);
    }
    if !is_listening(address.port()) {
        heard.missed(&format!("{address}, where nobody in the jail listens"));
    }
    Answer::GoOn
}

fn shown(place: &Place) -> String {
    match place {
        Place::Internet(address) => address.to_string(),
        Place::File(path) => format!("the socket {}", path.display()),
        Place::Abstract(name) => format!("the abstract socket @{}", String::from_utf8_lossy(name)),
        Place::Nowhere | Place::Unread => "another place".to_owned(),
    }
}

/// Whether somebody in this network has the port.
fn is_listening(port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    ["tcp", "tcp6", "udp", "udp6"].iter().any(|table| {
        let rows = std::fs::read_to_string(Path::new("/proc/net").join(table)).unwrap_or_default();
        rows.lines()
            .skip(1)
            .any(|row| row.split_whitespace().nth(1).is_some_and(|own| own.ends_with(&wanted)))
    })
}

/// Whether somebody in this network has the abstract name.
fn is_bound(name: &[u8]) -> bool {
    let wanted = format!(" @{}", String::from_utf8_lossy(name).replace('\0', "@"));
    let rows = std::fs::read("/proc/net/unix").unwrap_or_default();
    String::from_utf8_lossy(&rows).lines().any(|row| row.ends_with(&wanted))
}

mod danger {
    use std::io;
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

    use seccompiler::BpfProgram;

    use super::Answer;

    /// Raises a filter and takes the end at which its questions arrive.
    #[expect(unsafe_code, reason = "no crate in use raises a filter that asks")]
    pub(super) fn filter_with_listener(program: &BpfProgram) -> io::Result<OwnedFd> {
        let length = u16::try_from(program.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
        // SAFETY: the program is alive during the call, has `length` instructions, and both crates give an instruction the layout of the kernel's
        // `sock_filter`; the kernel copies it and writes nothing. What comes back is a descriptor that nobody else has.
        unsafe {
            let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
            let opened =
                libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program);
            match RawFd::try_from(opened) {
                Ok(opened) if opened >= 0 => Ok(OwnedFd::from_raw_fd(opened)),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    /// Waits for a question.
    pub(super) fn next(questions: &OwnedFd) -> io::Result<libc::seccomp_notif> {
        let data = libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] };
        let mut asked = libc::seccomp_notif { id: 0, pid: 0, flags: 0, data };
        loop {
            match exchange(questions, libc::SECCOMP_IOCTL_NOTIF_RECV, &mut asked) {
                Ok(()) => return Ok(asked),
                // Who asked was killed before its question was read, or a signal came.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ENOENT)) => {
                    asked = libc::seccomp_notif { id: 0, pid: 0, flags: 0, data };
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers one.
    pub(super) fn answer(questions: &OwnedFd, id: u64, answer: &Answer) -> io::Result<()> {
        let (error, flags) = match answer {
            Answer::GoOn => (0, u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1)),
            Answer::Refuse(errno) => (errno.wrapping_neg(), 0),
        };
        let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
        exchange(questions, libc::SECCOMP_IOCTL_NOTIF_SEND, &mut response)
    }

    #[expect(unsafe_code, reason = "no crate in use has this ioctl")]
    fn exchange<T>(questions: &OwnedFd, request: libc::Ioctl, value: &mut T) -> io::Result<()> {
        // SAFETY: the two requests of this module read and write one value of the type that the C library's own table gives them, and it is alive
        // and borrowed during the call.
        let done = unsafe { libc::ioctl(questions.as_raw_fd(), request, std::ptr::from_mut(value)) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, parsed, shown};

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let told = |bytes: &[u8]| shown(&parsed(bytes));
        let family = |family: i32| u16::try_from(family).unwrap().to_ne_bytes().to_vec();
        let inet = [family(libc::AF_INET), vec![0x01, 0xbb, 10, 1, 2, 3, 0, 0]].concat();
        assert_eq!(told(&inet), "10.1.2.3:443");
        let mut six = [family(libc::AF_INET6), vec![0, 22, 0, 0, 0, 0]].concat();
        six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(told(&six), "[2001:db8::9]:22");
        let unix = |path: &[u8]| [family(libc::AF_UNIX), path.to_vec()].concat();
        assert_eq!(told(&unix(b"/run/docker.sock\0rest")), "the socket /run/docker.sock");
        assert_eq!(told(&unix(b"\0agent")), "the abstract socket @agent");
        for cut in 0..inet.len() - 8 {
            assert!(matches!(parsed(&inet[..cut]), Place::Unread), "{cut}");
        }
    }
}
