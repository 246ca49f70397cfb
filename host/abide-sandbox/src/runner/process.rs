//! This side of the wall: starts runners, answers what their workers ask, and checks whatever they say.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::id::Digest;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::walls::{Attempt, Wall};
use super::wire::{Answer, Ask, Order, WireError, Word, receive, send};
use super::{ARGUMENT, pipe};
use crate::cache::CompiledCache;
use crate::component::{self, ComponentInfo, LoadError};
use crate::engine::EngineLimits;
use crate::inspect::inspect;
use crate::message::{
    Capability, CapabilityReceipt, Limits, LogLine, Refusal, RunOutcome, RunRequest, RunResult, Spent, Trap,
    TrapKind, Usage,
};
use crate::meter::WorkspaceMeter;
use crate::run::{MESSAGE_BYTES_MAX, judged};
use crate::text::clean_line;
use crate::workspace::Workspace;

/// Bytes of a runner's answer to an order that is not about code.
const WORD_BYTES_MAX: u64 = 1 << 20;
/// Bytes of compiled code.
const CODE_BYTES_MAX: u64 = 1 << 30;
/// What a task's last word may have beside the texts that are bounded by themselves.
const DONE_BYTES: u64 = 1 << 20;
/// How much longer than its text a text can be as JSON: `\u001b`.
const JSON_FACTOR: u64 = 6;
/// How long this side waits.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For a runner to start, and to take compiled code.
    start: Duration,
    /// For a component to be compiled.
    compile: Duration,
    /// For a task beyond its own deadline, which its runner keeps.
    grace: Duration,
}

const PATIENCE: Patience = Patience {
    start: Duration::from_secs(30),
    compile: Duration::from_mins(2),
    grace: Duration::from_secs(2),
};

/// The program to start as a runner.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The program at `path`, which calls [`super::serve`] when [`super::was_asked`].
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// This program again, also when its file was replaced meanwhile.
    pub fn this() -> Self {
        Self::at("/proc/self/exe")
    }

    /// Starts it with one end of a socket, and nothing else: no environment, no other file, no terminal.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a runner")]
    fn start(&self) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&self.path)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((child, ours))
    }
}

/// Why there is no runner.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The system started none.
    #[error("no runner process could be started")]
    Start(#[source] io::Error),
    /// It ended, or said what it should not.
    #[error("the runner process ended before it was ready: {0}")]
    Ended(String),
    /// The bytes are no worker.
    #[error(transparent)]
    Component(#[from] LoadError),
    /// The process that compiles ended, was late, or said what it must not.
    #[error("the component could not be compiled: {0}")]
    Compiler(String),
    /// A wall that policy demands does not stand.
    #[error("the wall `{wall}` does not stand on this host: {why}")]
    Wall {
        /// Its name.
        wall: String,
        /// Why not.
        why: String,
    },
}

impl RunnerError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::Ended(_) => "AB0215",
            Self::Component(error) => error.code(),
            Self::Compiler(_) => "AB0807",
            Self::Wall { .. } => "AB0216",
        }
    }
}

impl From<WireError> for RunnerError {
    fn from(error: WireError) -> Self {
        Self::Ended(error.to_string())
    }
}

/// A process behind the walls.
#[derive(Debug)]
struct Hand {
    child: Mutex<Child>,
    control: Mutex<UnixStream>,
    walls: Vec<Wall>,
}

impl Hand {
    fn start(
        program: &Program,
        limits: &EngineLimits,
        required: &[String],
        patience: Duration,
    ) -> Result<Self, RunnerError> {
        let (child, control) = program.start().map_err(RunnerError::Start)?;
        let mut hand = Self { child: Mutex::new(child), control: Mutex::new(control), walls: Vec::new() };
        let said = hand.ask(&Order::Start(limits.clone()), WORD_BYTES_MAX, patience)?;
        let Word::Ready(walls) = said else { return Err(WireError::Malformed.into()) };
        hand.walls = walls;
        for name in required {
            let wall = hand.walls.iter().find(|wall| wall.name == *name);
            let why = match wall {
                Some(wall) if wall.stands => continue,
                Some(wall) => clean_line(&wall.what, MESSAGE_BYTES_MAX),
                None => "there is no such wall".to_owned(),
            };
            return Err(RunnerError::Wall { wall: name.clone(), why });
        }
        Ok(hand)
    }

    /// Gives an order and waits for the answer.
    fn ask(&self, order: &Order, limit: u64, patience: Duration) -> Result<Word, WireError> {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.set_read_timeout(Some(patience))?;
        control.set_write_timeout(Some(patience))?;
        send(&mut *control, order)?;
        receive(&mut *control, limit)
    }

