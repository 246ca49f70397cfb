//! Ways out of a jail, tried from inside; and the one thing that a network of one's own needs.

use std::fs::File;
use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, mount};
use rustix::net::{AddressFamily, SendFlags, SocketType, send, socket};

use super::start::Cell;
use crate::runner::Attempt;

/// Tries everything that must not be possible. `port`, `socket` and `name` are of the host, where somebody listens.
pub(super) fn all(cell: &Cell, port: u16, listening: &Path, name: &str) -> Vec<Attempt> {
    fn attempt<T>(what: &str, tried: io::Result<T>) -> Attempt {
        Attempt { what: what.to_owned(), refused: tried.err().map(|error| error.to_string()) }
    }
    let abstracted = SocketAddr::from_abstract_name(name).and_then(|name| UnixStream::connect_addr(&name));
    let family = |family| socket(family, SocketType::DGRAM, None).map_err(io::Error::from);
    let toolchain =
        cell.read.iter().find(|path| path.is_dir()).map_or(Path::new("/usr"), |path| path.as_path());
    vec![
        attempt("list a home folder of the host", std::fs::read_dir("/root")),
        attempt("read the host's list of passwords", File::open("/etc/shadow")),
        attempt("write to /usr", File::create("/usr/abide-was-here")),
        attempt("write to the toolchain", File::create(toolchain.join("abide-was-here"))),
        attempt("write beside the work tree", File::create("/abide-was-here")),
        attempt("reach a port of the host", TcpStream::connect(("127.0.0.1", port))),
        attempt(
            "reach the internet",
            UdpSocket::bind("0.0.0.0:0").and_then(|own| own.send_to(b"x", "192.0.2.1:9")),
        ),
        attempt("reach a socket of the host", UnixStream::connect(listening)),
        attempt("reach an abstract socket of the host", abstracted),
        attempt("speak to the kernel's network (AF_NETLINK)", family(AddressFamily::NETLINK)),
        attempt("reach the hypervisor (AF_VSOCK)", family(AddressFamily::VSOCK)),
        attempt(
            "mount a file system",
            mount("none", "/tmp", "tmpfs", MountFlags::empty(), None).map_err(Into::into),
        ),
        attempt("become root of a namespace", unshare(CloneFlags::CLONE_NEWUSER).map_err(Into::into)),
        attempt("trace its parent", trace()),
        attempt("signal its parent", signal()),
        outlive(),
    ]
}

/// Whether this is the case is seen from outside: whoever lives holds the output open.
#[expect(clippy::disallowed_methods, reason = "the attempt that the end of the jail must defeat")]
fn outlive() -> Attempt {
    let script = "setsid sh -c 'sleep 30 & sleep 30' & exit 0";
    let tried = Command::new("/bin/sh").args(["-c", script]).env("PATH", "/usr/bin:/bin").status();
    Attempt { what: OUTLIVE.to_owned(), refused: tried.err().map(|error| error.to_string()) }
}

/// The name of the last attempt.
pub(super) const OUTLIVE: &str = "outlive the check";

fn trace() -> io::Result<()> {
    let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
    nix::sys::ptrace::seize(nix::unistd::Pid::from_raw(parent), nix::sys::ptrace::Options::empty())
        .map_err(Into::into)
}

/// In a PID namespace there is no parent to be seen.
fn signal() -> io::Result<()> {
    let parent = rustix::process::getppid().ok_or_else(|| io::Error::other("there is none to be seen"))?;
    rustix::process::test_kill_process(parent).map_err(Into::into)
}

/// Switches on the loopback device of a network that was just made: checks may speak to themselves.
///
/// The message is `RTM_NEWLINK` with `IFF_UP` for the first device, `rtnetlink(7)`.
pub(super) fn loopback_up() -> io::Result<()> {
    let route = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let up = 1_u32;
    let words: [&[u8]; 9] = [
        &32_u32.to_ne_bytes(),
        &libc::RTM_NEWLINK.to_ne_bytes(),
        &1_u16.to_ne_bytes(),
        &[0; 8],
        &[0; 2],
        &[0; 2],
        &1_i32.to_ne_bytes(),
        &up.to_ne_bytes(),
        &up.to_ne_bytes(),
    ];
    send(&route, &words.concat(), SendFlags::empty())?;
    Ok(())
}
