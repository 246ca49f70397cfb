//! `ab show`: a run, a queue item as a ten-second card, or a decision with every reason.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

mod diff;
mod pages;

use abide_core::action::Robots;
use abide_core::decision::Decision;
use abide_core::event::{Body, DecisionRecorded, EgressRow, Event, PagesSeen};
use abide_core::facts::Facts;
use abide_core::id::{Digest, Seq};
use abide_core::input::PolicyInput;
use abide_core::safe_text;
use abide_core::spine::Run;
use abide_sandbox::message::Usage;
use abide_sandbox::{CapabilityReceipt, RunOutcome, RunResult};
use serde_json::json;

use super::Shell;
use super::args::ShowArgs;
use super::kill::{parse, runs};
use super::printer::{Printer, Tone};
use super::run::Bench;
use crate::approvers;
use crate::desk::Log;
use crate::drive::{self, work};
use crate::layers;
use crate::queue::{self, Item, ago};
use crate::report::{Exit, Failure};
use crate::story::{Story, summary};

/// Lines of what a worker says that are on the card. Nothing else may be pushed out of sight by them.
const SAID: usize = 12;
/// How a task ended that has something to say for itself.
const PROPOSED: &str = "proposed";
/// With how many approved changes a new one is compared.
const COMPARED: usize = 20;

pub(crate) fn run(shell: &Shell, args: &ShowArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let what = match &args.what {
        Some(what) => what.clone(),
        None => runs(&bench)?.pop().map(|run| run.to_string()).ok_or_else(|| {
            Failure::new("AB0032", "no run yet")
                .help("ab run --ticket \"Repair links in docs/\"")
                .exit(Exit::Usage)
        })?,
    };
    let place = |prefix: char| what.strip_prefix(prefix).and_then(|rest| rest.parse::<u64>().ok());
    match (place('q'), place('d')) {
        (Some(_), _) => card(shell, &bench, &queue::find(&bench.desk, &what)?, args),
        (None, Some(seq)) => decision(shell, &bench, Seq(seq), args),
        (None, None) if args.diff => Err(Failure::new("AB0046", "which change? a run may make several")
            .help("ab show q… --diff, or ab show d… --diff; ab show lists them")
            .exit(Exit::Usage)),
        (None, None) => match &args.html {
            Some(file) => pages::write(shell, &bench, &what, file),
            None => story(shell, &bench, &what),
        },
    }
}

/// The ten-second card. Nothing on it is cut but the worker's own words.
fn card(shell: &Shell, bench: &Bench, item: &Item, args: &ShowArgs) -> Result<Exit, Failure> {
    let (printer, desk) = (&shell.printer, &bench.desk);
    let decision: Decision = desk.value(&item.record.digest)?;
    let input: PolicyInput = desk.value(&item.record.input)?;
    let now = desk.now().0;
    let row = |name: &str, text: &str| printer.line(&format!("{name:<16} {text}"));
    printer.line(&format!("{} {}", item.class.as_str(), object(&bench.desk, item)?));
    row("waits", &format!("{}, {}", ago(now.saturating_sub(item.since)), item.left(now)));
    let moved = item.moved(&bench.known.head(&item.run.started.target)?);
    if let (Some(from), Some(to)) = (item.base(), &moved) {
        let target = item.run.started.target.short();
        row(
            "target",
            &format!(
                "{target} went from {} to {} since: approving starts the unit again",
                from.short(),
                to.short()
            ),
        );
    }
    asked_for(printer, &input);
    for (number, finding) in decision.findings.iter().enumerate() {
        let place =
            finding.path.as_ref().map(|path| format!(" ({})", safe_text::line(path))).unwrap_or_default();
        row(
            if number == 0 { "why it stopped" } else { "" },
            &format!("{}: {}{place}", finding.rule, safe_text::line(&finding.msg)),
        );
    }
    if let Some(facts) = &input.facts {
        row("unusual", &unusual(bench, facts)?);
        row("blast radius", &blast_radius(facts, &input));
    }
    let undo = if input.rollback.rehearsed { "rehearsed clean" } else { "not rehearsed" };
    row("undo", &format!("{}, {undo}", input.rollback.kind));
    row("by", &by(bench, item, &input)?);
    if let Some(outcome) = proposed(bench, item)? {
        let said = safe_text::block(&says(&outcome.result));
        for (number, line) in said.lines().take(SAID).enumerate() {
            row(if number == 0 { "says" } else { "" }, line);
        }
        if let Some(more @ 1..) = said.lines().count().checked_sub(SAID) {
            row("", &format!("and {more} more lines: ab show {}", item.run.id));
        }
    }
    row("cost", &format!("0 tokens · risk {} ({})", input.risk.score, input.risk.band));
    row("digest", item.action.as_str());
    row("who may decide", &approvers::told(&decision, &input));
    if bench.walls.single_user() {
        row(
            "",
            &printer.paint(Tone::Wait, "single user: approvals are advisory against code running as you"),
        );
    }
    if args.diff {
        diff::show(shell, bench, &item.record)?;
    }
    if args.trace {
        trace(shell, bench, &item.record)?;
    }
    if item.is_expired(now) {
        let again = queue::again(&bench.desk, &item.run)?;
        printer.line(&format!("next: {again} · ab deny {} --reason expired", item.name));
    } else {
        printer.line(&format!(
            "next: ab approve {0} · ab deny {0} --reason WHY · ab show {0} --diff",
            item.name
        ));
    }
    printer.data(&json!({ "item": item.name, "run": item.run.id, "class": item.class, "action": item.action, "decision": decision, "input": input }));
    Ok(Exit::Done)
}

