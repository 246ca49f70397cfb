//! `ab replay`: the workers of a run once more, from what was recorded; and what another component would have done.
//!
//! A worker has no clock and no chance, so the same bytes with the same task, limits and answers do the same. Where they do not, something is
//! other than it was: the component, the engine, or what lies beside the log.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events and results out of many; the spine matches all events"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use abide_core::event::{Body, DecisionRecorded, Event, TaskRan};
use abide_core::id::{RunId, Seq};
use abide_core::safe_text;
use abide_sandbox::{
    Execution, NoEgress, PatchDoc, Recorded, Refusal, RunOutcome, RunRequest, RunResult, Transcript, TrapKind,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::Shell;
use super::args::ReplayArgs;
use super::kill::{parse, runs};
use super::printer::Tone;
use super::run::Bench;
use crate::drive::work::{shown, told};
use crate::report::{Exit, Failure};
use crate::workers::{BYTES_MAX, read_file};
use crate::workshop::{Worker, Workshop};

/// Differences that are named of one thing.
const NAMED_MAX: usize = 8;

/// What came of one task or decision.
#[derive(Debug, Serialize)]
struct Again {
    seq: u64,
    what: String,
    /// Empty where it is as it was.
    differs: Vec<String>,
    /// Why it was not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
}

pub(crate) fn run(shell: &Shell, args: &ReplayArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    if let Some(file) = &args.worker {
        let bytes = read_file(file, BYTES_MAX.min(bench.desk.policy.engine.component_bytes_max))?;
        let name = file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        return other(shell, &bench, args, &Workshop::candidate(&safe_text::line(&name), bytes));
    }
    let run = match &args.run {
        Some(run) => parse(run)?,
        None => runs(&bench)?.pop().ok_or_else(|| Failure::new("AB0032", "no run yet").exit(Exit::Usage))?,
    };
    let history = bench.desk.history(&run)?;
    if history.is_empty() {
        return Err(Failure::new("AB0032", format!("there is no run {run}")).exit(Exit::Usage));
    }
    let mut all = Vec::new();
    for (seq, ran) in tasks(&history) {
        all.push(task_again(&bench, seq, ran)?);
    }
    all.extend(history.iter().filter_map(|(seq, event)| {
        let Body::DecisionRecorded(record) = &event.body else { return None };
        Some(decision_again(&bench, *seq, record))
    }));
    all.sort_by_key(|again| again.seq);
    Ok(tell(shell, &run, &all))
}

fn tasks(history: &[(Seq, Event)]) -> impl Iterator<Item = (Seq, &TaskRan)> {
    history.iter().filter_map(|(seq, event)| match &event.body {
        Body::TaskRan(ran) => Some((*seq, &**ran)),
        _ => None,
    })
}

fn transcript(bench: &Bench, ran: &TaskRan) -> Result<Transcript, Failure> {
    Transcript::unpack(&bench.desk.payload(&ran.transcript)?).map_err(|error| {
        Failure::new("AB0873", format!("the transcript {} cannot be used: {error}", ran.transcript.short()))
            .help("it lies beside the log under its digest: ab verify says whether the log is whole")
            .exit(Exit::Evidence)
    })
}

/// One task from its transcript.
fn task_again(bench: &Bench, seq: Seq, ran: &TaskRan) -> Result<Again, Failure> {
    let transcript = transcript(bench, ran)?;
    let what = format!("{} {} by {}", ran.unit, transcript.request.task.recipe, ran.component.short());
    let again = |differs, skipped| Again { seq: seq.0, what: what.clone(), differs, skipped };
    if let Some(why) = not_repeatable(&transcript) {
        return Ok(again(Vec::new(), Some(why)));
    }
    let Some(worker) = bench.workshop.of_digest(&ran.component) else {
        let why = format!("the component {} is not here any more [AB0871]", ran.component.short());
        return Ok(again(Vec::new(), Some(why)));
    };
    bench.workshop.requests(&worker)?;
    let recorded = Arc::new(Recorded::of(&transcript));
    let outcome = bench.workshop.run(&transcript.request, recorded.clone(), &*recorded)?;
    if let Some(code) = not_run_here(&outcome.result) {
        return Err(Failure::new(code, format!("{what} could not be run here: {}", told(&outcome.result))));
    }
    let mut differs = Vec::new();
    if let Some(departure) = recorded.departure() {
        let then = departure.recorded.map_or_else(|| "nothing more".to_owned(), |then| line(&then));
        differs.push(format!(
            "after {} questions that were the same it asked {} and not {then}",
            departure.after,
            line(&departure.asked)
        ));
    } else if recorded.left() > 0 {
        differs.push(format!("it did not ask {} of the questions that it asked then", recorded.left()));
    }
    compare(&comparable(transcript.outcome), &comparable(outcome), &mut differs)?;
    Ok(again(differs, None))
}

/// Why a task cannot be expected to do the same.
fn not_repeatable(transcript: &Transcript) -> Option<String> {
    if !transcript.complete {
        return Some("it was answered more than is kept of one task".to_owned());
    }
    match &transcript.outcome.result {
        RunResult::Trapped(trap) if trap.kind == TrapKind::Deadline => {
            Some("it was ended by the clock, which is not repeated".to_owned())
        }
        RunResult::Trapped(trap) if trap.kind == TrapKind::Runner => {
            Some("its runner died, which is not repeated".to_owned())
        }
        _ => None,
    }
}

/// The code of what this host could not do, where that is why there is no outcome.
fn not_run_here(result: &RunResult) -> Option<&'static str> {
    match result {
        RunResult::Refused(refusal @ (Refusal::Wall { .. } | Refusal::Busy)) => Some(refusal.code()),
        RunResult::Trapped(trap) if trap.kind == TrapKind::Runner => Some(trap.kind.code()),
        _ => None,
    }
}

