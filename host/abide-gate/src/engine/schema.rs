//! Which paths `input` has, read from the schema that is published with the policies.

use std::sync::OnceLock;

use serde_json::Value as Json;

/// `policies/schemas/input.schema.json`, as it was when this was built.
pub const INPUT_SCHEMA: &str = include_str!("../../../../policies/schemas/input.schema.json");

/// Why a path is not one of `input`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The path up to the part that does not exist, `input.` included.
    pub(crate) path: String,
    /// The same with the nearest part that does.
    pub(crate) nearest: Option<String>,
}

/// Looks up `input` followed by `parts`. A part that is not known before evaluation is `None`.
pub(crate) fn look_up(parts: &[Option<&str>]) -> Result<(), Missing> {
    node(parts).map(|_| ())
}

/// The part of the schema for `input` followed by `parts`; null where the schema says nothing.
pub(crate) fn node(parts: &[Option<&str>]) -> Result<&'static Json, Missing> {
    below(schema(), "input", parts)
}

fn schema() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| serde_json::from_str(INPUT_SCHEMA).unwrap_or(Json::Null))
}

/// The same from another part on, which is called `name`.
pub(crate) fn below(
    start: &'static Json,
    name: &str,
    parts: &[Option<&str>],
) -> Result<&'static Json, Missing> {
    let schema = schema();
    let mut path = name.to_owned();
    let mut node = start;
    for part in parts {
        node = follow(schema, node);
        let Some(name) = part else {
            node = inside(node);
            continue;
        };
        let next = node.get("properties").and_then(|properties| properties.get(name));
        let any = node.get("additionalProperties").filter(|rest| rest.is_object());
        let Some(found) = next.or(any) else {
            let nearest = nearest(node, name).map(|near| format!("{path}.{near}"));
            return Err(Missing { path: format!("{path}.{name}"), nearest });
        };
        path.push('.');
        path.push_str(name);
        node = found;
    }
    Ok(follow(schema, node))
}

/// The texts that a part of the schema may be, if it lists them; `null` is left out.
pub(crate) fn values(node: &Json) -> Option<Vec<&str>> {
    let listed = node.get("enum")?.as_array()?;
    listed.iter().filter(|value| !value.is_null()).map(Json::as_str).collect()
}

/// Whether one may be a slip for the other.
pub(crate) fn is_near(one: &str, other: &str) -> bool {
    distance(one, other) <= 2
}

/// The nearest path that `input` has, for one that it has not, such as `input.actoin`. A list position is spelled `*`. `None` if it
/// is one, or if nothing is near.
pub fn near_input_path(path: &str) -> Option<String> {
    let parts: Vec<Option<&str>> =
        path.split('.').skip(1).map(|part| (part != "*").then_some(part)).collect();
    look_up(&parts).err()?.nearest
}

fn follow<'a>(schema: &'a Json, mut node: &'a Json) -> &'a Json {
    while let Some(target) = node.get("$ref").and_then(Json::as_str) {
        node = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer)).unwrap_or(&Json::Null);
    }
    node
}

/// What an index leads to: the items of a list or the values of a map.
pub(crate) fn inside(node: &'static Json) -> &'static Json {
    let items = node.get("items");
    follow(schema(), items.or_else(|| node.get("additionalProperties")).unwrap_or(&Json::Null))
}

fn nearest<'a>(node: &'a Json, name: &str) -> Option<&'a str> {
    let known = node.get("properties")?.as_object()?.keys();
    let close = known.map(|key| (distance(key, name), key.as_str())).min()?;
    (close.0 <= 3).then_some(close.1)
}

/// Levenshtein distance: insertions, deletions and substitutions that turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above.saturating_add(1);
        let mut next = vec![left];
        for (other, up) in to.iter().zip(row.iter().skip(1)) {
            let substituted = diagonal.saturating_add(usize::from(letter != *other));
            left = substituted.min(up.saturating_add(1)).min(left.saturating_add(1));
            diagonal = *up;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
