//! `ab packet` and `ab verify`: evidence that anyone can check offline, from stored bytes.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use abide_ledger::{Check, NoteError, Outcome, Report, Vkey, verify_activations, verify_packet};
use serde_json::json;

use super::Shell;
use super::args::{PacketArgs, VerifyArgs};
use super::kill::{parse, runs};
use super::policy::bundle;
use super::printer::Tone;
use super::run::Bench;
use crate::bundles::again::Again;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;
use crate::workers;

pub(crate) fn packet(shell: &Shell, args: &PacketArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let run = match &args.run {
        Some(run) => parse(run)?,
        None => runs(&bench)?.pop().ok_or_else(|| Failure::new("AB0032", "no run yet").exit(Exit::Usage))?,
    };
    let bytes =
        abide_ledger::export(&bench.desk.ledger, &run).map_err(|error| Failure::of(error.code(), error))?;
    // Not into the work tree, where it would be committed by accident and change what is measured.
    let out = args.out.clone().unwrap_or_else(|| bench.known.state.packet(&run));
    let folder = out.parent().filter(|_| args.out.is_none());
    let made =
        folder.map_or(Ok(()), |folder| fs::DirBuilder::new().recursive(true).mode(0o700).create(folder));
    made.map_err(|error| {
        Failure::of("AB0004", error).help(format!("{} could not be written", out.display()))
    })?;
    let written =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&out).and_then(
            |mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            },
        );
    written.map_err(|error| {
        Failure::of("AB0004", error).help(format!("{} could not be written", out.display()))
    })?;
    shell.printer.line(&format!("wrote {} ({} bytes)", out.display(), bytes.len()));
    shell.printer.line(&format!("next: ab verify {}", out.display()));
    shell.printer.data(&json!({ "packet": out, "bytes": bytes.len(), "run": run }));
    Ok(Exit::Done)
}

pub(crate) fn run(shell: &Shell, args: &VerifyArgs) -> Result<Exit, Failure> {
    let key = args.key.as_deref().map(read_key).transpose()?;
    let judges = judges(shell, args)?;
    let report = match &args.packet {
        Some(file) => {
            let bytes = fs::read(file).map_err(|error| {
                Failure::of("AB0404", error)
                    .help(format!("{} cannot be read", file.display()))
                    .exit(Exit::Usage)
            })?;
            verify_packet(&bytes, key.as_ref(), &judges)
        }
        None => whole(shell, args, key.as_ref(), &judges)?,
    };
    Ok(tell(shell, &report, key.is_some()))
}

/// Who judges again: this program, and what the reader says is built into others.
fn judges(shell: &Shell, args: &VerifyArgs) -> Result<Again, Failure> {
    let others = args.built_in.iter().map(|file| Ok(bundle::open(file)?.1.policy));
    let others = others.collect::<Result<Vec<_>, Failure>>()?;
    let judges =
        Again::trusting(others).map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    Ok(judges.with_wall(shell.env.clone()))
}

/// The log itself, and every run's evidence: the packet of each run is made from stored bytes and verified like a stranger's.
fn whole(shell: &Shell, args: &VerifyArgs, key: Option<&Vkey>, judges: &Again) -> Result<Report, Failure> {
    let known = repository::open(shell, args.at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let mut report = abide_ledger::verify_log(&ledger)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let activations = verify_activations(&ledger, judges)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    report.checks.extend(activations);
    report.checks.push(workers::again::check(&ledger, &workers::Kept::of(&known.state))?);
    let key = key.unwrap_or_else(|| ledger.vkey());
    for run in
        ledger.store().runs().map_err(|error| Failure::of(error.code(), error))?.into_iter().map(|row| row.id)
    {
        let bytes = abide_ledger::export(&ledger, &run)
            .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
        let own = verify_packet(&bytes, Some(key), judges);
        let detail = own.refusal().map_or_else(
            || format!("run {run}: {} checks hold", own.checks.len()),
            |check| format!("run {run}: {}: {}", check.name, check.detail),
        );
        let code = own.refusal().and_then(|check| check.code);
        let outcome = if own.accepted() { Outcome::Ok } else { Outcome::Refused };
        report.checks.push(Check { name: "run", outcome, detail, code });
    }
    Ok(report)
}

fn read_key(file: &Path) -> Result<Vkey, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::of("AB0404", error).help(format!("{} cannot be read", file.display())).exit(Exit::Usage)
    })?;
    text.trim().parse().map_err(|error: NoteError| Failure::of("AB0415", error).exit(Exit::Usage))
}

fn tell(shell: &Shell, report: &Report, key_given: bool) -> Exit {
    for check in &report.checks {
        let (tone, mark) = match check.outcome {
            Outcome::Ok => (Tone::Good, "✓"),
            Outcome::Unchecked => (Tone::Wait, "–"),
            Outcome::Refused => (Tone::Bad, "✗"),
        };
        let code = check.code.map(|code| format!(" [{code}]")).unwrap_or_default();
        shell.printer.line(&format!(
            "{} {:<12} {}{code}",
            shell.printer.paint(tone, mark),
            check.name,
            abide_core::safe_text::line(&check.detail)
        ));
    }
    if !key_given {
        shell.printer.line("! the log's own key was used: give the one you trust with --key");
    }
    let ok = report.accepted();
    shell.printer.line(if ok { "accepted" } else { "REFUSED" });
    shell.printer.data(&json!({ "accepted": ok, "checks": report.checks, "trusted_key": key_given }));
    if ok { Exit::Done } else { Exit::Evidence }
}
