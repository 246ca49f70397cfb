//! `ab status`: one screen that says what is in force, what waits, and what stands in the way. It reads, and works while the policy is broken.

use abide_core::event::Body;
use abide_core::id::RunId;
use abide_core::safe_text;
use abide_gate::source::Files;
use serde_json::{Value, json};

use super::Shell;
use super::args::AtRepo;
use super::printer::Tone;
use crate::desk::Log;
use crate::policy::Policy;
use crate::queue::{self, Item, ago};
use crate::report::{Exit, Failure};
use crate::repository::{self, Known};
use crate::shadow::candidate;
use crate::{in_force, wiring};

/// Runs and items that are listed.
const LISTED_MAX: usize = 5;

/// One line of the screen.
struct Row {
    name: &'static str,
    tone: Tone,
    text: String,
}

/// What was found, and what to type next.
#[derive(Default)]
struct Status {
    rows: Vec<Row>,
    next: Vec<String>,
}

impl Status {
    fn row(&mut self, name: &'static str, tone: Tone, text: String) {
        self.rows.push(Row { name, tone, text });
    }
}

pub(crate) fn run(shell: &Shell, args: &AtRepo) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.repo.as_deref())?;
    let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
    let mut status = Status::default();
    let state = &known.state.repository;
    status.row("repository", Tone::Good, format!("{} → {}", state.id, state.target.short()));
    let policy = policy(&known, &log, &mut status);
    let switch = switch(&log, &mut status)?;
    let frozen = freeze(&known, &log, &mut status)?;
    let waiting = waiting(&log, &mut status)?;
    let runs = runs(&log, &mut status)?;
    let size = log.ledger.size().map_err(|error| Failure::of(error.code(), error))?;
    status.row("log", Tone::Good, format!("{size} events"));
    for row in &status.rows {
        let mark = match row.tone {
            Tone::Good => "✓",
            Tone::Bad => "✗",
            Tone::Wait | Tone::Faint => "–",
        };
        let mark = shell.printer.paint(row.tone, mark);
        shell.printer.line(&format!("{:<11} {mark} {}", row.name, row.text));
    }
    if status.next.is_empty() {
        status.next.push("ab run --ticket \"…\" · ab audit log".to_owned());
    }
    shell.printer.line(&format!("next: {}", status.next.join(" · ")));
    shell.printer.data(&json!({
        "repository": state.id, "target": state.target, "policy": policy, "halted": switch, "frozen": frozen,
        "waiting": waiting, "running": runs, "log_size": size, "next": status.next,
    }));
    Ok(Exit::Done)
}

/// What decides, or why everything is denied.
fn policy(known: &Known, log: &Log, status: &mut Status) -> Value {
    let found = known.config().and_then(|config| {
        let policy = Policy::in_force(&log.ledger, &known.policies(&config)?, &config, &Files::new())?;
        Ok((policy, in_force::gaps(known, &config)?, config))
    });
    match found {
        Err(failure) => {
            let why = safe_text::line(&failure.what);
            let text = format!("everything is denied: {why} [{}]", failure.code);
            status.row("policy", Tone::Bad, text);
            status.next.push(format!("ab explain {} · ab policy check", failure.code));
            json!({ "code": failure.code, "why": why })
        }
        Ok((policy, gaps, config)) => {
            let version = policy.record.as_ref().map_or(0, |record| record.version.0);
            let origin =
                if version == 0 { "built in".to_owned() } else { format!("version {version}, signed") };
            let digest = policy.bundle.digest();
            let organisation = policy.organisation.as_ref().map_or(0, |record| record.version.0);
            let layer =
                if organisation == 0 { String::new() } else { format!(" · organisation v{organisation}") };
            let text = format!("{origin}{layer} · bundle {} · {}", digest.short(), config.profile);
            status.row("policy", Tone::Good, text);
            shadow(log, status);
            if let Some(why) = &policy.degraded {
                status.row("degraded", Tone::Bad, format!("an older policy decides [AB0262]: {why}"));
                status.next.push("ab explain AB0262".to_owned());
            }
            let not_in_force = [gaps.absent, gaps.differs].concat();
            for gap in &not_in_force {
                status.row("in force", Tone::Wait, gap.clone());
            }
            json!({
                "version": version, "organisation_version": organisation, "bundle": digest, "profile": config.profile, "degraded": policy.degraded,
                "not_in_force": not_in_force,
            })
        }
    }
}

