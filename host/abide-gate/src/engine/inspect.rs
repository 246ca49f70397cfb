//! Reads a policy before it may run: what it calls, what it refers to, how deep it goes.
//!
//! An undefined path or an unknown function makes a rule silently false, and a `deny` that is silently false is an open door. So every
//! call is resolved and every constant path under `input` and `data` is looked up while loading, in rules that nothing reaches, too.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, Module, Query, Ref, Rule, RuleAssign, RuleHead, Span};
use serde_json::Value as Json;

use crate::engine::link::{self, Links};
use crate::engine::loader::{BundleError, Place};
use crate::engine::{builtins, schema};

mod circle;
mod links;
pub(crate) mod meaning;
mod names;
mod scan;

pub(crate) use names::path_of;
use names::{Names, Scope};
pub(crate) use scan::nesting;

/// Paths that may be absent: a layer below puts its rules there, and where there is none there is nothing to ask.
const EXTENSION_POINTS: &[&[&str]] = &[&["abide", "layers"]];

/// Whom the modules are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// They decide.
    Live,
    /// They are tests, or stand beside tests: `with input` and `with data` are allowed.
    Tests,
    /// They say what must never happen, and are told of cases, not of one input.
    Invariants,
}

/// Faults that are kept at most. A bundle with one does not load, so no more than a person reads are needed.
const FAULTS_MAX: usize = 1_000;

/// What the inspection of some modules found.
pub(crate) struct Seen {
    /// Why the bundle does not load, in the order of the modules. Empty if it does.
    pub(crate) faults: Vec<BundleError>,
    /// For each module, what joining would replace.
    pub(crate) links: Vec<Links>,
    /// Which rule names which.
    pub(crate) graph: circle::Graph,
}

/// Inspects all modules of a bundle; the first fault refuses it.
pub(crate) fn modules(
    modules: &[Ref<Module>],
    data: &Json,
    depth_max: usize,
    audience: Audience,
) -> Result<Vec<Links>, BundleError> {
    let seen = survey(modules, data, depth_max, audience, &[]);
    match seen.faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(seen.links),
    }
}

/// Inspects all modules and goes on after a fault. About paths at, above or below those that are `unknown` (they are defined in files that
/// could not be read) nothing is said.
pub(crate) fn survey(
    modules: &[Ref<Module>],
    data: &Json,
    depth_max: usize,
    audience: Audience,
    unknown: &[Vec<String>],
) -> Seen {
    let names = Names::gather(modules);
    let mut seen = Seen { faults: Vec::new(), links: Vec::new(), graph: circle::Graph::default() };
    let decision = ["abide".to_owned(), "decision".to_owned()];
    if audience == Audience::Live && !names.has_rule(&["abide", "decision"]) && !touches(unknown, &decision) {
        seen.faults.push(BundleError::NoEntrypoint);
    }
    for module in modules {
        if module.target.is_some() {
            let what = "`__target__` belongs to another product";
            seen.faults.push(construct(&module.package.span, what));
        }
        let decides = audience == Audience::Live
            || audience == Audience::Tests && !is_test(module.package.span.source.get_path());
        if decides {
            seen.faults.extend(names.check_layer(module, unknown).err());
        }
        let scope = Scope::of(module, &mut seen.faults);
        let mut walk = Walk {
            names: &names,
            scope: &scope,
            data,
            depth_max,
            audience,
            unknown,
            pending: Vec::new(),
            bound: BTreeSet::new(),
            used: Vec::new(),
            reached: BTreeSet::new(),
            links: Links::default(),
            faults: std::mem::take(&mut seen.faults),
        };
        if let Some(import) = module.imports.iter().find(|_| scope.hides_a_document()) {
            walk.obstacle(&import.span, "an import is called `input` or `data`");
        }
        for rule in &module.policy {
            walk.rule(rule);
            walk.names_used();
            let (package, name) = names::name_of(module, rule);
            let path = package.into_iter().chain(name).collect();
            seen.graph.add(path, place(rule.span()), std::mem::take(&mut walk.reached));
        }
        seen.faults = walk.faults;
        seen.links.push(walk.links);
    }
    seen.faults.extend(seen.graph.refuse_circles().err());
    seen
}

