//! This side of the wall: which runners there are, and which task goes where.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::id::Digest;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::hand::{Hand, Program, RunnerError, Starting, Terms};
use super::task::{Ended, Task, Watch};
use super::walls::{Attempt, Wall};
use super::wire::{Order, Purpose, WireError, Word};
use super::{WORD_BYTES_MAX, lock, no_exec};
use crate::cache::CompiledCache;
use crate::component::{self, ComponentInfo, LoadError};
use crate::egress::{Egress, NoEgress};
use crate::engine::{self, EngineLimits, Execution};
use crate::inspect::inspect;
use crate::message::{Refusal, RunOutcome, RunRequest};
use crate::run::{MESSAGE_BYTES_MAX, judged};
use crate::text::clean_line;
use crate::workspace::Workspace;

/// Bytes of compiled code.
const CODE_BYTES_MAX: u64 = 1 << 30;
/// How long this side waits for a runner to start, and to take compiled code.
const START: Duration = Duration::from_secs(30);
/// For a component to be compiled.
const COMPILE: Duration = Duration::from_mins(2);
/// For a task beyond its own deadline, which its runner keeps.
const GRACE: Duration = Duration::from_secs(2);

/// What is kept of a component: what it asks for, and what it was compiled to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Compiled {
    info: ComponentInfo,
    code: ByteBuf,
}

/// How a task ends for which there is no runner.
fn not_there(error: RunnerError) -> Ended {
    match error {
        RunnerError::Wall { wall, why } => Ended::Refused(Refusal::Wall { wall, why }),
        RunnerError::NoExec(why) => Ended::Refused(Refusal::Wall { wall: no_exec::WALL.to_owned(), why }),
        RunnerError::Start(_)
        | RunnerError::Ended(_)
        | RunnerError::Component(_)
        | RunnerError::Compiler(_)
        | RunnerError::MachineCode => Ended::Lost(error.to_string()),
    }
}

/// The runner of one component, or the place for it. Held while it is started, so that tasks of one component wait for one runner and those
/// of others wait for none.
type Seat = Arc<Mutex<Option<Arc<Hand>>>>;

/// Runs components in processes of their own, one for each: a runner is given one component and never another.
///
/// All tasks of one of these are of one tenant: who serves several makes one for each, and no process is ever shared between them.
#[derive(Debug)]
pub struct Processes {
    terms: Terms,
    cache: Option<CompiledCache>,
    known: Mutex<BTreeMap<Digest, Arc<Compiled>>>,
    seats: Mutex<BTreeMap<Digest, Seat>>,
    /// Runners that have no component yet.
    waiting: Mutex<Vec<Starting>>,
    waiting_max: usize,
}

impl Processes {
    /// Runners of `program`, each with an engine of `limits`. Nothing is started yet. Without one of the `required` walls nothing runs.
    pub fn new(program: Program, limits: EngineLimits, required: Vec<String>) -> Self {
        Self {
            terms: Terms { program, limits, execution: Execution::Native, required, patience: START },
            cache: None,
            known: Mutex::default(),
            seats: Mutex::default(),
            waiting: Mutex::default(),
            waiting_max: 0,
        }
    }

