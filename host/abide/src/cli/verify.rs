//! `ab packet` and `ab verify`: evidence that anyone can check offline, from stored bytes.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use abide_gate::{BundleText, Judge as _, Question};
use abide_ledger::{Check, NoteError, Outcome, Report, Vkey, verify_packet};
use abide_sandbox::SealedJudge;
use serde_json::json;

use super::Shell;
use super::args::{PacketArgs, VerifyArgs};
use super::kill::{parse, runs};
use super::printer::Tone;
use super::run::Bench;
use crate::config::env::Env;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::sealed;
use crate::wiring;

pub(crate) fn packet(shell: &Shell, args: &PacketArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let run = match &args.run {
        Some(run) => parse(run)?,
        None => runs(&bench)?.pop().ok_or_else(|| Failure::new("AB0032", "no run yet").exit(Exit::Usage))?,
    };
    let bytes =
        abide_ledger::export(&bench.desk.ledger, &run).map_err(|error| Failure::of(error.code(), error))?;
    let out = args.out.clone().unwrap_or_else(|| format!("packet-{run}.abide").into());
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
    let report = match &args.packet {
        Some(file) => {
            let bytes = fs::read(file).map_err(|error| {
                Failure::of("AB0404", error)
                    .help(format!("{} cannot be read", file.display()))
                    .exit(Exit::Usage)
            })?;
            verify_packet(&bytes, key.as_ref(), &recompute(&shell.env))
        }
        None => whole(shell, args, key.as_ref())?,
    };
    Ok(tell(shell, &report, key.is_some()))
}

/// The bytes of a decision that was made again.
type Again = Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

/// Makes decisions again by the judge that made them: natively, or sealed where the decision names the module of a sealed judge. Where this binary has
/// no sealed judge the native one stands in: it answers the same, but for what only the wall ends.
fn recompute(env: &Env) -> impl Fn(&[u8], &[u8], &str) -> Again {
    move |bundle, input, engine| {
        if abide_gate::sealed::module_of(engine).is_none() || sealed::carried().is_none() {
            return Ok(abide_gate::recompute(bundle, input, engine)?);
        }
        let module = sealed::module(env).map_err(|failure| failure.what.clone())?;
        let judge = SealedJudge::load(&module, BundleText::from_bytes(bundle)?)?;
        let question = Question::from_bytes(input.to_vec())?;
        Ok(abide_gate::sealed::signed_by(judge.decide(&question), engine)?)
    }
}

/// The log itself, and every run's evidence: the packet of each run is made from stored bytes and verified like a stranger's.
fn whole(shell: &Shell, args: &VerifyArgs, key: Option<&Vkey>) -> Result<Report, Failure> {
    let known = repository::open(shell, args.at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let mut report = abide_ledger::verify_log(&ledger)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let key = key.unwrap_or_else(|| ledger.vkey());
    for run in
        ledger.store().runs().map_err(|error| Failure::of(error.code(), error))?.into_iter().map(|row| row.id)
    {
        let bytes = abide_ledger::export(&ledger, &run)
            .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
        let own = verify_packet(&bytes, Some(key), &recompute(&shell.env));
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
