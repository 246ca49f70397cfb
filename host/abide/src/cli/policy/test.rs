//! `ab policy test`: runs the tests beside the rules.

use abide_gate::{TestOutcome, run_tests};
use clap::Args as ClapArgs;
use serde_json::json;

use super::{Files, Which, refused};
use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::report::{Exit, Failure};

/// `ab policy test`.
#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(shell: &Shell, args: &TestArgs) -> Result<Exit, Failure> {
    let files = Files::open(shell, &args.which)?;
    let sources = files.sources()?;
    let results =
        run_tests(&sources.modules, &sources.tests, &sources.data).map_err(|error| refused(&error))?;
    let mut failed = 0_usize;
    for test in &results {
        let why = match &test.outcome {
            TestOutcome::Passed => continue,
            TestOutcome::Failed => "it is not true".to_owned(),
            TestOutcome::Broken(why) => why.clone(),
        };
        failed = failed.saturating_add(1);
        let printer = &shell.printer;
        printer.line(&format!("{} {}  {}", printer.paint(Tone::Bad, "✗"), test.rule, test.path));
        printer.line(&format!("  {why}"));
    }
    let passed = results.len().saturating_sub(failed);
    shell.printer.line(&format!("{passed} passed, {failed} failed"));
    shell.printer.data(&json!({ "passed": passed, "failed": failed }));
    Ok(if failed == 0 { Exit::Done } else { Exit::Fault })
}