/// Whether `path` is at, above or below one of `paths`.
fn touches<S: AsRef<str>>(paths: &[Vec<String>], path: &[S]) -> bool {
    paths.iter().any(|known| known.iter().zip(path).all(|(one, other)| one == other.as_ref()))
}

/// What is still to be looked at, with its depth.
enum Pending<'a> {
    Expr(&'a Expr, usize, Part),
    Query(&'a Query, usize),
}

/// Whether an expression is a whole reference or the inner part of one that was looked up already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Inner,
}

struct Walk<'a> {
    /// Names that the rule binds, wherever in it.
    bound: BTreeSet<&'a str>,
    /// Names that it uses.
    used: Vec<&'a Span>,
    /// Paths under `data` that it names.
    reached: BTreeSet<Vec<String>>,
    /// What joining the modules would replace.
    links: Links,
    names: &'a Names,
    scope: &'a Scope,
    data: &'a Json,
    depth_max: usize,
    audience: Audience,
    /// What files define that could not be read.
    unknown: &'a [Vec<String>],
    pending: Vec<Pending<'a>>,
    faults: Vec<BundleError>,
}

impl<'a> Walk<'a> {
    fn fault(&mut self, fault: BundleError) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    fn rule(&mut self, rule: &'a Rule) {
        match rule {
            Rule::Default { refr, args, value, .. } => {
                self.bind_all(args);
                self.head_name(refr);
                self.push_all(args.iter().chain([value]), 0);
            }
            Rule::Spec { head, bodies, .. } => {
                self.head(head);
                for body in bodies {
                    self.assign(body.assign.as_ref());
                    self.pending.push(Pending::Query(&body.query, 0));
                }
            }
        }
        while let Some(next) = self.pending.pop() {
            match next {
                Pending::Expr(expr, depth, part) => self.expr(expr, depth, part),
                Pending::Query(query, depth) => self.query(query, depth),
            }
        }
    }

    fn head(&mut self, head: &'a RuleHead) {
        match head {
            RuleHead::Compr { refr, assign, .. } => {
                self.head_name(refr);
                self.assign(assign.as_ref());
            }
            RuleHead::Set { refr, key, .. } => {
                self.head_name(refr);
                self.push_all(key, 0);
            }
            RuleHead::Func { refr, args, assign, .. } => {
                self.bind_all(args);
                self.head_name(refr);
                self.push_all(args, 0);
                self.assign(assign.as_ref());
            }
        }
    }

    /// The name of a rule is its own; what stands in its brackets is used.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only references have brackets")]
    fn head_name(&mut self, mut refr: &'a Expr) {
        loop {
            match refr {
                Expr::RefDot { refr: inner, .. } => refr = inner,
                Expr::RefBrack { refr: inner, index, .. } => {
                    self.push(index, 0, Part::Whole);
                    refr = inner;
                }
                Expr::Var { span, .. } => {
                    let text = link::name(&self.scope.local(span.text(), &[]));
                    return self.edit(span, span.end, text);
                }
                _ => return,
            }
        }
    }

    fn bind_all(&mut self, patterns: impl IntoIterator<Item = &'a Ref<Expr>>) {
        for pattern in patterns {
            self.bind(pattern);
        }
    }