/// What the action is about, in one line.
pub(crate) fn object(log: &Log, item: &Item) -> Result<String, Failure> {
    let input: PolicyInput = log.value(&item.record.input)?;
    let target = input
        .action
        .target
        .branch
        .as_ref()
        .map(|branch| branch.short().to_owned())
        .or(input.action.target.environment);
    let to = target.map(|target| format!(" → {target}")).unwrap_or_default();
    let what = input.facts.as_ref().map_or_else(|| item.record.kind.clone(), summary);
    Ok(format!("{what}{to}   {}", input.action.target.repo))
}

/// What is asked for by name, and as whom.
fn asked_for(printer: &Printer, input: &PolicyInput) {
    let row = |name: &str, text: &str| printer.line(&format!("{name:<16} {}", safe_text::line(text)));
    for (number, request) in input.action.requests.iter().enumerate() {
        row(if number == 0 { "asks for" } else { "" }, request);
    }
    if let Some(manners) = &input.action.manners {
        let robots = match manners.robots {
            Robots::Obey => "robots.txt is obeyed".to_owned(),
            Robots::Ignore => {
                format!(
                    "robots.txt is IGNORED: {}",
                    manners.reason.as_deref().unwrap_or("no reason is given")
                )
            }
        };
        row("as", &format!("{} ({}); {robots}", manners.purpose, manners.contact));
    }
    if let Some(source) = &input.action.source {
        let to = source.to.map(|to| format!(" → {}", to.as_str())).unwrap_or_default();
        row("source", &format!("{}: {}{to}", source.name, source.state.as_str()));
        row("licence", source.licence.as_deref().unwrap_or("nobody said"));
        let terms = source.terms.as_ref().map(crate::sources::page::terms);
        row("terms", terms.as_deref().unwrap_or("nobody has read them"));
        let shown = source.record.as_ref().map(crate::sources::page::rows).unwrap_or_default();
        let shown: Vec<String> =
            shown.into_iter().map(|(name, value, _)| format!("{name} {value}")).collect();
        if !shown.is_empty() {
            row("has shown", &shown.join(", "));
        }
    }
}

/// Top folders that none of the last approved changes touched.
fn unusual(bench: &Bench, facts: &Facts) -> Result<String, Failure> {
    let known = approved_folders(bench)?;
    if known.1 == 0 {
        return Ok("nothing was approved before, so there is nothing to compare with".to_owned());
    }
    let mut new: Vec<String> = facts
        .files
        .iter()
        .map(|file| folder(&file.path))
        .filter(|folder| !known.0.contains(folder))
        .collect();
    new.sort();
    new.dedup();
    Ok(match new.as_slice() {
        [] => format!("nothing: the last {} approved touched the same places", known.1),
        new => format!("touches {} — none of the last {} approved did", new.join(", "), known.1),
    })
}

fn approved_folders(bench: &Bench) -> Result<(std::collections::BTreeSet<String>, usize), Failure> {
    let events = bench.desk.all()?;
    let approved: Vec<&Digest> = events
        .iter()
        .filter_map(|(_, event)| match &event.body {
            Body::Approved { action, .. } => Some(action),
            _ => None,
        })
        .collect();
    let records = events.iter().rev().filter_map(|(_, event)| match &event.body {
        Body::DecisionRecorded(record) if record.verdict == abide_core::decision::Verdict::Allow => {
            Some(record)
        }
        _ => None,
    });
    let mut folders = std::collections::BTreeSet::new();
    let mut count = 0_usize;
    for record in records {
        if count == COMPARED {
            break;
        }
        let input: PolicyInput = bench.desk.value(&record.input)?;
        if approved.contains(&&input.action.digest) {
            count = count.saturating_add(1);
            folders.extend(input.facts.iter().flat_map(|facts| &facts.files).map(|file| folder(&file.path)));
        }
    }
    Ok((folders, count))
}

