//! The browser of one task: started in a jail without a way out when it is first asked, ended with its lease.

use std::io::{PipeWriter, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use abide_core::page::{Browse, BrowseFailure, Browsed};
use abide_core::safe_text;
use abide_effects::browser::manners::Visits;
use abide_effects::browser::manners::shelf::{Folder, NoShelf, Shelf};
use abide_effects::browser::still::Still;
use abide_effects::browser::{Album, BrowserLimits, Chromium, Kept, start};
use abide_effects::egress::Session;
use abide_sandbox::jail::{Cell, CellLimits, Ended, Ending, Inmate, Jail, Over, Task};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::Deserialize;
use tempfile::TempDir;

/// What is done where no browser can be started, or a wall that it needs is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Otherwise {
    /// Pages are read as they are sent, without their scripts.
    Static,
    /// Nothing is read.
    Refuse,
}

/// `browser` of the policy data `host`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrowserSettings {
    /// The program.
    pub(crate) program: PathBuf,
    /// What is done where it cannot be started.
    pub(crate) otherwise: Otherwise,
    /// Walls of its jail without which none is started.
    pub(crate) require_walls: Vec<String>,
    /// Bytes, over all its processes.
    pub(crate) memory_bytes_max: u64,
    /// Processes and threads.
    pub(crate) processes_max: u64,
    /// Pages of a task that are open at the same time.
    pub(crate) open_pages_max: usize,
    /// Milliseconds until a page is loaded.
    pub(crate) open_ms_max: u64,
}

impl BrowserSettings {
    /// What holds under a policy from before there was a browser.
    pub(crate) fn built_in() -> Self {
        let limits = BrowserLimits::USUAL;
        Self {
            program: PathBuf::from(start::PROGRAM),
            otherwise: Otherwise::Static,
            require_walls: ["bounds", "files", "kernel", "network", "processes"].map(str::to_owned).to_vec(),
            memory_bytes_max: 4 << 30,
            processes_max: 512,
            open_pages_max: limits.open_pages_max,
            open_ms_max: limits.open_ms_max,
        }
    }

    fn limits(&self) -> BrowserLimits {
        let (open_ms_max, open_pages_max) = (self.open_ms_max, self.open_pages_max);
        BrowserLimits { open_ms_max, open_pages_max, ..BrowserLimits::USUAL }
    }
}

/// LIMIT: bytes of what was fetched before.
const SHELF_BYTES_MAX: u64 = 256 << 20;
/// How long a browser that is gone has to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// LIMIT: what is kept of what the browser prints.
const PRINTED_BYTES_MAX: usize = 64 << 10;

/// A task's browser, which is there once it is asked.
#[derive(Debug)]
pub(crate) struct Pages {
    settings: BrowserSettings,
    /// What every jail of this host shows.
    read: Vec<PathBuf>,
    /// Where its folders are.
    scratch: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Waiting,
    Running(Box<Running>),
    Still(Box<Still>),
    /// It ended before its task did, and no other takes its place: what it held of its pages is gone.
    Ended(Box<Chromium>, BrowseFailure),
    /// It could not be started, and is not tried again by the same task.
    Failed(BrowseFailure),
}

#[derive(Debug)]
struct Running {
    chromium: Chromium,
    inmate: Inmate,
    _folder: TempDir,
}

impl Pages {
    /// Nothing is started yet.
    pub(crate) fn new(settings: &BrowserSettings, read: &[PathBuf], scratch: &Path) -> Self {
        let (settings, read, scratch) = (settings.clone(), read.to_vec(), scratch.to_owned());
        Self { settings, read, scratch, state: Mutex::new(State::Waiting) }
    }

