//! What loads, and cannot be meant: a comparison that never holds, a field that a loop variable has not, a finding that says too little.
//!
//! Not the loader: these are for the person who writes the rule, before the gate finds out. Variables are followed without regard to the order of
//! statements; one that may stand for several things stands for nothing here, so that what is said is true.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{
    AssignOp, BoolOp, Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead, Span,
};
use serde_json::Value as Json;

use super::{names, place};
use crate::engine::loader::Place;
use crate::engine::schema::{self, Missing};

/// Bytes of a rule's name in a finding at most.
const RULE_BYTES_MAX: usize = 64;
/// What a finding may hold; the first three it must.
const FIELDS: [&str; 5] = ["rule", "level", "msg", "path", "help"];
/// The levels, as a layer may use them.
const LEVELS: [&str; 4] = ["warn", "review", "deny", "hard"];
/// What the rules of a class may use besides: a denial that no rule lifts.
const DEFAULT: &str = "default";
/// How often variables are followed from one to the next.
const PASSES_MAX: usize = 8;

/// Something that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// Where.
    pub place: Place,
    /// `AB0117`, `AB0155` or `AB0156`.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What was meant, perhaps.
    pub meant: Option<String>,
}

/// Everything of this kind in `modules`.
pub(crate) fn doubts(modules: &[Ref<Module>]) -> Vec<Doubt> {
    let mut found = BTreeSet::new();
    for module in modules {
        // What is wrong with imports is told elsewhere.
        let scope = names::Scope::of(module, &mut Vec::new());
        for rule in &module.policy {
            let parts = Parts::of(rule);
            let known = Known::of(&scope, &parts);
            parts.exprs.iter().for_each(|expr| known.look(expr, &mut found));
            head(module, rule, &mut found);
        }
    }
    found.into_iter().collect()
}

/// Every expression and every statement of a rule, however deep.
#[derive(Default)]
struct Parts<'a> {
    exprs: Vec<&'a Expr>,
    statements: Vec<&'a LiteralStmt>,
    /// Names of arguments: what they stand for is not known here.
    arguments: Vec<&'a Expr>,
}

impl<'a> Parts<'a> {
    fn of(rule: &'a Rule) -> Self {
        let mut parts = Self::default();
        let (mut exprs, mut queries): (Vec<&Expr>, Vec<&Query>) = (Vec::new(), Vec::new());
        match rule {
            Rule::Default { args, value, .. } => {
                parts.arguments.extend(args.iter().map(|arg| &**arg));
                exprs.push(value);
            }
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { assign, .. } => {
                        exprs.extend(assign.iter().map(|assign| &*assign.value));
                    }
                    RuleHead::Set { key, .. } => exprs.extend(key.iter().map(|key| &**key)),
                    RuleHead::Func { args, assign, .. } => {
                        parts.arguments.extend(args.iter().map(|arg| &**arg));
                        exprs.extend(assign.iter().map(|assign| &*assign.value));
                    }
                }
                for body in bodies {
                    exprs.extend(body.assign.iter().map(|assign| &*assign.value));
                    queries.push(&body.query);
                }
            }
        }
        loop {
            if let Some(expr) = exprs.pop() {
                inner(expr, &mut exprs, &mut queries);
                parts.exprs.push(expr);
            } else if let Some(query) = queries.pop() {
                for statement in &query.stmts {
                    of_statement(statement, &mut exprs, &mut queries);
                    parts.statements.push(statement);
                }
            } else {
                return parts;
            }
        }
    }
}

fn of_statement<'a>(statement: &'a LiteralStmt, exprs: &mut Vec<&'a Expr>, queries: &mut Vec<&'a Query>) {
    match &statement.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { collection, .. } => exprs.push(collection),
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => exprs.push(expr),
        Literal::Every { domain, query, .. } => {
            exprs.push(domain);
            queries.push(query);
        }
    }
}

/// What an expression is made of.
fn inner<'a>(expr: &'a Expr, exprs: &mut Vec<&'a Expr>, queries: &mut Vec<&'a Query>) {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::RefDot { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => exprs.extend(items.iter().map(|item| &**item)),
        Expr::Object { fields, .. } => {
            exprs.extend(fields.iter().flat_map(|(_, key, value)| [&**key, &**value]));
        }
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            exprs.push(term);
            queries.push(query);
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            exprs.extend([&**key, &**value]);
            queries.push(query);
        }
        Expr::Call { params, .. } => exprs.extend(params.iter().map(|param| &**param)),
        Expr::UnaryExpr { expr, .. } => exprs.push(expr),
        Expr::RefBrack { index, .. } => exprs.push(index),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => exprs.extend([&**lhs, &**rhs]),
        Expr::Membership { key, value, collection, .. } => {
            exprs.extend(key.iter().chain([value, collection]).map(|part| &**part));
        }
    }
}

