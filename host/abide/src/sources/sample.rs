//! What a task of a source brought back, measured from the file of records that it proposed or found unchanged.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::canonical;
use abide_core::event::{Count, SourceSampled};
use abide_core::id::Digest;
use serde_json::{Map, Value};

use crate::report::Failure;

/// LIMIT: records of one file that are compared.
const RECORDS_MAX: usize = 200_000;
/// LIMIT: names of fields of one file; the rest is not counted.
const FIELDS_MAX: usize = 1_000;

/// The records of a file.
#[derive(Debug, Default)]
pub(crate) struct Records(Vec<Map<String, Value>>);

impl Records {
    /// Reads `.jsonl`, a record on each line, or `.json`, one array of them. The error is a sentence.
    pub(crate) fn parse(path: &str, bytes: &[u8]) -> Result<Self, String> {
        let told = |error: serde_json::Error| format!("`{path}` holds no records: {error}");
        let records: Vec<Map<String, Value>> = if path.strip_suffix(".json").is_some() {
            serde_json::from_slice(bytes).map_err(told)?
        } else {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            lines.map(serde_json::from_slice).collect::<Result<_, _>>().map_err(told)?
        };
        match records.len() {
            0 => Err(format!("`{path}` holds no records")),
            many if many > RECORDS_MAX => {
                Err(format!("`{path}` holds {many} records, more than {RECORDS_MAX}"))
            }
            _ => Ok(Self(records)),
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// By name of field: its types, and in how many records it holds something.
    pub(crate) fn fields(&self) -> BTreeMap<&str, (BTreeSet<&'static str>, u64)> {
        let mut fields: BTreeMap<&str, (BTreeSet<&'static str>, u64)> = BTreeMap::new();
        for (name, value) in self.0.iter().flatten() {
            if fields.len() >= FIELDS_MAX && !fields.contains_key(name.as_str()) {
                continue;
            }
            let (types, filled) = fields.entry(name).or_default();
            if let Some(kind) = kind(value) {
                types.insert(kind);
                *filled = filled.saturating_add(1);
            }
        }
        fields
    }

    /// Digest of the names and types of the fields. One that holds nothing anywhere has no type, so it counts as another shape.
    fn shape(&self) -> Result<Digest, Failure> {
        let shape: BTreeMap<&str, BTreeSet<&str>> =
            self.fields().into_iter().map(|(name, (types, _))| (name, types)).collect();
        canonical::digest(&shape).map_err(|error| Failure::of("AB0124", error))
    }

    /// Of 1,000 fields, those that hold something.
    fn filled_permille(&self) -> u64 {
        let fields = self.fields();
        let filled = fields.values().map(|(_, filled)| *filled).fold(0, u64::saturating_add);
        let places = u64::try_from(fields.len()).unwrap_or(u64::MAX).saturating_mul(self.count());
        permille(filled, places)
    }

    /// Records by what tells one from another: the fields `key`, or the whole record. The same key again is one.
    fn by_key(&self, key: &[String]) -> BTreeMap<String, &Map<String, Value>> {
        let of = |record: &Map<String, Value>| -> String {
            if key.is_empty() {
                return Value::Object(record.clone()).to_string();
            }
            let parts: Vec<Value> =
                key.iter().map(|name| record.get(name).cloned().unwrap_or(Value::Null)).collect();
            Value::Array(parts).to_string()
        };
        self.0.iter().map(|record| (of(record), record)).collect()
    }
}

/// What a value is; none for nothing.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

fn permille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1_000).checked_div(whole).unwrap_or(0)
}

/// What a task came to, before it is measured.
#[derive(Debug)]
pub(crate) enum Came<'a> {
    /// This file of records, and whether it is another than before.
    To { path: &'a str, bytes: &'a [u8], is_new: bool },
    /// Nothing, by this code and for this reason.
    Nothing { code: String, why: String },
}

/// What else is known of the task.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// The unit of work.
    pub(crate) unit: String,
    /// Name of the source.
    pub(crate) source: String,
    /// Requests that were refused.
    pub(crate) refused: u64,
    /// Those that `robots.txt` forbids.
    pub(crate) forbidden: u64,
    /// Wall time in milliseconds.
    pub(crate) wall_ms: u64,
}

/// Measures it. `before` are the newest records that were seen of this definition; `key` tells one record from another.
pub(crate) fn measure(
    about: &About,
    definition: &Digest,
    came: &Came<'_>,
    before: Option<&[u8]>,
    key: &[String],
) -> Result<SourceSampled, Failure> {
    let mut sample = SourceSampled {
        unit: about.unit.clone(),
        source: about.source.clone(),
        definition: definition.clone(),
        outcome: "failed".to_owned(),
        code: None,
        why: None,
        records: None,
        shape: None,
        count: Count(0),
        filled_permille: Count(0),
        added: Count(0),
        changed: Count(0),
        vanished: Count(0),
        vanished_permille: Count(0),
        refused: Count(about.refused),
        forbidden: Count(about.forbidden),
        wall_ms: Count(about.wall_ms),
    };
    let (path, bytes, is_new) = match came {
        Came::To { path, bytes, is_new } => (*path, *bytes, *is_new),
        Came::Nothing { code, why } => {
            (sample.code, sample.why) = (Some(code.clone()), Some(abide_core::safe_text::line(why)));
            return Ok(sample);
        }
    };
    let records = match Records::parse(path, bytes) {
        Ok(records) => records,
        Err(why) => {
            (sample.code, sample.why) = (Some("AB0887".to_owned()), Some(abide_core::safe_text::line(&why)));
            return Ok(sample);
        }
    };
    if is_new { "records" } else { "unchanged" }.clone_into(&mut sample.outcome);
    sample.records = Some(Digest::of(bytes));
    sample.shape = Some(records.shape()?);
    sample.count = Count(records.count());
    sample.filled_permille = Count(records.filled_permille());
    let Some(before) = before.and_then(|bytes| Records::parse(path, bytes).ok()) else { return Ok(sample) };
    let (old, new) = (before.by_key(key), records.by_key(key));
    let many = |count: usize| Count(u64::try_from(count).unwrap_or(u64::MAX));
    let vanished = old.keys().filter(|key| !new.contains_key(*key)).count();
    sample.added = many(new.keys().filter(|key| !old.contains_key(*key)).count());
    sample.changed =
        many(new.iter().filter(|(key, record)| old.get(*key).is_some_and(|old| old != *record)).count());
    sample.vanished = many(vanished);
    sample.vanished_permille = Count(permille(many(vanished).0, many(old.len()).0));
    Ok(sample)
}

/// The fields that tell one record from another, as the hints of a definition name them.
pub(crate) fn key_of(hints: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Hints {
        #[serde(default)]
        key: Vec<String>,
    }
    serde_json::from_slice::<Hints>(hints).map(|hints| hints.key).unwrap_or_default()
}

#[cfg(test)]
mod tests;
