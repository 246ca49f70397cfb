//! Tables of cases (`*_cases.yaml`): an input each, as the difference to a fixture, and what is to be decided about it.

use regorus::{Engine, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::TestOutcome;
use crate::engine::bundle::ENTRYPOINT;
use crate::engine::loader::{self, BundleError};
use crate::engine::schema;

/// Cases in one file at most.
const CASES_MAX: usize = 1_000;
/// Bytes of one file at most.
const BYTES_MAX: usize = 256 * 1024;
/// Depth of one file at most.
const DEPTH_MAX: usize = 24;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fixture: Option<String>,
    cases: Vec<RawCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    fixture: Option<String>,
    #[serde(default)]
    input: Map<String, Json>,
    verdict: Option<Verdict>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allow,
    Review,
    Deny,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Review => "review",
            Self::Deny => "deny",
        }
    }
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(super) name: String,
    /// A rule whose value is an input that would go through, such as `data.abide.fixture.merge`.
    fixture: String,
    /// What is put over it: objects field by field, everything else as a whole.
    input: Map<String, Json>,
    verdict: Option<Verdict>,
    /// Rules that must be among the findings.
    rules: Vec<String>,
    /// Rules that must not.
    without: Vec<String>,
}

/// Reads a table. Everything that is not understood is an error: a case that tests nothing looks on and is off.
pub(crate) fn read(path: &str, text: &str) -> Result<Vec<Case>, BundleError> {
    let refused = |why: String| BundleError::File { path: path.to_owned(), why };
    if text.len() > BYTES_MAX {
        return Err(refused(format!("a table of cases has at most {BYTES_MAX} bytes")));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_depth: DEPTH_MAX },
    };
    let table: Table = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| refused(error.without_snippet().to_string().chars().take(300).collect()))?;
    if table.cases.len() > CASES_MAX {
        return Err(refused(format!("it has {} cases; {CASES_MAX} are allowed", table.cases.len())));
    }
    let mut names = std::collections::BTreeSet::new();
    let mut cases = Vec::new();
    for raw in table.cases {
        if !names.insert(raw.name.clone()) {
            return Err(refused(format!("two cases are called `{}`", raw.name)));
        }
        let fixture = raw.fixture.or_else(|| table.fixture.clone());
        let fixture = fixture.ok_or_else(|| refused(format!("case `{}` names no `fixture`", raw.name)))?;
        if raw.verdict.is_none() && raw.rules.is_empty() && raw.without.is_empty() {
            return Err(refused(format!(
                "case `{}` expects nothing: give `verdict`, `rules` or `without`",
                raw.name
            )));
        }
        known(&raw.input).map_err(|why| refused(format!("case `{}`: {why}", raw.name)))?;
        let RawCase { name, input, verdict, rules, without, .. } = raw;
        cases.push(Case { name, fixture, input, verdict, rules, without });
    }
    Ok(cases)
}

/// Every path of a fragment is one of the input.
pub(super) fn known(fragment: &Map<String, Json>) -> Result<(), String> {
    let mut open: Vec<(Vec<Option<&str>>, &Json)> =
        fragment.iter().map(|(key, value)| (vec![Some(key.as_str())], value)).collect();
    while let Some((path, value)) = open.pop() {
        schema::look_up(&path).map_err(|missing| {
            let near = missing.nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("`{}` is not in the input schema{near}", missing.path)
        })?;
        let below = |part| path.iter().copied().chain([part]).collect();
        match value {
            Json::Object(fields) => {
                for (key, value) in fields {
                    open.push((below(Some(key.as_str())), value));
                }
            }
            Json::Array(items) => {
                for item in items.iter().filter(|item| item.is_object()) {
                    open.push((below(None), item));
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    Ok(())
}

impl Case {
    pub(super) fn run(&self, engine: &mut Engine) -> TestOutcome {
        match self.decide(engine) {
            Ok(decision) => {
                let differences = self.differences(&decision);
                if differences.is_empty() { TestOutcome::Passed } else { TestOutcome::Differs(differences) }
            }
            Err(why) => TestOutcome::Broken(why),
        }
    }

    fn decide(&self, engine: &mut Engine) -> Result<Json, String> {
        let input = input(engine, &self.fixture, &self.input)?;
        engine.set_input(input);
        match engine.eval_rule(ENTRYPOINT.to_owned()) {
            Ok(Value::Undefined) => Err("no rule gives a decision for this input".to_owned()),
            Ok(value) => serde_json::to_value(&value).map_err(|error| error.to_string()),
            Err(error) => Err(loader::told_error(&error.to_string())),
        }
    }

    fn differences(&self, decision: &Json) -> Vec<String> {
        let text =
            |value: &Json, key: &str| value.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let findings = decision.get("findings").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let found: Vec<(String, String)> =
            findings.iter().map(|finding| (text(finding, "level"), text(finding, "rule"))).collect();
        let is_found = |rule: &String| found.iter().any(|(_, id)| id == rule);
        let is = text(decision, "verdict");
        let mut differences = Vec::new();
        if let Some(verdict) = self.verdict.filter(|verdict| verdict.word() != is) {
            differences.push(format!("verdict: expected `{}`, is `{is}`", verdict.word()));
        }
        let lacking = self.rules.iter().filter(|rule| !is_found(rule));
        differences.extend(lacking.map(|rule| format!("rule `{rule}`: expected, found nothing")));
        let too_many = self.without.iter().filter(|rule| is_found(rule));
        differences
            .extend(too_many.map(|rule| format!("rule `{rule}`: expected not, and it found something")));
        if !differences.is_empty() {
            let all: Vec<String> = found.iter().map(|(level, rule)| format!("{level} {rule}")).collect();
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            differences.push(format!("findings: {all}"));
        }
        differences
    }
}

/// The value of the rule `fixture` with `fragment` put over it.
pub(super) fn input(
    engine: &mut Engine,
    fixture: &str,
    fragment: &Map<String, Json>,
) -> Result<Value, String> {
    let value = match engine.eval_rule(fixture.to_owned()) {
        Ok(Value::Undefined) => return Err(format!("`{fixture}` is undefined")),
        Ok(value) => value,
        Err(_) => return Err(format!("there is no rule `{fixture}` to take as a fixture")),
    };
    let mut input = serde_json::to_value(&value).map_err(|error| error.to_string())?;
    let Json::Object(fields) = &mut input else { return Err(format!("`{fixture}` is no object")) };
    merge(fields, fragment);
    serde_json::from_value(input).map_err(|error| error.to_string())
}

/// As `object.union` does: objects field by field, everything else is replaced. The depth is bounded by the reader.
fn merge(under: &mut Map<String, Json>, over: &Map<String, Json>) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(Json::Object(under)), Json::Object(over)) => merge(under, over),
            _ => drop(under.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
