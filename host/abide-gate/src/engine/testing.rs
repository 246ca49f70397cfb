//! Runs the `test_` rules that stand beside the modules.

use std::collections::BTreeMap;

use regorus::Value;
use serde_json::Value as Json;

use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError};

/// How a test came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// It is true.
    Passed,
    /// It is undefined, false or anything else.
    Failed,
    /// It could not be evaluated.
    Broken(String),
}

/// One `test_` rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegoTest {
    /// The file.
    pub path: String,
    /// The rule, with its package.
    pub rule: String,
    /// How it came out.
    pub outcome: TestOutcome,
}

/// Runs every rule whose name starts with `test_` in `tests`, over `modules` and `data`, in the order of the files.
pub fn run_tests(
    modules: &BTreeMap<String, String>,
    tests: &BTreeMap<String, String>,
    data: &Json,
) -> Result<Vec<RegoTest>, BundleError> {
    let all = modules.iter().chain(tests).map(|(path, text)| (path.clone(), text.clone())).collect();
    let mut engine = loader::prepare_tests(&all, data, SourceLimits::SHIPPED)?;
    let mut results = Vec::new();
    for (path, rule) in rules(&mut engine, tests) {
        let mut engine = engine.clone();
        let outcome = match engine.eval_rule(rule.clone()) {
            Ok(Value::Bool(true)) => TestOutcome::Passed,
            Ok(_) => TestOutcome::Failed,
            Err(error) => TestOutcome::Broken(loader::told_error(&error.to_string())),
        };
        results.push(RegoTest { path, rule, outcome });
    }
    Ok(results)
}

fn rules(engine: &mut regorus::Engine, tests: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for module in engine.get_modules() {
        let path = module.package.span.source.get_path();
        if !tests.contains_key(path) {
            continue;
        }
        for rule in &module.policy {
            let (package, name) = crate::engine::inspect::rule_name(module, rule);
            if name.starts_with("test_") {
                found.push((path.clone(), format!("data.{package}.{name}")));
            }
        }
    }
    found.dedup();
    found
}
