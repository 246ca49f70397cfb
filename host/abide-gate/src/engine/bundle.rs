//! One generation of policy: the modules, the data, their bytes and a prepared engine.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use abide_core::id::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::engine::limits::SourceLimits;
use crate::engine::link::{self, Asked, Lines, Plan};
use crate::engine::loader::{self, BundleError, Place};
use crate::engine::text::BundleText;

/// The rule that answers.
pub const ENTRYPOINT: &str = "data.abide.decision";

/// What is stored and digested (`abide.bundle/1`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) schema: String,
    pub(crate) modules: BTreeMap<String, String>,
    pub(crate) data: Json,
}

pub(crate) const SCHEMA: &str = "abide.bundle/1";

/// One generation of policy, inspected and ready to answer. Cheap to clone.
#[derive(Clone)]
pub struct Bundle {
    text: BundleText,
    engine: regorus::Engine,
    joining: Arc<Joining>,
}

/// The joined modules, one for each kind of question that was asked.
struct Joining {
    plan: Result<Arc<Plan>, (Place, &'static str)>,
    data: regorus::Value,
    ready: RwLock<BTreeMap<Asked, Arc<Answerer>>>,
}

/// Something to answer with.
pub(crate) struct Answerer {
    pub(crate) engine: regorus::Engine,
    /// The rule to ask for.
    pub(crate) entrypoint: String,
    /// Where its lines come from.
    pub(crate) lines: Lines,
}

/// Joined modules that are kept; a run of one mode needs about a dozen.
const KEPT_MAX: usize = 256;

impl Bundle {
    /// Inspects and prepares policy text. `modules` maps paths to Rego, tests left out; `data` becomes the document `data`.
    pub fn load(modules: BTreeMap<String, String>, data: Json) -> Result<Self, BundleError> {
        BundleText::new(modules, data)?.load()
    }

    /// Rebuilds a generation from the bytes that [`Bundle::to_bytes`] gave, to recompute what it decided.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        BundleText::from_bytes(bytes)?.load()
    }

    pub(crate) fn prepare(text: &BundleText) -> Result<Self, BundleError> {
        let loaded = loader::prepare(text.modules(), text.data(), SourceLimits::SHIPPED)?;
        let (engine, data, ready) = (loaded.engine, loaded.data, RwLock::default());
        let joining = Arc::new(Joining { plan: loaded.plan.map(Arc::new), data, ready });
        Ok(Self { text: text.clone(), engine, joining })
    }

    /// A bundle that nobody inspected, with all builtins of the interpreter. Only inside the sealed judge, to test its wall.
    pub(crate) fn danger_unchecked(bytes: &[u8]) -> Result<Self, BundleError> {
        let text = BundleText::from_bytes(bytes)?;
        let engine = loader::danger_unchecked(text.modules(), text.data())?;
        let place = Place { path: "policies".to_owned(), line: 1, column: 1 };
        let plan = Err((place, "it was not inspected"));
        let joining = Joining { plan, data: regorus::Value::Undefined, ready: RwLock::default() };
        Ok(Self { text, engine, joining: Arc::new(joining) })
    }

    /// Its text, for a judge that loads it elsewhere.
    pub fn text(&self) -> BundleText {
        self.text.clone()
    }

    /// The bytes to store: canonical JSON of modules and data.
    pub fn to_bytes(&self) -> &[u8] {
        self.text.to_bytes()
    }

    /// SHA-256 of [`Bundle::to_bytes`].
    pub fn digest(&self) -> &Digest {
        self.text.digest()
    }

    /// The modules, by path.
    pub fn modules(&self) -> &BTreeMap<String, String> {
        self.text.modules()
    }

    /// The data document. The host reads its own settings (zones, secrets, limits) from here, so that they are those that were judged by.
    pub fn data(&self) -> &Json {
        self.text.data()
    }

    /// Where and why the modules cannot be joined into one, which makes deciding some times slower; `None` if they can.
    pub fn not_joined(&self) -> Option<(Place, &'static str)> {
        self.joining.plan.as_ref().err().cloned()
    }

    /// What answers about such an action: the joined module if there can be one, else the modules as they were written.
    pub(crate) fn answerer(&self, asked: &Asked) -> Arc<Answerer> {
        let ready = |map: &BTreeMap<Asked, Arc<Answerer>>| map.get(asked).cloned();
        if let Some(found) = ready(&self.joining.ready.read().unwrap_or_else(PoisonError::into_inner)) {
            return found;
        }
        let made = Arc::new(self.joined(asked).unwrap_or_else(|| self.as_written()));
        let mut kept = self.joining.ready.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.insert(asked.clone(), Arc::clone(&made));
        }
        made
    }

    fn joined(&self, asked: &Asked) -> Option<Answerer> {
        let plan = self.joining.plan.as_ref().ok()?;
        match loader::prepare_joined(plan, &self.joining.data, asked, SourceLimits::SHIPPED) {
            Ok((engine, lines)) => Some(Answerer { engine, entrypoint: link::entrypoint(), lines }),
            Err(error) => {
                tracing::warn!(%error, "the modules could not be joined; they are judged as written, which is slower");
                None
            }
        }
    }

    /// The joined modules for what is asked about, as text, and the data below them. `None` if they cannot be joined.
    pub(crate) fn joined_text(&self, asked: &Asked) -> Option<(link::Joined, &regorus::Value)> {
        let plan = self.joining.plan.as_ref().ok()?;
        Some((plan.join(asked), &self.joining.data))
    }

    /// The modules as they were written.
    pub(crate) fn as_written(&self) -> Answerer {
        Answerer { engine: self.engine.clone(), entrypoint: ENTRYPOINT.to_owned(), lines: Lines::default() }
    }

    pub(crate) fn engine(&self) -> &regorus::Engine {
        &self.engine
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("digest", self.digest())
            .field("modules", &self.modules().len())
            .finish_non_exhaustive()
    }
}