    /// Begins a task; what comes back is its socket.
    fn begin(&self, request: &RunRequest) -> Result<UnixStream, WireError> {
        let request = serde_json::to_vec(request).map_err(|_| WireError::Malformed)?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut *control, &Order::Run(ByteBuf::from(request)))?;
        control.flush()?;
        pipe::send(&control, theirs)?;
        Ok(ours)
    }

    fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What is kept of a component: what it asks for, and what it was compiled to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Compiled {
    info: ComponentInfo,
    code: ByteBuf,
}

/// Runs components in processes of their own, one for each.
#[derive(Debug)]
pub struct Processes {
    program: Program,
    limits: EngineLimits,
    required: Vec<String>,
    patience: Patience,
    cache: Option<CompiledCache>,
    known: Mutex<BTreeMap<Digest, Arc<Compiled>>>,
    hands: Mutex<BTreeMap<Digest, Arc<Hand>>>,
}

impl Processes {
    /// Runners of `program`, each with an engine of `limits`. Nothing is started yet. Without one of the `required` walls nothing runs.
    pub fn new(program: Program, limits: EngineLimits, required: Vec<String>) -> Self {
        Self {
            program,
            limits,
            required,
            patience: PATIENCE,
            cache: None,
            known: Mutex::default(),
            hands: Mutex::default(),
        }
    }

