//! This side of the wall: which runners there are, and which task goes where.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::id::Digest;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::hand::{Hand, Program, RunnerError};
use super::task::{Ended, Task, Watch};
use super::walls::{Attempt, Wall};
use super::wire::{Order, WireError, Word};
use super::{WORD_BYTES_MAX, lock};
use crate::cache::CompiledCache;
use crate::component::{self, ComponentInfo, LoadError};
use crate::egress::{Egress, NoEgress};
use crate::engine::{self, EngineLimits};
use crate::inspect::inspect;
use crate::message::{Refusal, RunOutcome, RunRequest};
use crate::run::{MESSAGE_BYTES_MAX, judged};
use crate::text::clean_line;
use crate::workspace::Workspace;

/// Bytes of compiled code.
const CODE_BYTES_MAX: u64 = 1 << 30;
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

/// What is kept of a component: what it asks for, and what it was compiled to.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Compiled {
    info: ComponentInfo,
    code: ByteBuf,
}

/// How a task ends for which there is no runner.
fn not_there(error: RunnerError) -> Ended {
    if let RunnerError::Wall { wall, why } = error {
        return Ended::Refused(Refusal::Wall { wall, why });
    }
    Ended::Lost(error.to_string())
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
        engine::fingerprint(&self.limits).map_err(|error| RunnerError::Ended(error.to_string()))
    }

    fn compile(&self, digest: &Digest, bytes: &[u8], context: &str) -> Result<Compiled, RunnerError> {
        // What it asks for is read here, without the compiler: what the other process would say of it is not asked.
        let seen = inspect(bytes, self.limits.component_bytes_max)
            .map_err(|error| LoadError::Malformed(error.to_string()))?;
        component::check_room(&seen.parts, &self.limits)?;
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
        let mut task = Task::new(request, workspace, egress, self.patience.grace);
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
