//! One rule as a module of its own, with the answers that it gave.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::RwLock;

use regorus::{Engine, Value};

use super::rules::{self, ANSWERS, Rule};
use super::values::{Paths, UNDEFINED, Values};
use super::{read, write};
use crate::engine::loader;

pub(super) struct Unit {
    engine: Engine,
    entrypoint: String,
    /// Numbers of the paths that it reads.
    reads: Vec<u32>,
    /// The same paths by their parts.
    paths: Vec<Vec<Value>>,
    /// Names of the rules that it needs.
    needs: Vec<Value>,
    /// Answers by what was read and needed; `None` where it failed.
    known: RwLock<BTreeMap<Box<[u32]>, Option<u32>>>,
}

impl Unit {
    /// `None` if it cannot stand alone.
    pub(super) fn prepare(rule: Rule, data: &Value, paths: &Paths) -> Option<Self> {
        let engine = loader::prepare_text(rule.text, data.clone()).ok()?;
        // What no input has is undefined, and need not be read.
        let reads: Vec<u32> = rule.reads.iter().filter_map(|path| paths.number(path)).collect();
        let by_parts = |path: &u32| paths.parts(*path).into_iter().map(Value::from).collect();
        Some(Self {
            engine,
            entrypoint: rules::entrypoint(),
            paths: reads.iter().map(by_parts).collect(),
            reads,
            needs: rule.needs.into_iter().map(Value::from).collect(),
            known: RwLock::default(),
        })
    }

    pub(super) fn reads(&self) -> &[u32] {
        &self.reads
    }

    /// How many answers are known.
    pub(super) fn known(&self) -> usize {
        read(&self.known).len()
    }

    /// The number of its answer. `key` has the numbers of what it reads and, behind these, of what it needs. `None` if it fails.
    pub(super) fn answer(&self, key: &[u32], values: &Values) -> Option<u32> {
        if let Some(known) = read(&self.known).get(key) {
            return *known;
        }
        let answer = self.evaluate(key, values).map(|answer| values.number(&answer));
        *write(&self.known).entry(key.into()).or_insert(answer)
    }

    fn evaluate(&self, key: &[u32], values: &Values) -> Option<Value> {
        let (read, needed) = key.split_at_checked(self.reads.len())?;
        let is_there = |number: &&u32| **number != UNDEFINED;
        let answers: BTreeMap<Value, Value> = self
            .needs
            .iter()
            .zip(needed)
            .filter(|(_, number)| is_there(number))
            .map(|(name, number)| (name.clone(), values.get(*number)))
            .collect();
        let mut input = Value::from(BTreeMap::from([(Value::from(ANSWERS), Value::from(answers))]));
        for (path, number) in self.paths.iter().zip(read).filter(|(_, number)| is_there(number)) {
            put(&mut input, path, values.get(*number))?;
        }
        let mut engine = self.engine.clone();
        engine.set_input(input);
        engine.eval_rule(self.entrypoint.clone()).ok()
    }
}

/// Puts a value where no other path ends above or below.
fn put(input: &mut Value, path: &[Value], value: Value) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut place = input;
    for part in above {
        let fields = place.as_object_mut().ok()?;
        if fields.get(part).is_none() {
            fields.insert(part.clone(), Value::new_object());
        }
        place = fields.get_mut(part)?;
    }
    place.as_object_mut().ok()?.insert(last.clone(), value);
    Some(())
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").field("reads", &self.paths).field("needs", &self.needs).finish_non_exhaustive()
    }
}
