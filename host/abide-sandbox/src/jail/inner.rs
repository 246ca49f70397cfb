//! The first process of a jail: it gives everything up, starts the check, and says how it ended.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use nix::sys::signal::SigSet;
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getrlimit, kill_process,
    set_dumpable_behavior, set_parent_process_death_signal, setrlimit, wait,
};

use super::outer::Left;
use super::report::{Ended, Ending, Report};
use super::start::{Cell, CellLimits, HOME, Offer, TEMPORARY, Task};
use super::told::{self, Ground, Heard};
use super::{MESSAGE_BYTES_MAX, attempts, exit, filter, identity, paths, view, watch};
use crate::runner::{Wall, pipe, wire};

/// Ends with this process, whatever happens: who started it is watched by the kernel.
pub(super) fn serve(left: &str) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let cell: Cell = wire::receive(&mut control, MESSAGE_BYTES_MAX).map_err(io::Error::other)?;
    let report = held(&cell, &Left::parse(left), &mut control);
    wire::send(&mut control, &report).map_err(io::Error::other)
}

/// What the jail turned out to have.
struct Ways {
    /// Why there are no namespaces.
    namespaces: Result<(), String>,
    /// Why the view could not be built.
    view: Result<(), String>,
    /// Who the check is.
    identity: &'static str,
    /// Whether `/proc` shows the jail's own processes and no others, or all of the host's.
    can_count: bool,
}

impl Ways {
    fn has_namespaces(&self) -> bool {
        self.namespaces.is_ok()
    }

    fn folders(&self, cell: &Cell) -> [PathBuf; 3] {
        if self.view.is_ok() {
            [paths::WORK, paths::HOME, paths::TEMPORARY].map(PathBuf::from)
        } else {
            [cell.work.clone(), cell.private.join(HOME), cell.private.join(TEMPORARY)]
        }
    }
}

fn held(cell: &Cell, left: &Left, control: &mut UnixStream) -> Report {
    let ways = leave(cell, left);
    let proxy = if cell.exit { exit::offer(&ways.namespaces, control).map(Some) } else { Ok(None) };
    let line = if cell.line { line(control).map(Some) } else { Ok(None) };
    let folders = ways.folders(cell);
    let rights = bound(cell.limits, ways.has_namespaces());
    let landlock = landlock(&ways, cell, &folders);
    let filter = filter::raise(ways.has_namespaces(), cell.nests);
    let walls = walls(&ways, &rights, &landlock, &filter);
    let missing = cell.required.iter().find_map(|name| {
        let wall = walls.iter().find(|wall| wall.name == *name);
        match wall {
            Some(wall) if wall.stands => None,
            Some(wall) => Some(format!("the wall `{name}` does not stand on this host: {}", wall.what)),
            None => Some(format!("there is no wall `{name}`")),
        }
    });
    let ground = Ground { own_network: ways.has_namespaces(), folders: folders.to_vec() };
    let questions = filter.ok().and_then(Result::ok);
    let heard = questions.map(|questions| deaf(|| told::answer(questions, ground))).transpose();
    let mut report = Report { walls, ended: Err(String::new()), attempts: Vec::new() };
    match (missing, &cell.task) {
        (Some(missing), _) => report.ended = Err(missing),
        (None, Task::Run(argv)) => {
            let started = proxy.and_then(|proxy| {
                let outward = Outward { proxy, line: line.map_err(|error| error.to_string())? };
                let heard = heard.map_err(|error| format!("nobody can hear what it tries: {error}"))?;
                let ended = run(argv, cell, &folders, &ways, outward, &heard.unwrap_or_default());
                ended.map_err(|error| error.to_string())
            });
            report.ended = started;
        }
        (None, Task::Try { port, socket, name }) => {
            report.attempts = attempts::all(cell, *port, socket, name);
            report.ended = Err("it only tried".to_owned());
        }
    }
    report
}

/// What a program is given beside its folders.
struct Outward {
    proxy: Option<SocketAddr>,
    line: Option<UnixStream>,
}

/// A line to the other side, whose far end is given away.
fn line(control: &mut UnixStream) -> io::Result<UnixStream> {
    let (near, far) = UnixStream::pair()?;
    wire::send(control, &Offer::Line).map_err(io::Error::other)?;
    pipe::send(control, &far)?;
    Ok(near)
}

