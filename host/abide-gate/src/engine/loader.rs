//! From policy text to a prepared engine: limits, then the parser, then the inspection, then the preparation, each failing closed.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};
use serde_json::Value as Json;

use crate::engine::layer::Layer;
use crate::engine::limits::{JudgeLimits, SourceLimits};
use crate::engine::link::{self, Asked, Plan};
use crate::engine::supervisor::{Lost, Supervisor};
use crate::engine::{builtins, inspect};

/// A place in a policy file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub path: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

/// Why a bundle was refused. Nothing is half loaded: the generation before stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// There is no such rule.
    #[error("no module defines `data.abide.decision`")]
    NoEntrypoint,
    /// A limit of the text is exceeded.
    #[error("`{path}` has {found} {what}; {max} are allowed")]
    Limit {
        /// The file, or `policies` for all of them.
        path: String,
        /// What is counted.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        max: usize,
    },
    /// It does not parse.
    #[error("{place}: {why}")]
    Syntax {
        /// Where.
        place: Place,
        /// The parser's words.
        why: String,
    },
    /// A builtin that may not be called.
    #[error("{place}: `{name}` is refused: {why}")]
    Builtin {
        /// Where.
        place: Place,
        /// Its name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A function, rule or variable that does not exist.
    #[error("{place}: there is no `{name}` here")]
    Function {
        /// Where.
        place: Place,
        /// Its name.
        name: String,
    },
    /// Something that a policy may not say.
    #[error("{place}: {what}")]
    Construct {
        /// Where.
        place: Place,
        /// What, and why not.
        what: &'static str,
    },
    /// An `input` path that the schema lacks.
    #[error("{place}: `{path}` is not in the input schema{}", did_you_mean(nearest.as_deref()))]
    Input {
        /// Where.
        place: Place,
        /// The path.
        path: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// A `data` path that neither a rule nor the data provides.
    #[error("{place}: no rule and no data provides `{path}`")]
    DataPath {
        /// Where.
        place: Place,
        /// The path.
        path: String,
    },
    /// The data cannot be used.
    #[error("policy data: {why}")]
    Data {
        /// Why.
        why: String,
    },
    /// A file that has no business in a policy folder, or cannot be read as what its name says.
    #[error("`{path}`: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// Stored bytes are not a bundle.
    #[error("these bytes are not a policy bundle: {why}")]
    Bytes {
        /// Why.
        why: String,
    },
    /// The engine refused to prepare it.
    #[error("the modules do not fit together: {why}")]
    Prepare {
        /// The engine's words.
        why: String,
    },
    /// The engine panicked or did not end.
    #[error("loading did not end: the engine {0}")]
    Lost(&'static str),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |path| format!("; did you mean `{path}`?"))
}

impl BundleError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoEntrypoint => "AB0100",
            Self::Limit { .. } => "AB0101",
            Self::Syntax { .. } => "AB0102",
            Self::Builtin { .. } => "AB0103",
            Self::Function { .. } => "AB0104",
            Self::Data { .. } | Self::File { .. } => "AB0105",
            Self::Bytes { .. } => "AB0106",
            Self::Construct { .. } => "AB0107",
            Self::Prepare { .. } => "AB0108",
            Self::Lost(_) => "AB0109",
            Self::Input { .. } => "AB0117",
            Self::DataPath { .. } => "AB0118",
        }
    }

    /// The file that it is about.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::File { path, .. } | Self::Limit { path, .. } => Some(path),
            Self::NoEntrypoint
            | Self::Syntax { .. }
            | Self::Builtin { .. }
            | Self::Function { .. }
            | Self::Construct { .. }
            | Self::Input { .. }
            | Self::DataPath { .. }
            | Self::Data { .. }
            | Self::Bytes { .. }
            | Self::Prepare { .. }
            | Self::Lost(_) => self.place().map(|place| place.path.as_str()),
        }
    }

    /// Where in the text it is, for a pointer in the report.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::Builtin { place, .. }
            | Self::Function { place, .. }
            | Self::Construct { place, .. }
            | Self::Input { place, .. }
            | Self::DataPath { place, .. } => Some(place),
            Self::NoEntrypoint
            | Self::Limit { .. }
            | Self::Data { .. }
            | Self::File { .. }
            | Self::Bytes { .. }
            | Self::Prepare { .. }
            | Self::Lost(_) => None,
        }
    }
}

/// Modules ready to answer, as they were written.
pub(crate) struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) data: Value,
    /// How to join them, or where and why that cannot be.
    pub(crate) plan: Result<Plan, (Place, &'static str)>,
}

/// Prepares the modules that decide. Whoever has them has checked their sizes: the text of a bundle is made within them.
pub(crate) fn prepare(
    modules: &BTreeMap<String, String>,
    data: &Json,
    limits: SourceLimits,
) -> Result<Loaded, BundleError> {
    supervised(modules, data, limits, inspect::Audience::Live)
}