/// Where the value of a variable comes from.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// It is the value of an expression.
    Same(&'a Expr),
    /// It is an item of one.
    Inside(&'a Expr),
    /// Somewhere else.
    Unknown,
}

/// What the variables of a rule stand for, as parts of the input's schema.
struct Known<'a> {
    scope: &'a names::Scope,
    variables: BTreeMap<&'a str, &'static Json>,
}

impl<'a> Known<'a> {
    fn of(scope: &'a names::Scope, parts: &Parts<'a>) -> Self {
        let mut sources: BTreeMap<&str, Vec<Source<'_>>> = BTreeMap::new();
        let mut add = |pattern: &'a Expr, source: Source<'a>| {
            for (name, source) in bound(pattern, source) {
                sources.entry(name).or_default().push(source);
            }
        };
        for statement in &parts.statements {
            match &statement.literal {
                Literal::SomeIn { key, value, collection, .. } => {
                    add(value, Source::Inside(collection));
                    if let Some(key) = key {
                        add(key, Source::Unknown);
                    }
                }
                Literal::SomeVars { .. }
                | Literal::Expr { .. }
                | Literal::NotExpr { .. }
                | Literal::Every { .. } => {}
            }
        }
        for expr in &parts.exprs {
            if let Expr::AssignExpr { op, lhs, rhs, .. } = expr {
                add(lhs, Source::Same(rhs));
                if *op == AssignOp::Eq {
                    add(rhs, Source::Same(lhs));
                }
            }
        }
        parts.arguments.iter().for_each(|argument| add(argument, Source::Unknown));
        for statement in &parts.statements {
            if let Literal::Every { key, value, domain, .. } = &statement.literal {
                sources.entry(value.text()).or_default().push(Source::Inside(domain));
                if let Some(key) = key {
                    sources.entry(key.text()).or_default().push(Source::Unknown);
                }
            }
        }
        let mut known = Self { scope, variables: BTreeMap::new() };
        for _ in 0..PASSES_MAX {
            let next = known.next(&sources);
            let is_done = next.len() == known.variables.len();
            known.variables = next;
            if is_done {
                break;
            }
        }
        known
    }

    /// One step further: a variable is known if all that it may come from is one known thing.
    fn next(&self, sources: &BTreeMap<&'a str, Vec<Source<'a>>>) -> BTreeMap<&'a str, &'static Json> {
        let mut next = BTreeMap::new();
        for (name, sources) in sources {
            let mut nodes = sources.iter().map(|source| match source {
                Source::Same(expr) => self.node(expr),
                Source::Inside(expr) => self.node(expr).map(schema::inside),
                Source::Unknown => None,
            });
            let Some(Some(first)) = nodes.next() else { continue };
            if !first.is_null() && nodes.all(|node| node.is_some_and(|node| std::ptr::eq(node, first))) {
                next.insert(*name, first);
            }
        }
        next
    }

    /// The part of the schema for a reference; `None` if it is none, or not known, or not there.
    fn node(&self, expr: &Expr) -> Option<&'static Json> {
        self.resolve(expr).and_then(Result::ok).filter(|node| !node.is_null())
    }

    /// The same; `Err` if what it stands for is known and has no such part.
    fn resolve(&self, expr: &Expr) -> Option<Result<&'static Json, Missing>> {
        let (root, parts) = names::path_of(expr)?;
        if let Some(node) = self.variables.get(root.as_str()) {
            return Some(schema::below(node, &root, &parts));
        }
        let (document, before) = self.scope.document(&root)?;
        let path: Vec<Option<&str>> = before.iter().map(|part| Some(part.as_str())).chain(parts).collect();
        (document == "input").then(|| schema::node(&path))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else compares or refers")]
    fn look(&self, expr: &Expr, found: &mut BTreeSet<Doubt>) {
        match expr {
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.field(expr, found),
            Expr::BoolExpr { op: BoolOp::Eq | BoolOp::Ne, lhs, rhs, .. }
            | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                self.compared(lhs, rhs, found);
                self.compared(rhs, lhs, found);
            }
            Expr::Membership { value, collection, .. } => {
                if let Expr::Array { items, .. } | Expr::Set { items, .. } = &**collection {
                    for item in items {
                        self.compared(value, item, found);
                    }
                }
                if let Some(node) = self.node(collection) {
                    never(schema::inside(node), collection, value, found);
                }
            }
            _ => {}
        }
    }

    /// A field of a variable. Paths that begin at `input` are looked up by the loader.
    fn field(&self, expr: &Expr, found: &mut BTreeSet<Doubt>) {
        let of_variable =
            names::path_of(expr).is_some_and(|(root, _)| self.variables.contains_key(root.as_str()));
        if let Some(Err(missing)) = self.resolve(expr).filter(|_| of_variable) {
            found.insert(Doubt {
                place: place(expr.span()),
                code: "AB0117",
                what: format!("`{}` is not in the input schema", missing.path),
                meant: missing.nearest,
            });
        }
    }

    /// A reference that is compared with a text.
    fn compared(&self, reference: &Expr, text: &Expr, found: &mut BTreeSet<Doubt>) {
        if let Some(node) = self.node(reference) {
            never(node, reference, text, found);
        }
    }
}

