//! The JSON Schema of a record: what to look for, and whether a record is one.
//!
//! | keywords | |
//! |---|---|
//! | any value | `type` `enum` `const` `allOf` `anyOf` `oneOf` `not` `$ref` (inside of the document) |
//! | numbers | `minimum` `maximum` `exclusiveMinimum` `exclusiveMaximum` `multipleOf` |
//! | texts | `minLength` `maxLength` `pattern` `format` (`date` `date-time` `email` `uri` `uri-reference`) |
//! | arrays | `items` `minItems` `maxItems` `uniqueItems` |
//! | objects | `properties` `required` `additionalProperties` `minProperties` `maxProperties` |
//! | what helps to find a value | `title` `x-names` (labels) `x-unit`; `x-type` of the record (its type in JSON-LD and microdata) |
//!
//! They mean what JSON Schema 2020-12 says (json-schema.org), but that `format` is asserted. Another keyword is refused, as it would not be
//! heeded. A test compares the answers with those of the crate `jsonschema`, which itself is too large for a component and
//! imports randomness from JavaScript there.

use serde_json::{Map, Value};

mod check;
mod decimal;

use crate::words::Name;

pub(crate) use check::{Checker, escape, format_holds};

/// Objects inside of objects that are looked for.
const DEPTH_MAX: usize = 4;

/// What a property is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    Text,
    Array,
    Object,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::Text,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }
}

/// One property of a record.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its key.
    pub(crate) name: String,
    /// What it may be called on a page, best first.
    pub(crate) names: Vec<Name>,
    /// Types that it may have; empty for any.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) format: Option<String>,
    /// Values of `enum` or `const`.
    pub(crate) options: Vec<Value>,
    pub(crate) unit: Option<String>,
    pub(crate) required: bool,
    /// What an array holds.
    pub(crate) items: Option<Box<Field>>,
    /// What an object holds.
    pub(crate) fields: Vec<Field>,
}

impl Field {
    pub(crate) fn may_be(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Whether it holds an address of another resource.
    pub(crate) fn is_address(&self) -> bool {
        matches!(self.format.as_deref(), Some("uri" | "uri-reference"))
    }

    /// Whether it holds a date, with or without a time.
    pub(crate) fn is_date(&self) -> bool {
        matches!(self.format.as_deref(), Some("date" | "date-time"))
    }

    /// The best score of `label` for any of the names.
    pub(crate) fn score(&self, label: &Name) -> Option<crate::words::Score> {
        self.names.iter().filter_map(|name| name.score(label)).max()
    }
}

/// What a record is.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) fields: Vec<Field>,
    /// `x-type`.
    pub(crate) kind: Option<String>,
    pub(crate) checker: Checker,
}

impl Shape {
    /// # Errors
    /// What is wrong with the schema, as a sentence without its subject's name.
    pub(crate) fn of(schema: &Value) -> Result<Self, String> {
        let checker = Checker::new(schema)?;
        let top = checker.target(schema, 0)?;
        let top = top.as_object().ok_or("it is not an object")?;
        let text = |key: &str| top.get(key).and_then(Value::as_str).map(str::to_owned);
        let title = text("title");
        let fields = fields(&checker, top, title.as_deref(), 0)?;
        if fields.is_empty() {
            return Err("it names no `properties`, so there is nothing to look for".to_owned());
        }
        Ok(Self { fields, kind: text("x-type"), checker })
    }
}

fn fields(
    checker: &Checker,
    object: &Map<String, Value>,
    title: Option<&str>,
    depth: usize,
) -> Result<Vec<Field>, String> {
    let title = Name::of(title.unwrap_or_default());
    let required = |name: &str| {
        object
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|required| required == name))
    };
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return Ok(Vec::new()) };
    properties
        .iter()
        .map(|(name, schema)| {
            let mut field = field(checker, name, schema, depth)?;
            field.required = required(name);
            let short: Vec<Name> = field.names.iter().filter_map(|name| name.without(&title)).collect();
            field.names.extend(short);
            Ok(field)
        })
        .collect()
}

fn field(checker: &Checker, name: &str, schema: &Value, depth: usize) -> Result<Field, String> {
    let mut field = Field {
        name: name.to_owned(),
        names: vec![Name::of(name)],
        kinds: Vec::new(),
        format: None,
        options: Vec::new(),
        unit: None,
        required: false,
        items: None,
        fields: Vec::new(),
    };
    if depth < DEPTH_MAX {
        read(checker, &mut field, schema, depth)?;
    }
    Ok(field)
}

/// Adds what `schema` says of `field`; branches of `anyOf` and its like are read as if any of them could hold.
fn read(checker: &Checker, field: &mut Field, schema: &Value, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX * 2 {
        return Ok(());
    }
    let target = checker.target(schema, 0)?;
    for side in [Some(schema), Some(target).filter(|target| !std::ptr::eq(*target, schema))] {
        let Some(object) = side.and_then(Value::as_object) else { continue };
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        field.names.extend(text("title").map(Name::of));
        let names = object.get("x-names").and_then(Value::as_array).into_iter().flatten();
        field.names.extend(names.filter_map(Value::as_str).map(Name::of));
        match object.get("type") {
            Some(Value::String(name)) => field.kinds.extend(Kind::of(name)),
            Some(Value::Array(names)) => {
                field.kinds.extend(names.iter().filter_map(Value::as_str).filter_map(Kind::of));
            }
            _ => {}
        }
        if field.format.is_none() {
            field.format = text("format").map(str::to_owned);
        }
        if field.unit.is_none() {
            field.unit = text("x-unit").map(str::to_owned);
        }
        field.options.extend(object.get("enum").and_then(Value::as_array).into_iter().flatten().cloned());
        field.options.extend(object.get("const").cloned());
        if let Some(items) = object.get("items") {
            field.items = Some(Box::new(self::field(checker, &field.name, items, depth + 1)?));
        }
        if depth < DEPTH_MAX && field.fields.is_empty() {
            field.fields = fields(checker, object, text("title"), depth + 1)?;
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for branch in object.get(key).and_then(Value::as_array).into_iter().flatten() {
                read(checker, field, branch, depth + 1)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