fn folder(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    parts.truncate(2);
    if parts.is_empty() {
        "the top folder".to_owned()
    } else {
        safe_text::line(&format!("{}/", parts.join("/")))
    }
}

fn blast_radius(facts: &Facts, input: &PolicyInput) -> String {
    let totals = &facts.totals;
    let zones = if facts.zones.is_empty() {
        "no protected zone".to_owned()
    } else {
        format!("zones: {}", facts.zones.join(", "))
    };
    let passed = input.checks.iter().filter(|check| check.outcome == "passed").count();
    let checks = match input.checks.len() {
        0 => "no checks".to_owned(),
        all => format!("checks: {passed} of {all} passed"),
    };
    let files = if totals.files == 1 { "1 file".to_owned() } else { format!("{} files", totals.files) };
    format!(
        "{files}, +{} −{}, {} binaries, {zones}, {checks}, tests removed: {}",
        totals.added, totals.removed, totals.binaries, facts.tests.removed
    )
}

/// What the worker of this unit proposed last, if one did.
fn proposed(bench: &Bench, item: &Item) -> Result<Option<RunOutcome>, Failure> {
    let history = bench.desk.history(&item.run.id)?;
    let receipt = history.iter().rev().find_map(|(_, event)| match &event.body {
        Body::PatchProposed { unit, receipt, .. } if Some(unit) == item.unit.as_ref() => {
            Some(receipt.clone())
        }
        _ => None,
    });
    receipt.map(|receipt| bench.desk.value(&receipt)).transpose()
}

/// What came of a task in the worker's own words, which nobody has checked.
fn says(result: &RunResult) -> String {
    match result {
        RunResult::Proposed(proposal) => proposal.rationale.clone(),
        other => work::told(other),
    }
}

/// Who made it and what it used, from the capability receipt.
fn by(bench: &Bench, item: &Item, input: &PolicyInput) -> Result<String, Failure> {
    let who = input.subject.component.as_ref().map_or_else(
        || input.subject.id.clone(),
        |digest| format!("{}@{}", input.subject.id, digest.short()),
    );
    let Some(outcome) = proposed(bench, item)? else { return Ok(who) };
    let used: Vec<_> = outcome
        .receipt
        .used
        .iter()
        .map(|(capability, usage)| format!("{capability} {} calls", usage.calls))
        .chain(stubs(&outcome.receipt))
        .collect();
    Ok(format!("{who} used: {}", if used.is_empty() { "nothing".to_owned() } else { used.join(", ") }))
}

/// Calls of interfaces with nothing behind them, if there were any.
fn stubs(receipt: &CapabilityReceipt) -> Option<String> {
    let sum =
        |of: fn(&Usage) -> u64| receipt.stubs.values().fold(0_u64, |sum, one| sum.saturating_add(of(one)));
    let (served, denied) = (sum(|one| one.calls), sum(|one| one.denied));
    let calls = served.saturating_add(denied);
    (calls > 0).then(|| format!("stubs of WASI {calls} calls ({denied} failed)"))
}

fn decision(shell: &Shell, bench: &Bench, seq: Seq, args: &ShowArgs) -> Result<Exit, Failure> {
    let events = bench.desk.all()?;
    let record = events.iter().find_map(|(at, event)| match &event.body {
        Body::DecisionRecorded(record) if *at == seq => Some(record),
        _ => None,
    });
    let Some(record) = record else {
        return Err(Failure::new("AB0044", format!("there is no decision at log place {seq}"))
            .help("ab show RUN lists a run's decisions")
            .exit(Exit::Usage));
    };
    let decision: Decision = bench.desk.value(&record.digest)?;
    shell.printer.line(&format!("d{seq} {} {} → {}", record.class, record.kind, decision.verdict.as_str()));
    Story { printer: &shell.printer }.reasons(&decision, usize::MAX);
    shell
        .printer
        .line(&format!("action {}\ninput  {}\nbundle {}", decision.action, decision.input, decision.bundle));
    if args.diff {
        diff::show(shell, bench, record)?;
    }
    if args.trace {
        trace(shell, bench, record)?;
    }
    let input: serde_json::Value = bench.desk.value(&record.input)?;
    shell.printer.data(&json!({ "seq": seq.0, "decision": decision, "input": input }));
    Ok(Exit::Done)
}

