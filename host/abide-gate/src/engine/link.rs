//! Joins the modules of a bundle into one, and leaves out what cannot apply to one kind of action.
//!
//! The engine looks through every module at the first mention of every path under `data`, and what a rule costs when it is false is mostly
//! looking. So rules get names of their own in one package, all data hangs under one rule, and a rule that begins with
//! `input.action.class == "MERGE"` is not even there when something else is asked. The answers are the same to the byte: the tests of the
//! decision matrix compare both. What cannot be joined (a reference that is only known while judging) is judged as it was written.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::input::PolicyInput;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Module, Ref, Rule};

use crate::engine::inspect::{path_of, place, rule_root};
use crate::engine::loader::Place;

/// The package of a joined module.
pub(crate) const PACKAGE: &str = "joined";
/// The rule under which all data hangs, and the key of the document it reads.
pub(crate) const DOCUMENT: &str = "document__";
/// The rule that holds what the layers found.
const LAYERS_RULE: &str = "layers__";

/// The name of a rule in the joined module. `path` is its package and its first name. Different paths have different names: the parts are
/// joined by `_0`, and a `_` of their own becomes `_1`.
pub(crate) fn name(path: &[String]) -> String {
    path.iter().map(|part| part.replace('_', "_1")).collect::<Vec<_>>().join("_0")
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a variable may be called so without being taken for a name made here.
pub(crate) fn is_free(variable: &str) -> bool {
    !variable.contains("__") && !variable.contains("_0")
}

/// The rule that answers, in the joined module.
pub(crate) fn entrypoint() -> String {
    format!("data.{PACKAGE}.{}", name(&["abide".to_owned(), "decision".to_owned()]))
}

/// A piece of text to be replaced, in bytes of the module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edit {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) text: String,
}

/// What the inspection of one module found for the joining.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    /// What to replace.
    pub(crate) edits: BTreeSet<Edit>,
    /// Why the module cannot be joined. Empty if it can.
    pub(crate) obstacles: Vec<(Place, &'static str)>,
}

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked([Scalar; ASKED.len()]);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scalar {
    Bool(bool),
    Text(String),
}

impl Asked {
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

/// A condition on what is asked about: without it the body is false.
#[derive(Debug, Clone)]
struct Guard {
    /// Index in [`ASKED`].
    place: usize,
    values: Vec<Scalar>,
    wanted: bool,
}

impl Guard {
    fn holds(&self, asked: &Asked) -> bool {
        asked.0.get(self.place).is_none_or(|value| self.values.contains(value) == self.wanted)
    }
}

#[derive(Debug)]
struct Piece {
    start: usize,
    end: usize,
    root: String,
    guards: Vec<Guard>,
}

#[derive(Debug)]
struct Part {
    path: String,
    text: String,
    edits: Vec<Edit>,
    pieces: Vec<Piece>,
}

/// All that is needed to join, without the syntax trees.
#[derive(Debug)]
pub(crate) struct Plan {
    parts: Vec<Part>,
    layers: String,
}

/// A joined module.
pub(crate) struct Joined {
    pub(crate) text: String,
    /// Where each module begins, in lines counted from 0.
    pub(crate) lines: Lines,
}

/// From lines of the joined module to those of the files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Vec<(usize, String)>);

impl Lines {
    /// File and line of a place. Columns are not kept: names are longer in the joined module.
    pub(crate) fn origin(&self, place: &Place) -> String {
        let line = usize::try_from(place.line).unwrap_or(usize::MAX);
        let at = line.saturating_sub(1);
        let found = self.0.iter().rev().find(|(first, _)| *first <= at);
        match found.filter(|_| place.path == PACKAGE) {
            Some((first, path)) => format!("{path}:{}", line.saturating_sub(*first)),
            None => format!("{}:{line}", place.path),
        }
    }
}

impl Plan {
    /// Prepares the joining. `Err` says where and why it cannot be done.
    pub(crate) fn of(modules: &[Ref<Module>], links: Vec<Links>) -> Result<Self, (Place, &'static str)> {
        let mut parts = Vec::new();
        let mut layers = String::new();
        for (number, (module, links)) in modules.iter().zip(links).enumerate() {
            if let Some(obstacle) = links.obstacles.into_iter().next() {
                return Err(obstacle);
            }
            // Names are written into the joined text: what is not a plain name could bring rules of its own.
            let roots = module.policy.iter().map(|rule| rule_root(module, rule).0);
            if roots.flatten().any(|part| !is_plain(&part)) {
                return Err((place(&module.package.span), "a name in it needs quotes"));
            }
            let source = &module.package.span.source;
            let mut pieces: Vec<Piece> = module.policy.iter().map(|rule| piece(module, rule)).collect();
            pieces.sort_by_key(|piece| piece.start);
            let text = source.get_contents().clone();
            let starts: Vec<usize> =
                pieces.iter().skip(1).map(|piece| piece.start).chain([text.len()]).collect();
            for (piece, end) in pieces.iter_mut().zip(starts) {
                piece.end = end;
            }
            layers.extend(layer_rules(number, module));
            let edits = links.edits.into_iter().collect();
            parts.push(Part { path: source.get_path().clone(), text, edits, pieces });
        }
        Ok(Self { parts, layers })
    }

