//! Things with a type and properties, from JSON-LD or microdata: which of them are candidates, and which property is which field.

use std::collections::BTreeMap;

use ego_tree::NodeId;
use serde_json::{Map, Value};

use super::{Candidate, Finding, Found, Group, Spot, add, choose};
use crate::Ask;
use crate::convert::{Context, Raw};
use crate::page::Page;
use crate::schema::{Field, Kind};
use crate::words::{EXACT, Name, Score};

/// Levels of things inside of a thing in which a field is looked for.
const NESTED_MAX: usize = 3;
/// Things that are looked at on one page.
const THINGS_MAX: usize = 50_000;

/// A tree of things, and where its parts stand on the page.
pub(super) struct Tree {
    pub(super) value: Value,
    /// The script, or the element of the topmost item.
    pub(super) element: NodeId,
    /// By pointer, for microdata: where each value stands. Empty for JSON-LD, where the pointer says it.
    pub(super) spots: BTreeMap<String, Spot>,
}

impl Tree {
    fn spot(&self, pointer: &str) -> Spot {
        self.spots.get(pointer).cloned().unwrap_or_else(|| Spot {
            element: self.element,
            attribute: None,
            pointer: self.spots.is_empty().then(|| pointer.to_owned()),
        })
    }
}

/// Adds the candidates of `trees`, which are those of page number `number`.
pub(super) fn collect(groups: &mut Vec<Group>, page: &Page<'_>, number: usize, trees: &[Tree], ask: &Ask) {
    let context = Context { page, hints: &ask.hints };
    let asked = ask.hints.kind.as_deref().or(ask.shape.kind.as_deref());
    let wanted = asked.map(Name::of);
    for tree in trees {
        for (pointer, object) in objects(&tree.value) {
            let kind = kind(object);
            let is_wanted =
                wanted.as_ref().is_some_and(|wanted| kind.split('+').any(|kind| Name::of(kind) == *wanted));
            if wanted.is_some() && !is_wanted {
                continue;
            }
            let found: Vec<_> = ask
                .shape
                .fields
                .iter()
                .map(|field| {
                    let path = ask.hints.field(&field.name).and_then(|hint| hint.path.as_deref());
                    look(context, tree, &pointer, object, field, path)
                })
                .collect();
            if found.iter().all(Result::is_err) && !is_wanted {
                continue;
            }
            let spot = tree.spot(&pointer);
            let kind = asked.map_or(kind, str::to_owned);
            let name = if kind.is_empty() { "things without a type".to_owned() } else { format!("`{kind}`") };
            let candidate = Candidate { page: number, element: spot.element, pointer: spot.pointer, found };
            add(groups, &name, is_wanted, candidate);
        }
    }
}

/// Every object below `value` with its pointer, outer ones first, in the order of the document.
fn objects(value: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        if found.len() >= THINGS_MAX {
            break;
        }
        let before = open.len();
        match value {
            Value::Object(object) => {
                let inner = object.iter().filter(|(key, _)| *key != "@context");
                open.extend(inner.map(|(key, value)| (step(&pointer, key), value)));
                found.push((pointer, object));
            }
            Value::Array(values) => {
                open.extend(values.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)));
            }
            _ => {}
        }
        open[before..].reverse();
    }
    found
}

pub(super) fn step(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The last words of `@type`, several joined by `+`.
fn kind(object: &Map<String, Value>) -> String {
    let last = |name: &str| name.rsplit(['/', '#', ':']).next().unwrap_or(name).to_owned();
    match object.get("@type") {
        Some(Value::String(name)) => last(name),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(last).collect::<Vec<_>>().join("+")
        }
        _ => String::new(),
    }
}

/// What `object` says of `field`.
fn look(
    context: Context<'_>,
    tree: &Tree,
    pointer: &str,
    object: &Map<String, Value>,
    field: &Field,
    path: Option<&str>,
) -> Result<Found, String> {
    if let Some(path) = path {
        let mut at = pointer.to_owned();
        let mut value: Option<&Value> = None;
        for key in path.split('.') {
            let inner = match value {
                None => object.get(key),
                Some(Value::Object(object)) => object.get(key),
                Some(Value::Array(values)) => key.parse::<usize>().ok().and_then(|at| values.get(at)),
                Some(_) => None,
            };
            value = Some(inner.ok_or_else(|| format!("there is no `{path}`"))?);
            at = step(&at, key);
        }
        return value
            .ok_or_else(|| format!("there is no `{path}`"))
            .and_then(|value| read(context, tree, &at, value, field));
    }
    let mut level = vec![(pointer.to_owned(), object)];
    for depth in 0..=NESTED_MAX {
        let mut hits = Vec::new();
        for (pointer, object) in &level {
            for (key, value) in *object {
                let label = Name::of(key.strip_prefix('@').map_or(last_word(key), |id| id));
                let is_own = !key.starts_with('@') || (key == "@id" && field.is_address());
                // Deeper down a name that only resembles the field's is one of something else.
                if let Some(score) =
                    field.score(&label).filter(|score| is_own && (depth == 0 || *score == EXACT))
                {
                    hits.push((score, step(pointer, key), value));
                }
            }
        }
        if !hits.is_empty() {
            return best(context, tree, hits, field);
        }
        level = level.iter().flat_map(|(pointer, object)| inner(pointer, object)).collect();
    }
    Err("no property has its name".to_owned())
}