    /// Binds every name in a pattern. Patterns are shallow: the parser bounds them.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "nothing else binds, and what is not bound is refused where it is used"
    )]
    fn bind(&mut self, pattern: &'a Expr) {
        match pattern {
            Expr::Var { span, .. } => drop(self.bound.insert(span.text())),
            Expr::Array { items, .. } => self.bind_all(items),
            Expr::Object { fields, .. } => self.bind_all(fields.iter().map(|(_, _, value)| value)),
            _ => {}
        }
    }

    /// Every name that was used is bound in the rule, or is a rule, an import or a document.
    fn names_used(&mut self) {
        let bound = std::mem::take(&mut self.bound);
        for span in std::mem::take(&mut self.used) {
            let name = span.text();
            let local = self.scope.local(name, &[]);
            let hides = self.names.in_package(&local) || self.scope.document(name).is_some();
            if bound.contains(name) && (hides || !link::is_free(name)) {
                self.obstacle(span, "a variable is called like a rule or an import");
            }
            if bound.contains(name) || name == "_" || self.scope.document(name).is_some() {
                continue;
            }
            if self.names.in_package(&local) {
                self.edit(span, span.end, link::name(&local));
                self.reached.insert(local);
            } else if !touches(self.unknown, &local) {
                self.fault(BundleError::Function { place: place(span), name: name.to_owned() });
            }
        }
    }

    fn assign(&mut self, assign: Option<&'a RuleAssign>) {
        if let Some(assign) = assign {
            self.push(&assign.value, 0, Part::Whole);
        }
    }

    fn push(&mut self, expr: &'a Expr, depth: usize, part: Part) {
        self.pending.push(Pending::Expr(expr, depth, part));
    }

    fn push_all(&mut self, exprs: impl IntoIterator<Item = &'a Ref<Expr>>, depth: usize) {
        for expr in exprs {
            self.push(expr, depth, Part::Whole);
        }
    }

    fn query(&mut self, query: &'a Query, depth: usize) {
        let below = depth.saturating_add(1);
        for statement in &query.stmts {
            for with in &statement.with_mods {
                if self.audience != Audience::Tests {
                    let what = "`with` is for tests: a live rule judges what it is given";
                    self.fault(construct(&with.span, what));
                } else if !names::is_document(&with.refr) {
                    self.fault(construct(&with.span, "only `input` and `data` can be replaced by `with`"));
                }
                self.push(&with.r#as, below, Part::Whole);
            }
            match &statement.literal {
                Literal::SomeVars { vars, .. } => self.bound.extend(vars.iter().map(Span::text)),
                Literal::SomeIn { key, value, collection, .. } => {
                    self.links.loud.extend(link::only_findings(collection));
                    self.bind_all(key.iter().chain([value]));
                    self.push_all(key.iter().chain([value, collection]), below);
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                    self.push(expr, below, Part::Whole);
                }
                Literal::Every { key, value, domain, query, .. } => {
                    self.bound.extend(key.iter().chain([value]).map(Span::text));
                    self.push(domain, below, Part::Whole);
                    self.pending.push(Pending::Query(query, below));
                }
            }
        }
    }

    fn expr(&mut self, expr: &'a Expr, depth: usize, part: Part) {
        if depth > self.depth_max {
            let what = "an expression is nested too deep: split it into rules";
            return self.fault(construct(expr.span(), what));
        }
        let below = depth.saturating_add(1);
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { span, .. } => {
                if part == Part::Whole {
                    self.reference(expr, part);
                }
                self.used.push(span);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                self.push_all(items, below);
            }
            Expr::Object { fields, .. } => {
                self.push_all(fields.iter().flat_map(|(_, key, value)| [key, value]), below);
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.push(term, below, Part::Whole);
                self.pending.push(Pending::Query(query, below));
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.push_all([key, value], below);
                self.pending.push(Pending::Query(query, below));
            }
            Expr::Call { fcn, params, .. } => {
                self.call(fcn);
                self.push_all(params, below);
            }
            Expr::UnaryExpr { expr, .. } => self.push(expr, below, Part::Whole),
            Expr::RefDot { refr, .. } => {
                self.reference(expr, part);
                self.push(refr, below, Part::Inner);
            }
            Expr::RefBrack { refr, index, .. } => {
                self.reference(expr, part);
                self.push(refr, below, Part::Inner);
                self.push(index, below, Part::Whole);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. } => {
                self.push_all([lhs, rhs], below);
            }
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                self.bind(lhs);
                if *op == AssignOp::Eq {
                    self.bind(rhs);
                }
                self.push_all([lhs, rhs], below);
            }
            Expr::Membership { key, value, collection, .. } => {
                self.push_all(key.iter().chain([value, collection]), below);
            }
        }
    }

    fn call(&mut self, function: &Expr) {
        let named = names::path_of(function)
            .and_then(|(root, parts)| Some((root, parts.into_iter().collect::<Option<Vec<_>>>()?)));
        let Some((root, parts)) = named else {
            return self.fault(construct(function.span(), "a function is called by its name"));
        };
        let full = self.scope.full(&root, &parts);
        let local = self.scope.local(&root, &parts);
        let called = full.iter().chain([&local]).find(|path| self.names.has_function(path));
        if let Some(path) = called {
            self.link_call(function, path);
            self.reached.insert(path.clone());
            return;
        }
        let name = [root.as_str()].into_iter().chain(parts).collect::<Vec<_>>().join(".");
        if builtins::is_allowed(&name) {
            return;
        }
        let place = place(function.span());
        if let Some(why) = builtins::why_refused(&name) {
            self.fault(BundleError::Builtin { place, name, why });
        } else if !touches(self.unknown, &full.unwrap_or(local)) {
            self.fault(BundleError::Function { place, name });
        }
    }

    /// Looks up a reference that starts at `input` or `data`, be it through an import.
    fn reference(&mut self, expr: &Expr, part: Part) {
        if part == Part::Inner {
            return;
        }
        let Some((root, parts)) = names::path_of(expr) else { return };
        let Some((document, before)) = self.scope.document(&root) else { return };
        let path: Vec<Option<&str>> = before.iter().map(|part| Some(part.as_str())).chain(parts).collect();
        if document == "input" {
            self.link_input(expr, before);
            if self.audience == Audience::Invariants {
                return;
            }
            if let Err(missing) = schema::look_up(&path) {
                let place = place(expr.span());
                self.fault(BundleError::Input { place, path: missing.path, nearest: missing.nearest });
            }
            return;
        }
        let known: Vec<&str> = path.into_iter().map_while(|part| part).collect();
        self.link_data(expr, &known, before.len());
        self.reached.insert(known.iter().map(|part| (*part).to_owned()).collect());
        let may_be_absent = EXTENSION_POINTS.contains(&known.as_slice());
        let provided = self.names.reaches(&known) || in_data(self.data, &known);
        if may_be_absent || provided || touches(self.unknown, &known) {
            return;
        }
        let path = format!("data.{}", known.join("."));
        self.fault(BundleError::DataPath { place: place(expr.span()), path });
    }
}

