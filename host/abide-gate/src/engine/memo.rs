//! Many questions that have parts in common: each rule is evaluated once for all of those that it cannot tell apart.
//!
//! A joined module is taken apart into its rules (`rules`). What a rule answers follows from the parts of the input that it reads and from
//! the answers of the rules that it needs, so it is kept under these: values are numbered, equal ones by the same number (`values`), and a
//! key is a list of numbers. A rule is given nothing of the input but what it is known to read: if that were too little, it would answer
//! otherwise, and those who compare with the ordinary judge would see it.
//!
//! Rules are evaluated that a decision would not have come to, and one of these may fail where the decision does not. So what fails here, and
//! what cannot be taken apart, is judged as a whole, as [`Bundle::opinions`] does it. Each rule has the time that a decision has.

mod rules;
mod unit;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use abide_core::input::PolicyInput;
use regorus::Value;

use crate::engine::answer;
use crate::engine::bundle::Bundle;
use crate::engine::document;
use crate::engine::judge::Fault;
use crate::engine::limits::JudgeLimits;
use crate::engine::link::Asked;
use crate::engine::memo::unit::Unit;
use crate::engine::memo::values::{Paths, UNDEFINED, Values};
use crate::engine::opinion::{Opinion, told};
use crate::engine::supervisor::Supervisor;

/// Fields of an input, in the order of their names.
pub const FIELDS: [&str; 12] = [
    "action",
    "approvals",
    "budget",
    "canary",
    "checks",
    "facts",
    "now",
    "risk",
    "rollback",
    "run",
    "schema",
    "subject",
];

/// An input by its fields, each by its number. Equal numbers are equal values, within one [`Memo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parts([u32; FIELDS.len()]);

impl Parts {
    /// The same, with the field at this place in [`FIELDS`] from another input.
    #[must_use]
    pub fn with(mut self, field: usize, other: &Self) -> Self {
        if let (Some(own), Some(other)) = (self.0.get_mut(field), other.0.get(field)) {
            *own = *other;
        }
        self
    }

    fn get(&self, field: usize) -> u32 {
        self.0.get(field).copied().unwrap_or(UNDEFINED)
    }
}

/// What was done instead of judging each question by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Evaluations of single rules.
    pub rules: usize,
    /// Questions that were judged as a whole.
    pub whole: usize,
}

/// An input cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the input cannot be judged: {0}")]
pub struct NotAnInput(String);

/// What is known of the answers of some policies over the same data. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memo(Arc<Known>);

/// Where the host looks when it adds to an answer (`floor`).
const FLOOR: [&[&str]; 6] =
    [&["run", "halted"], &["action", "class"], &["action", "digest"], &["subject"], &["approvals"], &["now"]];

/// By policy and kind of question; `None` where it is not taken apart.
type Programs = BTreeMap<(usize, Asked), Option<Arc<Program>>>;

#[derive(Debug)]
struct Known {
    bundles: Vec<Bundle>,
    values: Values,
    paths: Paths,
    floor: Vec<u32>,
    units: RwLock<BTreeMap<String, Arc<Unit>>>,
    programs: RwLock<Programs>,
    opinions: RwLock<BTreeMap<Vec<u32>, Arc<Opinion>>>,
    whole: RwLock<BTreeMap<(usize, Parts), Arc<Opinion>>>,
}

/// The rules that one kind of question goes through, in the order of their needs; the last one answers.
#[derive(Debug)]
struct Program {
    /// Paths that are read.
    reads: Vec<u32>,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    unit: Arc<Unit>,
    /// Which of the program's `reads` it takes.
    reads: Vec<usize>,
    /// Which of the steps before it it needs.
    needs: Vec<usize>,
}

