//! `ab kill` and `ab resume`: the kill switch, and the way on after it or after an interruption.

use std::sync::Arc;

use abide_core::event::Body;
use abide_core::id::{RunId, Seq};
use abide_core::spine::Deployment;
use abide_ledger::{Guard, Ledger};
use serde_json::json;

use super::Shell;
use super::args::{KillArgs, ResumeArgs};
use super::run::{Bench, conclude};
use crate::drive;
use crate::queue;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;

/// Pulls the switch first, with nothing in the way that could fail: neither the policy nor `ab.yml` is read before it is recorded.
pub(crate) fn kill(shell: &Shell, args: &KillArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let run = args.run.as_deref().map(parse).transpose()?;
    let body = Body::Killed { by: shell.env.actor.clone(), reason: args.reason.clone() };
    let seq = wiring::record(&ledger, run.as_ref(), &body, vec![], Guard::Free)?;
    let what = run.as_ref().map_or_else(|| "everything".to_owned(), |run| format!("run {run}"));
    shell.printer.line(&format!("halted {what} at log place {seq}; only the way back stays open"));
    let names = emptied(&ledger, shell, run.as_ref(), seq);
    if !names.is_empty() {
        let count = names.len();
        let items = if count == 1 { "1 item is".to_owned() } else { format!("{count} items are") };
        shell.printer.line(&format!("{items} gone from the queue for good: {}", names.join(", ")));
    }
    let back = take_ways_back(shell, args)?;
    shell.printer.line("next: ab show · ab resume --reason WHY");
    shell.printer.data(&json!({ "halted": run, "seq": seq.0, "rolled_back": back }));
    Ok(Exit::Done)
}

/// What left the queue by the kill at `seq`. Told for comfort: where it cannot be read, nothing is told.
fn emptied(ledger: &Arc<Ledger>, shell: &Shell, run: Option<&RunId>, seq: Seq) -> Vec<String> {
    let log = wiring::log(Arc::clone(ledger), shell.env.drill);
    let items = queue::items_before(&log, Some(seq)).unwrap_or_default();
    let gone = items.into_iter().filter(|item| run.is_none_or(|run| item.run.id == *run));
    gone.map(|item| item.name).collect()
}

/// Canaries of halted runs go back now; a run that is still in its process does so by itself and finds it done.
fn take_ways_back(shell: &Shell, args: &KillArgs) -> Result<Vec<RunId>, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let mut back = Vec::new();
    for id in runs(&bench)? {
        let run = drive::fold(&id, &bench.desk.history(&id)?)?;
        if run.halted && matches!(run.deployment, Deployment::Canary(_)) {
            bench.carry_on(shell, &id)?;
            back.push(id);
        }
    }
    Ok(back)
}

pub(crate) fn runs(bench: &Bench) -> Result<Vec<RunId>, Failure> {
    let started = bench.desk.of_kinds(&["RunStarted"])?;
    Ok(started.into_iter().filter_map(|(_, event)| event.run).collect())
}

pub(crate) fn resume(shell: &Shell, args: &ResumeArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    if let Some(run) = &args.run {
        let run = bench.carry_on(shell, &parse(run)?)?;
        return Ok(conclude(shell, &bench.desk, &run));
    }
    let body = Body::Resumed { by: shell.env.actor.clone(), reason: args.reason.clone() };
    let seq = bench.desk.record(None, &body, vec![])?;
    shell.printer.line(&format!(
        "the gate is open again since log place {seq}; halted runs stay halted, start new ones"
    ));
    shell.printer.data(&json!({ "resumed": true, "seq": seq.0 }));
    Ok(Exit::Done)
}

pub(crate) fn parse(run: &str) -> Result<RunId, Failure> {
    run.parse()
        .map_err(|error| Failure::of("AB0032", error).help("ab show names the last run").exit(Exit::Usage))
}