/// What judges beside it.
fn shadow(log: &Log, status: &mut Status) {
    match candidate::last(&log.ledger) {
        Ok(Some(started)) if started.stopped.is_none() => {
            let name = safe_text::line(&started.record.name);
            status.row("shadow", Tone::Wait, format!("`{name}` judges beside it: ab policy shadow"));
        }
        Ok(_) => {}
        Err(failure) => status.row("shadow", Tone::Bad, format!("{} [{}]", failure.what, failure.code)),
    }
}

/// The kill switch of the whole system: the last turn of it.
fn switch(log: &Log, status: &mut Status) -> Result<bool, Failure> {
    let turns = log.of_kinds(&["Killed", "Resumed"])?;
    let last = turns.iter().rev().find(|(_, event)| event.run.is_none());
    let halted = match last.map(|(_, event)| (&event.body, event.at)) {
        Some((Body::Killed { by, reason }, at)) => {
            let since = ago(log.now().0.saturating_sub(at));
            let text = format!("pulled {since} ago by {}: {}", safe_text::line(by), safe_text::line(reason));
            status.row("kill switch", Tone::Bad, text);
            status.next.push("ab resume --reason WHY".to_owned());
            true
        }
        _ => false,
    };
    if !halted {
        status.row("kill switch", Tone::Good, "not pulled".to_owned());
    }
    Ok(halted)
}

fn freeze(known: &Known, log: &Log, status: &mut Status) -> Result<bool, Failure> {
    let freezes = log.ledger.store().freezes().map_err(|error| Failure::of(error.code(), error))?;
    let own = freezes.iter().filter(|freeze| freeze.repo == known.state.repository.id.as_str());
    let mut frozen = false;
    for freeze in own {
        frozen = true;
        let text = format!("frozen: {} {}", safe_text::line(&freeze.reference), safe_text::line(&freeze.why));
        status.row("merges", Tone::Bad, text);
    }
    if frozen {
        status.next.push("ab audit reconcile".to_owned());
    } else {
        status.row("merges", Tone::Good, "open".to_owned());
    }
    Ok(frozen)
}

/// Items that a person has to decide about.
fn waiting(log: &Log, status: &mut Status) -> Result<Vec<String>, Failure> {
    let items = queue::items(log)?;
    let now = log.now().0;
    if items.is_empty() {
        status.row("waiting", Tone::Good, "nothing".to_owned());
    }
    for item in items.iter().take(LISTED_MAX) {
        let text = format!(
            "{} {} · {} · {}",
            item.name,
            item.class.as_str(),
            safe_text::line(&item.why),
            item.left(now)
        );
        status.row("waiting", Tone::Wait, text);
    }
    more(status, "waiting", items.len(), "ab queue");
    let open = |item: &&Item| !item.is_expired(now);
    if let Some(item) = items.iter().find(open) {
        status.next.push(format!("ab show {0} · ab approve {0}", item.name));
    } else if !items.is_empty() {
        status.next.push("ab queue".to_owned());
    }
    Ok(items.into_iter().map(|item| item.name).collect())
}

/// Runs that have not ended, the newest first.
fn runs(log: &Log, status: &mut Status) -> Result<Vec<RunId>, Failure> {
    let rows = log.ledger.store().runs().map_err(|error| Failure::of(error.code(), error))?;
    let open: Vec<_> = rows.iter().rev().filter(|row| row.finished_at.is_none()).collect();
    for row in open.iter().take(LISTED_MAX) {
        let since = ago(log.now().0.saturating_sub(row.created_at.0));
        let text = format!("{} {} since {since} · {}", row.id, row.status, row.profile);
        status.row("run", Tone::Wait, text);
    }
    more(status, "run", open.len(), "ab show RUN");
    if open.is_empty() {
        let last = rows.last().map_or_else(
            || "none yet".to_owned(),
            |row| format!("none open; the last, {}, ended as {}", row.id, row.status),
        );
        status.row("runs", Tone::Good, last);
    }
    Ok(open.iter().map(|row| row.id.clone()).collect())
}

fn more(status: &mut Status, name: &'static str, count: usize, how: &str) {
    if let Some(left) = count.checked_sub(LISTED_MAX).filter(|left| *left > 0) {
        status.row(name, Tone::Faint, format!("and {left} more: {how}"));
    }
}