/// Prepares modules together with their tests, which may say `with` and are in no bundle.
pub(crate) fn prepare_tests(
    modules: &BTreeMap<String, String>,
    data: &Json,
    limits: SourceLimits,
) -> Result<Engine, BundleError> {
    check_sizes(modules, data, limits)?;
    let mut engine = supervised(modules, data, limits, inspect::Audience::Tests)?.engine;
    engine.set_execution_timer_config(timer(TEST_MAX));
    Ok(engine)
}

/// What one test may take. It asks for many decisions, by modules that are not joined, and on a host that may do much else meanwhile.
const TEST_MAX: Duration = Duration::from_secs(20);

fn timer(limit: Duration) -> ExecutionTimerConfig {
    ExecutionTimerConfig { limit, check_interval: NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN) }
}

/// Prepares the joined module for what is asked about, and gives the map of its lines.
pub(crate) fn prepare_joined(
    plan: &Arc<Plan>,
    data: &Value,
    asked: &Asked,
    limits: SourceLimits,
) -> Result<(Engine, link::Lines), BundleError> {
    let (plan, data, asked) = (Arc::clone(plan), data.clone(), asked.clone());
    let work = move || {
        let joined = plan.join(&asked);
        Ok((prepare_text(joined.text, data)?, joined.lines))
    };
    on_a_thread(limits, work)
}

/// Prepares one module in the package of joined ones, over `data`.
pub(crate) fn prepare_text(text: String, data: Value) -> Result<Engine, BundleError> {
    let mut engine = bare()?;
    let added = engine.add_policy(link::PACKAGE.to_owned(), text);
    added.map_err(|error| syntax(link::PACKAGE, &error.to_string()))?;
    let mut document = Value::new_object();
    let fields = document.as_object_mut().map_err(|error| BundleError::Prepare { why: error.to_string() })?;
    fields.insert(Value::from(link::DOCUMENT), data);
    finish(&mut engine, document)?;
    Ok(engine)
}

fn supervised(
    modules: &BTreeMap<String, String>,
    data: &Json,
    limits: SourceLimits,
    audience: inspect::Audience,
) -> Result<Loaded, BundleError> {
    for (path, text) in modules {
        inspect::nesting(path, text, limits.nesting_max)?;
    }
    let (modules, data) = (modules.clone(), data.clone());
    on_a_thread(limits, move || load(&modules, &data, limits, audience))
}

/// Runs `work` where a deep stack, a panic or an endless loop costs an error and nothing else.
pub(crate) fn on_a_thread<T: Send + 'static>(
    limits: SourceLimits,
    work: impl FnOnce() -> Result<T, BundleError> + Send + 'static,
) -> Result<T, BundleError> {
    let deadline = Duration::from_millis(limits.load_ms_max);
    Supervisor::new(1).call(deadline, work).unwrap_or_else(|lost| Err(BundleError::Lost(told(lost))))
}

fn told(lost: Lost) -> &'static str {
    match lost {
        Lost::Deadline => "ran past its deadline",
        Lost::Panicked => "panicked",
        Lost::Crowded | Lost::NoThread => "could not be started",
    }
}

pub(crate) fn check_sizes(
    modules: &BTreeMap<String, String>,
    data: &Json,
    limits: SourceLimits,
) -> Result<(), BundleError> {
    let limit = |path: &str, what, found, max| {
        if found <= max {
            Ok(())
        } else {
            Err(BundleError::Limit { path: path.to_owned(), what, found, max })
        }
    };
    limit("policies", "modules", modules.len(), limits.modules_max)?;
    for (path, text) in modules {
        limit(path, "bytes", text.len(), limits.module_bytes_max)?;
    }
    limit("policies", "bytes", modules.values().map(String::len).sum(), limits.bytes_max)?;
    check_data(data, 0, limits)?;
    limit("policies/data", "bytes", data.to_string().len(), limits.data_bytes_max)
}

fn check_data(data: &Json, depth: usize, limits: SourceLimits) -> Result<(), BundleError> {
    if depth > limits.data_depth_max {
        return Err(BundleError::Data { why: format!("it is nested deeper than {}", limits.data_depth_max) });
    }
    let deeper = depth.saturating_add(1);
    match data {
        Json::Null | Json::Bool(_) | Json::String(_) => Ok(()),
        Json::Number(number) if number.is_i64() || number.is_u64() => Ok(()),
        Json::Number(number) => Err(BundleError::Data {
            why: format!("`{number}` is not an integer: write shares in thousandths"),
        }),
        Json::Array(items) => items.iter().try_for_each(|item| check_data(item, deeper, limits)),
        Json::Object(fields) => fields.values().try_for_each(|item| check_data(item, deeper, limits)),
    }
}