impl Memo {
    /// Knows nothing yet of what these would say. They are spoken of by their places.
    pub fn over(bundles: Vec<Bundle>) -> Self {
        let paths = Paths::default();
        let floor = FLOOR.iter().filter_map(|path| paths.number(path)).collect();
        Self(Arc::new(Known {
            bundles,
            values: Values::default(),
            paths,
            floor,
            units: RwLock::default(),
            programs: RwLock::default(),
            opinions: RwLock::default(),
            whole: RwLock::default(),
        }))
    }

    /// Numbers the fields of an input.
    pub fn parts(&self, input: &PolicyInput) -> Result<Parts, NotAnInput> {
        let told = |error: serde_json::Error| NotAnInput(error.to_string());
        let value = serde_json::to_vec(input).and_then(|bytes| document::read(&bytes)).map_err(told)?;
        let fields = value.as_object().map_err(|error| NotAnInput(error.to_string()))?;
        // A field that is not known here would be left out of the question.
        let is_known = |name: &Value| name.as_string().is_ok_and(|name| FIELDS.contains(&&**name));
        if !fields.keys().all(is_known) {
            return Err(NotAnInput("it has a field that is not known".to_owned()));
        }
        let number = |name: &str| {
            fields.get(&Value::from(name)).map_or(UNDEFINED, |value| self.0.values.number(value))
        };
        Ok(Parts(FIELDS.map(number)))
    }

    /// The input that has these parts.
    pub fn input(&self, parts: &Parts) -> Result<PolicyInput, NotAnInput> {
        self.0.input(parts)
    }

    /// What would be decided about these questions, in their order, by the policy at place `policy`: the same as [`Bundle::opinions`] says.
    ///
    /// Each has the limits of a decision; if one runs past them and cannot be stopped, all of them are denied.
    pub fn opinions(&self, policy: usize, asked: Vec<Parts>) -> Vec<Arc<Opinion>> {
        let limits = JudgeLimits::SHIPPED;
        let count = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        let deadline = limits.deadline().saturating_mul(count.max(1));
        let (known, asked) = (Arc::clone(&self.0), Arc::new(asked));
        let work = {
            let asked = Arc::clone(&asked);
            move || asked.iter().map(|parts| known.opinion(policy, parts, &limits)).collect()
        };
        let lost = |lost| asked.iter().map(|parts| self.0.denied(parts, Fault::of(lost))).collect();
        Supervisor::new(1).call(deadline, work).unwrap_or_else(lost)
    }

    /// What was done so far.
    pub fn effort(&self) -> Effort {
        let whole = read(&self.0.whole).len();
        let units = read(&self.0.units);
        Effort { rules: units.values().map(|unit| unit.known()).sum(), whole }
    }
}

impl Known {
    fn opinion(&self, policy: usize, parts: &Parts, limits: &JudgeLimits) -> Arc<Opinion> {
        let Some(bundle) = self.bundles.get(policy) else {
            return self.denied(parts, Fault::Undefined);
        };
        match self.answer(policy, bundle, parts) {
            Some(answer) => self.settled(answer, parts, limits),
            None => self.judged(policy, bundle, parts, limits),
        }
    }

    /// The number of the answer, if the rules can be asked one by one.
    fn answer(&self, policy: usize, bundle: &Bundle, parts: &Parts) -> Option<u32> {
        let asked = Asked::at(|path| {
            let at = self.paths.number(path)?;
            Some(self.values.get(self.paths.at(parts, at, &self.values)))
        })?;
        let program = self.program(policy, bundle, asked)?;
        let reads: Vec<u32> =
            program.reads.iter().map(|path| self.paths.at(parts, *path, &self.values)).collect();
        let mut answers: Vec<u32> = Vec::with_capacity(program.steps.len());
        let mut key = Vec::new();
        for step in &program.steps {
            key.clear();
            key.extend(step.reads.iter().filter_map(|at| reads.get(*at)));
            key.extend(step.needs.iter().filter_map(|at| answers.get(*at)));
            answers.push(step.unit.answer(&key, &self.values)?);
        }
        answers.pop()
    }

