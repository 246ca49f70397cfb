//! `ab audit log`: what happened, one line an event for people, the events themselves for programs.

use abide_core::event::{Body, Event};
use abide_core::id::Timestamp;
use abide_core::safe_text;
use serde_json::json;

use crate::bundles::on_record::{Cited, Record};
use crate::cli::Shell;
use crate::cli::args::AtRepo;
use crate::cli::printer::Tone;
use crate::cli::show;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;

/// Letters of a run's id that tell it from the others: the last ones, which are random.
const RUN_LETTERS: usize = 6;

/// Neither policy nor `ab.yml` is needed to read what happened.
pub(super) fn run(shell: &Shell, at: &AtRepo) -> Result<Exit, Failure> {
    let known = repository::open(shell, at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let size = ledger.size().map_err(|error| Failure::of(error.code(), error))?;
    let head = format!("{:<19}  {:>5}  {:<RUN_LETTERS$}  {:<18}  what", "time (UTC)", "place", "run", "kind");
    shell.printer.line(&shell.printer.paint(Tone::Faint, &head));
    for record in ledger.read(0..size).map_err(|error| Failure::of(error.code(), error))? {
        let raw: serde_json::Value = serde_json::from_slice(record.leaf.bytes())
            .map_err(|error| Failure::of("AB0409", error).exit(Exit::Evidence))?;
        let run =
            record.leaf.run().map(|run| run.as_str().chars().rev().take(RUN_LETTERS).collect::<String>());
        let run: String = run.unwrap_or_default().chars().rev().collect();
        // An event that this program does not know is shown with its kind alone.
        let text = serde_json::from_value::<Event>(raw.clone()).ok().map(|event| text(&event));
        let text = text.unwrap_or_default();
        let line = format!(
            "{}  {:>5}  {run:<RUN_LETTERS$}  {:<18}  {text}",
            moment(record.leaf.at()),
            record.seq.0,
            safe_text::line(record.leaf.kind())
        );
        shell.printer.line(line.trim_end());
        shell.printer.data(&json!({ "seq": record.seq.0, "event": raw }));
    }
    shell.printer.line("next: ab show RUN · ab audit log --json has everything · ab verify");
    Ok(Exit::Done)
}

/// Day and time, UTC.
fn moment(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| at.0.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// An event in few words.
fn text(event: &Event) -> String {
    show::told(event).unwrap_or_else(|| of_system(&event.body))
}

/// What `ab show` leaves out, because it is not about what a run did.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is told by `ab show`")]
fn of_system(body: &Body) -> String {
    let line = safe_text::line;
    match body {
        Body::LogCreated { origin, .. } => line(origin),
        Body::RunStarted(started) => format!("{} · {}", started.profile, line(&started.reason)),
        Body::RefMoveAllowed { name, old, new, .. } => {
            format!("{} may go from {} to {}", name.short(), old.short(), new.short())
        }
        Body::Frozen { name, why, .. } => format!("merges are frozen: {} {}", name.short(), line(why)),
        Body::Unfrozen { by, reason, .. } => format!("merges are open, by {}: {}", line(by), line(reason)),
        Body::RefAccepted { name, found, by, .. } => {
            format!("{} may stand at {}, by {}", name.short(), found.short(), line(by))
        }
        Body::PolicyActivated(record) => activated("policy", record.as_ref()),
        Body::LayerActivated(record) => activated(&format!("layer {}", line(&record.layer)), record.as_ref()),
        Body::WorkerOffered(offer) => {
            let signed = if offer.signed.is_empty() { "unsigned" } else { "signed" };
            format!(
                "worker `{}` ({}, {signed}) handed in by {}: {}",
                offer.name,
                offer.component.short(),
                line(&offer.by),
                line(&offer.reason)
            )
        }
        Body::WorkerApproved(approved) => {
            format!(
                "worker `{}` ({}) approved by {} as {}",
                approved.name,
                approved.component.short(),
                line(&approved.by),
                line(&approved.role)
            )
        }
        Body::WorkerRevoked(revoked) => {
            format!(
                "worker `{}` ({}) revoked by {}: {}",
                revoked.name,
                revoked.component.short(),
                line(&revoked.by),
                line(&revoked.reason)
            )
        }
        Body::Resumed { by, reason } => format!("opened by {}: {}", line(by), line(reason)),
        _ => String::new(),
    }
}

/// What was put in force, by whom, and why.
fn activated(what: &str, record: &impl Record) -> String {
    let Cited { version, signed, by, reason, .. } = record.cited();
    let people: Vec<String> = signed.iter().map(|one| safe_text::line(&one.person)).collect();
    let (people, by, reason) = (people.join(", "), safe_text::line(by), safe_text::line(reason));
    format!("{what} version {version} signed by {people}, by {by}: {reason}")
}
