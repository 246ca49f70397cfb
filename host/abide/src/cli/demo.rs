//! `ab demo`: the whole story on a scratch copy of a real repository. Every line that begins with `$` was run, and what follows is what it said.
//!
//! The copy, its state and its releases lie in one temporary folder; the original is only read.

mod scenes;
mod stage;

use std::path::PathBuf;

use serde_json::json;

use super::Shell;
use super::args::DemoArgs;
use crate::report::{Exit, Failure};
use stage::Stage;

pub(crate) fn run(shell: &Shell, args: &DemoArgs) -> Result<Exit, Failure> {
    let source =
        args.repo.clone().map_or_else(|| Ok::<_, Failure>(None), |path| canonical(&path).map(Some))?;
    let stage = Stage::set_up(shell, source.as_deref())?;
    let mut failed = Vec::new();
    for (title, scene) in scenes::ALL {
        stage.say(&format!("— {title}"));
        if let Err(why) = scene(&stage) {
            stage.say(&format!("  NOT AS TOLD: {why}"));
            failed.push(format!("{title}: {why}"));
            break;
        }
    }
    let folder = stage.end(args.keep || !failed.is_empty());
    shell.printer.data(&json!({ "scenes": scenes::ALL.len(), "failed": failed, "kept": folder }));
    match failed.pop() {
        None => Ok(Exit::Done),
        Some(why) => Err(Failure::new("AB0050", format!("the demo did not go as told: {why}"))
            .help("its folder was kept; look at the log with ab show")),
    }
}

fn canonical(path: &std::path::Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|error| {
        Failure::of("AB0300", error).help(format!("{} cannot be entered", path.display())).exit(Exit::Usage)
    })
}
