//! Modules of others, asked as the gate would ask them: to measure which part of Rego is supported. Nothing is decided here.

use std::collections::BTreeMap;

use regorus::Value;
use serde_json::Value as Json;

use crate::engine::builtins;
use crate::engine::document;
use crate::engine::inspect::{self, Audience};
use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError};

/// What is asked, of which modules.
#[derive(Debug, Clone)]
pub struct Case {
    /// Modules by path.
    pub modules: BTreeMap<String, String>,
    /// The document `data`.
    pub data: Json,
    /// The document `input`, if there is one.
    pub input: Option<Input>,
    /// A query such as `data.generated.p = x`.
    pub query: String,
}

/// The document `input`.
#[derive(Debug, Clone)]
pub enum Input {
    /// As JSON.
    Json(Json),
    /// As a term of Rego, which may be a set.
    Term(String),
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why the gate does not load modules that say this, if it does not.
    pub refused: Vec<BundleError>,
    /// The bindings of each result. It is there if the modules parse, even if the gate refuses them.
    pub answer: Result<Vec<Json>, String>,
}

/// Functions that the host brings, with the number of their arguments. They return their result and do not take an argument more to put it into.
pub fn host_functions() -> Vec<(&'static str, u8)> {
    builtins::own().collect()
}

/// Asks. What the gate demands of a policy of its own (an entrypoint, paths of `input` and `data` that exist) is not asked of strangers.
pub fn ask(case: &Case) -> Outcome {
    let limits = SourceLimits::SHIPPED;
    let sizes = loader::check_sizes(&case.modules, &case.data, limits);
    let nested = case.modules.iter().map(|(path, text)| inspect::nesting(path, text, limits.nesting_max));
    let mut refused: Vec<BundleError> = nested.chain([sizes]).filter_map(Result::err).collect();
    let (inspected, asked) = (case.clone(), case.clone());
    let faults = loader::on_a_thread(limits, move || inspect(&inspected, limits.expression_depth_max));
    refused.extend(faults.unwrap_or_else(|fault| vec![fault]));
    let answer = loader::on_a_thread(limits, move || Ok(answer(&mut engine(&asked)?, &asked)));
    Outcome { refused, answer: answer.unwrap_or_else(|fault| Err(fault.to_string())) }
}

fn engine(case: &Case) -> Result<regorus::Engine, BundleError> {
    let mut engine = loader::bare()?;
    for (path, text) in &case.modules {
        let added = engine.add_policy(path.clone(), text.clone());
        added.map_err(|error| loader::syntax(path, &error.to_string()))?;
    }
    Ok(engine)
}

fn inspect(case: &Case, depth_max: usize) -> Result<Vec<BundleError>, BundleError> {
    let mut engine = engine(case)?;
    let seen = inspect::survey(engine.get_modules(), &case.data, depth_max, Audience::Live, &[]);
    Ok(seen.faults.into_iter().filter(is_about_rego).collect())
}

fn is_about_rego(fault: &BundleError) -> bool {
    !matches!(fault, BundleError::NoEntrypoint | BundleError::Input { .. } | BundleError::DataPath { .. })
}

fn answer(engine: &mut regorus::Engine, case: &Case) -> Result<Vec<Json>, String> {
    let told = |error: anyhow::Error| loader::told_error(&error.to_string());
    let data: Value = serde_json::from_value(case.data.clone()).map_err(|error| error.to_string())?;
    engine.add_data(data).map_err(told)?;
    match &case.input {
        None => {}
        Some(Input::Json(json)) => {
            let input = document::read(json.to_string().as_bytes()).map_err(|error| error.to_string())?;
            engine.set_input(input);
        }
        Some(Input::Term(term)) => {
            let results = engine.eval_query(term.clone(), false).map_err(told)?;
            let value = results.result.first().and_then(|result| result.expressions.first());
            engine.set_input(value.map_or(Value::Undefined, |expression| expression.value.clone()));
        }
    }
    let results = engine.eval_query(case.query.clone(), false).map_err(told)?;
    let read = |value: &Value| -> Result<Json, String> {
        let text = value.to_json_str().map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    results.result.iter().map(|result| read(&result.bindings)).collect()
}
