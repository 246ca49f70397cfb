//! What is needed to write a joined module, and the writing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use regorus::Value;
use regorus::unstable::{Expr, Literal, Module, Ref, Rule, RuleHead};

use super::guard::{Asked, Guard, Known, guards};
use super::{DOCUMENT, Edit, LAYERS_RULE, LOUD_RULE, Links, PACKAGE, is_plain, name, to_usize};
use crate::engine::inspect::{place, rule_name, rule_root};
use crate::engine::loader::Place;

#[derive(Debug)]
struct Piece {
    start: usize,
    end: usize,
    root: String,
    is_function: bool,
    /// Whether the rule adds to a set, which is there without it, too.
    adds: bool,
    guards: Vec<Guard>,
    /// The set whose elements it hands on as they are, each of them, where its guards hold.
    hands_on: Option<String>,
}

impl Piece {
    fn applies(&self, asked: &Asked, empty: &BTreeSet<&str>) -> bool {
        self.guards.iter().all(|guard| guard.holds(asked, empty))
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
    /// The rules that stand in it, but for the one through which data is read.
    pub(crate) rules: Vec<Written>,
}

/// A rule of a joined module.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) root: String,
    pub(crate) is_function: bool,
    /// Where it stands, in bytes of the text.
    pub(crate) place: Range<usize>,
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
        let (empty, layers) = self.empty(asked);
        let applies = |piece: &Piece| piece.applies(asked, &empty);
        let mut writer = Writer {
            applies: &applies,
            left: BTreeMap::new(),
            same: self.same(&applies),
            gone: self.gone(&empty),
            rules: Vec::new(),
            out: format!("package {PACKAGE}\n{DOCUMENT} := data.{DOCUMENT}\n"),
        };
        for line in layers.lines() {
            writer.layer(line);
        }
        for piece in self.pieces() {
            let count = writer.left.entry(&piece.root).or_default();
            *count = count.saturating_add(1);
        }
        let mut lines = Vec::new();
        for part in &self.parts {
            lines.push((writer.out.matches('\n').count(), part.path.clone()));
            writer.part(part);
        }
        Joined { text: writer.out, lines: Lines(lines), rules: writer.rules }
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.parts.iter().flat_map(|part| &part.pieces)
    }

    /// Sets that nothing can be in: each rule that adds to one is false for what is asked, or takes from such a set. And the rules through
    /// which layers are read.
    fn empty(&self, asked: &Asked) -> (BTreeSet<&str>, String) {
        let mut empty: BTreeSet<&str> = BTreeSet::new();
        let open = |empty: &BTreeSet<&str>| -> BTreeSet<&str> {
            let may_be = self.pieces().filter(|piece| !piece.adds || piece.applies(asked, empty));
            may_be.map(|piece| piece.root.as_str()).collect()
        };
        let (layers, quiet) = self.layers(&open(&empty));
        empty.extend(quiet.then_some(LOUD_RULE));
        loop {
            let open = open(&empty);
            let before = empty.len();
            empty.extend(self.pieces().map(|piece| piece.root.as_str()).filter(|root| !open.contains(root)));
            if empty.len() == before {
                return (empty, layers);
            }
        }
    }

    /// Those of the `empty` sets for which `set()` can stand wherever they are named.
    fn gone<'a>(&'a self, empty: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let mut gone = empty.clone();
        for piece in self.pieces().filter(|piece| !piece.adds) {
            gone.remove(piece.root.as_str());
        }
        let of_layers = self.layers.iter().flat_map(|layer| layer.fields.values());
        for name in of_layers.map(String::as_str).chain([LOUD_RULE]) {
            gone.remove(name);
        }
        for part in &self.parts {
            for edit in &part.edits {
                let behind = part.text.get(to_usize(edit.end)..).unwrap_or_default();
                let (root, keys) = edit.split();
                if !keys.is_empty() || behind.starts_with(['[', '.']) {
                    gone.remove(root);
                }
            }
        }
        gone
    }

    /// Sets that are the same as another one: all that is left of their rules is one that hands on the elements of the other.
    fn same(&self, applies: &dyn Fn(&Piece) -> bool) -> BTreeMap<&str, &str> {
        let mut rules: BTreeMap<&str, Vec<&Piece>> = BTreeMap::new();
        for piece in self.pieces() {
            rules.entry(&piece.root).or_default().push(piece);
        }
        let is_set = |root: &str| rules.get(root).is_some_and(|pieces| pieces.iter().all(|piece| piece.adds));
        // The rules through which layers are read go by these names.
        let of_layers: BTreeSet<&str> =
            self.layers.iter().flat_map(|layer| layer.fields.values()).map(String::as_str).collect();
        let mut same: BTreeMap<&str, &str> = BTreeMap::new();
        for (root, pieces) in &rules {
            let mut left = pieces.iter().filter(|piece| applies(piece));
            let (Some(only), None) = (left.next(), left.next()) else { continue };
            let Some(other) = only.hands_on.as_deref().filter(|other| other != root && is_set(other)) else {
                continue;
            };
            if is_set(root) && !of_layers.contains(root) {
                same.insert(root, other);
            }
        }
        same
    }

    /// The rules through which layers are read, and whether none of them can find anything. `open` are sets that something may be in.
    fn layers(&self, open: &BTreeSet<&str>) -> (String, bool) {
        let fields =
            self.layers.iter().flat_map(|layer| layer.fields.iter().map(move |field| (&layer.rule, field)));
        let fields = fields.map(|(rule, (field, name))| format!("{rule}[{field:?}] := {name}\n"));
        let mut text = fields.collect::<Vec<_>>().concat();
        text.push_str(&table(LAYERS_RULE, self.layers.iter()));
        let heard = || self.layers.iter().filter(|layer| open.contains(layer.findings.as_str()));
        text.push_str(&table(LOUD_RULE, heard()));
        (text, heard().next().is_none())
    }
}

