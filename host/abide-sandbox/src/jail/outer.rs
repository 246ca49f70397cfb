//! The process around a jail: it leaves the host's namespaces, starts the first process inside, and ends everything.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal as Name};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, set_child_subreaper, wait,
};

use super::{ARGUMENT, INSIDE, LIGHT, identity, inner, watch};
use crate::runner::walls;

/// Whether the program was started to be a jail.
pub fn was_asked(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> bool {
    arguments.into_iter().nth(1).is_some_and(|first| first.as_ref() == ARGUMENT)
}

/// Holds one jail until it is over.
///
/// To be called first in the program, while it has one thread and has opened nothing: namespaces and walls hold for what comes after, and files that were left
/// open by whoever started it are closed.
pub fn serve(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> io::Result<()> {
    let mut rest = arguments.into_iter().skip(2);
    let word =
        |one: Option<_>| one.and_then(|one: _| AsRef::<OsStr>::as_ref(&one).to_str().map(str::to_owned));
    match (word(rest.next()).as_deref(), word(rest.next())) {
        (None, _) => around(),
        (Some(INSIDE), Some(namespaces)) => inner::serve(&namespaces),
        _ => Err(io::Error::other("a jail takes no such argument")),
    }
}

/// How the namespaces were left. Its spelling is an argument of the process inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// As a user without rights outside, by a user namespace.
    AsUser,
    /// As root, without a user namespace so far.
    AsRoot,
    /// Not at all, for this reason.
    Not(String),
}

impl Left {
    fn spelling(&self) -> String {
        match self {
            Self::AsUser => "user".to_owned(),
            Self::AsRoot => "root".to_owned(),
            Self::Not(why) => format!("none:{why}"),
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "user" => Self::AsUser,
            "root" => Self::AsRoot,
            other => Self::Not(other.trim_start_matches("none:").to_owned()),
        }
    }
}

fn around() -> io::Result<()> {
    walls::close_what_was_inherited();
    let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The request to end goes to the whole group. It is for the check; this process ends last.
    SigSet::from(Name::SIGTERM).thread_block()?;
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let left = leave();
    let inside = start(&control, &left)?;
    let held = hold(&inside, &control);
    clear(inside)?;
    held
}

/// Leaves the host's namespaces. What has rights keeps them for now, so that it may show the jail what only it can see.
fn leave() -> Left {
    let away = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    let root = rustix::process::geteuid().is_root();
    if root && unshare(away).is_ok() {
        return Left::AsRoot;
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let left = unshare(CloneFlags::CLONE_NEWUSER | away)
        .map_err(walls::no_namespace)
        .and_then(|()| identity::map(uid, gid))
        .and_then(|()| identity::hand_on_rights());
    match left {
        Ok(()) => Left::AsUser,
        Err(error) => Left::Not(error.to_string()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the second start of this program, inside of the jail")]
fn start(control: &UnixStream, left: &Left) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .args([ARGUMENT, INSIDE, &left.spelling()])
        .env_clear()
        .envs(LIGHT)
        .stdin(Stdio::from(OwnedFd::from(control.try_clone()?)))
        .spawn()
}

/// Waits until the process inside ended, or nobody is interested any more.
fn hold(inside: &Child, control: &UnixStream) -> io::Result<()> {
    let ended = pidfd_open(Pid::from_child(inside), PidfdFlags::empty())?;
    let gone = PollFlags::RDHUP | PollFlags::HUP;
    let mut both = [PollFd::new(&ended, PollFlags::IN), PollFd::new(control, gone)];
    loop {
        match poll(&mut both, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if both.iter().any(|one| !one.revents().is_empty()) {
            return Ok(());
        }
    }
}

/// LIMIT: how long what is left is looked for.
const CLEAR_FOR: Duration = Duration::from_secs(10);

/// Kills what is left. With a PID namespace that is its first process, and the kernel does the rest. Without one, whatever loses its parent becomes a
/// child of this process, however it forked, so this goes on until there is none. Errs where some kept ahead of it.
fn clear(mut inside: Child) -> io::Result<()> {
    drop(inside.kill());
    drop(inside.wait());
    let mut naps = CLEAR_FOR.as_millis();
    loop {
        let left = watch::below(rustix::process::getpid());
        // Stopped first: what is stopped forks no more while the others are looked for.
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in left.iter().filter_map(|one| Pid::from_raw(one.pid)) {
                kill_process(pid, signal).ok();
            }
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return Ok(()),
            }
        }
        naps = naps
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("what was started in the jail forks faster than it is killed"))?;
        std::thread::sleep(Duration::from_millis(1));
    }
}
