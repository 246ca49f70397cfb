//! What must never happen, whatever the rules say: Rego of its own, asked about many opinions at once.
//!
//! The modules are in package `abide.invariants`, apart from the bundle that decides. Two of its rules are read: `invariants`, which names
//! them (`{"name": …, "says": …}`), and `violations` (`{"invariant": …, "case": N}`, and `"before": M` where two cases are compared).

mod cases;

use std::collections::BTreeMap;
use std::fmt;

use regorus::{Engine, Value};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::engine::inspect::{self, Audience};
use crate::engine::limits::{JudgeLimits, SourceLimits};
use crate::engine::loader::{self, BundleError};
use crate::engine::supervisor::Supervisor;

pub use cases::{Cases, Name};

/// The package of all of them.
const PACKAGE: &str = "data.abide.invariants";
/// Times what one decision may take that a block of cases may take.
const DECISIONS_PER_BLOCK: u32 = 60;

/// One invariant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    /// Its name, in kebab case.
    pub name: String,
    /// What it says, for people.
    pub says: String,
}

/// A case in which an invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// Which does not.
    pub invariant: String,
    /// Which case: its number in the block.
    pub case: usize,
    /// The case that it is compared with.
    #[serde(default)]
    pub before: Option<usize>,
}

/// Invariants, inspected and ready to be asked.
#[derive(Clone)]
pub struct Invariants {
    engine: Engine,
    list: Vec<Invariant>,
}

impl Invariants {
    /// Loads modules by their paths. The limits and refusals of live modules apply, but for the input, which is another.
    pub fn load(modules: &BTreeMap<String, String>) -> Result<Self, BundleError> {
        let limits = SourceLimits::SHIPPED;
        let empty = Json::Object(serde_json::Map::new());
        loader::check_sizes(modules, &empty, limits)?;
        for (path, text) in modules {
            inspect::nesting(path, text, limits.nesting_max)?;
        }
        let modules = modules.clone();
        loader::on_a_thread(limits, move || load(&modules, limits))
    }

    /// All of them, sorted by name.
    pub fn list(&self) -> &[Invariant] {
        &self.list
    }

    /// What does not hold among the cases of a block, sorted. `Err` says why the question could not be answered.
    pub fn violations(&self, cases: Cases) -> Result<Vec<Violation>, String> {
        let mut engine = self.engine.clone();
        let work = move || {
            engine.set_input(cases.into_value());
            read::<Violation>(&mut engine, "violations")
        };
        let deadline = JudgeLimits::SHIPPED.deadline().saturating_mul(DECISIONS_PER_BLOCK);
        let found = Supervisor::new(1).call(deadline, work);
        let found = found.unwrap_or_else(|lost| Err(format!("the engine did not answer ({lost:?})")))?;
        match found.iter().find(|violation| self.list.iter().all(|known| known.name != violation.invariant)) {
            Some(odd) => Err(format!("`{}` is not named in `invariants`", odd.invariant)),
            None => Ok(found),
        }
    }
}

impl fmt::Debug for Invariants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invariants").field("list", &self.list).finish_non_exhaustive()
    }
}

fn load(modules: &BTreeMap<String, String>, limits: SourceLimits) -> Result<Invariants, BundleError> {
    let mut engine = loader::bare()?;
    for (path, text) in modules {
        let added = engine.add_policy(path.clone(), text.clone());
        let package = added.map_err(|error| loader::syntax(path, &error.to_string()))?;
        if package != PACKAGE {
            let why = format!("its package must be `abide.invariants`, not `{package}`");
            return Err(BundleError::File { path: path.clone(), why });
        }
    }
    let empty = Json::Object(serde_json::Map::new());
    inspect::modules(engine.get_modules(), &empty, limits.expression_depth_max, Audience::Invariants)?;
    engine.set_input(
        Value::from_json_str(r#"{"cases": [], "steps": {}, "splits": []}"#).unwrap_or(Value::Undefined),
    );
    let list = read::<Invariant>(&mut engine, "invariants").map_err(|why| BundleError::Prepare { why })?;
    Ok(Invariants { engine, list })
}

/// Reads a rule that gives a set.
fn read<T: for<'de> Deserialize<'de> + Ord>(engine: &mut Engine, rule: &str) -> Result<Vec<T>, String> {
    let told = |error: String| loader::told_error(&error);
    let value = engine.eval_rule(format!("{PACKAGE}.{rule}")).map_err(|error| told(error.to_string()))?;
    let text = value.to_json_str().map_err(|error| error.to_string())?;
    let mut list: Vec<T> = serde_json::from_str(&text)
        .map_err(|error| format!("`{rule}` has not the shape that is read: {error}"))?;
    list.sort();
    Ok(list)
}