/// A rule that gives these layers by name.
fn table<'a>(rule: &str, layers: impl Iterator<Item = &'a Layer>) -> String {
    let entries: Vec<String> =
        layers.map(|layer| format!("{rule}[{:?}] := {}\n", layer.name, layer.rule)).collect();
    let text = entries.concat();
    if text.is_empty() { format!("{rule} := {{}}\n") } else { text }
}

/// Writes a joined module.
struct Writer<'a> {
    applies: &'a dyn Fn(&Piece) -> bool,
    /// Rules of each name that are still to come, or stand there.
    left: BTreeMap<&'a str, usize>,
    /// Sets by the name of another that is the same.
    same: BTreeMap<&'a str, &'a str>,
    /// Sets that nothing is in, and for which `set()` stands.
    gone: BTreeSet<&'a str>,
    rules: Vec<Written>,
    out: String,
}

impl<'a> Writer<'a> {
    /// A line of its own about layers: `NAME[…] := …` or `NAME := {}`.
    fn layer(&mut self, line: &str) {
        let root = line.split(['[', ' ']).next().unwrap_or_default().to_owned();
        let start = self.out.len();
        self.out.push_str(line);
        self.out.push('\n');
        self.rules.push(Written { root, is_function: false, place: start..self.out.len() });
    }

    /// Everything before the first rule (package, imports, remarks) becomes empty lines, and so does what cannot apply.
    fn part(&mut self, part: &'a Part) {
        let first = part.pieces.first().map_or(part.text.len(), |piece| piece.start);
        self.blank(part.text.get(..first).unwrap_or_default());
        for piece in &part.pieces {
            let root = piece.root.as_str();
            let others = self.left.get(root).copied().unwrap_or_default();
            let applies = (self.applies)(piece);
            // A name must stay defined, be it by a rule that is false.
            let is_named = !self.same.contains_key(root) && !self.gone.contains(root);
            if is_named && (applies || others <= 1) {
                let start = self.out.len();
                self.copy(part, piece, applies);
                let (root, is_function) = (piece.root.clone(), piece.is_function);
                self.rules.push(Written { root, is_function, place: start..self.out.len() });
            } else {
                self.left.insert(root, others.saturating_sub(1));
                self.blank(part.text.get(piece.start..piece.end).unwrap_or_default());
            }
        }
        self.out.push('\n');
    }

