//! Sources: places on the web that records are read from, and how far each has come.
//!
//! A source is a ticket on the target branch that says what it is under `source`. Whoever changes what it reads, or by what terms, has another source:
//! its standing goes with the digest of its definition. What it has shown is measured by the host from what its tasks brought back, never told by a worker.

use serde::{Deserialize, Serialize};

/// LIMIT: bytes of a licence, of the address of terms, and of a name of who read them.
const WORDS_BYTES_MAX: usize = 400;

/// How far a source has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// It is defined, and nothing is known of it.
    #[default]
    Proposed,
    /// It is tried: a person looks at each use.
    Probation,
    /// It has earned its place.
    Active,
    /// It had one, and lost it.
    Demoted,
}

impl SourceState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Proposed, Self::Probation, Self::Active, Self::Demoted];

    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Probation => "probation",
            Self::Active => "active",
            Self::Demoted => "demoted",
        }
    }

    /// Where a promotion leads from here; none where it has arrived.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Proposed | Self::Demoted => Some(Self::Probation),
            Self::Probation => Some(Self::Active),
            Self::Active => None,
        }
    }
}

/// What terms of use say of programs that read pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TermsSay {
    /// They allow it.
    Allow,
    /// They do not speak of it.
    Silent,
    /// They forbid it.
    Forbid,
}

/// Terms of use that a person has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceTerms {
    /// Where they stand.
    pub at: String,
    /// The day on which they were read, `YYYY-MM-DD`.
    pub read: String,
    /// Who read them.
    pub by: String,
    /// What they say.
    pub say: TermsSay,
}

/// What a ticket says of its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceClaim {
    /// What it is called.
    pub name: String,
    /// The licence of what is read, as SPDX names it where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Its terms of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<SourceTerms>,
    /// Hours after which its records should have changed. None where they need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_hours: Option<u64>,
}

impl SourceClaim {
    /// Says what cannot stand.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_line = |text: &String| {
            !text.trim().is_empty() && text.len() <= WORDS_BYTES_MAX && !text.chars().any(char::is_control)
        };
        if !is_name(&self.name) {
            return Err(
                "`source.name` is 1 to 64 lower-case letters, digits and `-`, beginning with a letter",
            );
        }
        let licence_is_bad = self.licence.as_ref().is_some_and(|licence| !is_line(licence));
        let Some(terms) = &self.terms else {
            return if licence_is_bad { Err("`source.licence` is one line") } else { Ok(()) };
        };
        let is_address = terms.at.starts_with("https://") || terms.at.starts_with("http://");
        match () {
            () if licence_is_bad => Err("`source.licence` is one line"),
            () if !is_address || !is_line(&terms.at) => Err("`source.terms.at` is an address of the web"),
            () if !is_day(&terms.read) => Err("`source.terms.read` is a day, YYYY-MM-DD"),
            () if !is_line(&terms.by) => Err("`source.terms.by` is who read them"),
            () => Ok(()),
        }
    }
}

/// Whether a text is a day of the calendar, `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    let number = |part: Option<&str>, digits: usize| {
        let part =
            part.filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<u32>().ok()
    };
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) =
        (number(parts.next(), 4), number(parts.next(), 2), number(parts.next(), 2), parts.next())
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether something can be called this: 1 to 64 lower-case letters, digits and `-`, beginning with a letter.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(plain)
}

/// What the newest tasks of one definition have shown. Nothing in it depends on when it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceRecord {
    /// Tasks that were counted.
    pub samples: u64,
    /// Those that brought records, or found them unchanged.
    pub succeeded: u64,
    /// The same, of 1,000.
    pub succeeded_permille: u64,
    /// The newest ones, up to the last that succeeded, that did not.
    pub failed_in_a_row: u64,
    /// Milliseconds from the first of them to the last.
    pub span_ms: u64,
    /// Records that the newest successful one saw.
    pub records: u64,
    /// Of 1,000 fields of these records, those that hold something.
    pub filled_permille: u64,
    /// How often fields or their types were others than the time before.
    pub shape_changes: u64,
    /// The most records, of 1,000 of the time before, that one of them missed.
    pub vanished_permille: u64,
    /// Requests of them that were refused.
    pub refused: u64,
    /// Those among them that `robots.txt` forbids.
    pub forbidden: u64,
    /// Milliseconds from the last change of its records to the newest successful task.
    pub unchanged_ms: u64,
    /// Milliseconds of wall time that half of them took at most.
    pub wall_ms_median: u64,
}

