//! Whether a value is what a schema says.

use std::cmp::Ordering;

use regex_lite::Regex;
use serde_json::{Map, Number, Value};

use super::decimal::Decimal;

/// References followed, and schemas inside of schemas.
const DEPTH_MAX: usize = 64;
/// Keywords that are heeded here.
const ASSERTIONS: [&str; 25] = [
    "type",
    "enum",
    "const",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "$ref",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
];
/// Keywords that assert nothing, and the one above that did not fit.
const ANNOTATIONS: [&str; 14] = [
    "maxProperties",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$anchor",
];
pub(super) const FORMATS: [&str; 5] = ["date", "date-time", "email", "uri", "uri-reference"];

/// A schema that was looked through.
#[derive(Debug)]
pub(crate) struct Checker {
    schema: Value,
    patterns: Vec<(String, Regex)>,
}

impl Checker {
    /// # Errors
    /// A keyword, format, pattern or reference that would not be heeded.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let mut checker = Self { schema: schema.clone(), patterns: Vec::new() };
        checker.survey(schema, 0)?;
        Ok(checker)
    }

    /// What is wrong with `value`: a pointer into it and a sentence, for each fault that was found; empty when it is as the schema says.
    pub(crate) fn faults(&self, value: &Value) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        self.check(&self.schema, value, "", 0, &mut faults);
        faults
    }

    /// `schema`, or what its `$ref` leads to.
    pub(crate) fn target<'s>(&'s self, schema: &'s Value, depth: usize) -> Result<&'s Value, String> {
        let Some(reference) = schema.get("$ref") else { return Ok(schema) };
        let found = reference
            .as_str()
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| self.schema.pointer(pointer))
            .ok_or_else(|| format!("`$ref` {reference} leads nowhere inside of it"))?;
        if depth > DEPTH_MAX {
            return Err(format!("`$ref` {reference} leads back to itself"));
        }
        self.target(found, depth + 1)
    }

    fn survey(&mut self, schema: &Value, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err("its parts stand too deep inside of each other".to_owned());
        }
        if schema.is_boolean() {
            return Ok(());
        }
        let object = schema.as_object().ok_or("a part of it is neither an object nor a boolean")?;
        self.target(schema, 0)?;
        for (key, value) in object {
            let heeded = ASSERTIONS.contains(&key.as_str())
                || ANNOTATIONS.contains(&key.as_str())
                || key.starts_with("x-");
            if !heeded {
                return Err(format!("its keyword `{key}` is not one that is heeded here"));
            }
            self.survey_keyword(key, value, depth)?;
        }
        Ok(())
    }

    fn survey_keyword(&mut self, key: &str, value: &Value, depth: usize) -> Result<(), String> {
        let wrong = || format!("its keyword `{key}` has a value that it cannot have");
        match key {
            "type" => {
                let known = |name: &Value| name.as_str().and_then(super::Kind::of).is_some();
                let fits = known(value) || value.as_array().is_some_and(|names| names.iter().all(known));
                if !fits {
                    return Err(wrong());
                }
            }
            "format" if !value.as_str().is_some_and(|name| FORMATS.contains(&name)) => {
                return Err(format!("`format` {value} is not one of {}", FORMATS.join(", ")));
            }
            "pattern" => {
                let text = value.as_str().ok_or_else(wrong)?;
                let regex = Regex::new(text).map_err(|error| format!("`pattern` {value}: {error}"))?;
                self.patterns.push((text.to_owned(), regex));
            }
            "enum" | "required" | "examples" => _ = value.as_array().ok_or_else(wrong)?,
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                _ = value.as_number().ok_or_else(wrong)?;
            }
            "multipleOf" => _ = value.as_f64().filter(|unit| *unit > 0.0).ok_or_else(wrong)?,
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                _ = value.as_u64().ok_or_else(wrong)?;
            }
            "uniqueItems" => _ = value.as_bool().ok_or_else(wrong)?,
            "allOf" | "anyOf" | "oneOf" => {
                let branches = value.as_array().filter(|branches| !branches.is_empty()).ok_or_else(wrong)?;
                branches.iter().try_for_each(|branch| self.survey(branch, depth + 1))?;
            }
            "not" | "items" | "additionalProperties" => self.survey(value, depth + 1)?,
            "properties" | "$defs" | "definitions" => {
                let parts = value.as_object().ok_or_else(wrong)?;
                parts.values().try_for_each(|part| self.survey(part, depth + 1))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn holds(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        let mut faults = Vec::new();
        self.check(schema, value, "", depth, &mut faults);
        faults.is_empty()
    }

    fn check(
        &self,
        schema: &Value,
        value: &Value,
        at: &str,
        depth: usize,
        faults: &mut Vec<(String, String)>,
    ) {
        let mut fault = |what: String| faults.push((at.to_owned(), what));
        let object = match schema {
            Value::Object(object) => object,
            Value::Bool(true) => return,
            _ => return fault("is not allowed".to_owned()),
        };
        if depth > DEPTH_MAX {
            return fault("needs a schema that refers to itself without end".to_owned());
        }
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            match reference.strip_prefix('#').and_then(|pointer| self.schema.pointer(pointer)) {
                Some(target) => self.check(target, value, at, depth + 1, faults),
                None => fault(format!("needs `{reference}`, which is nowhere")),
            }
        }
        let mut fault = |what: String| faults.push((at.to_owned(), what));
        if let Some(kinds) = object.get("type") {
            let mut names = kinds.as_array().map_or(std::slice::from_ref(kinds), Vec::as_slice).iter();
            if !names.any(|name| name.as_str().is_some_and(|name| is_type(value, name))) {
                fault(format!("is not of type {kinds}"));
            }
        }
        if let Some(options) = object.get("enum").and_then(Value::as_array) {
            if !options.iter().any(|option| same(option, value)) {
                fault(format!("is not one of {}", Value::from(options.clone())));
            }
        }
        if object.get("const").is_some_and(|only| !same(only, value)) {
            fault("is not the value of `const`".to_owned());
        }
        self.branches(object, value, depth, &mut fault);
        match value {
            Value::Number(number) => numbers(object, number, &mut fault),
            Value::String(text) => self.texts(object, text, &mut fault),
            Value::Array(values) => self.arrays(object, values, at, depth, faults),
            Value::Object(members) => self.objects(object, members, at, depth, faults),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn branches(
        &self,
        object: &Map<String, Value>,
        value: &Value,
        depth: usize,
        fault: &mut dyn FnMut(String),
    ) {
        let held = |key: &str| {
            let branches = object.get(key).and_then(Value::as_array)?;
            let count = branches.iter().filter(|branch| self.holds(branch, value, depth + 1)).count();
            Some((count, branches.len()))
        };
        if held("allOf").is_some_and(|(count, all)| count < all) {
            fault("is not what every branch of `allOf` says".to_owned());
        }
        if held("anyOf").is_some_and(|(count, _)| count == 0) {
            fault("is not what any branch of `anyOf` says".to_owned());
        }
        if let Some((count, _)) = held("oneOf").filter(|(count, _)| *count != 1) {
            fault(format!("is what {count} branches of `oneOf` say, not one"));
        }
        if object.get("not").is_some_and(|not| self.holds(not, value, depth + 1)) {
            fault("is what `not` excludes".to_owned());
        }
    }

    fn texts(&self, object: &Map<String, Value>, text: &str, fault: &mut dyn FnMut(String)) {
        let characters = text.chars().count() as u64;
        if limit(object, "minLength").is_some_and(|least| characters < least) {
            fault(format!("is shorter than {} characters", limit(object, "minLength").unwrap_or_default()));
        }
        if limit(object, "maxLength").is_some_and(|most| characters > most) {
            fault(format!("is longer than {} characters", limit(object, "maxLength").unwrap_or_default()));
        }
        if let Some(pattern) = object.get("pattern").and_then(Value::as_str) {
            let regex = self.patterns.iter().find(|(text, _)| text == pattern);
            if !regex.is_some_and(|(_, regex)| regex.is_match(text)) {
                fault(format!("does not match `{pattern}`"));
            }
        }
        if let Some(format) = object.get("format").and_then(Value::as_str) {
            if !format_holds(format, text) {
                fault(format!("is not a `{format}`"));
            }
        }
    }

    fn arrays(
        &self,
        object: &Map<String, Value>,
        values: &[Value],
        at: &str,
        depth: usize,
        faults: &mut Vec<(String, String)>,
    ) {
        let count = values.len() as u64;
        if limit(object, "minItems").is_some_and(|least| count < least) {
            faults.push((at.to_owned(), "has too few items".to_owned()));
        }
        if limit(object, "maxItems").is_some_and(|most| count > most) {
            faults.push((at.to_owned(), "has too many items".to_owned()));
        }
        let unique = object.get("uniqueItems") == Some(&Value::Bool(true));
        if unique && values.iter().enumerate().any(|(at, value)| values[..at].iter().any(|v| same(v, value)))
        {
            faults.push((at.to_owned(), "has the same item twice".to_owned()));
        }
        if let Some(items) = object.get("items") {
            for (number, value) in values.iter().enumerate() {
                self.check(items, value, &format!("{at}/{number}"), depth + 1, faults);
            }
        }
    }

    fn objects(
        &self,
        object: &Map<String, Value>,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
        faults: &mut Vec<(String, String)>,
    ) {
        let count = members.len() as u64;
        if limit(object, "minProperties").is_some_and(|least| count < least) {
            faults.push((at.to_owned(), "has too few properties".to_owned()));
        }
        if limit(object, "maxProperties").is_some_and(|most| count > most) {
            faults.push((at.to_owned(), "has too many properties".to_owned()));
        }
        let names = object.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in names.filter_map(Value::as_str).filter(|name| !members.contains_key(*name)) {
            faults.push((at.to_owned(), format!("has no `{name}`, which is required")));
        }
        let properties = object.get("properties").and_then(Value::as_object);
        for (name, value) in members {
            let place = format!("{at}/{}", escape(name));
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => self.check(schema, value, &place, depth + 1, faults),
                None => {
                    if let Some(schema) = object.get("additionalProperties") {
                        self.check(schema, value, &place, depth + 1, faults);
                    }
                }
            }
        }
    }
}

