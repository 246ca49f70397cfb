//! Joins the modules of a bundle into one, and leaves out what cannot apply to one kind of action.
//!
//! The engine looks through every module at the first mention of every path under `data`, and what a rule costs when it is false is mostly
//! looking. So rules get names of their own in one package, all data hangs under one rule, and a rule that begins with
//! `input.action.class == "MERGE"` is not even there when something else is asked. The answers are the same to the byte: the tests of the
//! decision matrix compare both. What cannot be joined (a reference that is only known while judging) is judged as it was written.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::input::PolicyInput;
use regorus::Value;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use crate::engine::inspect::{path_of, place, rule_name, rule_root};
use crate::engine::loader::Place;

/// The package of a joined module.
pub(crate) const PACKAGE: &str = "joined";
/// The rule under which all data hangs, and the key of the document it reads.
pub(crate) const DOCUMENT: &str = "document__";
/// The rule that holds the layers.
const LAYERS_RULE: &str = "layers__";
/// The rule that holds those layers that may find something, where only the findings are read.
const LOUD_RULE: &str = "loud__";

/// The name of a rule in the joined module. `path` is its package and its first name. Different paths have different names: the parts are
/// joined by `_0`, and a `_` of their own becomes `_1`.
pub(crate) fn name<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(|part| part.as_ref().replace('_', "_1")).collect::<Vec<_>>().join("_0")
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
    format!("data.{PACKAGE}.{}", name(&["abide", "decision"]))
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
    /// Where `data.abide.layers[_].findings` begins as that of which there is `some`, in bytes: what is empty counts for nothing there.
    pub(crate) loud: BTreeSet<u32>,
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

/// A condition at the beginning of a body: where it is false, so is the body.
#[derive(Debug, Clone)]
struct Guard {
    /// The statement, in bytes of the module.
    start: u32,
    end: u32,
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
    /// Whether it holds, as far as what is asked about and data say.
    fn holds(&self, asked: &Asked) -> bool {
        match &self.kind {
            Kind::Asked { place, values, wanted } => {
                asked.0.get(*place).is_none_or(|value| values.contains(value) == *wanted)
            }
            Kind::Data(holds) => *holds,
            Kind::Something(_) => true,
        }
    }

    /// Whether a statement that holds says nothing more.
    fn is_settled(&self) -> bool {
        matches!(self.kind, Kind::Asked { .. } | Kind::Data(_))
    }
}

#[derive(Debug)]
struct Piece {
    start: usize,
    end: usize,
    root: String,
    /// Whether the rule adds to a set, which is there without it, too.
    adds: bool,
    guards: Vec<Guard>,
}

/// A piece, after what is asked about is known.
struct Settled<'a> {
    piece: &'a Piece,
    /// The sets in which something must be for it to apply; `None` if it cannot, whatever is in them.
    needs: Option<Vec<&'a str>>,
}

impl<'a> Settled<'a> {
    fn of(piece: &'a Piece, asked: &Asked) -> Self {
        let mut needs = Vec::new();
        for guard in &piece.guards {
            match &guard.kind {
                Kind::Something(set) => needs.push(set.as_str()),
                Kind::Asked { .. } | Kind::Data(_) if !guard.holds(asked) => {
                    return Self { piece, needs: None };
                }
                Kind::Asked { .. } | Kind::Data(_) => {}
            }
        }
        Self { piece, needs: Some(needs) }
    }

    /// `empty` are sets that nothing can be in.
    fn applies(&self, empty: &BTreeSet<&str>) -> bool {
        self.needs.as_ref().is_some_and(|needs| needs.iter().all(|set| !empty.contains(set)))
    }

    /// Whether its rule is there although its conditions do not hold: it gives a value, and adds to no set.
    fn always(&self) -> bool {
        !self.piece.adds
    }
}

