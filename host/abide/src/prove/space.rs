//! Cases by their place on some axes, and the parts of their questions.
//!
//! A value of an axis is laid over few fields of the question, so a field follows from the values on those axes that touch it. Each field is
//! made once for all cases that agree on these.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use abide_core::input::PolicyInput;
use abide_gate::{FIELDS, Memo, Name, Parts};
use serde_json::Value as Json;

use crate::prove::model::{Axis, lay};
use crate::report::Failure;

/// Axes, over one plain question.
pub(crate) struct Space<'a> {
    base: &'a Json,
    pub(crate) axes: &'a [Axis],
    names: Vec<(Name, Vec<Name>)>,
    /// For each of [`FIELDS`] the axes that touch it, and what is known by the values on them.
    fields: Vec<Field>,
}

struct Field {
    touched_by: Vec<usize>,
    known: RwLock<BTreeMap<Vec<usize>, Parts>>,
}

impl<'a> Space<'a> {
    pub(crate) fn of(base: &'a Json, axes: &'a [Axis]) -> Self {
        let names = |axis: &Axis| {
            let values = axis.values.iter().map(|value| Name::from(value.called.as_str())).collect();
            (Name::from(axis.name.as_str()), values)
        };
        let field = |name: &&str| {
            let touching = axes.iter().enumerate().filter(|(_, axis)| touches(axis, name));
            Field { touched_by: touching.map(|(place, _)| place).collect(), known: RwLock::default() }
        };
        let (names, fields) = (axes.iter().map(names).collect(), FIELDS.iter().map(field).collect());
        Self { base, axes, names, fields }
    }

    /// The parts of the question at a point.
    pub(crate) fn parts(&self, memo: &Memo, point: &[usize]) -> Result<Parts, Failure> {
        let (mut all, mut made): (Option<Parts>, Option<Parts>) = (None, None);
        for (number, field) in self.fields.iter().enumerate() {
            let key: Vec<usize> =
                field.touched_by.iter().filter_map(|axis| point.get(*axis)).copied().collect();
            let known = field.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
            let part = match known.or(made) {
                Some(part) => part,
                None => *made.insert(self.made(memo, point)?),
            };
            if known.is_none() {
                field.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, part);
            }
            all = Some(all.map_or(part, |all| all.with(number, &part)));
        }
        all.ok_or_else(|| Failure::new("AB0195", "a question has no fields".to_owned()))
    }

    fn made(&self, memo: &Memo, point: &[usize]) -> Result<Parts, Failure> {
        let mut doc = self.base.clone();
        for value in self.axes.iter().zip(point).filter_map(|(axis, value)| axis.values.get(*value)) {
            lay(&value.over, &mut doc);
        }
        let cannot = |error: String| {
            let place: Vec<String> =
                self.values(point).into_iter().map(|(axis, value)| format!("{axis} {value}")).collect();
            let place = place.join(", ");
            let why = format!("the model makes a question that cannot be asked ({place}): {error}");
            Failure::new("AB0195", why)
        };
        let input: PolicyInput = serde_json::from_value(doc).map_err(|error| cannot(error.to_string()))?;
        memo.parts(&input).map_err(|error| cannot(error.to_string()))
    }

    /// The layer of a point: that of the last axis that has one.
    pub(crate) fn layer(&self, point: &[usize]) -> Option<&str> {
        let values = self.axes.iter().zip(point).filter_map(|(axis, value)| axis.values.get(*value));
        values.rev().find_map(|value| value.layer.as_deref())
    }

    /// Axis and value, as people call them.
    pub(crate) fn values(&self, point: &[usize]) -> Vec<(String, String)> {
        let places = self.axes.iter().zip(point);
        let named = places.filter_map(|(axis, value)| Some((axis, axis.values.get(*value)?)));
        named.map(|(axis, value)| (axis.name.clone(), value.called.clone())).collect()
    }

    /// The same for the invariants.
    pub(crate) fn names(&self, point: &[usize]) -> Vec<(Name, Name)> {
        let places = self.names.iter().zip(point);
        places
            .filter_map(|((axis, values), value)| Some((axis.clone(), values.get(*value)?.clone())))
            .collect()
    }

    /// The name of an axis, for the invariants.
    pub(crate) fn axis(&self, place: usize) -> Option<&Name> {
        self.names.get(place).map(|(axis, _)| axis)
    }
}

/// Whether a value of an axis changes anything below a field.
fn touches(axis: &Axis, field: &str) -> bool {
    axis.values.iter().any(|value| value.over.as_object().is_none_or(|fields| fields.contains_key(field)))
}