fn in_data(data: &Json, path: &[&str]) -> bool {
    let mut node = data;
    for part in path {
        match node {
            Json::Object(fields) => match fields.get(*part) {
                Some(found) => node = found,
                None => return false,
            },
            // A list is indexed by numbers, which are not constant parts: nothing more to say.
            Json::Array(_) => return true,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return false,
        }
    }
    true
}

/// Where a span begins. Its own line and column are those of the token at which the parser stood when it made the span.
pub(crate) fn place(span: &Span) -> Place {
    let start = usize::try_from(span.start).unwrap_or(usize::MAX);
    let before = span.source.get_contents().get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
    let lines = u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX);
    let column = count(before.get(line_start..).unwrap_or_default());
    Place { path: span.source.get_path().clone(), line: lines.saturating_add(1), column }
}

fn construct(span: &Span, what: &'static str) -> BundleError {
    BundleError::Construct { place: place(span), what }
}

/// Paths by their parts, for look-ups by slices.
type Paths = BTreeSet<Vec<String>>;
/// What an import brings in: a name in the module and the path it stands for.
type Imports = BTreeMap<String, Vec<String>>;

/// Package and name of a rule, each with dots.
pub(crate) fn rule_name(module: &Module, rule: &Rule) -> (String, String) {
    let (package, name) = names::name_of(module, rule);
    (package.join("."), name.join("."))
}

/// Package and first name of a rule, and whether it is a function.
pub(crate) fn rule_root(module: &Module, rule: &Rule) -> (Vec<String>, bool) {
    let (package, name) = names::name_of(module, rule);
    let root = package.into_iter().chain(name.into_iter().take(1)).collect();
    (root, names::is_function(rule))
}

/// Whether a file holds tests: those never stand in a bundle.
pub(crate) fn is_test(path: &str) -> bool {
    path.ends_with("_test.rego")
}
