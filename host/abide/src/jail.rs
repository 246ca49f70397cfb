//! Checks in jails: what this host's data says of them, joined to what holds them. What a check is, is said in `abide-effects`; what a jail is, in `abide-sandbox`.

use std::cell::OnceCell;
use std::io::{PipeWriter, Read as _};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use abide_effects::process::{self, Came, JailFault};
use abide_sandbox::jail::{self, Cell, CellLimits, Ending, Inmate, Jail, JailError, Over, Report, Task};
use abide_sandbox::runner::{Attempt, Wall};
use rustix::process::Pid;
use serde::Deserialize;

/// `jail` of the policy data `host`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JailSettings {
    /// What every check sees, read-only.
    pub(crate) read: Vec<PathBuf>,
    /// Walls without which nothing is started.
    pub(crate) require_walls: Vec<String>,
    /// Walls without which a person is asked; read by the policy itself.
    pub(crate) autonomous_needs: Vec<String>,
    /// Bytes, over all processes.
    pub(crate) memory_bytes_max: u64,
    /// Processes and threads.
    pub(crate) processes_max: u64,
    /// Open files of one process.
    pub(crate) open_files_max: u64,
}

impl JailSettings {
    /// What holds under a policy from before there was a jail.
    pub(crate) fn built_in() -> Self {
        Self {
            read: [
                "/usr",
                "/bin",
                "/sbin",
                "/lib",
                "/lib64",
                "/etc/alternatives",
                "/etc/ld.so.cache",
                "/etc/ssl",
            ]
            .map(PathBuf::from)
            .to_vec(),
            require_walls: Vec::new(),
            autonomous_needs: Vec::new(),
            memory_bytes_max: 8 << 30,
            processes_max: 1024,
            open_files_max: 4096,
        }
    }
}

/// Jails of this host.
#[derive(Debug)]
pub(crate) struct Cells {
    jail: Jail,
    settings: JailSettings,
    /// The home folder of whoever runs `ab`: `~/` in `ab.yml`.
    user: Option<PathBuf>,
    /// Where Abide keeps its keys and logs.
    state: PathBuf,
    standing: OnceCell<Vec<String>>,
}

impl Cells {
    /// Jails made by `jail`.
    pub(crate) fn new(jail: Jail, settings: JailSettings, user: Option<PathBuf>, state: PathBuf) -> Self {
        Self { jail, settings, user, state, standing: OnceCell::new() }
    }

    /// Names of the walls that a jail has here, sorted; none if there is no jail. Tried once, in `scratch`.
    pub(crate) fn standing(&self, scratch: &Path) -> Vec<String> {
        let names = self.standing.get_or_init(|| {
            match self.tried(scratch, Task::Run(vec!["/bin/true".to_owned()])) {
                Ok((report, _)) => names(&report.walls),
                Err(_) => Vec::new(),
            }
        });
        names.clone()
    }

    /// Which walls a jail has here, and every way out of one that was tried.
    pub(crate) fn examine(&self, scratch: &Path) -> Result<(Vec<Wall>, Vec<Attempt>), JailFault> {
        let disk = |error: std::io::Error| JailFault { code: "AB0950", what: error.to_string() };
        let folder = tempfile::tempdir_in(scratch).map_err(disk)?;
        let socket = folder.path().join("host.sock");
        let name = format!("abide-doctor-{}", std::process::id());
        let listening = TcpListener::bind("127.0.0.1:0").map_err(disk)?;
        let _local = UnixListener::bind(&socket).map_err(disk)?;
        let _abstract = SocketAddr::from_abstract_name(&name)
            .and_then(|name| UnixListener::bind_addr(&name))
            .map_err(disk)?;
        let port = listening.local_addr().map_err(disk)?.port();
        let (report, ended) = self.tried(scratch, Task::Try { port, socket, name })?;
        let mut attempts = report.attempts;
        // What outlived the jail would hold its output open.
        if let Some(last) = attempts.last_mut().filter(|_| ended) {
            last.refused.get_or_insert_with(|| "it ended with the jail".to_owned());
        }
        Ok((report.walls, attempts))
    }