    /// A condition that holds need not be asked again.
    fn copy(&mut self, part: &'a Part, piece: &Piece, applies: bool) {
        let held = piece.guards.iter().filter(|guard| applies && guard.is_settled());
        let held: Vec<Edit> = held
            .map(|guard| {
                let text = if guard.more && ends_line(&part.text, guard.end) { "" } else { "true" };
                Edit { start: guard.start, end: guard.end, text: text.to_owned() }
            })
            .collect();
        let inside = |edit: &Edit| held.iter().any(|held| held.start <= edit.start && edit.end <= held.end);
        let of_piece = |edit: &&Edit| (piece.start..piece.end).contains(&to_usize(edit.start));
        let mut edits: Vec<&Edit> =
            part.edits.iter().filter(of_piece).filter(|edit| !inside(edit)).chain(&held).collect();
        edits.sort();
        let mut at = piece.start;
        for edit in edits {
            self.out.push_str(part.text.get(at..to_usize(edit.start)).unwrap_or_default());
            self.reference(edit);
            at = to_usize(edit.end);
        }
        self.out.push_str(part.text.get(at..piece.end).unwrap_or_default());
    }

    /// What stands for a reference.
    fn reference(&mut self, edit: &Edit) {
        let (mut root, keys) = edit.split();
        // No rule refers to itself, so this ends.
        while let Some(other) = self.same.get(root) {
            root = other;
        }
        self.out.push_str(if self.gone.contains(root) { "set()" } else { root });
        self.out.push_str(keys);
    }

    fn blank(&mut self, text: &str) {
        self.out.extend(text.chars().filter(|letter| *letter == '\n'));
    }
}

/// Whether nothing else stands on the line behind it.
fn ends_line(text: &str, end: u32) -> bool {
    let rest = text.get(to_usize(end)..).unwrap_or_default();
    rest.split('\n').next().is_some_and(|rest| rest.trim().is_empty())
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

fn piece(module: &Module, rule: &Rule, known: &Known<'_>) -> Piece {
    let (root, is_function) = rule_root(module, rule);
    let root = name(&root);
    let is_set = matches!(rule, Rule::Spec { head: RuleHead::Set { .. }, .. });
    // Below `a.b` there is nothing without its rules, even where there is still something below `a.c`: those are never left out.
    let is_deep = rule_name(module, rule).1.contains('.');
    let adds = is_set && !is_deep;
    let guards = if is_deep { Vec::new() } else { guards(module, rule, known) };
    let hands_on = guards.last().filter(|last| adds && !last.more && hands_on(rule)).and_then(Guard::set);
    let hands_on = hands_on.map(str::to_owned);
    Piece { start: to_usize(rule.span().start), end: 0, root, is_function, adds, guards, hands_on }
}

/// Whether it adds, at the end of its body, each `x` that there is by `some x in …`.
fn hands_on(rule: &Rule) -> bool {
    let Rule::Spec { head: RuleHead::Set { key: Some(key), .. }, bodies, .. } = rule else { return false };
    let last = bodies.first().and_then(|body| body.query.stmts.last());
    let Some(Literal::SomeIn { key: None, value, .. }) = last.map(|statement| &statement.literal) else {
        return false;
    };
    match (&**key, &**value) {
        (Expr::Var { span: key, .. }, Expr::Var { span: value, .. }) => key.text() == value.text(),
        _ => false,
    }
}