/// What a task saw of the web.
fn looked(pages: &PagesSeen) -> String {
    let (looked, refused) = (pages.looked.0, pages.refused.0);
    format!(", looked at pages {looked} times, {refused} of their requests refused (ab show --html FILE)")
}

/// Everything that the policy was told.
fn trace(shell: &Shell, bench: &Bench, record: &DecisionRecorded) -> Result<(), Failure> {
    let input: serde_json::Value = bench.desk.value(&record.input)?;
    let text = serde_json::to_string_pretty(&input).map_err(|error| Failure::of("AB0124", error))?;
    shell.printer.exact(&safe_text::block(&text));
    Ok(())
}

/// One run, beat by beat.
fn story(shell: &Shell, bench: &Bench, what: &str) -> Result<Exit, Failure> {
    let id = parse(what)?;
    let history = bench.desk.history(&id)?;
    let run = drive::fold(&id, &history)?;
    let started = &run.started;
    shell.printer.line(&format!(
        "run {id}  {} → {}  {} · {}",
        started.repo,
        started.target.short(),
        started.profile,
        safe_text::line(&started.reason)
    ));
    let layer = layers::run::of(&bench.desk.ledger, started);
    if let (Some(digest), Ok(files)) = (&started.tighten, &layer) {
        shell.printer.line(&format!("tightened for this run alone (sha256:{}…):", digest.short()));
        for line in safe_text::block(&layers::run::text(files)).lines() {
            shell.printer.line(&format!("  {line}"));
        }
    } else if let Err(failure) = &layer {
        shell.printer.line(&format!("! {} [{}]", failure.what, failure.code));
    }
    for (seq, event) in history.iter().filter(|(_, event)| event.run.as_ref() == Some(&id)) {
        if let Some(text) = told(event) {
            // Only what can be asked for as a decision is called one.
            let is_decision = matches!(event.body, Body::DecisionRecorded(_));
            let place = if is_decision { format!("d{seq}") } else { seq.to_string() };
            shell.printer.line(&format!("{place:>6}  {text}"));
        }
        if let Body::TaskRan(ran) = &event.body
            && ran.result == PROPOSED
        {
            let outcome: RunOutcome = bench.desk.value(&ran.receipt)?;
            for line in safe_text::block(&says(&outcome.result)).lines() {
                shell.printer.line(&format!("        │ {line}"));
            }
        }
    }
    shell.printer.line(&format!("next: {}", next(bench, &run)?));
    let events: Vec<_> = history.iter().map(|(seq, event)| json!({ "seq": seq.0, "event": event })).collect();
    shell.printer.data(&json!({ "run": id, "events": events }));
    Ok(Exit::Done)
}

fn next(bench: &Bench, run: &Run) -> Result<String, Failure> {
    if run.halted {
        // Nothing of a halted run can be approved any more.
        let again = queue::again(&bench.desk, run)?;
        let open = if bench.desk.halt(&run.id)?.halted { "ab resume --reason WHY · then " } else { "" };
        return Ok(format!("the run was halted for good: {open}{again}"));
    }
    Ok(match run.waiting.values().next() {
        Some(waiting) => format!("ab show {0} · ab approve {0}", waiting.item),
        None => format!("ab packet {} · ab verify", run.id),
    })
}

