//! Which rules and functions the modules define, and what the names in one module stand for.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::{Imports, Paths, construct};
use crate::engine::loader::BundleError;

/// Everything that the modules define, by full path without the leading `data`.
#[derive(Debug, Default)]
pub(super) struct Names {
    functions: Paths,
    rules: Paths,
    roots: Paths,
}

impl Names {
    pub(super) fn gather(modules: &[Ref<Module>]) -> Self {
        let mut names = Self::default();
        for module in modules {
            for rule in &module.policy {
                let (package, name) = name_of(module, rule);
                names.roots.insert(package.iter().chain(name.first()).cloned().collect());
                let path = package.into_iter().chain(name).collect();
                if head_of(rule).1 {
                    names.functions.insert(path)
                } else {
                    names.rules.insert(path)
                };
            }
        }
        names
    }

    pub(super) fn has_rule(&self, path: &[&str]) -> bool {
        self.rules.iter().any(|rule| rule.iter().eq(path.iter()))
    }

    pub(super) fn has_function(&self, path: &[String]) -> bool {
        self.functions.contains(path)
    }

    /// A layer says what it has to say in `findings`: one without them would look on and be off.
    pub(super) fn check_layer(&self, module: &Module, unknown: &[Vec<String>]) -> Result<(), BundleError> {
        let package = package_of(module);
        let [abide, layers, name, ..] = package.as_slice() else { return Ok(()) };
        let is_layer = abide == "abide" && layers == "layers";
        let may_be = super::touches(unknown, &["abide", "layers", name, "findings"]);
        if !is_layer || may_be || self.has_rule(&["abide", "layers", name, "findings"]) {
            return Ok(());
        }
        let path = module.package.span.source.get_path().clone();
        let why =
            format!("package `abide.layers.{name}` has no `findings`, and nothing else of a layer is read");
        Err(BundleError::File { path, why })
    }

    /// Whether `path` is a rule or function, or leads to one whose name has several parts.
    pub(super) fn in_package(&self, path: &[String]) -> bool {
        self.rules.iter().chain(&self.functions).any(|rule| rule.starts_with(path))
    }

    /// How many parts of `path` are the package and the first name of a rule.
    pub(super) fn root_on(&self, path: &[&str]) -> Option<usize> {
        self.roots
            .iter()
            .filter(|root| {
                root.len() <= path.len() && root.iter().zip(path.iter()).all(|(name, part)| name == part)
            })
            .map(Vec::len)
            .max()
    }

    /// Whether some rule lies on `path`: above it, at it or below it.
    pub(super) fn reaches(&self, path: &[&str]) -> bool {
        let on_the_way = |rule: &Vec<String>| rule.iter().zip(path.iter()).all(|(name, part)| name == part);
        self.rules.iter().any(on_the_way)
    }
}

/// What the names in one module stand for.
#[derive(Debug)]
pub(super) struct Scope {
    package: Vec<String>,
    imports: Imports,
}

impl Scope {
    /// Imports that cannot be followed are added to `faults`.
    pub(super) fn of(module: &Module, faults: &mut Vec<BundleError>) -> Self {
        let mut imports: Imports = BTreeMap::new();
        for import in &module.imports {
            let Some((root, parts)) = path_of(&import.refr) else {
                faults.push(construct(&import.span, "an import names a path"));
                continue;
            };
            let parts: Vec<String> = parts.into_iter().flatten().map(str::to_owned).collect();
            match root.as_str() {
                "rego" | "future" => continue,
                "data" | "input" => {}
                _ => {
                    faults.push(construct(&import.span, "an import starts with `data`, `input` or `rego`"));
                    continue;
                }
            }
            let last = parts.last().cloned().unwrap_or_else(|| root.clone());
            let name = import.r#as.as_ref().map_or(last, |alias| alias.text().to_owned());
            imports.insert(name, [root].into_iter().chain(parts).collect());
        }
        Self { package: package_of(module), imports }
    }

    /// Whether an import is called like a document.
    pub(super) fn hides_a_document(&self) -> bool {
        self.imports.contains_key("input") || self.imports.contains_key("data")
    }

    /// The document in which `root` starts (`input` or `data`) and the parts that lead to it.
    pub(super) fn document(&self, root: &str) -> Option<(&str, &[String])> {
        if let Some(path) = self.imports.get(root) {
            let (document, before) = path.split_first()?;
            return Some((document, before));
        }
        match root {
            "input" => Some(("input", &[])),
            "data" => Some(("data", &[])),
            _ => None,
        }
    }

    /// The path under `data`, if `root` starts there.
    pub(super) fn full(&self, root: &str, parts: &[&str]) -> Option<Vec<String>> {
        let (document, before) = self.document(root)?;
        let rest = parts.iter().map(|part| (*part).to_owned());
        (document == "data").then(|| before.iter().cloned().chain(rest).collect())
    }

    /// The path under `data` of a name in the module's own package.
    pub(super) fn local(&self, root: &str, parts: &[&str]) -> Vec<String> {
        let rest = parts.iter().map(|part| (*part).to_owned());
        self.package.iter().cloned().chain([root.to_owned()]).chain(rest).collect()
    }
}

/// The package and the name of a rule, by their parts.
pub(super) fn name_of(module: &Module, rule: &Rule) -> (Vec<String>, Vec<String>) {
    (package_of(module), constant_path(head_of(rule).0))
}

/// The reference in the head of a rule, and whether it is a function.
fn head_of(rule: &Rule) -> (&Expr, bool) {
    match rule {
        Rule::Default { refr, args, .. } => (refr, !args.is_empty()),
        Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => (refr, true),
        Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. } => (refr, false),
    }
}

/// Whether the rule is a function.
pub(super) fn is_function(rule: &Rule) -> bool {
    head_of(rule).1
}

/// Whether it is `input` or `data`, or something below.
pub(super) fn is_document(expr: &Expr) -> bool {
    path_of(expr).is_some_and(|(root, _)| BTreeSet::from(["input", "data"]).contains(root.as_str()))
}

/// The root of a reference and its parts; a part that is not constant is `None`.
#[expect(clippy::wildcard_enum_match_arm, reason = "anything else is not part of a reference")]
pub(crate) fn path_of(mut expr: &Expr) -> Option<(String, Vec<Option<&str>>)> {
    let mut parts = Vec::new();
    loop {
        match expr {
            Expr::Var { span, .. } => {
                parts.reverse();
                return Some((span.text().to_owned(), parts));
            }
            Expr::RefDot { refr, field, .. } => {
                parts.push(text_of(&field.1));
                expr = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                parts.push(match &**index {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => text_of(value),
                    _ => None,
                });
                expr = refr;
            }
            _ => return None,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only texts are texts")]
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn package_of(module: &Module) -> Vec<String> {
    constant_path(&module.package.refr)
}

/// The parts of a rule's or package's name up to the first that is not constant.
fn constant_path(refr: &Expr) -> Vec<String> {
    let Some((root, parts)) = path_of(refr) else { return Vec::new() };
    [root].into_iter().chain(parts.into_iter().map_while(|part| part.map(str::to_owned))).collect()
}
