//! `ab worker run`: one task of a component, to see what it does. Nothing is written, and nothing is asked of the network.

use std::path::PathBuf;
use std::sync::Arc;

use abide_core::id::{Digest, Oid, RefName};
use abide_core::safe_text;
use abide_effects::forge::Workspace as Files;
use abide_sandbox::{
    Capability, DirWorkspace, LogLevel, NoEgress, PatchDoc, RunOutcome, RunRequest, RunResult, Task,
};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use clap::Args as ClapArgs;
use serde_json::json;

use super::verify::component;
use super::{Law, inspect};
use crate::cli::Shell;
use crate::cli::args::AtRepo;
use crate::cli::printer::{Printer, Tone};
use crate::drive::work::{shown, told};
use crate::report::{Exit, Failure};
use crate::repository;
use crate::workshop;

const AFTER: &str = "\
It runs behind the same walls, with the grants and limits that policy has for it today, on the files of a commit or of a folder. Its change is shown and
thrown away: no branch, no record, no request to the network. A run of its own, which policy decides and which is recorded, is ab run --worker NAME.
  ab worker run scraper.wasm --recipe trim-whitespace --folder samples
  ab worker run scraper.wasm --recipe replace-text --param path=a.md --param old=one --param new=two
Exit 1: it gave no change.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct TrialArgs {
    #[command(flatten)]
    at: AtRepo,
    /// A .wasm file, the folder of an OCI image layout, or the name of a worker that was handed in.
    #[arg(value_name = "FILE|NAME")]
    what: String,
    /// Which of its recipes.
    #[arg(long, value_name = "RECIPE")]
    recipe: String,
    /// A parameter of the recipe; may be given again.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter)]
    param: Vec<(String, String)>,
    /// Files, and folders with a trailing `/`, that it may change; all if none is given.
    #[arg(long, value_name = "PATH")]
    scope: Vec<String>,
    /// Show it the files of this folder instead of those of a commit.
    #[arg(long, value_name = "FOLDER", conflicts_with = "branch")]
    folder: Option<PathBuf>,
    /// Show it the newest commit of this branch instead of the target branch's.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a parameter is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What it is shown, and what has to stay as long as it is.
struct Base {
    commit: Oid,
    files: Arc<DirWorkspace>,
    _kept: Option<Files>,
}

fn base(shell: &Shell, law: &Law, args: &TrialArgs) -> Result<Base, Failure> {
    if let Some(folder) = &args.folder {
        let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(|error| {
            Failure::of("AB0004", error)
                .help(format!("{} cannot be opened as a folder", folder.display()))
                .exit(Exit::Usage)
        })?;
        let files = DirWorkspace::open(dir, law.policy.workspace.clone())
            .map_err(|error| Failure::of(error.code(), error))?;
        return Ok(Base { commit: Oid::zero(), files: Arc::new(files), _kept: None });
    }
    let known = repository::open(shell, args.at.repo.as_deref()).map_err(|failure| {
        failure.help("--folder FOLDER shows it the files of a folder, outside of any repository")
    })?;
    let branch = match &args.branch {
        Some(name) => {
            RefName::branch(name).map_err(|error| Failure::of("AB0300", error).exit(Exit::Usage))?
        }
        None => known.config()?.target,
    };
    let commit = known.repo.find(&branch).map_err(|error| Failure::of(error.code(), error))?;
    let commit = commit
        .ok_or_else(|| Failure::new("AB0315", format!("there is no branch `{branch}`")).exit(Exit::Usage))?;
    let (kept, files) = shown(&known.repo, &commit, &known.state.scratch()?, &law.policy)?;
    Ok(Base { commit, files: Arc::new(files), _kept: Some(kept) })
}

pub(super) fn run(shell: &Shell, args: &TrialArgs) -> Result<Exit, Failure> {
    let law = Law::around(shell, args.at.repo.as_deref())?;
    let (bytes, found) = component(&law, &args.what)?;
    let outlook = inspect::outlook(&law, &found);
    let limits = law.policy.limits.get(&outlook.limits).cloned().ok_or_else(|| {
        Failure::new("AB0831", format!("there are no limits called `{}`", outlook.limits)).exit(Exit::Gate)
    })?;
    let base = base(shell, &law, args)?;
    let processes = workshop::apart(&law.policy, shell.env.no_exec, law.state.as_ref())?;
    processes.load(&bytes).map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let request = RunRequest {
        component: found.digest.clone(),
        task: Task {
            id: "trial".to_owned(),
            recipe: args.recipe.clone(),
            parameters: args.param.iter().cloned().collect(),
            scope: args.scope.clone(),
            base: base.commit.clone(),
        },
        grants: Capability::ALL.into_iter().filter(|one| outlook.get.contains_key(one.name())).collect(),
        stubs: outlook.stubs.clone(),
        limits,
    };
    let outcome = {
        let _busy = shell.printer.busy(&args.recipe);
        processes.run_with(&request, &*base.files, &NoEgress)
    };
    Ok(tell(&shell.printer, &found.digest, &outcome))
}

fn tell(printer: &Printer, component: &Digest, outcome: &RunOutcome) -> Exit {
    for line in &outcome.log {
        let tone = match line.level {
            LogLevel::Debug | LogLevel::Info => Tone::Faint,
            LogLevel::Warn => Tone::Wait,
            LogLevel::Error => Tone::Bad,
        };
        printer.talk(&format!("{} {}", printer.paint(tone, "note"), safe_text::line(&line.text)));
    }
    let exit = match &outcome.result {
        RunResult::Proposed(proposal) => {
            change(printer, &proposal.patch);
            printer.line(&format!("because     {}", safe_text::line(&proposal.rationale)));
            printer.line(&format!("expects     {}", safe_text::line(&proposal.expected.summary)));
            Exit::Done
        }
        other @ (RunResult::Failed(_)
        | RunResult::Refused(_)
        | RunResult::Trapped(_)
        | RunResult::Rejected(_)) => {
            let code = other.code().map_or_else(String::new, |code| format!(" [{code}]"));
            printer.line(&format!(
                "{} {}{code}",
                printer.paint(Tone::Wait, "no change  "),
                safe_text::line(&told(other))
            ));
            Exit::Fault
        }
    };
    for (capability, usage) in &outcome.receipt.used {
        let denied = if usage.denied > 0 { format!(", {} refused", usage.denied) } else { String::new() };
        printer
            .line(&format!("used        {capability}: {} calls, {} bytes{denied}", usage.calls, usage.bytes));
    }
    let spent = &outcome.spent;
    printer.line(&format!(
        "took        {} ms, {} of memory",
        spent.wall_ms,
        inspect::size(spent.memory_bytes)
    ));
    printer.line("Nothing was written, and nothing was recorded.");
    printer.data(&json!({ "component": component, "outcome": outcome }));
    exit
}

/// The change as the worker wrote it; it was tried on the base.
fn change(printer: &Printer, patch: &PatchDoc) {
    for file in &patch.files {
        let from =
            file.old_path.as_ref().map_or_else(String::new, |old| format!("{} → ", safe_text::line(old)));
        let status = format!("{:?}", file.status).to_lowercase();
        printer.line(&format!("{status:<10}  {from}{}", safe_text::line(&file.path)));
        for line in file.hunks.iter().flat_map(|hunk| hunk.lines()) {
            let tone = match line.chars().next() {
                Some('+') => Tone::Good,
                Some('-') => Tone::Bad,
                _ => Tone::Faint,
            };
            printer.exact(&printer.paint(tone, &safe_text::block(line)));
        }
    }
}