fn last_word(key: &str) -> &str {
    key.rsplit(['/', '#', ':']).next().unwrap_or(key)
}

fn inner<'v>(pointer: &str, object: &'v Map<String, Value>) -> Vec<(String, &'v Map<String, Value>)> {
    let mut found = Vec::new();
    for (key, value) in object.iter().filter(|(key, _)| !key.starts_with('@')) {
        let pointer = step(pointer, key);
        match value {
            Value::Object(object) => found.push((pointer, object)),
            Value::Array(values) => found.extend(
                values
                    .iter()
                    .enumerate()
                    .filter_map(|(at, value)| Some((format!("{pointer}/{at}"), value.as_object()?))),
            ),
            _ => {}
        }
    }
    found
}

fn best(
    context: Context<'_>,
    tree: &Tree,
    hits: Vec<(Score, String, &Value)>,
    field: &Field,
) -> Result<Found, String> {
    let top = hits.iter().map(|(score, ..)| *score).max().unwrap_or_default();
    let hits: Vec<_> = hits.into_iter().filter(|(score, ..)| *score == top).collect();
    if let [(_, pointer, value)] = hits.as_slice() {
        return read(context, tree, pointer, value, field);
    }
    let mut options = Vec::new();
    for (score, pointer, value) in hits {
        match read(context, tree, &pointer, value, field)? {
            Found::One(finding) => options.push((score, finding)),
            other => return Ok(other),
        }
    }
    choose(context, field, options).map(Found::One)
}

/// `value` as what the field asks for.
fn read(
    context: Context<'_>,
    tree: &Tree,
    pointer: &str,
    value: &Value,
    field: &Field,
) -> Result<Found, String> {
    match value {
        Value::Array(values) if field.may_be(Kind::Array) => {
            let item = field.items.as_deref().unwrap_or(field);
            let parts = values.iter().enumerate();
            let parts = parts.map(|(at, value)| read(context, tree, &format!("{pointer}/{at}"), value, item));
            parts.collect::<Result<_, _>>().map(Found::Many)
        }
        _ if field.may_be(Kind::Array) => {
            let item = field.items.as_deref().unwrap_or(field);
            // An item that may be an array itself would go on without end.
            if item.may_be(Kind::Array) {
                return Err("is not an array of arrays".to_owned());
            }
            read(context, tree, pointer, value, item).map(|one| Found::Many(vec![one]))
        }
        Value::Array(values) => {
            let parts = values.iter().enumerate();
            let mut options = Vec::new();
            for (at, value) in parts {
                match read(context, tree, &format!("{pointer}/{at}"), value, field)? {
                    Found::One(finding) => options.push((EXACT, finding)),
                    other => return if values.len() == 1 { Ok(other) } else { Err("is several".to_owned()) },
                }
            }
            choose(context, field, options).map(Found::One)
        }
        Value::Object(object) if field.may_be(Kind::Object) => {
            let members = field.fields.iter();
            let members =
                members.map(|field| (field.clone(), look(context, tree, pointer, object, field, None)));
            Ok(Found::Members(members.collect()))
        }
        Value::Object(object) => {
            let keys: &[&str] = if field.is_address() {
                &["url", "contentUrl", "@id", "@value"]
            } else {
                &["@value", "name", "headline", "value"]
            };
            let (key, inner) = keys
                .iter()
                .find_map(|key| Some((*key, object.get(*key).filter(|value| !value.is_object())?)))
                .ok_or("is a thing without a name")?;
            match read(context, tree, &step(pointer, key), inner, field)? {
                Found::One(mut finding) => {
                    finding.notes.push(format!("`{key}` of it"));
                    Ok(Found::One(finding))
                }
                other => Ok(other),
            }
        }
        _ => {
            let spot = tree.spot(pointer);
            // Text of an element is written for people; what stands in `content` or JSON is not.
            let told =
                spot.pointer.is_some() || matches!(spot.attribute.as_deref(), Some("content" | "value"));
            let raw = match value {
                Value::String(text) if !told => Raw::Text(text.clone()),
                value => Raw::Json(value.clone()),
            };
            Ok(Found::One(Finding::new(spot, raw)))
        }
    }
}