/// Steps into a view of its own, and becomes nobody.
fn leave(cell: &Cell, left: &Left) -> Ways {
    let namespaces = match left {
        Left::AsUser | Left::AsRoot => Ok(()),
        Left::Not(why) => Err(why.clone()),
    };
    if namespaces.is_ok() {
        // Names are nobody's secret; a jail without one works as well.
        nix::unistd::sethostname("jail").ok();
        attempts::loopback_up().ok();
    }
    let view = match &namespaces {
        Ok(()) => view::enter(cell).map_err(|error| error.to_string()),
        Err(why) => Err(why.clone()),
    };
    let identity = match left {
        Left::AsRoot => {
            let own = [paths::WORK, paths::HOME, paths::TEMPORARY].map(Path::new);
            let changed = if view.is_ok() { identity::become_nobody(&own).is_ok() } else { false };
            if changed { "nobody" } else { "root without rights" }
        }
        Left::AsUser | Left::Not(_) => "the user who runs ab, without rights",
    };
    let can_count = view.is_ok() || namespaces.is_err();
    Ways { namespaces, view, identity, can_count }
}

/// Gives up rights, and caps what each process may take.
fn bound(limits: CellLimits, own_users: bool) -> io::Result<()> {
    SigSet::empty().thread_set_mask()?;
    // Who started this may have less already, and nobody without rights gets it back.
    let cap = |resource: Resource, most: u64| {
        let most = getrlimit(resource).maximum.map_or(most, |left| left.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    cap(Resource::Core, 0)?;
    cap(Resource::Data, limits.memory_bytes_max)?;
    cap(Resource::Nofile, limits.open_files_max)?;
    cap(Resource::Fsize, limits.file_bytes_max)?;
    cap(Resource::Cpu, limits.cpu_s_max)?;
    cap(Resource::Memlock, 1 << 20)?;
    // The kernel counts the processes of a user in its namespace, and spares root; the watch is what ends a check, this only keeps up with a flood.
    let others = if own_users { 0 } else { watch::threads_of_this_user() };
    cap(Resource::Nproc, limits.processes_max.saturating_add(64).saturating_add(others))?;
    identity::drop_rights()?;
    rustix::thread::set_no_new_privs(true)?;
    // Whoever changed its user is no longer told when its parent ends, and may be looked at by others of the same.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// The same view once more, by paths, so that it holds without namespaces too; and no signal or abstract socket beyond the jail.
fn landlock(ways: &Ways, cell: &Cell, own: &[PathBuf]) -> io::Result<RulesetStatus> {
    let newest = ABI::V6;
    let read = AccessFs::from_read(newest);
    let all = AccessFs::from_all(newest);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .map_err(io::Error::other)?;
    if !ways.has_namespaces() {
        rules = rules.handle_access(AccessNet::from_all(newest)).map_err(io::Error::other)?;
    }
    let mut made = rules.create().map_err(io::Error::other)?;
    let mut allow = |path: &Path, access: BitFlags<AccessFs>| -> io::Result<()> {
        // What is not there needs no rule.
        let Ok(opened) = PathFd::new(path) else { return Ok(()) };
        let is_folder = path.is_dir();
        let access = if is_folder { access } else { access & AccessFs::from_file(newest) };
        let rule = PathBeneath::new(opened, access);
        (&mut made).add_rule(rule).map_err(io::Error::other)?;
        Ok(())
    };
    if ways.view.is_ok() {
        allow(Path::new("/"), read)?;
        allow(Path::new("/dev/shm"), all)?;
        if cell.nests {
            // Who its users are is written there, and only of what it started itself.
            allow(Path::new("/proc"), read | AccessFs::WriteFile)?;
        }
    } else {
        for path in cell.read.iter().map(PathBuf::as_path).chain([Path::new("/proc")]) {
            allow(path, read)?;
        }
    }
    for device in ["null", "zero", "full", "random", "urandom"] {
        allow(&Path::new("/dev").join(device), read | AccessFs::WriteFile)?;
    }
    for folder in own {
        allow(folder, all)?;
    }
    Ok(made.restrict_self().map_err(io::Error::other)?.ruleset)
}

type Filtered = io::Result<Result<std::os::fd::OwnedFd, String>>;

/// What stands, by what it keeps.
fn walls(
    ways: &Ways,
    rights: &io::Result<()>,
    landlock: &io::Result<RulesetStatus>,
    filter: &Filtered,
) -> Vec<Wall> {
    let wall = |name: &str, found: Result<String, String>| {
        let stands = found.is_ok();
        Wall { name: name.to_owned(), stands, what: found.unwrap_or_else(|why| why) }
    };
    let scoped = matches!(landlock, Ok(RulesetStatus::FullyEnforced));
    let by_paths = match landlock {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok("Landlock"),
        Ok(RulesetStatus::NotEnforced) => Err("this kernel has no Landlock".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let files = match (&ways.view, by_paths) {
        (Ok(()), Ok(_)) => {
            Ok("a view of its own, and Landlock: the toolchain read-only, the work tree, a temporary folder"
                .to_owned())
        }
        (Ok(()), Err(why)) => Ok(format!("a view of its own (not Landlock: {why})")),
        (Err(why), Ok(_)) => Ok(format!("Landlock alone (no view of its own: {why})")),
        (Err(view), Err(why)) => Err(format!("{view}; {why}")),
    };
    let filtered = filter.as_ref().map(|_| ()).map_err(ToString::to_string);
    let network = match (&ways.namespaces, &filtered) {
        (Ok(()), _) => Ok("a network of its own with nothing but its loopback".to_owned()),
        (Err(why), Ok(())) => Ok(format!("no socket can be made (no network of its own: {why})")),
        (Err(why), Err(filter)) => Err(format!("{why}; {filter}")),
    };
    let processes = match &ways.namespaces {
        Ok(()) => Ok("a PID namespace: all of it ends with the check".to_owned()),
        Err(why) if scoped => {
            Ok(format!("what loses its parent is adopted and killed (no PID namespace: {why})"))
        }
        Err(why) => Err(format!("a process could outlive its check ({why})")),
    };
    let kernel = filtered.map(|()| "no call to mount, trace, load or leave".to_owned());
    let counted = if ways.can_count { "added up by a watch" } else { "not added up: no /proc of its own" };
    let bounds = rights
        .as_ref()
        .map(|()| format!("{}; caps by process, memory and processes {counted}", ways.identity));
    let told = match filter {
        Ok(Ok(_)) => Ok("what is tried is named".to_owned()),
        Ok(Err(why)) => Err(format!("refused without a name: {why}")),
        Err(error) => Err(error.to_string()),
    };
    vec![
        wall("files", files),
        wall("network", network),
        wall("processes", processes),
        wall("kernel", kernel),
        wall("bounds", bounds.map_err(ToString::to_string)),
        wall("told", told),
    ]
}

#[expect(clippy::disallowed_methods, reason = "the one place where a program is started in a jail")]
fn run(
    argv: &[String],
    cell: &Cell,
    folders: &[PathBuf; 3],
    ways: &Ways,
    outward: Outward,
    heard: &Heard,
) -> io::Result<Ended> {
    let [work, home, temporary] = folders;
    let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let start = cell.start.as_ref().map_or_else(|| work.clone(), |folder| work.join(folder));
    let (input, output) = match outward.line {
        Some(line) => (Stdio::from(OwnedFd::from(line.try_clone()?)), Stdio::from(OwnedFd::from(line))),
        None => (Stdio::null(), Stdio::inherit()),
    };
    let check = Command::new(program)
        .args(arguments)
        .current_dir(start)
        .env_clear()
        .envs(&cell.env)
        .envs(outward.proxy.map(exit::variables).into_iter().flatten())
        .env("HOME", home)
        .env("TMPDIR", temporary)
        .stdin(input)
        .stdout(output)
        .spawn()
        .map_err(|error| {
            io::Error::other(format!("`{program}` could not be started in the jail: {error}"))
        })?;
    if !ways.has_namespaces() {
        // Without a namespace this process is one like any other: the request to end must reach the check only.
        SigSet::from(nix::sys::signal::Signal::SIGTERM).thread_block()?;
    }
    let check = Pid::from_child(&check);
    let watched =
        ways.can_count.then(|| deaf(|| watch::start(check, cell.limits, ways.has_namespaces()))).transpose();
    if watched.is_err() {
        kill_process(check, Signal::KILL).ok();
    }
    let ending = reap_until(check)?;
    if !ways.has_namespaces() {
        watch::sweep();
    }
    let (tried, missed) = heard.all();
    let over = watched?.and_then(|reached| reached.over());
    Ok(Ended { ending, tried, missed, over })
}

/// Starts a thread that hears no signal.
///
/// The kernel keeps signals of a namespace from its first process by what its main thread would do with them, and asks nobody where that thread blocks them, as the C library
/// does for a moment whenever it starts a process or a thread. Another thread that does not would then die of them, and all with it.
fn deaf<T>(start: impl FnOnce() -> T) -> T {
    let before = SigSet::thread_get_mask();
    SigSet::all().thread_block().ok();
    let started = start();
    if let Ok(before) = before {
        before.thread_set_mask().ok();
    }
    started
}

/// Takes note of every process that ends, until the check does.
fn reap_until(check: Pid) -> io::Result<Ending> {
    loop {
        let ended = match wait(WaitOptions::empty()) {
            Ok(ended) => ended,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some((pid, status)) = ended
            && pid == check
        {
            return Ok(ending(status));
        }
    }
}

fn ending(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }
}