    /// Answers one question, in the runtime that the session lives in.
    pub(crate) async fn browse(&self, session: &Session, ask: Browse) -> Result<Browsed, BrowseFailure> {
        let mut state = std::mem::replace(
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State::Failed(BrowseFailure::Failed("the browser is in use [AB0865]".to_owned())),
        );
        let began = crate::wiring::monotonic();
        if matches!(state, State::Waiting) {
            state = self.begin(session).await;
            tracing::debug!(us = micros_since(began), "browser.start");
        }
        let (what, began) = (ask.word(), crate::wiring::monotonic());
        let mut answer = match &mut state {
            State::Running(running) => running.chromium.browse(ask).await,
            State::Still(still) => still.browse(ask).await,
            State::Ended(_, failure) | State::Failed(failure) => Err(failure.clone()),
            State::Waiting => Err(BrowseFailure::Failed("there is no browser [AB0865]".to_owned())),
        };
        tracing::debug!(ask = what, us = micros_since(began), good = answer.is_ok(), "browser.ask");
        let is_gone = matches!(&state, State::Running(running) if !running.chromium.is_there());
        if is_gone && let State::Running(running) = state {
            let Running { chromium, inmate, .. } = *running;
            let gone = Gone::of(inmate, &self.settings).await;
            chromium.tried(&gone.tried);
            let failure = BrowseFailure::Failed(gone.why);
            answer = answer.or(Err(failure.clone()));
            state = State::Ended(Box::new(chromium), failure);
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        answer
    }

    /// Ends the browser, and gives what was seen; none where nothing was asked.
    pub(crate) async fn close(&self) -> Option<(Album, Vec<Kept>)> {
        let state = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Waiting)
        };
        match state {
            State::Running(running) => {
                let Running { chromium, inmate, _folder } = *running;
                let began = crate::wiring::monotonic();
                chromium.quit().await;
                chromium.tried(&Gone::of(inmate, &self.settings).await.tried);
                tracing::debug!(us = micros_since(began), "browser.end");
                Some(chromium.seen())
            }
            State::Ended(chromium, _) => Some(chromium.seen()),
            State::Still(still) => Some(still.seen()),
            State::Waiting | State::Failed(_) => None,
        }
    }

    /// Visits of a task. What was answered before is asked for once more, and taken from the shelf where the server says that it still holds.
    fn visits(&self, session: &Session) -> Result<Visits, BrowseFailure> {
        Visits::over(session.clone(), self.shelf())
            .map_err(|refusal| BrowseFailure::Refused(format!("{refusal} [{}]", refusal.code())))
    }

    /// In the state folder; where it cannot be had, everything is fetched again.
    fn shelf(&self) -> Arc<dyn Shelf> {
        let folder = self.scratch.with_file_name("pages");
        let opened = std::fs::create_dir_all(&folder)
            .and_then(|()| Dir::open_ambient_dir(&folder, ambient_authority()))
            .and_then(|folder| Folder::open(&folder, SHELF_BYTES_MAX));
        match opened {
            Ok(found) => Arc::new(found),
            Err(error) => {
                tracing::warn!(%error, "what was fetched before cannot be used");
                Arc::new(NoShelf)
            }
        }
    }

    async fn begin(&self, session: &Session) -> State {
        let without = match self.start(session).await {
            Ok(running) => return State::Running(Box::new(running)),
            Err(failure @ BrowseFailure::Refused(_)) => return State::Failed(failure),
            Err(failure) => failure,
        };
        match (self.settings.otherwise, self.visits(session)) {
            (Otherwise::Refuse, _) => State::Failed(without),
            (Otherwise::Static, Err(failure)) => State::Failed(failure),
            (Otherwise::Static, Ok(visits)) => {
                tracing::warn!(?without, "pages are read without a browser");
                State::Still(Box::new(Still::over(visits, Arc::new(session.clone()))))
            }
        }
    }

    async fn start(&self, session: &Session) -> Result<Running, BrowseFailure> {
        if !self.settings.program.exists() {
            let what = format!("there is no `{}` on this host [AB0868]", self.settings.program.display());
            return Err(BrowseFailure::NeedsBrowser(what));
        }
        let visits = self.visits(session)?;
        let failed =
            |why: String| BrowseFailure::Failed(format!("the browser could not be started: {why} [AB0868]"));
        let printed = Printed::default();
        let (mut inmate, folder) = self.jailed(&printed).map_err(&failed)?;
        let Some(line) = inmate.take_line() else {
            let why = match inmate.report() {
                Ok(report) => report.ended.err().unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            return Err(failed(why));
        };
        let chromium = Chromium::over(line, visits, self.settings.limits()).await;
        match chromium {
            Ok(chromium) => Ok(Running { chromium, inmate, _folder: folder }),
            Err(BrowseFailure::Failed(_)) => {
                let Gone { why, tried } = Gone::of(inmate, &self.settings).await;
                let tried = tried.first().map(|what| format!("; it tried to {what}")).unwrap_or_default();
                Err(failed(format!("{why}{tried}; its last words: {}", printed.last())))
            }
            Err(failure) => Err(failure),
        }
    }

    fn jailed(&self, printed: &Printed) -> Result<(Inmate, TempDir), String> {
        let folder = tempfile::tempdir_in(&self.scratch).map_err(|error| error.to_string())?;
        let top = folder.path().canonicalize().map_err(|error| error.to_string())?;
        let (work, private) = (top.join("work"), top.join("private"));
        for path in [&work, &private] {
            std::fs::create_dir(path).map_err(|error| error.to_string())?;
        }
        let program = self.settings.program.to_string_lossy();
        let cell = Cell {
            task: Task::Run(start::command(&program)),
            env: std::collections::BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
            work,
            start: None,
            private,
            read: self.read.iter().cloned().chain(start::READ.map(PathBuf::from)).collect(),
            limits: CellLimits {
                memory_bytes_max: self.settings.memory_bytes_max,
                processes_max: self.settings.processes_max,
                open_files_max: 4_096,
                file_bytes_max: 256 << 20,
                cpu_s_max: 3_600,
            },
            required: self.settings.require_walls.clone(),
            exit: false,
            line: true,
            etc: start::etc(),
            nests: true,
        };
        let output = printed.open().map_err(|error| error.to_string())?;
        let inmate = Jail::this().start(&cell, output).map_err(|error| error.to_string())?;
        Ok((inmate, folder))
    }
}