    /// The report of a jail over an empty folder, and whether all of it ended.
    fn tried(&self, scratch: &Path, task: Task) -> Result<(Report, bool), JailFault> {
        let disk = |error: std::io::Error| JailFault { code: "AB0950", what: error.to_string() };
        let folder = tempfile::tempdir_in(scratch).map_err(disk)?;
        let top = folder.path().canonicalize().map_err(disk)?;
        let (work, private) = (top.join("work"), top.join("private"));
        for path in [&work, &private] {
            std::fs::create_dir(path).map_err(disk)?;
        }
        let limits = self.limits(1 << 20, 60);
        let read = self.settings.read.clone();
        let cell = Cell {
            task,
            env: std::collections::BTreeMap::new(),
            work,
            start: None,
            private,
            read,
            limits,
            required: Vec::new(),
            exit: false,
            line: false,
            etc: std::collections::BTreeMap::new(),
            nests: false,
        };
        let (mut reader, writer) = std::io::pipe().map_err(disk)?;
        let report = self.jail.start(&cell, writer).and_then(Inmate::report).map_err(fault)?;
        let (told, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let closed =
                std::io::Read::by_ref(&mut reader).take(1 << 20).read_to_end(&mut Vec::new()).is_ok();
            told.send(closed).ok();
        });
        let ended = ended.recv_timeout(std::time::Duration::from_secs(2)) == Ok(true);
        Ok((report, ended))
    }

    fn limits(&self, file_bytes_max: u64, cpu_s_max: u64) -> CellLimits {
        let JailSettings { memory_bytes_max, processes_max, open_files_max, .. } = self.settings;
        CellLimits { memory_bytes_max, processes_max, open_files_max, file_bytes_max, cpu_s_max }
    }

    /// What a check may read: what every check sees, and what `ab.yml` names for it, if that may be shown.
    fn readable(&self, named: &[PathBuf]) -> Result<Vec<PathBuf>, JailFault> {
        let mut all = self.settings.read.clone();
        for path in named {
            let whole = match (path.strip_prefix("~"), &self.user) {
                (Ok(rest), Some(home)) => home.join(rest),
                (Ok(_) | Err(_), _) => path.clone(),
            };
            // Where a link leads counts as well as where it stands.
            for place in [Some(whole.clone()), whole.canonicalize().ok()].into_iter().flatten() {
                jail::readable(&place, self.user.as_deref(), &[&self.state]).map_err(|why| JailFault {
                    code: "AB0955",
                    what: format!("`{}` under `read` may not be shown to a check: it {why}", path.display()),
                })?;
                all.push(place);
            }
        }
        Ok(all)
    }
}

fn names(walls: &[Wall]) -> Vec<String> {
    let mut names: Vec<String> =
        walls.iter().filter(|wall| wall.stands).map(|wall| wall.name.clone()).collect();
    names.sort();
    names
}

#[expect(clippy::needless_pass_by_value, reason = "maps an error")]
fn fault(error: JailError) -> JailFault {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    JailFault { code: error.code(), what: format!("{error}{cause}") }
}

impl process::Jail for Cells {
    fn start(
        &self,
        cell: &process::Cell<'_>,
        output: PipeWriter,
    ) -> Result<Box<dyn process::Inmate>, JailFault> {
        let cell = Cell {
            task: Task::Run(cell.argv.to_vec()),
            env: cell.env.clone(),
            work: cell.work.to_owned(),
            start: cell.start.map(Path::to_owned),
            private: cell.private.to_owned(),
            read: self.readable(cell.read)?,
            limits: self.limits(cell.limits.file_bytes_max, cell.limits.cpu_s_max),
            required: self.settings.require_walls.clone(),
            exit: cell.door.is_some(),
            line: false,
            etc: std::collections::BTreeMap::new(),
            nests: false,
        };
        Ok(Box::new(Held(self.jail.start(&cell, output).map_err(fault)?)))
    }
}

/// A jail that holds a check.
#[derive(Debug)]
struct Held(Inmate);

impl process::Inmate for Held {
    fn take_exit(&mut self) -> Option<TcpListener> {
        self.0.take_exit()
    }

    fn pid(&self) -> Pid {
        self.0.pid()
    }

    fn end(&self) {
        self.0.end();
    }

    fn report(self: Box<Self>) -> Result<process::Report, JailFault> {
        let report = self.0.report().map_err(fault)?;
        let walls = names(&report.walls);
        let (came, missed) = match report.ended {
            Err(why) => (Came::Unstarted(why), Vec::new()),
            Ok(ended) => {
                let came = match (ended.over, ended.tried.is_empty(), ended.ending) {
                    (_, false, _) => Came::Breach(ended.tried),
                    (Some(Over::Memory), ..) => {
                        Came::Exhausted("its processes took more memory than they may".to_owned())
                    }
                    (Some(Over::Processes), ..) => {
                        Came::Exhausted("it started more processes than it may".to_owned())
                    }
                    (None, true, Ending::Exit(status)) => Came::Exit(status),
                    (None, true, Ending::Signal(signal)) => Came::Signal(signal),
                };
                (came, ended.missed)
            }
        };
        Ok(process::Report { walls, came, missed })
    }
}
