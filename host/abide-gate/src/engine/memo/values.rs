//! Values by numbers, and what stands at a path of a value.

use std::collections::BTreeMap;
use std::sync::RwLock;

use regorus::Value;

use super::{FIELDS, Parts, read, write};

/// The number of what is undefined.
pub(super) const UNDEFINED: u32 = 0;

/// Equal values have the same number.
#[derive(Debug)]
pub(super) struct Values(RwLock<Numbered>);

#[derive(Debug, Default)]
struct Numbered {
    numbers: BTreeMap<Value, u32>,
    values: Vec<Value>,
}

impl Default for Values {
    fn default() -> Self {
        let values = Self(RwLock::default());
        values.number(&Value::Undefined);
        values
    }
}

impl Values {
    pub(super) fn number(&self, value: &Value) -> u32 {
        if let Some(number) = read(&self.0).numbers.get(value) {
            return *number;
        }
        let Numbered { numbers, values } = &mut *write(&self.0);
        *numbers.entry(value.clone()).or_insert_with(|| {
            values.push(value.clone());
            u32::try_from(values.len().saturating_sub(1)).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn get(&self, number: u32) -> Value {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        read(&self.0).values.get(at).cloned().unwrap_or(Value::Undefined)
    }
}

/// A place in an input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    /// Its place in [`FIELDS`].
    field: usize,
    below: Vec<String>,
}

/// Paths by numbers, and what is known to stand there.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: RwLock<(BTreeMap<Path, u32>, Vec<Path>)>,
    /// By the number of a field's value, and of the path.
    at: RwLock<BTreeMap<(u32, u32), u32>>,
}

impl Paths {
    /// `None` if no input has such a field.
    pub(super) fn number<S: AsRef<str>>(&self, path: &[S]) -> Option<u32> {
        let (first, below) = path.split_first()?;
        let field = FIELDS.iter().position(|name| *name == first.as_ref())?;
        let path = Path { field, below: below.iter().map(|part| part.as_ref().to_owned()).collect() };
        if let Some(number) = read(&self.known).0.get(&path) {
            return Some(*number);
        }
        let (numbers, paths) = &mut *write(&self.known);
        Some(*numbers.entry(path.clone()).or_insert_with(|| {
            paths.push(path);
            u32::try_from(paths.len().saturating_sub(1)).unwrap_or(u32::MAX)
        }))
    }

    /// The number of what stands at path `path` of an input.
    pub(super) fn at(&self, parts: &Parts, path: u32, values: &Values) -> u32 {
        let place = usize::try_from(path).unwrap_or(usize::MAX);
        let (field, below) = {
            let known = read(&self.known);
            let Some(known) = known.1.get(place) else { return UNDEFINED };
            let field = parts.get(known.field);
            if known.below.is_empty() {
                return field;
            }
            if let Some(number) = read(&self.at).get(&(field, path)) {
                return *number;
            }
            (field, known.below.clone())
        };
        let mut value = values.get(field);
        for part in below {
            value = value
                .as_object()
                .ok()
                .and_then(|fields| fields.get(&Value::from(part)))
                .cloned()
                .unwrap_or(Value::Undefined);
        }
        let number = values.number(&value);
        write(&self.at).insert((field, path), number);
        number
    }

    /// The parts of a path, the field first.
    pub(super) fn parts(&self, path: u32) -> Vec<String> {
        let place = usize::try_from(path).unwrap_or(usize::MAX);
        let known = read(&self.known);
        let Some(path) = known.1.get(place) else { return Vec::new() };
        let field = FIELDS.get(path.field).copied().unwrap_or_default();
        [field.to_owned()].into_iter().chain(path.below.iter().cloned()).collect()
    }
}
