//! Examples beside a rule: `# ab: match {…}` and `# ab: not-match {…}` directly above it say which inputs it finds something in.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};
use regorus::{Engine, Value};
use serde_json::{Map, Value as Json};

use super::{TestOutcome, cases, coverage};
use crate::engine::{document, inspect, loader};

/// What begins an example.
const MARK: &str = "# ab:";
/// The input that an example changes if it names no other.
const FIXTURE: &str = "data.abide.fixture.merge";
/// Examples in one module at most.
const EXAMPLES_MAX: usize = 500;

/// One example.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) path: String,
    pub(super) name: String,
    /// What to do, or why it cannot be understood.
    said: Result<Said, String>,
}

#[derive(Debug)]
struct Said {
    matches: bool,
    fixture: String,
    fragment: Map<String, Json>,
    /// The set of findings to which the rule adds.
    set: String,
    /// The rule's own name in its findings.
    id: String,
}

/// Every example in `wanted` modules.
pub(super) fn of(modules: &[Ref<Module>], wanted: &BTreeMap<String, String>) -> Vec<Example> {
    let mut examples = Vec::new();
    for module in modules {
        let source = &module.package.span.source;
        if !wanted.contains_key(source.get_path()) {
            continue;
        }
        let lines: Vec<&str> = source.get_contents().lines().map(str::trim).collect();
        let marked = lines.iter().enumerate().filter(|(_, line)| line.starts_with(MARK));
        for (count, (index, line)) in marked.enumerate() {
            let said = if count < EXAMPLES_MAX {
                rule_below(module, &lines, index).and_then(|about| read(line, about))
            } else {
                Err(format!("a module has at most {EXAMPLES_MAX} examples"))
            };
            let id = said.as_ref().map_or("example", |said| said.id.as_str());
            let name = format!("{id} (line {})", index.saturating_add(1));
            examples.push(Example { path: source.get_path().clone(), name, said });
        }
    }
    examples
}

/// The set and the id of the rule that begins where the remarks end.
fn rule_below(module: &Module, lines: &[&str], index: usize) -> Result<(String, String), String> {
    let remarks = lines.iter().skip(index).take_while(|line| line.starts_with('#')).count();
    let line = index.saturating_add(remarks).saturating_add(1);
    let text = module.package.span.source.get_contents();
    let begins = |rule: &Rule| {
        let start = rule.span().start;
        usize::try_from(coverage::lines(text, start, start).0) == Ok(line)
    };
    let rule = module.policy.iter().find(|rule| begins(rule)).ok_or("no rule begins right below it")?;
    let id = id_of(rule).ok_or("the rule below adds no finding whose `rule` is written out")?;
    let (package, name) = inspect::rule_name(module, rule);
    Ok((format!("data.{package}.{name}"), id))
}

/// `"rule": "…"` in the head of a rule.
#[expect(clippy::wildcard_enum_match_arm, reason = "only texts are names")]
pub(super) fn id_of(rule: &Rule) -> Option<String> {
    let Rule::Spec { head: RuleHead::Set { key: Some(key), .. }, .. } = rule else { return None };
    let Expr::Object { fields, .. } = &**key else { return None };
    let text = |expr: &Expr| match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(ToString::to_string)
        }
        _ => None,
    };
    let (_, _, value) = fields.iter().find(|(_, key, _)| text(key).as_deref() == Some("rule"))?;
    text(value)
}

fn read(line: &str, (set, id): (String, String)) -> Result<Said, String> {
    let rest = line.strip_prefix(MARK).unwrap_or_default().trim();
    let (head, json) = rest.split_at_checked(rest.find('{').unwrap_or(rest.len())).unwrap_or((rest, ""));
    let mut words = head.split_whitespace();
    let matches = match words.next() {
        Some("match") => true,
        Some("not-match") => false,
        _ => return Err("write `# ab: match {…}` or `# ab: not-match {…}`".to_owned()),
    };
    let fixture = words.next().unwrap_or(FIXTURE).to_owned();
    if words.next().is_some() {
        return Err("between `match` and `{` stands at most the name of a fixture".to_owned());
    }
    // Refuses a key that stands there twice, which the other reader does not.
    document::read(json.as_bytes()).map_err(|error| error.to_string())?;
    let fragment: Map<String, Json> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    cases::known(&fragment)?;
    Ok(Said { matches, fixture, fragment, set, id })
}

