//! Reads what a policy answered. Anything but the exact shape is a fault, and a fault is a denial.

use abide_core::decision::{Finding, Grants, Obligation, Verdict, Waived};
use regorus::Value;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::engine::judge::Fault;
use crate::engine::limits::JudgeLimits;

/// What the rule `data.abide.decision` gives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) findings: Vec<Finding>,
    #[serde(default)]
    pub(crate) obligations: Vec<Obligation>,
    #[serde(default)]
    pub(crate) grants: Grants,
    #[serde(default)]
    pub(crate) waived: Vec<Waived>,
    #[serde(default)]
    pub(crate) risk: u32,
}

/// Findings that a decision carries at most; the least severe beyond it are counted, not shown.
const FINDINGS_MAX: usize = 500;
/// Characters of one message.
const TEXT_CHARS_MAX: usize = 400;

/// Reads and tidies an answer.
pub(crate) fn read(value: &Value, limits: &JudgeLimits) -> Result<Answer, Fault> {
    of(flat(value, limits)?)
}

/// The answer as plain JSON, bounded.
pub(crate) fn flat(value: &Value, limits: &JudgeLimits) -> Result<Json, Fault> {
    if *value == Value::Undefined {
        return Err(Fault::Undefined);
    }
    let mut budget = Budget { values: limits.answer_values_max, bytes: limits.answer_bytes_max };
    to_json(value, 0, &mut budget)
}

/// Reads and tidies plain JSON: sorted, without duplicates, without anything that a terminal would obey.
pub(crate) fn of(json: Json) -> Result<Answer, Fault> {
    let mut answer: Answer = serde_json::from_value(json).map_err(|error| Fault::Shape(error.to_string()))?;
    if let Some(odd) = answer.findings.iter().find(|finding| !is_rule_id(&finding.rule)) {
        return Err(Fault::Shape(format!("`{}` is not a rule id in kebab case", tidy(&odd.rule))));
    }
    if answer.risk > 100 {
        return Err(Fault::Shape(format!("risk {} is above 100", answer.risk)));
    }
    for finding in &mut answer.findings {
        finding.msg = tidy(&finding.msg);
        finding.path = finding.path.as_deref().map(tidy);
        finding.help = finding.help.as_deref().map(tidy);
    }
    cap(&mut answer.findings);
    sort(&mut answer.findings);
    sort(&mut answer.obligations);
    sort(&mut answer.waived);
    sort(&mut answer.grants.capabilities);
    sort(&mut answer.grants.stubs);
    Ok(answer)
}

fn sort<T: Ord>(items: &mut Vec<T>) {
    items.sort();
    items.dedup();
}

fn cap(findings: &mut Vec<Finding>) {
    if findings.len() <= FINDINGS_MAX {
        return;
    }
    findings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.cmp(b)));
    let hidden = findings.len().saturating_sub(FINDINGS_MAX);
    let level =
        findings.get(FINDINGS_MAX).map_or(abide_core::decision::FindingLevel::Warn, |finding| finding.level);
    findings.truncate(FINDINGS_MAX);
    let msg = format!("{hidden} more findings are not shown");
    findings.push(Finding { rule: "more-findings".to_owned(), level, msg, path: None, help: None });
}

struct Budget {
    values: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        let too_large = || Fault::Shape("the answer is too large".to_owned());
        self.values = self.values.checked_sub(1).ok_or_else(too_large)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }
}

fn to_json(value: &Value, depth: usize, budget: &mut Budget) -> Result<Json, Fault> {
    if depth > 12 {
        return Err(Fault::Shape("the answer is nested too deep".to_owned()));
    }
    let below = depth.saturating_add(1);
    budget.spend(0)?;
    match value {
        Value::Null => Ok(Json::Null),
        Value::Bool(truth) => Ok(Json::Bool(*truth)),
        Value::Number(_) => {
            let number =
                value.as_u64().map_err(|_| Fault::Shape("a number is not a natural number".to_owned()))?;
            Ok(Json::from(number))
        }
        Value::String(text) => {
            budget.spend(text.len())?;
            Ok(Json::from(&**text))
        }
        Value::Array(items) => items.iter().map(|item| to_json(item, below, budget)).collect(),
        Value::Set(items) => items.iter().map(|item| to_json(item, below, budget)).collect(),
        Value::Object(fields) => {
            let mut map = Map::new();
            for (key, field) in fields.iter() {
                let Value::String(key) = key else {
                    return Err(Fault::Shape("a key is not a text".to_owned()));
                };
                budget.spend(key.len())?;
                map.insert(key.to_string(), to_json(field, below, budget)?);
            }
            Ok(Json::Object(map))
        }
        Value::Undefined => Err(Fault::Undefined),
    }
}

fn is_rule_id(rule: &str) -> bool {
    !rule.is_empty()
        && rule.len() <= 64
        && rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Cuts a text and takes out what a terminal would obey: control characters and bidirectional overrides.
pub(crate) fn tidy(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(TEXT_CHARS_MAX)
        .map(|letter| if is_unsafe(letter) { '\u{fffd}' } else { letter })
        .collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
