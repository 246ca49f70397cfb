//! `array.slice` and `substring`. regorus' own cut places and lengths to the size of a word, which differs between the native and the sealed judge.

use regorus::Value;

/// A place or a length: negative ones apart, too large ones as the largest. `None` for what is no integer.
fn place(value: &Value) -> Option<Result<usize, ()>> {
    let Value::Number(number) = value else { return None };
    if !number.is_integer() {
        return None;
    }
    if *value < Value::from(0_u64) {
        return Some(Err(()));
    }
    Some(Ok(number.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX)))
}

/// The part of a list from one place up to another; places before it are its beginning, those behind it its end.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn slice(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::Array(list), from @ Value::Number(_), to @ Value::Number(_)] = arguments.as_slice() else {
        anyhow::bail!("`array.slice` takes an array and two numbers");
    };
    let (Some(from), Some(to)) = (place(from), place(to)) else { return Ok(Value::Undefined) };
    let (from, to) = (from.unwrap_or(0), to.unwrap_or(0).min(list.len()));
    Ok(Value::from(list.as_slice().get(from..to).unwrap_or_default().to_vec()))
}

/// So many characters of a text from a place on; a negative length means the rest.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn substring(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(text), from @ Value::Number(_), length @ Value::Number(_)] = arguments.as_slice()
    else {
        anyhow::bail!("`substring` takes a text and two numbers");
    };
    let (Some(from), Some(length)) = (place(from), place(length)) else { return Ok(Value::from("")) };
    let Ok(from) = from else { anyhow::bail!("`substring` begins at a negative place") };
    Ok(Value::from(text.chars().skip(from).take(length.unwrap_or(usize::MAX)).collect::<String>()))
}