/// How a browser ended, as its jail tells it.
struct Gone {
    why: String,
    /// What it tried in order to get out, in words.
    tried: Vec<String>,
}

impl Gone {
    /// Takes the last words of a browser; one that is not gone ends here.
    async fn of(inmate: Inmate, settings: &BrowserSettings) -> Self {
        let report = tokio::task::spawn_blocking(|| inmate.report_within(LAST_WORDS)).await;
        let ended = match report {
            Ok(Ok(report)) => report.ended,
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let why = match &ended {
            Ok(Ended { over: Some(Over::Memory), .. }) => {
                let most = settings.memory_bytes_max >> 20;
                format!("the browser was ended: its processes held more than {most} MiB [AB0862]")
            }
            Ok(Ended { over: Some(Over::Processes), .. }) => {
                let most = settings.processes_max;
                format!("the browser was ended: it started more than {most} processes and threads [AB0862]")
            }
            Ok(Ended { ending: Ending::Exit(status), .. }) => {
                format!("the browser ended with status {status} [AB0865]")
            }
            Ok(Ended { ending: Ending::Signal(signal), .. }) => {
                format!("the browser ended by signal {signal} [AB0865]")
            }
            Err(why) => format!("the browser ended: {why} [AB0865]"),
        };
        tracing::debug!(?ended, "browser.ended");
        let mut tried = ended.map(|ended| ended.tried).unwrap_or_default();
        tried.retain(|what| what != start::PROBE);
        Self { why, tried }
    }
}

fn micros_since(began: std::time::Instant) -> u64 {
    let took = crate::wiring::monotonic().saturating_duration_since(began);
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// What the browser printed, as far as it is kept.
#[derive(Debug, Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    /// Where the browser prints to. It is read to its end, so that the browser does not stand still.
    fn open(&self) -> std::io::Result<PipeWriter> {
        let (mut reader, writer) = std::io::pipe()?;
        let kept = Arc::clone(&self.0);
        std::thread::Builder::new().name("browser-output".to_owned()).spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < PRINTED_BYTES_MAX {
                    kept.extend_from_slice(piece.get(..read).unwrap_or_default());
                }
            }
        })?;
        Ok(writer)
    }

    /// The last line, for whoever looks for a reason.
    fn last(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        tracing::debug!(%text, "the browser printed");
        safe_text::line(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it printed nothing"))
    }
}
