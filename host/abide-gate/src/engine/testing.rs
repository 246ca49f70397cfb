//! Runs what stands beside the modules to test them: `test_` rules in `*_test.rego`, tables of cases in `*_cases.yaml`,
//! and examples in remarks above the rules.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Module, Ref, Rule};
use regorus::{Engine, Value};

use crate::engine::inspect;
use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError, Place};
use crate::source::Sources;

mod cases;
mod coverage;
mod examples;

pub(crate) use cases::read as read_cases;
pub use coverage::{Coverage, FileCoverage};

/// How a test came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// It is true.
    Passed,
    /// It is undefined, false or anything else.
    Failed {
        /// Line of the expression that was not true, if that can be told, counted from 1.
        line: Option<u32>,
    },
    /// A case came out other than expected: what was expected and what is, one sentence each.
    Differs(Vec<String>),
    /// It could not be evaluated.
    Broken(String),
}

/// One `test_` rule, one case or one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegoTest {
    /// The file.
    pub path: String,
    /// The rule, with its package, or the name of the case or example.
    pub rule: String,
    /// How it came out.
    pub outcome: TestOutcome,
}

/// What a run of tests gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestRun {
    /// The tests that ran, in the order of the files: rules first, then cases, then examples.
    pub tests: Vec<RegoTest>,
    /// `todo_test_` rules: file and rule. They are not run.
    pub todo: Vec<(String, String)>,
    /// Which lines of the modules were evaluated.
    pub coverage: Coverage,
    /// Rules with a name that found something in no test, with their places. Empty unless all tests ran and coverage was noted.
    pub untried: Vec<(Place, String)>,
}

/// Which tests to run, and what to note.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestPlan<'a> {
    /// What the file or the name of a test contains; every test if empty.
    pub wanted: &'a str,
    /// Whether to note which lines are evaluated. It takes several times as long.
    pub coverage: bool,
}

/// Runs tests over the modules and the data.
pub fn run_tests(sources: &Sources, plan: TestPlan<'_>) -> Result<TestRun, BundleError> {
    run_some(sources, plan, &|_| true)
}

/// Runs the tests of `base` over `base` alone, and those that a layer adds to it over `layered`, which is both. A layer may tighten: what
/// `base` promises about itself need not hold with it.
pub fn run_tests_apart(
    base: &Sources,
    layered: &Sources,
    plan: TestPlan<'_>,
) -> Result<TestRun, BundleError> {
    let of_base = |path: &str| {
        base.tests.contains_key(path) || base.cases.contains_key(path) || base.modules.contains_key(path)
    };
    // A layer has few tests, and whether each of its rules has one is worth knowing.
    let own = run_some(layered, TestPlan { coverage: true, ..plan }, &|path| !of_base(path))?;
    let mut run = run_some(base, plan, &|_| true)?;
    run.tests.extend(own.tests);
    run.todo.extend(own.todo);
    run.coverage.merge(own.coverage);
    run.untried = own.untried;
    Ok(run)
}

/// Runs the tests in files that are `asked` for.
fn run_some(
    sources: &Sources,
    plan: TestPlan<'_>,
    asked: &dyn Fn(&str) -> bool,
) -> Result<TestRun, BundleError> {
    let all: BTreeMap<String, String> = sources
        .modules
        .iter()
        .chain(&sources.tests)
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    let tables = sources
        .cases
        .iter()
        .map(|(path, text)| Ok((path, read_cases(path, text)?)))
        .collect::<Result<Vec<_>, BundleError>>()?;
    let mut engine = loader::prepare_tests(&all, &sources.data, SourceLimits::SHIPPED)?;
    let is_wanted =
        |path: &str, name: &str| asked(path) && (path.contains(plan.wanted) || name.contains(plan.wanted));
    let mut run = TestRun::default();
    run.coverage.begin(engine.get_modules(), &sources.modules);
    for test in rules(&mut engine, &sources.tests) {
        if !is_wanted(&test.path, &test.rule) {
            continue;
        }
        if test.is_todo {
            run.todo.push((test.path, test.rule));
            continue;
        }
        let outcome = test.run(&engine, plan, &mut run.coverage);
        run.tests.push(RegoTest { path: test.path, rule: test.rule, outcome });
    }
    for (path, case) in tables.iter().flat_map(|(path, cases)| cases.iter().map(move |case| (path, case))) {
        if !is_wanted(path, &case.name) {
            continue;
        }
        let mut engine = if plan.coverage { watched(&engine) } else { engine.clone() };
        let outcome = case.run(&mut engine);
        if plan.coverage {
            run.coverage.add(&engine);
        }
        run.tests.push(RegoTest { path: (*path).clone(), rule: case.name.clone(), outcome });
    }
    for example in examples::of(engine.get_modules(), &sources.modules) {
        if !is_wanted(&example.path, &example.name) {
            continue;
        }
        let mut engine = if plan.coverage { watched(&engine) } else { engine.clone() };
        let outcome = example.run(&mut engine);
        if plan.coverage {
            run.coverage.add(&engine);
        }
        run.tests.push(RegoTest { path: example.path, rule: example.name, outcome });
    }
    if plan.coverage && plan.wanted.is_empty() {
        run.untried = untried(engine.get_modules(), &run.coverage, asked);
    }
    Ok(run)
}