fn limit(object: &Map<String, Value>, key: &str) -> Option<u64> {
    object.get(key).and_then(Value::as_u64)
}

/// One step of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_number().is_some_and(is_whole),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn is_whole(number: &Number) -> bool {
    !number.is_f64()
        || Decimal::of(number)
            .map_or_else(|| number.as_f64().is_some_and(|value| value.fract() == 0.0), Decimal::is_whole)
}

/// Equal as JSON Schema has it: 1 and 1.0 are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

fn order(left: &Number, right: &Number) -> Option<Ordering> {
    let exact = Decimal::of(left).zip(Decimal::of(right)).and_then(|(left, right)| left.compare(right));
    exact.or_else(|| left.as_f64()?.partial_cmp(&right.as_f64()?))
}

/// Whether a number that compares so with a bound is beyond it.
type Beyond = fn(Ordering) -> bool;

fn numbers(object: &Map<String, Value>, number: &Number, fault: &mut dyn FnMut(String)) {
    let bounds: [(&str, Beyond, &str); 4] = [
        ("minimum", Ordering::is_lt, "less than"),
        ("maximum", Ordering::is_gt, "more than"),
        ("exclusiveMinimum", Ordering::is_le, "not more than"),
        ("exclusiveMaximum", Ordering::is_ge, "not less than"),
    ];
    for (key, beyond, words) in bounds {
        let Some(bound) = object.get(key).and_then(Value::as_number) else { continue };
        if order(number, bound).is_none_or(beyond) {
            fault(format!("is {words} {bound}"));
        }
    }
    if let Some(unit) = object.get("multipleOf").and_then(Value::as_number) {
        let exact = Decimal::of(number).zip(Decimal::of(unit));
        if exact.and_then(|(number, unit)| number.is_multiple_of(unit)) != Some(true) {
            fault(format!("is not a multiple of {unit}"));
        }
    }
}

/// Whether `text` is of `format`, one of [`FORMATS`].
pub(crate) fn format_holds(format: &str, text: &str) -> bool {
    match format {
        "date" => text.len() == 10 && jiff::civil::Date::strptime("%Y-%m-%d", text).is_ok(),
        // RFC 3339, section 5.6.
        "date-time" => {
            let bytes = text.as_bytes();
            let shaped = bytes.len() >= 20
                && matches!(bytes.get(10), Some(b'T' | b't' | b' '))
                && (text.ends_with(['Z', 'z']) || matches!(bytes.get(bytes.len() - 6), Some(b'+' | b'-')));
            shaped && text.parse::<jiff::Timestamp>().is_ok()
        }
        "email" => {
            let plain = |part: &str| {
                !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
            };
            text.rsplit_once('@').is_some_and(|(local, host)| {
                plain(local) && plain(host) && !host.starts_with(['.', '-']) && !host.ends_with(['.', '-'])
            })
        }
        "uri" => fluent_uri::Uri::parse(text).is_ok(),
        "uri-reference" => fluent_uri::UriRef::parse(text).is_ok(),
        _ => false,
    }
}
