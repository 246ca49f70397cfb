//! Conditions that say, before anything is judged, that a rule cannot apply.

use std::collections::BTreeSet;

use abide_core::input::PolicyInput;
use regorus::Value;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Module, Rule, Span};
use serde::{Deserialize, Serialize};

use super::{LOUD_RULE, name, only_findings, to_usize};
use crate::engine::inspect::{path_of, rule_root};

/// Places in the input whose values a rule may ask for first, and which decide whether it is there at all. Each has few values.
const ASKED: [&[&str]; 7] = [
    &["action", "class"],
    &["action", "kind"],
    &["run", "halted"],
    &["run", "frozen"],
    &["run", "mode"],
    &["run", "safety_mode"],
    &["budget", "exhausted"],
];

/// What is asked about: the values at [`ASKED`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Asked([Scalar; ASKED.len()]);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Text(String),
}

impl Asked {
    /// The same of an input of which parts are known. `None` where one of them is not what an input has there.
    pub(crate) fn at(value: impl Fn(&[&str]) -> Option<Value>) -> Option<Self> {
        let scalar = |path: &[&str]| {
            let value = value(path)?;
            let text = value.as_string().ok().map(|text| Scalar::Text(text.to_string()));
            text.or_else(|| value.as_bool().ok().map(|truth| Scalar::Bool(*truth)))
        };
        let found: Option<Vec<Scalar>> = ASKED.iter().map(|path| scalar(path)).collect();
        found?.try_into().ok().map(Self)
    }

    pub(crate) fn of(input: &PolicyInput) -> Self {
        let (action, run) = (&input.action, &input.run);
        let text = |text: &str| Scalar::Text(text.to_owned());
        Self([
            text(action.class.as_str()),
            text(&action.kind),
            Scalar::Bool(run.halted),
            Scalar::Bool(run.frozen),
            text(run.mode.as_str()),
            text(run.safety_mode.as_str()),
            Scalar::Bool(input.budget.exhausted),
        ])
    }
}

/// A condition at the beginning of a body: where it is false, so is the body.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    /// The statement, in bytes of the module.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Whether more statements follow in the body.
    pub(super) more: bool,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// On what is asked about: the index in [`ASKED`], and which values are wanted, or not wanted.
    Asked { place: usize, values: Vec<Scalar>, wanted: bool },
    /// On data, which is what it is.
    Data(bool),
    /// That there is something in this set.
    Something(String),
}

impl Guard {
    /// `empty` are sets that nothing can be in.
    pub(super) fn holds(&self, asked: &Asked, empty: &BTreeSet<&str>) -> bool {
        match &self.kind {
            Kind::Asked { place, values, wanted } => {
                asked.0.get(*place).is_none_or(|value| values.contains(value) == *wanted)
            }
            Kind::Data(holds) => *holds,
            Kind::Something(set) => !empty.contains(set.as_str()),
        }
    }

    /// Whether a statement that holds says nothing more.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.kind, Kind::Asked { .. } | Kind::Data(_))
    }

    /// The set in which there must be something.
    pub(super) fn set(&self) -> Option<&str> {
        match &self.kind {
            Kind::Something(set) => Some(set),
            Kind::Asked { .. } | Kind::Data(_) => None,
        }
    }
}

/// What is known when modules are joined.
pub(super) struct Known<'a> {
    pub(super) data: &'a Value,
    /// First parts of all packages: below them is more than data.
    pub(super) packages: BTreeSet<String>,
}

/// Only of rules with one body (of a chain of `else`, one link cannot be left out), and only what stands before everything else: behind a
/// statement that fails, a condition was never asked.
pub(super) fn guards(module: &Module, rule: &Rule, known: &Known<'_>) -> Vec<Guard> {
    let Rule::Spec { bodies, .. } = rule else { return Vec::new() };
    let [body] = bodies.as_slice() else { return Vec::new() };
    let mut guards = Vec::new();
    for statement in &body.query.stmts {
        let Some(mut guard) = guard(module, rule, statement, known) else { break };
        guard.more = guards.len().saturating_add(1) < body.query.stmts.len();
        let goes_on = guard.is_settled();
        guards.push(guard);
        if !goes_on {
            break;
        }
    }
    guards
}