/// The outcome without what no two runs have in common.
fn comparable(mut outcome: RunOutcome) -> RunOutcome {
    outcome.spent.wall_ms = 0;
    // Interpreted or not, it comes out the same.
    outcome.execution = Execution::Native;
    outcome
}

/// One decision from its input and its policy, both as they lie beside the log.
fn decision_again(bench: &Bench, seq: Seq, record: &DecisionRecorded) -> Again {
    let what = format!("d{seq} {} {}", record.class, record.kind);
    let judged = || -> Result<Vec<String>, Failure> {
        let then: Value = bench.desk.value(&record.digest)?;
        let engine = then.get("engine").and_then(Value::as_str).unwrap_or_default();
        let (bundle, input) = (bench.desk.payload(&record.bundle)?, bench.desk.payload(&record.input)?);
        let now = abide_gate::recompute(&bundle, &input, engine)
            .map_err(|error| Failure::of(error.code(), error))?;
        let mut differs = Vec::new();
        let now: Value = serde_json::from_slice(&now).map_err(|error| Failure::of("AB0124", error))?;
        named(&then, &now, "", &mut differs);
        Ok(differs)
    };
    match judged() {
        Ok(differs) => Again { seq: seq.0, what, differs, skipped: None },
        Err(failure) => {
            let differs = vec![format!("{} [{}]", failure.what, failure.code)];
            Again { seq: seq.0, what, differs, skipped: None }
        }
    }
}

fn compare(then: &RunOutcome, now: &RunOutcome, differs: &mut Vec<String>) -> Result<(), Failure> {
    let value =
        |outcome: &RunOutcome| serde_json::to_value(outcome).map_err(|error| Failure::of("AB0124", error));
    named(&value(then)?, &value(now)?, "", differs);
    Ok(())
}

/// Names the places where two values differ, the first few of them.
fn named(then: &Value, now: &Value, place: &str, found: &mut Vec<String>) {
    if then == now || found.len() >= NAMED_MAX {
        return;
    }
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                named(&of(then), &of(now), &format!("{place}/{key}"), found);
            }
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            for (at, (then, now)) in then.iter().zip(now).enumerate() {
                named(then, now, &format!("{place}/{at}"), found);
            }
        }
        _ => found.push(format!("{place} was {} and is {}", line(then), line(now))),
    }
}

/// Characters of a value that is named in a line.
const SHOWN_MAX: usize = 120;