/// What a module of a layer gives to those who read the layers.
#[derive(Debug)]
struct Layer {
    name: String,
    /// The rule that holds its rules, by their names.
    rule: String,
    /// Its rules by their own names, and by those that they have in the joined module.
    fields: BTreeMap<String, String>,
    /// The name of its findings in the joined module.
    findings: String,
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
    layers: Vec<Layer>,
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
    pub(crate) fn of(
        modules: &[Ref<Module>],
        links: Vec<Links>,
        data: &Value,
    ) -> Result<Self, (Place, &'static str)> {
        let packages =
            modules.iter().flat_map(|module| module.policy.iter().map(|rule| rule_root(module, rule).0));
        let packages: BTreeSet<String> = packages.filter_map(|root| root.into_iter().next()).collect();
        let known = Known { data, packages };
        let mut parts = Vec::new();
        let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
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
            let mut pieces: Vec<Piece> =
                module.policy.iter().map(|rule| piece(module, rule, &known)).collect();
            pieces.sort_by_key(|piece| piece.start);
            let text = source.get_contents().clone();
            let starts: Vec<usize> =
                pieces.iter().skip(1).map(|piece| piece.start).chain([text.len()]).collect();
            for (piece, end) in pieces.iter_mut().zip(starts) {
                piece.end = end;
            }
            layer(number, module, &mut layers);
            let edits = links.edits.into_iter().collect();
            parts.push(Part { path: source.get_path().clone(), text, edits, pieces });
        }
        Ok(Self { parts, layers: layers.into_values().collect() })
    }

    /// The joined module for what is asked about.
    pub(crate) fn join(&self, asked: &Asked) -> Joined {
        let settled: Vec<Vec<Settled<'_>>> = self.parts.iter().map(|part| part.settled(asked)).collect();
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for one in settled.iter().flatten() {
            let count = left.entry(&one.piece.root).or_default();
            *count = count.saturating_add(1);
        }
        let (layers, quiet) = self.layers(&settled);
        let empty = empty(&settled, quiet);
        let mut text = format!("package {PACKAGE}\n{DOCUMENT} := data.{DOCUMENT}\n{layers}");
        let mut lines = Vec::new();
        for (part, pieces) in self.parts.iter().zip(&settled) {
            lines.push((text.matches('\n').count(), part.path.clone()));
            part.write(&mut text, pieces, &empty, &mut left);
        }
        Joined { text, lines: Lines(lines) }
    }

    /// The rules through which layers are read, and whether none of them can find anything.
    fn layers(&self, settled: &[Vec<Settled<'_>>]) -> (String, bool) {
        let heard = settled.iter().flatten().filter(|one| one.always() || one.needs.is_some());
        let loud: BTreeSet<&str> = heard.map(|one| one.piece.root.as_str()).collect();
        let fields =
            self.layers.iter().flat_map(|layer| layer.fields.iter().map(move |field| (&layer.rule, field)));
        let fields = fields.map(|(rule, (field, name))| format!("{rule}[{field:?}] := {name}\n"));
        let mut text = fields.collect::<Vec<_>>().concat();
        text.push_str(&table(LAYERS_RULE, self.layers.iter()));
        let heard = || self.layers.iter().filter(|layer| loud.contains(layer.findings.as_str()));
        text.push_str(&table(LOUD_RULE, heard()));
        (text, heard().next().is_none())
    }
}

/// Sets that nothing can be in: each rule that adds to one is false for what is asked, or takes from such a set.
fn empty<'a>(settled: &'a [Vec<Settled<'a>>], quiet: bool) -> BTreeSet<&'a str> {
    let mut empty: BTreeSet<&str> = quiet.then_some(LOUD_RULE).into_iter().collect();
    loop {
        let pieces = || settled.iter().flatten();
        let open: BTreeSet<&str> = pieces()
            .filter(|one| one.always() || one.applies(&empty))
            .map(|one| one.piece.root.as_str())
            .collect();
        let before = empty.len();
        empty.extend(pieces().map(|one| one.piece.root.as_str()).filter(|root| !open.contains(root)));
        if empty.len() == before {
            return empty;
        }
    }
}

/// A rule that gives these layers by name.
fn table<'a>(rule: &str, layers: impl Iterator<Item = &'a Layer>) -> String {
    let entries: Vec<String> =
        layers.map(|layer| format!("{rule}[{:?}] := {}\n", layer.name, layer.rule)).collect();
    let text = entries.concat();
    if text.is_empty() { format!("{rule} := {{}}\n") } else { text }
}