/// One event in few words; `None` for those that a reader need not see.
#[expect(clippy::too_many_lines, reason = "one arm for each event")]
pub(super) fn told(event: &Event) -> Option<String> {
    let text = match &event.body {
        Body::DecisionRecorded(record) => {
            let rules = if record.rules.is_empty() {
                String::new()
            } else {
                format!(" ({})", record.rules.join(", "))
            };
            format!("{} {} → {}{rules}", record.class, record.kind, record.verdict.as_str())
        }
        Body::TaskRan(ran) => format!("{} ran ({})", ran.unit, ran.result),
        Body::PatchProposed { unit, patch, .. } => format!("{unit} proposed patch {}", patch.short()),
        Body::CommitProposed { unit, commit, by, .. } => {
            format!("{unit} offered {} by {}", commit.short(), safe_text::line(by))
        }
        Body::WorkerFailed { unit, code, why, .. } | Body::PatchRefused { unit, code, why } => {
            format!("{unit} failed [{code}] {}", safe_text::line(why))
        }
        Body::EgressUsed(used) => {
            let sum = |count: fn(&EgressRow) -> u64| used.rows.iter().map(count).fold(0, u64::saturating_add);
            let (asked, stopped) = (sum(|row| row.requests.0), sum(|row| row.stopped.0));
            let check = used.check.as_ref().map(|name| format!(" check {}", safe_text::line(name)));
            let (lease, check) = (safe_text::line(&used.lease), check.unwrap_or_default());
            format!(
                "{}{check} asked the network {asked} times, {stopped} stopped (lease {lease}, archive {}){}",
                used.unit,
                used.archive.short(),
                used.pages.as_ref().map(looked).unwrap_or_default()
            )
        }
        Body::NothingToDo { unit, why, .. } => format!("{unit} needs nothing: {}", safe_text::line(why)),
        Body::PatchCommitted { unit, commit, branch, .. } => {
            format!("{unit} committed {} on {}", commit.short(), branch.short())
        }
        Body::ChecksFinished { unit, results, .. } if results.is_empty() => format!("{unit} has no checks"),
        Body::ChecksFinished { unit, passed, results, .. } => {
            format!("{unit} checks {} of {}", if *passed { "passed" } else { "failed" }, results.len())
        }
        Body::RollbackRehearsed { unit, clean, .. } => {
            format!("{unit} way back {}", if *clean { "rehearsed clean" } else { "does not come out clean" })
        }
        Body::ReviewRequested { item, why, .. } => format!("waits as {item} ({why})"),
        Body::Approved { item, by, role, .. } => {
            format!("{item} approved by {} as {}", safe_text::line(by), safe_text::line(role))
        }
        Body::Refused { item, by, reason } => {
            format!("{item} refused by {}: {}", safe_text::line(by), safe_text::line(reason))
        }
        Body::TargetMoved { unit, found, .. } => {
            format!("{unit} starts again: the target went to {}", found.short())
        }
        Body::Merged { name, old, new, .. } => format!("{} {} → {}", name.short(), old.short(), new.short()),
        Body::Reverted { name, undoes, new, .. } => {
            format!("{} undid {} in {}", name.short(), undoes.short(), new.short())
        }
        Body::CanaryStarted { environment, release, .. } => format!("{environment} canary {release}"),
        Body::CanaryObserved { outcome, detail, .. } => {
            format!("canary {outcome} {}", safe_text::line(detail))
        }
        Body::Promoted { environment, release, .. } => format!("{environment} promoted {release}"),
        Body::RolledBack { environment, from, to, .. } => {
            format!("{environment} back from {from} to {}", to.as_ref().map_or("nothing", |to| to.as_str()))
        }
        Body::SourceSampled(sample) => {
            let why = sample.why.as_ref().map(|why| format!(": {}", safe_text::line(why)));
            let (source, why) = (safe_text::line(&sample.source), why.unwrap_or_default());
            format!("source {source} {}, {} records{why}", safe_text::line(&sample.outcome), sample.count.0)
        }
        Body::SourcePromoted(promoted) => {
            format!("source {} is {}", safe_text::line(&promoted.source), promoted.to.as_str())
        }
        Body::SourceDemoted(demoted) => {
            let why = safe_text::line(&demoted.reasons.join("; "));
            format!(
                "source {} demoted by {}: {why}",
                safe_text::line(&demoted.source),
                safe_text::line(&demoted.by)
            )
        }
        Body::UnitDenied { unit, rule, .. } => format!("{unit} ended by {rule}"),
        Body::DeployDenied { rule, .. } => format!("deployment ended by {rule}"),
        Body::Killed { by, reason } => {
            format!("killed by {}: {}", safe_text::line(by), safe_text::line(reason))
        }
        Body::RunFinished { outcome, .. } => format!("finished: {outcome}"),
        Body::LogCreated { .. }
        | Body::RunStarted(_)
        | Body::PlanAdopted { .. }
        | Body::RefMoveAllowed { .. }
        | Body::RefMoveRefused { .. }
        | Body::BudgetReserved { .. }
        | Body::BudgetSettled { .. }
        | Body::Frozen { .. }
        | Body::RefAccepted { .. }
        | Body::PolicyActivated(_)
        | Body::LayerActivated(_)
        | Body::WorkerOffered(_)
        | Body::WorkerApproved(_)
        | Body::WorkerRevoked(_)
        | Body::ShadowStarted(_)
        | Body::ShadowJudged(_)
        | Body::ShadowStopped { .. }
        | Body::Unfrozen { .. }
        | Body::Resumed { .. } => return None,
    };
    Some(text)
}
