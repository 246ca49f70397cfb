//! From what stands on a page to a value of the schema's type. What was done is named; what cannot be read one way only is refused.

use serde_json::{Number, Value};

mod date;
mod number;

use crate::hints::Hints;
use crate::page::Page;
use crate::schema::{Field, Kind};
use crate::words::{Name, collapse, cut, is_invisible};

const TRUE: [&str; 8] = ["true", "yes", "y", "on", "✓", "✔", "☑", "✅"];
const FALSE: [&str; 8] = ["false", "no", "n", "off", "✗", "✘", "☐", "❌"];
/// Texts that stand for nothing.
const NOTHING: [&str; 6] = ["-", "–", "—", "n/a", "N/A", "−"];

/// What stood there: a text, or a value of JSON-LD.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Raw {
    Text(String),
    Json(Value),
}

impl Raw {
    /// For people and for provenance.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Json(Value::String(text)) => text.clone(),
            Self::Json(value) => value.to_string(),
        }
    }
}

/// A value, and what was done to get it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Converted {
    pub(crate) value: Value,
    pub(crate) conversions: Vec<String>,
}

/// What a conversion goes by.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) page: &'a Page<'a>,
    pub(crate) hints: &'a Hints,
}

/// `raw` as a scalar of `field`'s type.
///
/// # Errors
/// Why it is none: words that follow the field's name.
pub(crate) fn scalar(context: Context<'_>, field: &Field, raw: &Raw) -> Result<Converted, String> {
    let mut conversions = Vec::new();
    if let Raw::Json(value @ (Value::Number(_) | Value::Bool(_))) = raw {
        let kept = match value {
            Value::Bool(_) => field.may_be(Kind::Boolean),
            _ => field.may_be(Kind::Number) || field.may_be(Kind::Integer),
        };
        if kept || field.kinds.is_empty() {
            return Ok(Converted { value: tidy(value), conversions });
        }
    }
    let text = clean(&raw.text(), &mut conversions);
    if text.is_empty() || (NOTHING.contains(&text.as_str()) && !field.options.iter().any(|o| *o == text)) {
        if field.may_be(Kind::Null) {
            conversions.push("nothing as null".to_owned());
            return Ok(Converted { value: Value::Null, conversions });
        }
        return Err("is empty".to_owned());
    }
    let told = matches!(raw, Raw::Json(_));
    let value = typed(context, field, (&text, told), &mut conversions)?;
    Ok(Converted { value, conversions })
}

fn typed(
    context: Context<'_>,
    field: &Field,
    (text, told): (&str, bool),
    conversions: &mut Vec<String>,
) -> Result<Value, String> {
    if !field.options.is_empty() {
        if let Some(option) = option(field, text, conversions) {
            return Ok(option);
        }
    }
    let mut why = None;
    if field.may_be(Kind::Integer) || field.may_be(Kind::Number) {
        let whole = !field.may_be(Kind::Number);
        let mut named = Vec::new();
        // What is written for programs is read as programs do.
        let read = match number::plain(text).filter(|_| told) {
            Some(number) => Ok(number),
            None => number::read(context, text, field.unit.as_deref(), whole, &mut named),
        };
        match read {
            Ok(number) => {
                conversions.append(&mut named);
                return Ok(Value::Number(number));
            }
            Err(error) => why = Some(error),
        }
    }
    if field.may_be(Kind::Boolean) {
        match boolean(context.hints, text) {
            Some(value) => {
                conversions.push("word as boolean".to_owned());
                return Ok(Value::Bool(value));
            }
            None => why = Some(format!("`{}` is neither true nor false", cut(text, 40))),
        }
    }
    if !field.kinds.is_empty() && !field.may_be(Kind::Text) {
        return Err(why.unwrap_or_else(|| format!("`{}` is not of its type", cut(text, 40))));
    }
    if field.is_address() {
        let whole = context.page.resolve(text)?;
        if whole != text {
            conversions.push("address resolved".to_owned());
        }
        return Ok(Value::String(whole));
    }
    if field.is_date() {
        let time = field.format.as_deref() == Some("date-time");
        return date::read(context, text, time, conversions).map(Value::String);
    }
    Ok(Value::String(text.to_owned()))
}

/// White space collapsed and what is invisible taken out.
fn clean(raw: &str, conversions: &mut Vec<String>) -> String {
    let visible: String = raw.chars().filter(|c| !is_invisible(*c)).collect();
    if visible.len() != raw.len() {
        conversions.push("invisible characters removed".to_owned());
    }
    let text = collapse(&visible);
    if text != visible {
        conversions.push("white space".to_owned());
    }
    text
}

fn boolean(hints: &Hints, text: &str) -> Option<bool> {
    let lower = text.to_lowercase();
    let among = |words: &[&str], more: &[String]| {
        words.contains(&lower.as_str()) || more.iter().any(|word| word.to_lowercase() == lower)
    };
    match (among(&TRUE, &hints.truths), among(&FALSE, &hints.falsehoods)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// The value of `enum` that `text` is: to the letter, else the only one with the same words; `https://schema.org/InStock` is `InStock`.
fn option(field: &Field, text: &str, conversions: &mut Vec<String>) -> Option<Value> {
    let spelled = |option: &Value| option.as_str().map_or_else(|| option.to_string(), str::to_owned);
    if let Some(option) = field.options.iter().find(|option| spelled(option) == text) {
        return Some(option.clone());
    }
    let last = text.rsplit(['/', '#']).next().filter(|_| text.contains("schema.org/"));
    let name = Name::of(last.unwrap_or(text));
    let mut alike = field
        .options
        .iter()
        .filter(|option| Name::of(&spelled(option)).score(&name) == Some(crate::words::EXACT));
    let only = alike.next()?;
    if alike.next().is_some() {
        return None;
    }
    conversions.push("spelled as in `enum`".to_owned());
    Some(only.clone())
}

/// Numbers that are whole are written so.
fn tidy(value: &Value) -> Value {
    let whole =
        value.as_f64().filter(|number| value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15);
    match whole.and_then(|number| format!("{number:.0}").parse::<i64>().ok()) {
        Some(whole) => Value::Number(Number::from(whole)),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests;