impl Part {
    fn settled(&self, asked: &Asked) -> Vec<Settled<'_>> {
        self.pieces.iter().map(|piece| Settled::of(piece, asked)).collect()
    }

    /// Everything before the first rule (package, imports, remarks) becomes empty lines, and so does what cannot apply.
    fn write<'a>(
        &'a self,
        out: &mut String,
        pieces: &[Settled<'a>],
        empty: &BTreeSet<&str>,
        left: &mut BTreeMap<&'a str, usize>,
    ) {
        let first = self.pieces.first().map_or(self.text.len(), |piece| piece.start);
        blank(out, self.text.get(..first).unwrap_or_default());
        for one in pieces {
            let piece = one.piece;
            let others = left.get(piece.root.as_str()).copied().unwrap_or_default();
            let applies = one.applies(empty);
            // A name must stay defined, be it by a rule that is false.
            if applies || others <= 1 {
                self.copy(out, piece, applies);
            } else {
                left.insert(piece.root.as_str(), others.saturating_sub(1));
                blank(out, self.text.get(piece.start..piece.end).unwrap_or_default());
            }
        }
        out.push('\n');
    }

    /// A condition that holds need not be asked again.
    fn copy(&self, out: &mut String, piece: &Piece, applies: bool) {
        let held = piece.guards.iter().filter(|guard| applies && guard.is_settled());
        let held: Vec<Edit> =
            held.map(|guard| Edit { start: guard.start, end: guard.end, text: "true".to_owned() }).collect();
        let inside = |edit: &Edit| held.iter().any(|held| held.start <= edit.start && edit.end <= held.end);
        let of_piece = |edit: &&Edit| (piece.start..piece.end).contains(&to_usize(edit.start));
        let mut edits: Vec<&Edit> =
            self.edits.iter().filter(of_piece).filter(|edit| !inside(edit)).chain(&held).collect();
        edits.sort();
        let mut at = piece.start;
        for edit in edits {
            out.push_str(self.text.get(at..to_usize(edit.start)).unwrap_or_default());
            out.push_str(&edit.text);
            at = to_usize(edit.end);
        }
        out.push_str(self.text.get(at..piece.end).unwrap_or_default());
    }
}

fn blank(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|letter| *letter == '\n'));
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What `data.abide.layers` gives, by rules of which each is absent where the layer's is undefined. A layer may lie in several modules.
fn layer(number: usize, module: &Module, known: &mut BTreeMap<String, Layer>) {
    let rules = module.policy.iter().map(|rule| rule_root(module, rule));
    let roots: BTreeSet<Vec<String>> =
        rules.filter(|(_, is_function)| !is_function).map(|(root, _)| root).collect();
    for root in &roots {
        let [abide, layers, layer, field] = root.as_slice() else { continue };
        if abide != "abide" || layers != "layers" {
            continue;
        }
        let found = known.entry(layer.clone()).or_insert_with(|| Layer {
            name: layer.clone(),
            rule: format!("layer_{number}__"),
            fields: BTreeMap::new(),
            findings: name(&[abide, layers, layer, "findings"]),
        });
        found.fields.insert(field.clone(), name(root));
    }
}

/// What stands for `data.abide.layers`.
pub(crate) fn layers_name(only_findings: bool) -> &'static str {
    if only_findings { LOUD_RULE } else { LAYERS_RULE }
}

/// Whether it reads, spelled out, `data.abide.layers[_].findings`. Gives where it begins, in bytes.
pub(crate) fn only_findings(collection: &Expr) -> Option<u32> {
    let Expr::RefDot { refr, field, .. } = collection else { return None };
    let Expr::RefBrack { refr, index, .. } = &**refr else { return None };
    let Expr::Var { span: index, .. } = &**index else { return None };
    let Expr::RefDot { refr, field: layers, .. } = &**refr else { return None };
    let Expr::RefDot { refr, field: abide, .. } = &**refr else { return None };
    let Expr::Var { span: data, .. } = &**refr else { return None };
    let said = [data.text(), abide.0.text(), layers.0.text(), index.text(), field.0.text()];
    (said == ["data", "abide", "layers", "_", "findings"]).then_some(data.start)
}

/// What is known when modules are joined.
struct Known<'a> {
    data: &'a Value,
    /// First parts of all packages: below them is more than data.
    packages: BTreeSet<String>,
}

fn piece(module: &Module, rule: &Rule, known: &Known<'_>) -> Piece {
    let root = name(&rule_root(module, rule).0);
    let is_set = matches!(rule, Rule::Spec { head: RuleHead::Set { .. }, .. });
    // Below `a.b` there is nothing without its rules, even where there is still something below `a.c`: those are never left out.
    let is_deep = rule_name(module, rule).1.contains('.');
    let adds = is_set && !is_deep;
    let guards = if is_deep { Vec::new() } else { guards(module, rule, known) };
    Piece { start: to_usize(rule.span().start), end: 0, root, adds, guards }
}

/// Only of rules with one body (of a chain of `else`, one link cannot be left out), and only what stands before everything else: behind a
/// statement that fails, a condition was never asked.
fn guards(module: &Module, rule: &Rule, known: &Known<'_>) -> Vec<Guard> {
    let Rule::Spec { bodies, .. } = rule else { return Vec::new() };
    let [body] = bodies.as_slice() else { return Vec::new() };
    let mut guards = Vec::new();
    for statement in &body.query.stmts {
        let Some(guard) = guard(module, rule, statement, known) else { break };
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
    Some(Guard { start: statement.span.start, end: end(&statement.span), kind })
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