/// One task of a source, as far as it speaks for or against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample<'a> {
    /// When it ended, in milliseconds since 1970.
    pub at: u64,
    /// Whether it saw records.
    pub succeeded: bool,
    /// What they were, as a digest.
    pub records: Option<&'a str>,
    /// Their fields and types, as a digest.
    pub shape: Option<&'a str>,
    /// How many there were.
    pub count: u64,
    /// Of 1,000 of their fields, those that hold something.
    pub filled_permille: u64,
    /// Of 1,000 records of the time before, those that were missing.
    pub vanished_permille: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Those that `robots.txt` forbids.
    pub forbidden: u64,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

/// LIMIT: newest tasks of a source that are counted.
pub const SAMPLES_MAX: usize = 50;

impl SourceRecord {
    /// What `samples`, oldest first, show.
    pub fn of(samples: &[Sample<'_>]) -> Self {
        let newest = samples.get(samples.len().saturating_sub(SAMPLES_MAX)..).unwrap_or_default();
        let good: Vec<&Sample<'_>> = newest.iter().filter(|sample| sample.succeeded).collect();
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        let at = |sample: Option<&Sample<'_>>| sample.map_or(0, |sample| sample.at);
        let mut changed_at = good.first().map_or(0, |sample| sample.at);
        let mut shape_changes: u64 = 0;
        for (before, after) in good.iter().zip(good.iter().skip(1)) {
            if before.records != after.records {
                changed_at = after.at;
            }
            shape_changes = shape_changes.saturating_add(u64::from(before.shape != after.shape));
        }
        let mut walls: Vec<u64> = newest.iter().map(|sample| sample.wall_ms).collect();
        walls.sort_unstable();
        let last = good.last();
        Self {
            samples: count(newest.len()),
            succeeded: count(good.len()),
            succeeded_permille: count(good.len())
                .saturating_mul(1_000)
                .checked_div(count(newest.len()))
                .unwrap_or(0),
            failed_in_a_row: count(newest.iter().rev().take_while(|sample| !sample.succeeded).count()),
            span_ms: at(newest.last()).saturating_sub(at(newest.first())),
            records: last.map_or(0, |sample| sample.count),
            filled_permille: last.map_or(0, |sample| sample.filled_permille),
            shape_changes,
            vanished_permille: good.iter().map(|sample| sample.vanished_permille).max().unwrap_or(0),
            refused: newest.iter().map(|sample| sample.refused).fold(0, u64::saturating_add),
            forbidden: newest.iter().map(|sample| sample.forbidden).fold(0, u64::saturating_add),
            unchanged_ms: last.map_or(0, |sample| sample.at.saturating_sub(changed_at)),
            wall_ms_median: walls.get(walls.len().saturating_sub(1) / 2).copied().unwrap_or(0),
        }
    }
}

/// A source as policy is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceCase {
    /// What it is called.
    pub name: String,
    /// Digest of what it reads, how, and by what terms.
    pub definition: crate::id::Digest,
    /// How far it has come.
    pub state: SourceState,
    /// Where it would go, or stay, if that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SourceState>,
    /// The licence of what is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Its terms of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<SourceTerms>,
    /// Hours after which its records should have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_hours: Option<u64>,
    /// What it has shown, where it is asked how far it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<SourceRecord>,
}

/// As it stands in an action, and so in the log, which holds integers as texts.
pub(crate) mod recorded {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
    use serde_json::Value;

    use super::SourceCase;

    fn texts(value: Value) -> Value {
        match value {
            Value::Number(number) => Value::String(number.to_string()),
            Value::Object(map) => map.into_iter().map(|(name, value)| (name, texts(value))).collect(),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => value,
        }
    }

    /// The fields of `map` that are numbers, which the texts in them are.
    fn numbers(value: &mut Value, names: Option<&[&str]>) -> Result<(), String> {
        let Value::Object(map) = value else { return Ok(()) };
        for (name, value) in map {
            let is_number = names.is_none_or(|names| names.contains(&name.as_str()));
            if let (true, Value::String(text)) = (is_number, &*value) {
                let number: u64 = text.parse().map_err(|_| format!("`{name}` is no number"))?;
                if number.to_string() != *text {
                    return Err(format!("`{name}` is not in its shortest form"));
                }
                *value = number.into();
            }
        }
        Ok(())
    }

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(crate) fn serialize<S: Serializer>(case: &Option<SourceCase>, to: S) -> Result<S::Ok, S::Error> {
        let value = case.as_ref().map(serde_json::to_value).transpose().map_err(ser::Error::custom)?;
        value.map(texts).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SourceCase>, D::Error> {
        let Some(mut value) = Option::<Value>::deserialize(from)? else { return Ok(None) };
        numbers(&mut value, Some(&["fresh_hours"])).map_err(de::Error::custom)?;
        if let Some(record) = value.get_mut("record") {
            numbers(record, None).map_err(de::Error::custom)?;
        }
        serde_json::from_value(value).map(Some).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