    /// The joined module for what is asked about.
    pub(crate) fn join(&self, asked: &Asked) -> Joined {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for piece in self.parts.iter().flat_map(|part| &part.pieces) {
            let count = left.entry(&piece.root).or_default();
            *count = count.saturating_add(1);
        }
        let mut text = format!("package {PACKAGE}\n{DOCUMENT} := data.{DOCUMENT}\n{}", self.layers);
        let mut lines = Vec::new();
        for part in &self.parts {
            lines.push((text.matches('\n').count(), part.path.clone()));
            part.write(&mut text, asked, &mut left);
        }
        Joined { text, lines: Lines(lines) }
    }
}

impl Part {
    /// Everything before the first rule (package, imports, remarks) becomes empty lines, and so does what cannot apply.
    fn write<'a>(&'a self, out: &mut String, asked: &Asked, left: &mut BTreeMap<&'a str, usize>) {
        let first = self.pieces.first().map_or(self.text.len(), |piece| piece.start);
        blank(out, self.text.get(..first).unwrap_or_default());
        for piece in &self.pieces {
            let others = left.get(piece.root.as_str()).copied().unwrap_or_default();
            let applies = piece.guards.iter().all(|guard| guard.holds(asked));
            // A name must stay defined, be it by a rule that is false.
            if applies || others <= 1 {
                self.copy(out, piece.start, piece.end);
            } else {
                left.insert(piece.root.as_str(), others.saturating_sub(1));
                blank(out, self.text.get(piece.start..piece.end).unwrap_or_default());
            }
        }
        out.push('\n');
    }

    fn copy(&self, out: &mut String, start: usize, end: usize) {
        let mut at = start;
        for edit in &self.edits {
            let (from, to) = (to_usize(edit.start), to_usize(edit.end));
            if from < start || from >= end {
                continue;
            }
            out.push_str(self.text.get(at..from).unwrap_or_default());
            out.push_str(&edit.text);
            at = to;
        }
        out.push_str(self.text.get(at..end).unwrap_or_default());
    }
}

fn blank(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|letter| *letter == '\n'));
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What `data.abide.layers` gives, by rules of which each is absent where the layer's is undefined.
fn layer_rules(number: usize, module: &Module) -> Vec<String> {
    let mut lines = Vec::new();
    let rules = module.policy.iter().map(|rule| rule_root(module, rule));
    let roots: BTreeSet<Vec<String>> =
        rules.filter(|(_, is_function)| !is_function).map(|(root, _)| root).collect();
    let mut named = None;
    for root in &roots {
        let [abide, layers, layer, rule] = root.as_slice() else { continue };
        if abide == "abide" && layers == "layers" {
            lines.push(format!("layer_{number}__[{rule:?}] := {}\n", name(root)));
            named = Some(layer);
        }
    }
    if let Some(layer) = named {
        lines.push(format!("{LAYERS_RULE}[{layer:?}] := layer_{number}__\n"));
    }
    lines
}

/// What stands for `data.abide.layers`: nothing, where there are none.
pub(crate) fn layers_name(any: bool) -> &'static str {
    if any { LAYERS_RULE } else { "{}" }
}

fn piece(module: &Module, rule: &Rule) -> Piece {
    let root = name(&rule_root(module, rule).0);
    Piece { start: to_usize(rule.span().start), end: 0, root, guards: guards(rule) }
}

/// Only of rules with one body: of a chain of `else`, one link cannot be left out.
fn guards(rule: &Rule) -> Vec<Guard> {
    let Rule::Spec { bodies, .. } = rule else { return Vec::new() };
    let [body] = bodies.as_slice() else { return Vec::new() };
    body.query.stmts.iter().filter_map(guard).collect()
}

fn guard(statement: &LiteralStmt) -> Option<Guard> {
    if !statement.with_mods.is_empty() {
        return None;
    }
    match &statement.literal {
        Literal::Expr { expr, .. } => test(expr),
        Literal::NotExpr { expr, .. } => test(expr).map(|guard| Guard { wanted: !guard.wanted, ..guard }),
        Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => None,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "nothing else is a guard, and a guard that is missed costs time only"
)]
fn test(expr: &Expr) -> Option<Guard> {
    match expr {
        Expr::RefDot { .. } => {
            let place = asked_for(expr)?;
            // A text is as true as `true`: only where the value is a truth is a bare reference a condition.
            let is_truth = matches!(ASKED.get(place)?.last()?, &"halted" | &"frozen" | &"exhausted");
            is_truth.then(|| Guard { place, values: vec![Scalar::Bool(true)], wanted: true })
        }
        Expr::BoolExpr { op: op @ (BoolOp::Eq | BoolOp::Ne), lhs, rhs, .. } => {
            Some(Guard { place: asked_for(lhs)?, values: vec![scalar(rhs)?], wanted: *op == BoolOp::Eq })
        }
        Expr::Membership { key: None, value, collection, .. } => {
            let (Expr::Set { items, .. } | Expr::Array { items, .. }) = &**collection else { return None };
            let values = items.iter().map(|item| scalar(item)).collect::<Option<Vec<_>>>()?;
            Some(Guard { place: asked_for(value)?, values, wanted: true })
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
