//! `ab policy test`: runs the tests beside the rules, and says how much of the rules they come to.

mod covered;
mod watch;

use abide_core::safe_text;
use abide_gate::{RegoTest, TestOutcome, TestPlan, TestRun, run_tests, run_tests_apart, source};
use clap::Args as ClapArgs;
use serde_json::{Value as Json, json};

use super::{Files, Which};
use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::report::{Exit, Failure};

/// `ab policy test`.
#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    which: Which,
    /// Only tests whose file or name contains TEXT.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    run: String,
    #[command(flatten)]
    covered: covered::CoveredArgs,
    /// Run again whenever a file changes, until interrupted.
    #[arg(long)]
    watch: bool,
}

pub(crate) fn run(shell: &Shell, args: &TestArgs) -> Result<Exit, Failure> {
    if args.watch { watch::until_interrupted(shell, args) } else { once(shell, args) }
}

fn once(shell: &Shell, args: &TestArgs) -> Result<Exit, Failure> {
    let files = Files::open(shell, &args.which)?;
    let sources = files.sources()?;
    let wanted = files.inner(&args.run);
    let plan = TestPlan { wanted: &wanted, coverage: args.covered.is_wanted() };
    let run = if files.is_layer {
        let shipped = source::sort(&files.base).map_err(|error| files.refused(&error))?;
        run_tests_apart(&shipped, &sources, plan)
    } else {
        run_tests(&sources, plan)
    };
    let run = run.map_err(|error| files.refused(&error))?;
    let failed = run.tests.iter().filter(|test| test.outcome != TestOutcome::Passed).count();
    let passed = run.tests.len().saturating_sub(failed);
    if run.tests.is_empty() && !args.run.is_empty() {
        let what = format!("no test has `{}` in its file or name", safe_text::line(&args.run));
        return Err(Failure::new("AB0168", what).exit(Exit::Usage));
    }
    tell(shell, &run, &files);
    let table = args.covered.is_wanted().then(|| covered::table(&run.coverage, &files));
    let enough = match &table {
        Some(table) => covered::tell(shell, &args.covered, table)?,
        None => true,
    };
    let todo = if run.todo.is_empty() { String::new() } else { format!(", {} to do", run.todo.len()) };
    let own = run.tests.iter().filter(|test| files.edited(&test.path).is_some()).count();
    let own = if files.is_layer { format!(" ({own} of them yours)") } else { String::new() };
    untried(shell, &run, &files);
    shell.printer.line(&format!("{passed} passed, {failed} failed{todo}{own}"));
    shell.printer.data(&json!({
        "passed": passed,
        "failed": failed,
        "todo": run.todo.iter().map(|(path, rule)| json!({ "path": shown(path, &files), "name": rule })).collect::<Vec<_>>(),
        "tests": run.tests.iter().map(|test| object(test, &files)).collect::<Vec<_>>(),
        "untried": run.untried.iter().map(|(place, rule)| json!({ "path": shown(&place.path, &files), "line": place.line, "rule": rule })).collect::<Vec<_>>(),
        "coverage": table.as_ref().map(covered::Table::object),
    }));
    Ok(if failed == 0 && enough { Exit::Done } else { Exit::Fault })
}

/// Says which rules found something in no test: whether they ever would, nobody has tried.
fn untried(shell: &Shell, run: &TestRun, files: &Files) {
    for (place, rule) in &run.untried {
        let (rule, path) = (safe_text::line(rule), shown(&place.path, files));
        let mark = shell.printer.paint(Tone::Wait, "!");
        shell
            .printer
            .line(&format!("{mark} no test of yours makes `{rule}` find something  {path}:{}", place.line));
    }
}

/// The path that a person edits, safe to print.
fn shown(path: &str, files: &Files) -> String {
    safe_text::line(&files.edited(path).unwrap_or_else(|| format!("(shipped)/{path}")))
}

fn tell(shell: &Shell, run: &TestRun, files: &Files) {
    let printer = &shell.printer;
    for test in run.tests.iter().filter(|test| test.outcome != TestOutcome::Passed) {
        let name = safe_text::line(&test.rule);
        printer.line(&format!("{} {name}  {}", printer.paint(Tone::Bad, "✗"), shown(&test.path, files)));
        for why in why(test, files) {
            printer.line(&format!("  {why}"));
        }
    }
    for (path, rule) in &run.todo {
        let line = format!("– {}  {} (to do)", safe_text::line(rule), shown(path, files));
        printer.line(&printer.paint(Tone::Faint, &line));
    }
}

/// Why a test did not pass, in lines that are safe to print.
fn why(test: &RegoTest, files: &Files) -> Vec<String> {
    match &test.outcome {
        TestOutcome::Passed => Vec::new(),
        TestOutcome::Failed { line: None } => vec!["it is not true".to_owned()],
        TestOutcome::Failed { line: Some(line) } => {
            let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
            let said = files.text(&test.path).and_then(|text| text.lines().nth(index)).unwrap_or_default();
            vec![format!("line {line} is not true: {}", safe_text::line(said.trim()))]
        }
        TestOutcome::Differs(why) => why.iter().map(|why| safe_text::line(why)).collect(),
        TestOutcome::Broken(why) => vec![safe_text::line(&files.words(why))],
    }
}

fn object(test: &RegoTest, files: &Files) -> Json {
    let outcome = match test.outcome {
        TestOutcome::Passed => "passed",
        TestOutcome::Failed { .. } | TestOutcome::Differs(_) => "failed",
        TestOutcome::Broken(_) => "broken",
    };
    let line = if let TestOutcome::Failed { line } = test.outcome { line } else { None };
    let path = shown(&test.path, files);
    json!({ "path": path, "name": test.rule, "outcome": outcome, "line": line, "why": why(test, files) })
}
