//! Reads any document of a policy, rules included, for those who ask what it says. What comes out is no decision and leads to none.

use regorus::Value;
use serde_json::Value as Json;

use crate::engine::bundle::Bundle;
use crate::engine::document;
use crate::engine::limits::JudgeLimits;
use crate::engine::loader;
use crate::engine::supervisor::{Lost, Supervisor};

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The input cannot be one: fractions, a key twice, or too large.
    #[error("the input cannot be used: {0}")]
    Input(String),
    /// A rule failed.
    #[error("the policy failed: {0}")]
    Evaluation(String),
    /// It took too long, or the engine broke.
    #[error("{0}")]
    Lost(&'static str),
}

impl ReadError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input(_) => "AB0116",
            Self::Evaluation(_) => "AB0111",
            Self::Lost(_) => "AB0113",
        }
    }
}

/// Reads documents, each on a thread that has a deadline. Those that ran past theirs are bounded over all reads.
#[derive(Debug)]
pub struct Reader {
    supervisor: Supervisor,
    limits: JudgeLimits,
}

impl Reader {
    /// A reader with these limits.
    pub fn new(limits: JudgeLimits) -> Self {
        Self { supervisor: Supervisor::new(limits.abandoned_max), limits }
    }

    /// The document below `data` at `path`, given `input` as JSON; `None` if it is undefined. A part of digits is a position in a list.
    pub fn document(
        &self,
        bundle: &Bundle,
        path: &[String],
        input: Option<&Json>,
    ) -> Result<Option<Json>, ReadError> {
        let input = input.map(Json::to_string);
        if input.as_ref().is_some_and(|input| input.len() > self.limits.input_bytes_max) {
            return Err(ReadError::Input(format!("it has more than {} bytes", self.limits.input_bytes_max)));
        }
        let query = path.iter().fold("data".to_owned(), |query, part| {
            let is_position =
                !part.is_empty() && part.len() < 10 && part.bytes().all(|byte| byte.is_ascii_digit());
            let part = if is_position { part.clone() } else { Json::from(part.as_str()).to_string() };
            format!("{query}[{part}]")
        });
        let mut engine = bundle.engine().clone();
        let work = move || {
            if let Some(input) = input {
                let input =
                    document::read(input.as_bytes()).map_err(|error| ReadError::Input(error.to_string()))?;
                engine.set_input(input);
            }
            let told = |error: anyhow::Error| ReadError::Evaluation(loader::told_error(&error.to_string()));
            let results = engine.eval_query(query, false).map_err(told)?;
            let value =
                results.result.into_iter().next().and_then(|result| result.expressions.into_iter().next());
            value
                .map(|found| found.value)
                .filter(|value| *value != Value::Undefined)
                .map(|value| read(&value))
                .transpose()
        };
        self.supervisor.call(self.limits.deadline(), work).unwrap_or_else(|lost| {
            Err(ReadError::Lost(match lost {
                Lost::Deadline => "the policy did not answer in time",
                Lost::Panicked => "the policy engine panicked",
                Lost::Crowded => "too many policy evaluations ran past their deadline and still run",
                Lost::NoThread => "no thread could be started to read on",
            }))
        })
    }
}

fn read(value: &Value) -> Result<Json, ReadError> {
    let text = value.to_json_str().map_err(|error| ReadError::Evaluation(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| ReadError::Evaluation(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::tests::load_over;

    #[test]
    fn rules_and_data_are_read_and_nothing_else_is_said() {
        let text = "package abide\n\ndecision := {\"verdict\": \"deny\", \"findings\": []}\n\ngreeting := input.run.profile\n\nslow if {\n\tsome a in data.many\n\tsome b in data.many\n\tsome c in data.many\n\ta + b + c == 0\n}\n";
        let many: Vec<u64> = (1..2_000).collect();
        let bundle = load_over(text, json!({ "list": [{ "a": "b" }], "odd key": 1, "many": many })).unwrap();
        let reader = Reader::new(JudgeLimits::SHIPPED);
        let read = |path: &[&str], input: Option<&Json>| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            reader.document(&bundle, &path, input)
        };
        assert_eq!(read(&["list", "0", "a"], None), Ok(Some(json!("b"))));
        assert_eq!(read(&["odd key"], None), Ok(Some(json!(1))));
        assert_eq!(
            read(&["abide", "greeting"], Some(&json!({ "run": { "profile": "x" } }))),
            Ok(Some(json!("x")))
        );
        assert_eq!(read(&["abide", "greeting"], None), Ok(None));
        assert_eq!(read(&["no", "such", "thing"], None), Ok(None));
        // A path is a path, whatever it looks like.
        assert_eq!(read(&["list\"][0] == 1; true; data[\"x"], None), Ok(None));
        assert_eq!(read(&["abide", "slow"], None).unwrap_err().code(), "AB0111");
        assert_eq!(read(&["list"], Some(&json!({ "a": 1.5 }))).unwrap_err().code(), "AB0116");
    }
}