/// Rules that add a finding with a name, and whose head no test made true.
fn untried(
    modules: &[Ref<Module>],
    coverage: &Coverage,
    asked: &dyn Fn(&str) -> bool,
) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for module in modules {
        let source = &module.package.span.source;
        let path = source.get_path();
        let Some(file) = coverage.0.get(path).filter(|_| asked(path)) else { continue };
        for rule in &module.policy {
            let start = rule.span().start;
            let (line, _) = coverage::lines(source.get_contents(), start, start);
            if let Some(id) = examples::id_of(rule).filter(|_| !file.covered.contains(&line)) {
                found.push((Place { path: path.clone(), line, column: 1 }, id));
            }
        }
    }
    found
}

/// A copy that notes what it evaluates.
fn watched(engine: &Engine) -> Engine {
    let mut engine = engine.clone();
    engine.set_enable_coverage(true);
    engine
}

struct TestRule {
    path: String,
    rule: String,
    is_todo: bool,
    /// Lines of each statement of its body, first and last, in the order of the text.
    statements: Vec<(u32, u32)>,
}

impl TestRule {
    fn run(&self, engine: &Engine, plan: TestPlan<'_>, coverage: &mut Coverage) -> TestOutcome {
        let mut copy = if plan.coverage { watched(engine) } else { engine.clone() };
        let value = copy.eval_rule(self.rule.clone());
        if plan.coverage {
            coverage.add(&copy);
        }
        match value {
            Ok(Value::Bool(true)) => TestOutcome::Passed,
            Ok(_) => TestOutcome::Failed { line: self.first_untrue(engine) },
            Err(error) => TestOutcome::Broken(loader::told_error(&error.to_string())),
        }
    }

    fn first_untrue(&self, engine: &Engine) -> Option<u32> {
        let mut engine = watched(engine);
        engine.eval_rule(self.rule.clone()).ok()?;
        coverage::first_untrue(&engine, &self.path, &self.statements)
    }
}

fn rules(engine: &mut Engine, tests: &BTreeMap<String, String>) -> Vec<TestRule> {
    let mut found: Vec<TestRule> = Vec::new();
    let mut seen = BTreeSet::new();
    for module in engine.get_modules() {
        let path = module.package.span.source.get_path();
        if !tests.contains_key(path) {
            continue;
        }
        for rule in &module.policy {
            let (package, name) = inspect::rule_name(module, rule);
            let is_todo = name.starts_with("todo_test_");
            let rule_path = format!("data.{package}.{name}");
            if (is_todo || name.starts_with("test_")) && seen.insert((path.clone(), rule_path.clone())) {
                let statements = statements(module, rule);
                found.push(TestRule { path: path.clone(), rule: rule_path, is_todo, statements });
            }
        }
    }
    found
}

/// Only of rules with one body: of several, none is the one that failed.
fn statements(module: &Module, rule: &Rule) -> Vec<(u32, u32)> {
    let Rule::Spec { bodies, .. } = rule else { return Vec::new() };
    let [body] = bodies.as_slice() else { return Vec::new() };
    let text = module.package.span.source.get_contents();
    let starts: Vec<u32> = body.query.stmts.iter().map(|statement| statement.span.start).collect();
    let ends = starts.iter().skip(1).copied().chain([rule.span().end.max(body.query.span.end)]);
    starts.iter().copied().zip(ends).map(|(start, end)| coverage::lines(text, start, end)).collect()
}
