//! `ab audit`: the repository held against the log.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

mod log;

use abide_core::event::Body;
use abide_core::id::{Oid, RefName};
use abide_effects::hook::{RefMove, Stray, reconcile as reconcile_refs, unaudited};
use serde_json::json;

use super::Shell;
use super::args::{AuditArgs, AuditVerb};
use super::printer::Tone;
use super::run::Bench;
use crate::report::{Exit, Failure};

pub(crate) fn run(shell: &Shell, args: &AuditArgs) -> Result<Exit, Failure> {
    match &args.verb {
        AuditVerb::Reconcile { at, accept, reason } => {
            let bench = Bench::open(shell, at.repo.as_deref())?;
            let reason = reason.as_deref().unwrap_or("no reason given");
            if *accept { settle(shell, &bench, reason) } else { reconcile(shell, &bench) }
        }
        AuditVerb::Log { at } => log::run(shell, at),
    }
}

/// Moves of protected refs that no receipt explains, and the refs of which the log knows nothing yet.
fn strays(bench: &Bench) -> Result<(Vec<Stray>, Vec<RefName>), Failure> {
    let repo = bench.known.state.repository.id.as_str();
    let mut known = Vec::new();
    for (_, event) in bench.desk.all()? {
        let step = placed(&event.body, repo, &known);
        // What a person accepted has landed, whatever the reference's own log says: it is listed twice, like a move and its receipt.
        let seen = matches!(event.body, Body::RefAccepted { .. }).then(|| step.clone()).flatten();
        known.extend(step.into_iter().chain(seen));
    }
    let protected = &bench.config.protected;
    let unknown = unaudited(protected, &known).into_iter().cloned().collect();
    let found = reconcile_refs(&bench.known.repo, protected, &known)
        .map_err(|error| Failure::of(error.code(), error))?;
    Ok((found, unknown))
}

/// The move that an event has a receipt for; for a ref that the log meets for the first time, where it stood.
fn placed(body: &Body, repo: &str, known: &[RefMove]) -> Option<RefMove> {
    let step = |name: &RefName, old: &Oid, new: &Oid| {
        Some(RefMove { name: name.clone(), old: old.clone(), new: new.clone() })
    };
    match body {
        Body::Merged { name, old, new, .. } | Body::Reverted { name, old, new, .. } => step(name, old, new),
        Body::RefMoveAllowed { name, old, new, repo: at, .. } if at.as_str() == repo => step(name, old, new),
        Body::RefAccepted { name, found, repo: at, .. } if at.as_str() == repo => {
            let last = known
                .iter()
                .rev()
                .find(|step| step.name == *name)
                .map_or_else(Oid::zero, |step| step.new.clone());
            step(name, &last, found)
        }
        Body::RunStarted(started) if !known.iter().any(|step| step.name == started.target) => {
            step(&started.target, &Oid::zero(), &started.base)
        }
        _ => None,
    }
}

fn reconcile(shell: &Shell, bench: &Bench) -> Result<Exit, Failure> {
    let repo = &bench.known.state.repository.id;
    let (strays, unknown) = strays(bench)?;
    for name in &unknown {
        let mark = shell.printer.paint(Tone::Wait, "–");
        shell.printer.line(&format!(
            "{mark} {}: no run has begun on it, so there is no place to compare with",
            name.short()
        ));
    }
    for stray in &strays {
        let from = stray.old.short();
        let mark = shell.printer.paint(Tone::Bad, "✗");
        shell.printer.line(&format!(
            "{mark} {} went from {from} to {}: no receipt",
            stray.name.short(),
            stray.new.short()
        ));
        if !bench.desk.is_frozen(repo.as_str()) {
            let why = format!("went from {from} to {} without a receipt", stray.new.short());
            let body =
                Body::Frozen { repo: repo.clone(), name: stray.name.clone(), found: stray.new.clone(), why };
            bench.desk.record(None, &body, vec![])?;
        }
    }
    let rows: Vec<_> = strays
        .iter()
        .map(|stray| json!({ "ref": stray.name, "from": stray.old, "to": stray.new, "log": stray.log }))
        .collect();
    shell.printer.data(&json!({ "strays": rows, "frozen": bench.desk.is_frozen(repo.as_str()) }));
    if strays.is_empty() {
        shell.printer.line(&format!(
            "{} every protected ref stands where a receipt put it",
            shell.printer.paint(Tone::Good, "✓")
        ));
        return Ok(Exit::Done);
    }
    shell.printer.line("merges are frozen until a person looked: ab audit reconcile --accept --reason WHY");
    Ok(Exit::Evidence)
}

/// A person says that the refs may stand as they do.
fn settle(shell: &Shell, bench: &Bench, reason: &str) -> Result<Exit, Failure> {
    let repo = &bench.known.state.repository.id;
    let by = shell.env.actor.clone();
    for stray in strays(bench)?.0 {
        let body = Body::RefAccepted {
            repo: repo.clone(),
            name: stray.name,
            found: stray.new,
            by: by.clone(),
            reason: reason.to_owned(),
        };
        bench.desk.record(None, &body, vec![])?;
    }
    bench.desk.record(None, &Body::Unfrozen { repo: repo.clone(), by, reason: reason.to_owned() }, vec![])?;
    shell.printer.line("accepted; merges are open again");
    shell.printer.data(&json!({ "frozen": false }));
    Ok(Exit::Done)
}