fn load(
    modules: &BTreeMap<String, String>,
    data: &Json,
    limits: SourceLimits,
    audience: inspect::Audience,
) -> Result<Loaded, BundleError> {
    let mut engine = bare()?;
    for (path, text) in modules {
        let added = engine.add_policy(path.clone(), text.clone());
        let package = added.map_err(|error| syntax(path, &error.to_string()))?;
        if audience == inspect::Audience::Live || !inspect::is_test(path) {
            check_layer(path, &package)?;
        }
    }
    let links = inspect::modules(engine.get_modules(), data, limits.expression_depth_max, audience)?;
    let value: Value =
        serde_json::from_value(data.clone()).map_err(|error| BundleError::Data { why: error.to_string() })?;
    let plan = Plan::of(engine.get_modules(), links, &value);
    finish(&mut engine, value.clone())?;
    Ok(Loaded { engine, data: value, plan })
}

/// Parses and prepares modules without looking at what they say.
pub(crate) fn danger_unchecked(
    modules: &BTreeMap<String, String>,
    data: &Json,
) -> Result<Engine, BundleError> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    for (path, text) in modules {
        let added = engine.add_policy(path.clone(), text.clone());
        added.map_err(|error| syntax(path, &error.to_string()))?;
    }
    let data =
        serde_json::from_value(data.clone()).map_err(|error| BundleError::Data { why: error.to_string() })?;
    finish(&mut engine, data)?;
    Ok(engine)
}

pub(crate) fn bare() -> Result<Engine, BundleError> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true);
    // The sealed judge has no clock: there the host's deadline ends what the timer would.
    if cfg!(not(target_family = "wasm")) {
        engine.set_execution_timer_config(timer(JudgeLimits::SHIPPED.interpreter()));
    }
    builtins::install(&mut engine).map_err(|why| BundleError::Prepare { why })?;
    Ok(engine)
}

fn finish(engine: &mut Engine, data: Value) -> Result<(), BundleError> {
    engine.add_data(data).map_err(|error| BundleError::Data { why: first_line(&error.to_string()) })?;
    // Evaluating a constant prepares every module (schedules, recursion, unsafe variables) without running any rule.
    engine
        .eval_query("true".to_owned(), false)
        .map_err(|error| BundleError::Prepare { why: told_error(&error.to_string()) })?;
    Ok(())
}

/// Modules below `layers/` come from outside. They live in a corner of their own, where `main.rego` takes their findings and nothing else:
/// so they can tighten, and nothing that they say can loosen. Each layer has names of its own there, so that none speaks in another's package.
pub(crate) fn check_layer(path: &str, package: &str) -> Result<(), BundleError> {
    let corner = "data.abide.layers";
    let name = package.strip_prefix("data.abide.layers.").map(|rest| rest.split('.').next().unwrap_or(rest));
    let refused = |why: String| Err(BundleError::File { path: path.to_owned(), why });
    match (Layer::of(path), name) {
        (Some(layer), Some(name)) if layer.owns(name) => Ok(()),
        (None, None) if package != corner => Ok(()),
        (Some(layer), Some(name)) => {
            let whose = Layer::ALL.into_iter().find(|layer| layer.owns(name)).unwrap_or(layer);
            refused(format!("`abide.layers.{name}` belongs to {}: {}", whose.told(), layer.names()))
        }
        (Some(layer), None) => {
            refused(format!("its package must be `abide.layers.NAME`, not `{package}`{}", layer.hint()))
        }
        (None, _) => refused("only files below `layers/` may be in `abide.layers`".to_owned()),
    }
}

/// Takes the place and the sentence out of what the parser prints: a frame with `--> path:line:column` and `error: sentence`.
pub(crate) fn syntax(path: &str, printed: &str) -> BundleError {
    let place = place_in(printed).unwrap_or_else(|| Place { path: path.to_owned(), line: 1, column: 1 });
    BundleError::Syntax { place, why: sentence_in(printed) }
}

/// The same as one line: `path:line:column: sentence`.
pub(crate) fn told_error(printed: &str) -> String {
    let (place, sentence) = place_and_sentence(printed);
    place.map_or_else(|| sentence.clone(), |place| format!("{place}: {sentence}"))
}

/// The same in its parts.
pub(crate) fn place_and_sentence(printed: &str) -> (Option<Place>, String) {
    (place_in(printed), sentence_in(printed))
}

fn place_in(printed: &str) -> Option<Place> {
    let (_, after) = printed.split_once("--> ")?;
    let mut parts = after.lines().next()?.trim().rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Place { path: parts.next()?.to_owned(), line, column })
}

fn sentence_in(printed: &str) -> String {
    let sentence = printed.split_once("error: ").map_or(printed, |(_, sentence)| sentence);
    first_line(sentence)
}

fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().chars().take(300).collect()
}