fn line(value: &impl Serialize) -> String {
    let text = safe_text::line(&serde_json::to_string(value).unwrap_or_default());
    let short: String = text.chars().take(SHOWN_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { text }
}

fn tell(shell: &Shell, run: &RunId, all: &[Again]) -> Exit {
    let printer = &shell.printer;
    for again in all {
        let (tone, mark, tail) = match &again.skipped {
            Some(why) => (Tone::Wait, "–", format!(": not compared, {why}")),
            None if again.differs.is_empty() => (Tone::Good, "✓", String::new()),
            None => (Tone::Bad, "✗", ": differs".to_owned()),
        };
        printer.line(&format!("{} {}{tail}", printer.paint(tone, mark), again.what));
        for difference in &again.differs {
            printer.line(&format!("    {difference}"));
        }
    }
    let differs = all.iter().filter(|again| !again.differs.is_empty()).count();
    let skipped = all.iter().filter(|again| again.skipped.is_some()).count();
    let same = all.len().saturating_sub(differs).saturating_sub(skipped);
    let decisions = all.iter().filter(|again| again.what.starts_with('d')).count();
    let tasks = all.len().saturating_sub(decisions);
    printer.line(&format!(
        "Replay of {run}: {tasks} tasks, {decisions} decisions: {same} the same, {differs} differ, {skipped} not compared"
    ));
    if differs > 0 {
        printer.line("next: ab explain AB0872 · ab verify");
    }
    printer.data(&json!({ "run": run, "same": same, "differ": differs, "skipped": skipped, "again": all }));
    if differs > 0 { Exit::Evidence } else { Exit::Done }
}

/// What one past task would have been with another component.
#[derive(Debug, Serialize)]
struct Trial {
    run: String,
    unit: String,
    recipe: String,
    /// `same`, `other patch`, or how it came out then and now.
    verdict: String,
    then: String,
    now: String,
}

/// Past tasks with another component, on the commits that they were for, with the grants and limits that they had.
fn other(shell: &Shell, bench: &Bench, args: &ReplayArgs, worker: &Worker) -> Result<Exit, Failure> {
    let all = match &args.run {
        Some(run) => bench.desk.history(&parse(run)?)?,
        None => bench.desk.of_kinds(&["TaskRan"])?,
    };
    let asked: Vec<(&Event, &TaskRan)> = all
        .iter()
        .filter_map(|(_, event)| match &event.body {
            Body::TaskRan(ran) => Some((event, &**ran)),
            _ => None,
        })
        .collect();
    if asked.is_empty() {
        return Err(Failure::new("AB0870", "no task was recorded that could be tried")
            .help("ab run records each task; those of older versions have no transcript")
            .exit(Exit::Usage));
    }
    let requests = bench
        .workshop
        .requests(worker)
        .map_err(|failure| failure.help("ab worker inspect FILE says what a file is").exit(Exit::Usage))?;
    let list: Vec<&str> = requests.iter().map(String::as_str).collect();
    shell.printer.line(&format!("{} {} asks for {}", worker.name, worker.digest.short(), list.join(", ")));
    let scratch = bench.known.state.scratch()?;
    let mut trials = Vec::new();
    for (event, ran) in asked.into_iter().rev().take(args.last) {
        let transcript = transcript(bench, ran)?;
        let request = RunRequest { component: worker.digest.clone(), ..transcript.request };
        let (then, now) = match shown(&bench.known.repo, &request.task.base, &scratch, &bench.desk.policy) {
            Ok((_files, view)) => {
                // Nothing is asked of the network for a trial: a request could do what cannot be undone.
                let outcome = bench.workshop.run(&request, Arc::new(view), &NoEgress)?;
                (transcript.outcome.result, Some(outcome.result))
            }
            Err(_) => (transcript.outcome.result, None),
        };
        let run = event.run.as_ref().map(ToString::to_string).unwrap_or_default();
        let verdict = now.as_ref().map_or("its commit is not here any more", |now| compared(&then, now));
        trials.push(Trial {
            run,
            unit: ran.unit.clone(),
            recipe: request.task.recipe.clone(),
            verdict: verdict.to_owned(),
            then: summary(&then),
            now: now.as_ref().map_or_else(|| "not tried".to_owned(), summary),
        });
    }
    tell_trials(shell, &trials);
    Ok(Exit::Done)
}

fn compared(then: &RunResult, now: &RunResult) -> &'static str {
    match (then, now) {
        (RunResult::Proposed(then), RunResult::Proposed(now)) if then.patch == now.patch => "same patch",
        (RunResult::Proposed(_), RunResult::Proposed(_)) => "other patch",
        (RunResult::Proposed(_), _) => "no patch any more",
        (_, RunResult::Proposed(_)) => "a patch now",
        (then, now) if then.word() == now.word() && then.code() == now.code() => "no patch, as then",
        _ => "no patch, for another reason",
    }
}

fn summary(result: &RunResult) -> String {
    match result {
        RunResult::Proposed(proposal) => patch_summary(&proposal.patch),
        other => match other.code() {
            Some(code) => format!("{} [{code}]", safe_text::line(&told(other))),
            None => safe_text::line(&told(other)),
        },
    }
}

/// Files and lines of a patch.
fn patch_summary(patch: &PatchDoc) -> String {
    let lines = |mark: char| {
        let hunks = patch.files.iter().flat_map(|file| &file.hunks);
        hunks.flat_map(|hunk| hunk.lines().skip(1)).filter(|line| line.starts_with(mark)).count()
    };
    let names: Vec<String> = patch.files.iter().take(3).map(|file| safe_text::line(&file.path)).collect();
    let more = patch.files.len().saturating_sub(names.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more} +{} −{}", names.join(", "), lines('+'), lines('-'))
}

fn tell_trials(shell: &Shell, trials: &[Trial]) {
    let printer = &shell.printer;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for trial in trials {
        let count = counts.entry(&trial.verdict).or_default();
        *count = count.saturating_add(1);
        let is_same = ["same patch", "no patch, as then"].contains(&trial.verdict.as_str());
        let tone = if is_same { Tone::Good } else { Tone::Wait };
        let what = format!("{} {} {}", trial.run, trial.unit, trial.recipe);
        printer.line(&format!("{} {what}", printer.paint(tone, &trial.verdict)));
        if is_same {
            continue;
        }
        printer.line(&format!("    then {}", trial.then));
        printer.line(&format!("    now  {}", trial.now));
    }
    let told: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    printer.line(&format!("{} past tasks: {}. Nothing was written.", trials.len(), told.join(" · ")));
    printer.data(&json!({ "tasks": trials }));
}