    /// Keeps what is compiled in `cache`, and takes from there what was compiled before.
    #[must_use]
    pub fn with_cache(self, cache: CompiledCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Runs code in this way.
    #[must_use]
    pub fn with_execution(self, execution: Execution) -> Self {
        Self { terms: Terms { execution, ..self.terms }, ..self }
    }

    /// Lets [`Processes::prepare`] start as many runners ahead.
    #[must_use]
    pub fn with_pool(self, waiting_max: usize) -> Self {
        Self { waiting_max, ..self }
    }

    /// Starts runners until as many wait as the pool holds, without waiting for them. One that died is replaced.
    ///
    /// A runner that cannot be started is no failure here: the task that would need it says so.
    pub fn prepare(&self) {
        let missing = {
            let mut waiting = lock(&self.waiting);
            waiting.retain(|one| !one.has_ended());
            self.waiting_max.saturating_sub(waiting.len())
        };
        for _ in 0..missing {
            match Starting::of(&self.terms, Purpose::Run) {
                Ok(one) => lock(&self.waiting).push(one),
                Err(error) => return tracing::debug!(%error, "no runner was started ahead"),
            }
        }
    }

    /// The same unless a runner of this component stands: then none is needed.
    pub fn prepare_for(&self, component: &Digest) {
        let seat = lock(&self.seats).get(component).cloned();
        if seat.is_none_or(|seat| lock(&seat).is_none()) {
            self.prepare();
        }
    }

    /// Sees that runners can be started here, and that the required walls stand around them.
    pub fn check(&self) -> Result<(), RunnerError> {
        let started = Starting::of(&self.terms, Purpose::Other)?;
        started.ready(&self.terms).map(drop)
    }

    fn start(&self, purpose: Purpose) -> Result<Hand, RunnerError> {
        Starting::of(&self.terms, purpose)?.ready(&self.terms)
    }

    /// Which walls stand around a runner here, and what it could do nevertheless. Starts one.
    pub fn examine(&self) -> Result<(Vec<Wall>, Vec<Attempt>), RunnerError> {
        let hand = Starting::of(&self.terms, Purpose::Other)?.heard(START)?;
        let Word::Tried(attempts) = hand.ask(&Order::Try, WORD_BYTES_MAX, START)? else {
            return Err(WireError::Malformed.into());
        };
        Ok((hand.walls.clone(), attempts))
    }

    /// Ends every runner. The next task starts one anew.
    pub fn rest(&self) {
        lock(&self.seats).clear();
        lock(&self.waiting).clear();
    }

    /// Compiles a component, once per digest, in a process of its own. Loading grants nothing and runs nothing.
    pub fn load(&self, bytes: &[u8]) -> Result<ComponentInfo, RunnerError> {
        component::check_outside(bytes, self.terms.limits.component_bytes_max)?;
        let digest = Digest::of(bytes);
        if let Some(known) = lock(&self.known).get(&digest) {
            return Ok(known.info.clone());
        }
        let context = self.context()?;
        let kept = self.cache.as_ref().and_then(|cache| cache.find_bytes(&digest, &context));
        let compiled = match kept.and_then(|bytes| postcard::from_bytes::<Compiled>(&bytes).ok()) {
            Some(compiled) => compiled,
            None => self.compile(&digest, bytes, &context)?,
        };
        let info = compiled.info.clone();
        lock(&self.known).insert(digest, Arc::new(compiled));
        Ok(info)
    }

    /// What compiled code depends on beside the component: that of another release or machine is not found, and compiled anew.
    fn context(&self) -> Result<String, RunnerError> {
        engine::fingerprint(&self.terms.limits, self.terms.execution)
            .map_err(|error| RunnerError::Ended(error.to_string()))
    }

    fn compile(&self, digest: &Digest, bytes: &[u8], context: &str) -> Result<Compiled, RunnerError> {
        // What it asks for is read here, without the compiler: what the other process would say of it is not asked.
        let seen = inspect(bytes, self.terms.limits.component_bytes_max)
            .map_err(|error| LoadError::Malformed(error.to_string()))?;
        component::check_room(&seen.parts, &self.terms.limits)?;
        let info = ComponentInfo {
            digest: digest.clone(),
            bytes: seen.bytes,
            imports: seen.imports.into_iter().map(|import| import.name).collect(),
            exports: seen.exports.into_iter().collect(),
        };
        let hand = self.start(Purpose::Other)?;
        let order = Order::Compile(ByteBuf::from(bytes));
        let word = hand
            .ask(&order, CODE_BYTES_MAX, COMPILE)
            .map_err(|error| RunnerError::Compiler(error.to_string()))?;
        let Word::Compiled(compiled) = word else { return Err(WireError::Malformed.into()) };
        let code = compiled.map_err(LoadError::cleaned)?;
        let compiled = Compiled { info, code };
        if let (Some(cache), Ok(bytes)) = (&self.cache, postcard::to_stdvec(&compiled)) {
            cache.keep_bytes(digest, context, &bytes);
        }
        Ok(compiled)
    }

    /// Runs one task in a fresh instance behind the walls.
    pub fn run(&self, request: &RunRequest, workspace: &dyn Workspace) -> RunOutcome {
        self.run_with(request, workspace, &NoEgress)
    }

    /// The same with a way to the network, if the request grants it. The runner has none: what it asks for is asked on this side.
    #[tracing::instrument(name = "task", skip_all, fields(task.id = %request.task.id, component = request.component.short()))]
    pub fn run_with(
        &self,
        request: &RunRequest,
        workspace: &dyn Workspace,
        egress: &dyn Egress,
    ) -> RunOutcome {
        let known = lock(&self.known).get(&request.component).cloned();
        let requested = known.as_ref().map(|known| known.info.imports.clone()).unwrap_or_default();
        let mut task = Task::new(request, workspace, egress, (GRACE, self.terms.execution));
        let ended = match &known {
            None => {
                Err(Ended::Refused(Refusal::UnknownComponent { component: request.component.to_string() }))
            }
            Some(known) => component::check_imports(&known.info, &request.grants, &request.stubs)
                .map_err(Ended::Refused)
                .and_then(|()| self.hand(known).map_err(not_there))
                .and_then(|hand| self.attend(&hand, &mut task)),
        };
        let outcome = task.outcome(ended, requested);
        judged(outcome, request, workspace)
    }

    /// The runner of a component, taken from those that wait or started when it is first asked for.
    fn hand(&self, known: &Compiled) -> Result<Arc<Hand>, RunnerError> {
        let seat = Arc::clone(lock(&self.seats).entry(known.info.digest.clone()).or_default());
        let mut seat = lock(&seat);
        if let Some(hand) = &*seat {
            return Ok(Arc::clone(hand));
        }
        let hand = Arc::new(self.seated(known)?);
        *seat = Some(Arc::clone(&hand));
        Ok(hand)
    }

    /// A runner that has the component, and nobody else's.
    fn seated(&self, known: &Compiled) -> Result<Hand, RunnerError> {
        let next = || lock(&self.waiting).pop();
        while let Some(waiting) = next() {
            match waiting.ready(&self.terms).and_then(|hand| given(hand, known)) {
                // It died while it waited. That is no failure of this task: another one takes its place.
                Err(RunnerError::Ended(why)) => tracing::debug!(why, "a runner that waited was gone"),
                taken => return taken,
            }
        }
        given(self.start(Purpose::Run)?, known)
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
            self.leave(&task.request.component, hand);
            hand.kill();
            Ended::Lost(format!("the runner was ended: {error}"))
        })
    }

    /// The next task of the component gets another runner.
    fn leave(&self, component: &Digest, hand: &Arc<Hand>) {
        let Some(seat) = lock(&self.seats).get(component).cloned() else { return };
        let mut seat = lock(&seat);
        if seat.as_ref().is_some_and(|other| Arc::ptr_eq(other, hand)) {
            *seat = None;
        }
    }
}

/// Gives a runner its component.
fn given(hand: Hand, known: &Compiled) -> Result<Hand, RunnerError> {
    let order = Order::Load {
        component: known.info.digest.clone(),
        bytes: known.info.bytes,
        code: known.code.clone(),
    };
    let Word::Loaded(loaded) = hand.ask(&order, WORD_BYTES_MAX, START)? else {
        return Err(WireError::Malformed.into());
    };
    loaded.map_err(|why| RunnerError::Ended(clean_line(&why, MESSAGE_BYTES_MAX)))?;
    Ok(hand)
}