impl Example {
    pub(super) fn run(&self, engine: &mut Engine) -> TestOutcome {
        let found = self.said.as_ref().map_err(Clone::clone).and_then(|said| Ok((said, said.found(engine)?)));
        match found {
            Ok((said, found)) if found.contains(&said.id) == said.matches => TestOutcome::Passed,
            Ok((said, found)) => {
                let expected = if said.matches { "a finding" } else { "no finding" };
                let all = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
                TestOutcome::Differs(vec![
                    format!("rule `{}`: expected {expected}", said.id),
                    format!("findings of `{}`: {all}", said.set),
                ])
            }
            Err(why) => TestOutcome::Broken(why),
        }
    }
}

impl Said {
    /// Names of the rules that found something.
    fn found(&self, engine: &mut Engine) -> Result<Vec<String>, String> {
        let input = cases::input(engine, &self.fixture, &self.fragment)?;
        engine.set_input(input);
        let value =
            engine.eval_rule(self.set.clone()).map_err(|error| loader::told_error(&error.to_string()))?;
        if value == Value::Undefined {
            return Ok(Vec::new());
        }
        let findings = serde_json::to_value(&value).map_err(|error| error.to_string())?;
        let ids = findings.as_array().into_iter().flatten();
        Ok(ids.filter_map(|finding| finding.get("rule")?.as_str().map(str::to_owned)).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::tests::policies;
    use crate::engine::{TestPlan, run_tests};
    use crate::source;

    const LAYER: &str = r#"package abide.layers.a

# The changelog is written by people.
# ab: match {"facts": {"files": [{"path": "CHANGELOG.md"}]}}
# ab: not-match {"facts": {"files": [{"path": "README.md"}]}}
# ab: match {"facts": {"files": [{"path": "README.md"}]}}
# ab: not-match {"facts": {"files": [{"path": "CHANGELOG.md"}]}}
# ab: not-match data.abide.fixture.rollback {}
# ab: match data.abide.fixture.nowhere {}
# ab: matches {}
# ab: match {"fcats": {}}
# ab: match {"facts": {}, "facts": {}}
findings contains {"rule": "by-hand", "level": "review", "msg": "by hand"} if {
	some file in input.facts.files
	file.path == "CHANGELOG.md"
}

# ab: match {}

# ab: match {}
helper := 1
"#;

    #[test]
    fn a_rule_is_held_to_its_examples() {
        let mut added = std::collections::BTreeMap::new();
        added.insert("a.rego".to_owned(), LAYER.as_bytes().to_vec());
        let sources = source::sort_layered(&policies(), &source::Added::of_repository(added)).unwrap();
        let run = run_tests(&sources, TestPlan { wanted: "layers/", coverage: false }).unwrap();
        let shown: Vec<String> =
            run.tests.iter().map(|test| format!("{} {:?}", test.rule, test.outcome)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r##"
        by-hand (line 4) Passed
        by-hand (line 5) Passed
        by-hand (line 6) Differs(["rule `by-hand`: expected a finding", "findings of `data.abide.layers.a.findings`: none"])
        by-hand (line 7) Differs(["rule `by-hand`: expected no finding", "findings of `data.abide.layers.a.findings`: by-hand"])
        by-hand (line 8) Passed
        by-hand (line 9) Broken("there is no rule `data.abide.fixture.nowhere` to take as a fixture")
        example (line 10) Broken("write `# ab: match {…}` or `# ab: not-match {…}`")
        example (line 11) Broken("`input.fcats` is not in the input schema; did you mean `input.facts`?")
        example (line 12) Broken("a key stands there twice at line 1 column 26")
        example (line 18) Broken("no rule begins right below it")
        example (line 20) Broken("the rule below adds no finding whose `rule` is written out")
        "##);
    }
}