    fn program(&self, policy: usize, bundle: &Bundle, asked: Asked) -> Option<Arc<Program>> {
        let key = (policy, asked);
        if let Some(known) = read(&self.programs).get(&key) {
            return known.clone();
        }
        let made = self.taken_apart(bundle, &key.1).map(Arc::new);
        write(&self.programs).entry(key).or_insert(made).clone()
    }

    fn taken_apart(&self, bundle: &Bundle, asked: &Asked) -> Option<Program> {
        // What was found out over other data says nothing.
        if self.bundles.first().is_none_or(|first| first.data() != bundle.data()) {
            return None;
        }
        let (joined, data) = bundle.joined_text(asked)?;
        let rules = rules::take_apart(&joined)?;
        let (mut reads, mut steps, mut places) = (Vec::new(), Vec::new(), BTreeMap::new());
        for rule in rules {
            let name = rule.name.clone();
            let needs: Vec<usize> =
                rule.needs.iter().map(|need| places.get(need).copied()).collect::<Option<_>>()?;
            let unit = self.unit(rule, data)?;
            let mut taken = Vec::new();
            for path in unit.reads() {
                let place = reads.iter().position(|known| known == path).unwrap_or_else(|| {
                    reads.push(*path);
                    reads.len().saturating_sub(1)
                });
                taken.push(place);
            }
            places.insert(name, steps.len());
            steps.push(Step { unit, reads: taken, needs });
        }
        Some(Program { reads, steps })
    }

    fn unit(&self, rule: rules::Rule, data: &Value) -> Option<Arc<Unit>> {
        if let Some(known) = read(&self.units).get(&rule.text) {
            return Some(Arc::clone(known));
        }
        let text = rule.text.clone();
        let made = Arc::new(Unit::prepare(rule, data, &self.paths)?);
        Some(Arc::clone(write(&self.units).entry(text).or_insert(made)))
    }

    /// The opinion, with what the host adds.
    fn settled(&self, answer: u32, parts: &Parts, limits: &JudgeLimits) -> Arc<Opinion> {
        let seen = self.floor.iter().map(|path| self.paths.at(parts, *path, &self.values));
        let key: Vec<u32> = [answer].into_iter().chain(seen).collect();
        if let Some(known) = read(&self.opinions).get(&key) {
            return Arc::clone(known);
        }
        let made = match self.input(parts) {
            Ok(input) => Arc::new(told(&input, answer::read(&self.values.get(answer), limits))),
            Err(error) => self.denied(parts, Fault::Input(error.to_string())),
        };
        Arc::clone(write(&self.opinions).entry(key).or_insert(made))
    }

    /// The opinion of the policy as a whole.
    fn judged(&self, policy: usize, bundle: &Bundle, parts: &Parts, limits: &JudgeLimits) -> Arc<Opinion> {
        let key = (policy, *parts);
        if let Some(known) = read(&self.whole).get(&key) {
            return Arc::clone(known);
        }
        let made = match self.input(parts) {
            Ok(input) => Arc::new(bundle.opinion(&input, limits)),
            Err(error) => self.denied(parts, Fault::Input(error.to_string())),
        };
        Arc::clone(write(&self.whole).entry(key).or_insert(made))
    }

    fn denied(&self, parts: &Parts, fault: Fault) -> Arc<Opinion> {
        Arc::new(match self.input(parts) {
            Ok(input) => told(&input, Err(fault)),
            Err(_) => Opinion::denial(&fault),
        })
    }

    fn input(&self, parts: &Parts) -> Result<PolicyInput, NotAnInput> {
        let fields = FIELDS.iter().zip(parts.0).filter(|(_, number)| *number != UNDEFINED);
        let fields: BTreeMap<Value, Value> =
            fields.map(|(name, number)| (Value::from(*name), self.values.get(number))).collect();
        let text = Value::from(fields).to_json_str().map_err(|error| NotAnInput(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| NotAnInput(error.to_string()))
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