fn guard(module: &Module, rule: &Rule, statement: &LiteralStmt, known: &Known<'_>) -> Option<Guard> {
    if !statement.with_mods.is_empty() {
        return None;
    }
    let kind = match &statement.literal {
        Literal::Expr { expr, .. } => asks(expr).or_else(|| on_data(expr, known))?,
        Literal::NotExpr { expr, .. } => match asks(expr)? {
            Kind::Asked { place, values, wanted } => Kind::Asked { place, values, wanted: !wanted },
            Kind::Data(_) | Kind::Something(_) => return None,
        },
        Literal::SomeIn { collection, .. } => Kind::Something(taken_from(module, rule, collection)?),
        Literal::SomeVars { .. } | Literal::Every { .. } => return None,
    };
    Some(Guard { start: statement.span.start, end: end(&statement.span), more: false, kind })
}

/// The set that it takes from, by its name in the joined module.
fn taken_from(module: &Module, rule: &Rule, collection: &Expr) -> Option<String> {
    if only_findings(collection).is_some() {
        return Some(LOUD_RULE.to_owned());
    }
    let (root, parts) = path_of(collection)?;
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    if root == "data" {
        return Some(name(&parts));
    }
    let (mut path, _) = rule_root(module, rule);
    path.pop();
    path.push(root);
    parts.is_empty().then(|| name(&path))
}

/// `data.x != []` and `data.x == []`, where `data.x` is data and nothing else.
fn on_data(expr: &Expr, known: &Known<'_>) -> Option<Kind> {
    let Expr::BoolExpr { op: op @ (BoolOp::Eq | BoolOp::Ne), lhs, rhs, .. } = expr else { return None };
    let Expr::Array { items, .. } = &**rhs else { return None };
    let (root, parts) = path_of(lhs)?;
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    if root != "data"
        || !items.is_empty()
        || parts.first().is_none_or(|first| known.packages.contains(*first))
    {
        return None;
    }
    let mut value = known.data;
    for part in parts {
        let Some(below) = value.as_object().ok().and_then(|fields| fields.get(&Value::from(part))) else {
            return Some(Kind::Data(false));
        };
        value = below;
    }
    let is_empty = matches!(value, Value::Array(items) if items.is_empty());
    Some(Kind::Data(is_empty == (*op == BoolOp::Eq)))
}

/// Where it ends. The parser lets what ends in a text end before its quote.
fn end(span: &Span) -> u32 {
    let after = span.source.get_contents().as_bytes().get(to_usize(span.end));
    let quote = after.is_some_and(|byte| matches!(byte, b'"' | b'`'));
    span.end.saturating_add(u32::from(quote))
}

/// Which place it asks about, for which values, and whether it wants one of them.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "nothing else is a guard, and a guard that is missed costs time only"
)]
fn asks(expr: &Expr) -> Option<Kind> {
    match expr {
        Expr::RefDot { .. } => {
            let place = asked_for(expr)?;
            // A text is as true as `true`: only where the value is a truth is a bare reference a condition.
            let is_truth = matches!(ASKED.get(place)?.last()?, &"halted" | &"frozen" | &"exhausted");
            is_truth.then(|| Kind::Asked { place, values: vec![Scalar::Bool(true)], wanted: true })
        }
        Expr::BoolExpr { op: op @ (BoolOp::Eq | BoolOp::Ne), lhs, rhs, .. } => Some(Kind::Asked {
            place: asked_for(lhs)?,
            values: vec![scalar(rhs)?],
            wanted: *op == BoolOp::Eq,
        }),
        Expr::Membership { key: None, value, collection, .. } => {
            let (Expr::Set { items, .. } | Expr::Array { items, .. }) = &**collection else { return None };
            let values = items.iter().map(|item| scalar(item)).collect::<Option<Vec<_>>>()?;
            Some(Kind::Asked { place: asked_for(value)?, values, wanted: true })
        }
        _ => None,
    }
}

fn asked_for(expr: &Expr) -> Option<usize> {
    let (root, parts) = path_of(expr)?;
    let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
    ASKED.iter().position(|place| root == "input" && parts == *place)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else stands at these places")]
fn scalar(expr: &Expr) -> Option<Scalar> {
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(|text| Scalar::Text(text.to_string()))
        }
        Expr::Bool { value, .. } => value.as_bool().ok().map(|truth| Scalar::Bool(*truth)),
        _ => None,
    }
}