/// Doubts a text that the schema does not have among its values.
fn never(node: &Json, reference: &Expr, text: &Expr, found: &mut BTreeSet<Doubt>) {
    let (Some(values), Some(said)) = (schema::values(node), text_of(text)) else { return };
    if values.contains(&said) {
        return;
    }
    let near = |value: &&str| schema::is_near(&value.to_lowercase(), &said.to_lowercase());
    let meant = values.iter().copied().find(near).map(str::to_owned);
    let which = if meant.is_some() { String::new() } else { format!("; it is one of {}", values.join(", ")) };
    found.insert(Doubt {
        place: place(text.span()),
        code: "AB0155",
        what: format!("`{}` is never `{said}`{which}", source(reference)),
        meant,
    });
}

/// The name of a pattern with where it comes from; those inside of a pattern come from somewhere.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else binds")]
fn bound<'a>(pattern: &'a Expr, source: Source<'a>) -> Vec<(&'a str, Source<'a>)> {
    if let Expr::Var { span, .. } = pattern {
        return vec![(span.text(), source)];
    }
    let (mut open, mut found) = (vec![pattern], Vec::new());
    while let Some(pattern) = open.pop() {
        match pattern {
            Expr::Var { span, .. } => found.push((span.text(), Source::Unknown)),
            Expr::Array { items, .. } => open.extend(items.iter().map(|item| &**item)),
            Expr::Object { fields, .. } => open.extend(fields.iter().map(|(_, _, value)| &**value)),
            _ => {}
        }
    }
    found
}

/// What a rule adds to `findings`.
fn head(module: &Module, rule: &Rule, found: &mut BTreeSet<Doubt>) {
    let (package, name) = names::name_of(module, rule);
    let is_abide = package.first().is_some_and(|root| root == "abide");
    let Rule::Spec { head: RuleHead::Set { key: Some(key), .. }, .. } = rule else { return };
    if !is_abide || name != ["findings"] {
        return;
    }
    let is_layer = package.get(1).is_some_and(|second| second == "layers");
    let mut doubt = |at: &Span, what: String, meant: Option<String>| {
        found.insert(Doubt { place: place(at), code: "AB0156", what, meant });
    };
    let Expr::Object { fields, .. } = &**key else {
        if text_of(key).is_some()
            || matches!(&**key, Expr::Number { .. } | Expr::Bool { .. } | Expr::Array { .. })
        {
            doubt(key.span(), "a finding is an object with `rule`, `level` and `msg`".to_owned(), None);
        }
        return;
    };
    let mut names = BTreeSet::new();
    for (_, key, value) in fields {
        let Some(name) = text_of(key) else { return };
        names.insert(name);
        if !FIELDS.contains(&name) {
            let meant = FIELDS.into_iter().find(|field| schema::is_near(field, name)).map(str::to_owned);
            doubt(
                key.span(),
                format!("a finding has no `{name}`: {} are its fields", FIELDS.join(", ")),
                meant,
            );
        }
        let Some(text) = text_of(value) else { continue };
        let is_level = LEVELS.contains(&text) || (text == DEFAULT && !is_layer);
        if name == "level" && !is_level {
            let meant = LEVELS.into_iter().find(|level| schema::is_near(level, text)).map(str::to_owned);
            doubt(value.span(), format!("`{text}` is no level: {} are", LEVELS.join(", ")), meant);
        }
        if name == "rule" && !is_rule_name(text) {
            let what = format!("a rule's name is 1 to {RULE_BYTES_MAX} of `a` to `z`, `0` to `9` and `-`");
            doubt(value.span(), what, None);
        }
    }
    for needed in FIELDS.iter().take(3).filter(|needed| !names.contains(**needed)) {
        doubt(rule.span(), format!("the finding has no `{needed}`"), None);
    }
}

fn is_rule_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= RULE_BYTES_MAX && text.bytes().all(plain)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only texts are texts")]
fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::String { value: Value::String(text), .. }
        | Expr::RawString { value: Value::String(text), .. } => Some(text),
        _ => None,
    }
}

/// An expression as it stands in the file.
fn source(expr: &Expr) -> String {
    let span = expr.span();
    let bytes = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let text = span.source.get_contents().get(bytes(span.start)..bytes(span.end)).unwrap_or_default();
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
