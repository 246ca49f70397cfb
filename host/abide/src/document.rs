//! An input document from outside: found in what holds it, and held against the published schema.
//!
//! Not what the gate reads: there the host puts the input together itself, and nobody hands one in.

use std::sync::OnceLock;

use abide_core::input::PolicyInput;
use abide_core::safe_text;
use abide_gate::{INPUT_SCHEMA, near_input_path};
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::report::{Exit, Failure};

/// Bytes of a document at most; the judge wants less of one input.
pub(crate) const BYTES_MAX: u64 = 64 << 20;
/// Faults that are told at most.
const TOLD_MAX: usize = 10;

/// Takes the one input out of `text`: an input itself, an object with `input` in it (as `--json` of `explain` and `show` print, and as OPA is asked),
/// or what `replay --show --json` prints. Where it holds several, `profile` picks.
pub(crate) fn input(text: &[u8], profile: Option<&str>) -> Result<PolicyInput, Failure> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        Failure::new("AB0176", format!("the document is not JSON: {error}"))
            .help("ab policy eval --print-example MERGE prints one to start from")
            .exit(Exit::Usage)
    })?;
    let found = inside(&value, profile)?;
    let faults = faults(found);
    if !faults.is_empty() {
        return Err(unfit(&faults));
    }
    // The text itself is read where it is the input, so that a key that stands there twice is found.
    let read = if std::ptr::eq(found, &raw const value) {
        serde_json::from_slice(text)
    } else {
        serde_json::from_value(found.clone())
    };
    read.map_err(|error: serde_json::Error| unfit(&[safe_text::line(&error.to_string())]))
}

fn unfit(faults: &[String]) -> Failure {
    let told: Vec<&str> = faults.iter().take(TOLD_MAX).map(String::as_str).collect();
    let more = faults.len().saturating_sub(TOLD_MAX);
    let more = if more == 0 { String::new() } else { format!("\nand {more} more") };
    Failure::new("AB0177", format!("this is not an input of a policy\n{}{more}", told.join("\n")))
        .help("policies/schemas/input.schema.json describes it; --print-example prints one that fits")
        .exit(Exit::Usage)
}

fn inside<'a>(value: &'a Value, profile: Option<&str>) -> Result<&'a Value, Failure> {
    let is_input = value.get("schema").is_some() || value.get("action").is_some_and(Value::is_object);
    if let (false, Some(input)) = (is_input, value.get("input")) {
        return Ok(input);
    }
    if let Some(input) = value.get("input").filter(|_| value.get("decision").is_some()) {
        return Ok(input);
    }
    let Some(shown) = value.get("shown").and_then(Value::as_array) else { return Ok(value) };
    let inputs = shown.iter().filter_map(|one| one.get("input"));
    let of = |input: &Value| input.pointer("/run/profile").and_then(Value::as_str).map(str::to_owned);
    let found: Vec<&Value> =
        inputs.filter(|input| profile.is_none() || of(input).as_deref() == profile).collect();
    match found.as_slice() {
        [one] => Ok(one),
        _ => Err(Failure::new(
            "AB0178",
            format!("the document holds {} inputs that could be meant", found.len()),
        )
        .help("name one with --profile, and show one commit only")
        .exit(Exit::Usage)),
    }
}

/// What does not fit the published schema, each with its path; empty if all does.
pub(crate) fn faults(input: &Value) -> Vec<String> {
    static SCHEMA: OnceLock<Option<Validator>> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let schema: Value = serde_json::from_str(INPUT_SCHEMA).ok()?;
        jsonschema::draft202012::new(&schema).ok()
    });
    let Some(schema) = schema else { return vec!["the published schema cannot be read".to_owned()] };
    schema.iter_errors(input).flat_map(|error| told(&error)).collect()
}

fn told(error: &jsonschema::ValidationError<'_>) -> Vec<String> {
    let (shown, plain) = paths(error.instance_path().as_str());
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        let one = |name: &String| {
            let near = near_input_path(&format!("{plain}.{name}"));
            let near = near.and_then(|near| Some(near.rsplit_once('.')?.1.to_owned()));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{shown}.{near}`?"));
            format!("`{}` is not in the input schema{near}", safe_text::line(&format!("{shown}.{name}")))
        };
        return unexpected.iter().map(one).collect();
    }
    if let ValidationErrorKind::Required { property } = error.kind() {
        return vec![format!("`{shown}.{}` is missing", property.as_str().unwrap_or_default())];
    }
    vec![format!("`{}`: {}", safe_text::line(&shown), safe_text::line(&error.to_string()))]
}

/// A JSON pointer as a reader writes it (`input.facts.files[0].path`), and with `*` for each position.
fn paths(pointer: &str) -> (String, String) {
    let (mut shown, mut plain) = ("input".to_owned(), "input".to_owned());
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let is_position = part.bytes().all(|byte| byte.is_ascii_digit());
        shown.extend(if is_position { ["[", &part, "]"] } else { [".", &part, ""] });
        plain.extend([".", if is_position { "*" } else { &part }]);
    }
    (shown, plain)
}

#[cfg(test)]
mod tests;