    /// Keeps what is compiled in `cache`, and takes from there what was compiled before.
    #[must_use]
    pub fn with_cache(self, cache: CompiledCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    fn start(&self, required: &[String]) -> Result<Hand, RunnerError> {
        Hand::start(&self.program, &self.limits, required, self.patience.start)
    }

    /// Which walls stand around a runner here, and what it could do nevertheless. Starts one.
    pub fn examine(&self) -> Result<(Vec<Wall>, Vec<Attempt>), RunnerError> {
        let hand = self.start(&[])?;
        let Word::Tried(attempts) = hand.ask(&Order::Try, WORD_BYTES_MAX, self.patience.start)? else {
            return Err(WireError::Malformed.into());
        };
        Ok((hand.walls.clone(), attempts))
    }

    /// Ends every runner. The next task starts one anew.
    pub fn rest(&self) {
        lock(&self.hands).clear();
    }

    /// Compiles a component, once per digest, in a process of its own. Loading grants nothing and runs nothing.
    pub fn load(&self, bytes: &[u8]) -> Result<ComponentInfo, RunnerError> {
        component::check_outside(bytes, self.limits.component_bytes_max)?;
        let digest = Digest::of(bytes);
        if let Some(known) = lock(&self.known).get(&digest) {
            return Ok(known.info.clone());
        }
        let kept = self.cache.as_ref().and_then(|cache| cache.find_bytes(&digest, &self.context()));
        let compiled = match kept.and_then(|bytes| postcard::from_bytes::<Compiled>(&bytes).ok()) {
            Some(compiled) => compiled,
            None => self.compile(&digest, bytes)?,
        };
        let info = compiled.info.clone();
        lock(&self.known).insert(digest, Arc::new(compiled));
        Ok(info)
    }

    /// What compiled code depends on beside the component.
    fn context(&self) -> String {
        format!("{} {:?}", env!("CARGO_PKG_VERSION"), self.limits)
    }

    fn compile(&self, digest: &Digest, bytes: &[u8]) -> Result<Compiled, RunnerError> {
        // What it asks for is read here, without the compiler: what the other process would say of it is not asked.
        let seen = inspect(bytes, self.limits.component_bytes_max)
            .map_err(|error| LoadError::Malformed(error.to_string()))?;
        let info = ComponentInfo {
            digest: digest.clone(),
            bytes: seen.bytes,
            imports: seen.imports.into_iter().map(|import| import.name).collect(),
            exports: seen.exports.into_iter().collect(),
        };
        let hand = self.start(&self.required)?;
        let order = Order::Compile(ByteBuf::from(bytes));
        let word = hand
            .ask(&order, CODE_BYTES_MAX, self.patience.compile)
            .map_err(|error| RunnerError::Compiler(error.to_string()))?;
        let Word::Compiled(compiled) = word else { return Err(WireError::Malformed.into()) };
        let code = compiled.map_err(LoadError::cleaned)?;
        let compiled = Compiled { info, code };
        if let (Some(cache), Ok(bytes)) = (&self.cache, postcard::to_stdvec(&compiled)) {
            cache.keep_bytes(digest, &self.context(), &bytes);
        }
        Ok(compiled)
    }

    /// Runs one task in a fresh instance behind the walls.
    #[tracing::instrument(name = "task", skip_all, fields(task.id = %request.task.id, component = request.component.short()))]
    pub fn run(&self, request: &RunRequest, workspace: &dyn Workspace) -> RunOutcome {
        let known = lock(&self.known).get(&request.component).cloned();
        let requested = known.as_ref().map(|known| known.info.imports.clone()).unwrap_or_default();
        let mut task = Task::new(request, workspace, self.patience.grace);
        let ended = match &known {
            None => {
                Err(Ended::Refused(Refusal::UnknownComponent { component: request.component.to_string() }))
            }
            Some(known) => component::check_imports(&known.info, &request.grants)
                .map_err(Ended::Refused)
                .and_then(|()| self.hand(known).map_err(|error| Ended::Lost(error.to_string())))
                .and_then(|hand| self.attend(&hand, &mut task)),
        };
        let outcome = task.outcome(ended, requested);
        judged(outcome, request, workspace)
    }

    /// The runner of a component, started when it is first asked for.
    fn hand(&self, known: &Compiled) -> Result<Arc<Hand>, RunnerError> {
        let mut hands = lock(&self.hands);
        if let Some(hand) = hands.get(&known.info.digest) {
            return Ok(Arc::clone(hand));
        }
        let hand = self.start(&self.required)?;
        let order = Order::Load {
            component: known.info.digest.clone(),
            bytes: known.info.bytes,
            code: known.code.clone(),
        };
        let Word::Loaded(loaded) = hand.ask(&order, WORD_BYTES_MAX, self.patience.start)? else {
            return Err(WireError::Malformed.into());
        };
        loaded.map_err(|why| RunnerError::Ended(clean_line(&why, MESSAGE_BYTES_MAX)))?;
        let hand = Arc::new(hand);
        hands.insert(known.info.digest.clone(), Arc::clone(&hand));
        Ok(hand)
    }

    /// Answers a task until it is over. A runner that breaks the rules, or is late, is ended with all that it runs.
    fn attend(&self, hand: &Arc<Hand>, task: &mut Task<'_>) -> Result<RunOutcome, Ended> {
        let attended = hand.begin(task.request).and_then(|mut socket| {
            let watch = Watch::over(&socket, task.wait())?;
            let ended = task.serve(&mut socket);
            watch.end();
            ended
        });
        attended.map_err(|error| {
            lock(&self.hands).retain(|_, other| !Arc::ptr_eq(other, hand));
            hand.kill();
            Ended::Lost(format!("the runner was ended: {error}"))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hangs up on a task that is late.
struct Watch {
    over: Arc<(Mutex<bool>, Condvar)>,
}

impl Watch {
    fn over(socket: &UnixStream, wait: Duration) -> io::Result<Self> {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let (socket, seen) = (socket.try_clone()?, Arc::clone(&over));
        std::thread::Builder::new().name("runner-watch".to_owned()).spawn(move || {
            let (done, changed) = &*seen;
            let waited = changed.wait_timeout_while(lock(done), wait, |done| !*done);
            if waited.is_ok_and(|(_, timeout)| timeout.timed_out()) {
                // A socket that is closed already has nobody who waits.
                drop(socket.shutdown(Shutdown::Both));
            }
        })?;
        Ok(Self { over })
    }

    fn end(self) {
        let (done, changed) = &*self.over;
        *lock(done) = true;
        changed.notify_all();
    }
}

/// How a task ended without a word of its own.
pub(super) enum Ended {
    Refused(Refusal),
    Lost(String),
}

/// One task, as this side sees it.
pub(super) struct Task<'a> {
    request: &'a RunRequest,
    workspace: &'a dyn Workspace,
    meter: WorkspaceMeter,
    grace: Duration,
}

impl<'a> Task<'a> {
    /// A task that has asked for nothing yet.
    pub(super) fn new(request: &'a RunRequest, workspace: &'a dyn Workspace, grace: Duration) -> Self {
        Self { request, workspace, meter: WorkspaceMeter::new(&request.limits), grace }
    }

    /// How long its runner may take. It keeps the deadline by counting ticks, which come late on a busy machine; this only ends one that
    /// keeps none.
    fn wait(&self) -> Duration {
        Duration::from_millis(self.request.limits.wall_ms_max).saturating_mul(2).saturating_add(self.grace)
    }

    /// Answers until the last word.
    pub(super) fn serve(&mut self, socket: &mut UnixStream) -> Result<RunOutcome, WireError> {
        let limit = bytes_max(&self.request.limits);
        loop {
            let answer = match receive(socket, limit)? {
                Ask::Done(outcome) => {
                    return serde_json::from_slice(&outcome).map_err(|_| WireError::Malformed);
                }
                Ask::List { prefix, after, limit } => {
                    Answer::Listing(self.meter.list(self.workspace, &prefix, after.as_deref(), limit))
                }
                Ask::Read { path, offset, limit } => {
                    Answer::Bytes(self.meter.read(self.workspace, &path, offset, limit).map(ByteBuf::from))
                }
                Ask::Search { query, options } => {
                    Answer::Found(self.meter.search(self.workspace, &query, options))
                }
            };
            send(socket, &answer)?;
        }
    }

    /// What is recorded: by this side's own counts, with every text cleaned and every number bounded.
    pub(super) fn outcome(
        &self,
        ended: Result<RunOutcome, Ended>,
        requested: std::collections::BTreeSet<String>,
    ) -> RunOutcome {
        let limits = &self.request.limits;
        let (result, log, told, spent) = match ended {
            Ok(said) => (cleaned(said.result), bounded(said.log, limits), said.receipt.used, said.spent),
            Err(Ended::Refused(refusal)) => {
                (RunResult::Refused(refusal), Vec::new(), BTreeMap::new(), Spent::default())
            }
            Err(Ended::Lost(why)) => {
                let message = clean_line(&why, MESSAGE_BYTES_MAX);
                let trap = Trap { kind: TrapKind::Runner, message };
                (RunResult::Trapped(trap), Vec::new(), BTreeMap::new(), Spent::default())
            }
        };
        let spent = Spent {
            wall_ms: spent.wall_ms.min(u64::try_from(self.wait().as_millis()).unwrap_or(u64::MAX)),
            memory_bytes: spent.memory_bytes.min(limits.memory_bytes_max),
            output_bytes: 0,
        };
        let receipt = CapabilityReceipt {
            requested,
            granted: self.request.grants.clone(),
            used: self.used(&log, &told),
        };
        RunOutcome { result, receipt, log, spent }
    }

    /// The workspace as it was counted here, the log as it arrived; what was refused over there is only told.
    fn used(&self, log: &[LogLine], told: &BTreeMap<Capability, Usage>) -> BTreeMap<Capability, Usage> {
        let told = |capability| told.get(&capability).copied().unwrap_or_default();
        let mut used = BTreeMap::new();
        // What the runner refused by itself never came here.
        let (here, there) = (self.meter.usage().unwrap_or_default(), told(Capability::Workspace));
        let calls = here.calls.max(there.calls.min(self.request.limits.workspace_calls_max.into()));
        let workspace = Usage { calls, bytes: here.bytes, denied: here.denied.max(there.denied) };
        if workspace != Usage::default() {
            used.insert(Capability::Workspace, workspace);
        }
        let lines = Usage {
            calls: u64::try_from(log.len()).unwrap_or(u64::MAX),
            bytes: log
                .iter()
                .fold(0, |sum, line| sum.saturating_add(u64::try_from(line.text.len()).unwrap_or(u64::MAX))),
            denied: told(Capability::Log).denied,
        };
        if lines != Usage::default() {
            used.insert(Capability::Log, lines);
        }
        let reports = told(Capability::Progress);
        if reports != Usage::default() {
            let calls = reports.calls.min(self.request.limits.progress_calls_max.into());
            used.insert(Capability::Progress, Usage { calls, bytes: 0, denied: reports.denied });
        }
        used
    }
}

/// Bytes of one message of a task: what one call may hand over, or the last word.
fn bytes_max(limits: &Limits) -> u64 {
    let done = limits.output_bytes_max.saturating_add(limits.log_bytes_max).saturating_mul(JSON_FACTOR);
    done.saturating_add(DONE_BYTES).max(limits.hostcall_bytes_max)
}

/// The lines that fit the limits, each cleaned again.
fn bounded(log: Vec<LogLine>, limits: &Limits) -> Vec<LogLine> {
    let mut left = limits.log_bytes_max;
    let lines = log.into_iter().take(usize::try_from(limits.log_calls_max).unwrap_or(usize::MAX));
    let clean = lines.map(|line| LogLine {
        level: line.level,
        text: clean_line(&line.text, crate::host::LOG_LINE_BYTES_MAX),
    });
    clean
        .take_while(|line| {
            let bytes = u64::try_from(line.text.len()).unwrap_or(u64::MAX);
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        })
        .collect()
}

/// The result with texts that can be shown. A proposal is checked as a whole, later; a rejection is for this side to say.
fn cleaned(result: RunResult) -> RunResult {
    let line = |text: &str| clean_line(text, MESSAGE_BYTES_MAX);
    match result {
        RunResult::Proposed(_) => result,
        RunResult::Failed(failure) => {
            RunResult::Failed(crate::message::Failure { kind: failure.kind, message: line(&failure.message) })
        }
        RunResult::Trapped(trap) => {
            RunResult::Trapped(Trap { kind: trap.kind, message: line(&trap.message) })
        }
        RunResult::Refused(refusal) => RunResult::Refused(refusal.cleaned()),
        RunResult::Rejected(_) => RunResult::Trapped(Trap {
            kind: TrapKind::Runner,
            message: "the runner judged its own worker".to_owned(),
        }),
    }
}
