//! `ab policy shadow`: a candidate judges beside the live policy, and nothing follows from what it says.

use std::path::PathBuf;

use abide_core::event::{Body, ShadowStarted};
use abide_core::safe_text;
use abide_gate::source::{Files as Texts, Layer};
use abide_ledger::{Blob, Guard};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::{Files, LayerName, Shell, Which};
use crate::cli::printer::Tone;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::sealed;
use crate::shadow::candidate::{self, Around, Candidate, Place, Started};
use crate::shadow::tally::{Difference, Tally, Way};
use crate::{repository, wiring};

const AFTER: &str = "\
Every decision is judged by the candidate after it was made and recorded; the live answer never waits for it.
Facts are those that the live policy measured: for other zones or patterns use ab policy replay.
Examples: ab policy shadow start ./stricter --reason \"try before we sign\"
          ab policy shadow
          ab policy explain d11 --shadow
          ab policy shadow stop --reason \"seen enough\"";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER, args_conflicts_with_subcommands = true)]
pub(crate) struct ShadowArgs {
    #[command(subcommand)]
    verb: Option<ShadowVerb>,
    /// The repository; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// List every difference.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Subcommand)]
enum ShadowVerb {
    /// Put a candidate in the shadow, in place of the one that is there.
    Start {
        /// A policy folder (a whole one with `main.rego`, or a repository's own rules), or a bundle.
        #[arg(value_name = "FOLDER|BUNDLE")]
        candidate: PathBuf,
        /// What a folder stands for, where it is no whole policy: the organisation's layer, or else the repository's own rules.
        #[arg(long, value_name = "LAYER", value_enum)]
        layer: Option<LayerName>,
        /// The repository; the one around the current folder if not given.
        #[arg(long, value_name = "PATH")]
        repo: Option<PathBuf>,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take the candidate away; what it said stays in the log.
    Stop {
        /// The repository; the one around the current folder if not given.
        #[arg(long, value_name = "PATH")]
        repo: Option<PathBuf>,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(crate) fn run(shell: &Shell, args: &ShadowArgs) -> Result<Exit, Failure> {
    match &args.verb {
        Some(ShadowVerb::Start { candidate, layer, repo, reason }) => {
            let which = Which { repo: repo.clone(), dir: Some(candidate.clone()), layer: *layer };
            start(shell, &which, reason)
        }
        Some(ShadowVerb::Stop { repo, reason }) => stop(shell, repo.as_deref(), reason),
        None => report(shell, args),
    }
}

/// The files of the candidate alone, and in place of what they judge.
fn given(files: Files) -> (Place, Texts) {
    let texts = |files: Texts| {
        let read = |path: &str| path.strip_suffix(".md").is_none() && !path.starts_with("schemas/");
        files.into_iter().filter(|(path, _)| read(path)).collect()
    };
    match (files.is_layer, files.stands_for) {
        (false, _) => (Place::Policy, texts(files.base)),
        (true, Layer::Organisation) => (Place::Organisation, texts(files.added.organisation)),
        (true, Layer::Repository | Layer::Run) => (Place::Repository, texts(files.added.repository)),
    }
}

fn start(shell: &Shell, which: &Which, reason: &str) -> Result<Exit, Failure> {
    let known = repository::open(shell, which.repo.as_deref())?;
    let config = known.config()?;
    let ledger = wiring::ledger(&known.state)?;
    let files = Files::open(shell, which)?;
    let name = files.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let named =
        which.dir.as_ref().and_then(|dir| dir.file_name()).map(|name| name.to_string_lossy().into_owned());
    let (place, texts) = given(files);
    let candidate = Candidate::of(place, &texts)?;
    let around = Around { repository: known.policies(&config)?, config, run: Texts::new() };
    let policy = candidate.policy(&ledger, &around).map_err(|failure| unfit(&failure))?;
    // Loaded where it will judge, so that what cannot is said now; and what the wall compiles once is there when a run asks for it.
    sealed::behind_the_wall(&shell.env, policy.text.clone()).map(drop).map_err(|failure| unfit(&failure))?;
    let live = Policy::in_force(&ledger, &around.repository, &around.config, &Texts::new());
    let bytes = Blob::new("shadow-candidate", candidate.to_bytes()?);
    let name = safe_text::line(&named.or(name).unwrap_or_default());
    let place_name = serde_json::to_value(place).ok().and_then(|value| value.as_str().map(str::to_owned));
    let started = ShadowStarted {
        candidate: bytes.digest().clone(),
        place: place_name.unwrap_or_default(),
        name: name.clone(),
        by: shell.env.actor.clone(),
        reason: reason.to_owned(),
    };
    let digest = started.candidate.clone();
    let seq =
        wiring::record(&ledger, None, &Body::ShadowStarted(Box::new(started)), vec![bytes], Guard::Free)?;
    shell.printer.line(&format!(
        "`{name}` (sha256:{}…) is in the shadow of {} since log place {seq}; nothing is decided by it",
        digest.short(),
        place.told()
    ));
    let measured = live.is_ok_and(|live| live.measure == policy.measure);
    if !measured {
        let mark = shell.printer.paint(Tone::Wait, "!");
        shell.printer.line(&format!("{mark} {OTHERWISE}"));
    }
    shell.printer.line("next: ab run … · ab policy shadow · ab policy shadow stop --reason WHY");
    shell.printer.data(&json!({
        "candidate": digest, "name": name, "place": place, "seq": seq.0, "bundle": policy.text.digest(), "measures_the_same": measured,
    }));
    Ok(Exit::Done)
}

/// Why a candidate cannot be put in the shadow. One that nothing can bound is not judged at all.
fn unfit(failure: &Failure) -> Failure {
    if failure.code == "AB0193" {
        return Failure::new(
            failure.code,
            format!("a candidate is judged behind the wall: {}", failure.what),
        )
        .help("nothing was recorded, and it is not judged natively; cargo xtask guests, then build ab again")
        .exit(Exit::Gate);
    }
    Failure::new("AB0185", format!("the candidate does not load: {} [{}]", failure.what, failure.code))
        .help("nothing was recorded; ab policy check --dir CANDIDATE shows everything that is wrong")
        .exit(Exit::Gate)
}

/// Where a candidate looks for other things than the live policy.
const OTHERWISE: &str = "it measures otherwise (zones, categories, patterns, secrets): its rules see the facts that the live policy measured; \
                         ab policy replay --dir CANDIDATE measures anew";

fn stop(shell: &Shell, repo: Option<&std::path::Path>, reason: &str) -> Result<Exit, Failure> {
    let known = repository::open(shell, repo)?;
    let ledger = wiring::ledger(&known.state)?;
    let started = candidate::last(&ledger)?.filter(|started| started.stopped.is_none()).ok_or_else(none)?;
    let digest = started.record.candidate;
    let body = Body::ShadowStopped {
        candidate: digest.clone(),
        by: shell.env.actor.clone(),
        reason: reason.to_owned(),
    };
    let seq = wiring::record(&ledger, None, &body, vec![], Guard::Free)?;
    let name = safe_text::line(&started.record.name);
    shell.printer.line(&format!(
        "`{name}` is in the shadow no more, since log place {seq}; what it said stays in the log"
    ));
    shell.printer.line("next: ab policy shadow");
    shell.printer.data(&json!({ "candidate": digest, "seq": seq.0 }));
    Ok(Exit::Done)
}

fn none() -> Failure {
    Failure::new("AB0186", "no policy is in the shadow")
        .help("ab policy shadow start FOLDER|BUNDLE --reason WHY puts one there")
        .exit(Exit::Usage)
}

/// Differences of one kind that are listed for people.
const LISTED_MAX: usize = 5;

fn report(shell: &Shell, args: &ShadowArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.repo.as_deref())?;
    let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
    let started = candidate::last(&log.ledger)?.ok_or_else(none)?;
    let tally = Tally::of(&log, &started)?;
    let row = |name: &str, text: &str| shell.printer.line(&format!("{name:<16} {text}"));
    let record = &started.record;
    let day = super::show::day(started.at);
    let until = if started.stopped.is_some() { ", stopped" } else { "" };
    row(
        "candidate",
        &format!(
            "`{}` (sha256:{}…) since {day} by {}{until}: {}",
            safe_text::line(&record.name),
            record.candidate.short(),
            safe_text::line(&record.by),
            safe_text::line(&record.reason)
        ),
    );
    let place = Candidate::read(&log.ledger, &record.candidate);
    row(
        "in place of",
        &place.as_ref().map_or_else(
            |failure| format!("{} [{}]", failure.what, failure.code),
            |found| found.place.told().to_owned(),
        ),
    );
    let left = tally.decisions.saturating_sub(tally.judged());
    row(
        "decisions",
        &format!("{} made, {} judged by it too; runs: {}", tally.decisions, tally.judged(), tally.runs.len()),
    );
    row("agrees", &format!("{} in verdict and leading rule", tally.agreed));
    if left > 0 {
        row("not judged", &format!("{left}: it was too slow, did not load, or the process ended first"));
    }
    for why in &tally.why {
        row("", &safe_text::line(why));
    }
    differences(shell, &tally, args.all);
    let next = tally.differed.first().map_or_else(
        || "ab policy shadow stop --reason WHY".to_owned(),
        |first| {
            let seq = first.said.decision.0;
            format!("ab policy explain d{seq} · ab policy explain d{seq} --shadow")
        },
    );
    shell.printer.line(&format!("next: {next}"));
    shell.printer.data(&data(&started, &tally, left));
    Ok(Exit::Done)
}

fn differences(shell: &Shell, tally: &Tally, all: bool) {
    let printer = &shell.printer;
    if tally.differed.is_empty() && tally.judged() > 0 {
        printer.line(&printer.paint(Tone::Good, "no difference"));
    }
    let most = if all { usize::MAX } else { LISTED_MAX };
    let mut rest: &[Difference] = &tally.differed;
    while let Some(first) = rest.first() {
        let way = Way::of(&first.said);
        let count = rest.iter().take_while(|one| Way::of(&one.said).rank() == way.rank()).count();
        let (same, later) = rest.split_at(count.max(1));
        let tone = match way.rank() {
            0..=2 => Tone::Bad,
            3..=6 => Tone::Wait,
            _ => Tone::Faint,
        };
        printer.line(&format!("{} {count}", printer.paint(tone, &format!("{:<16}", way.told()))));
        for one in same.iter().take(most) {
            let said = &one.said;
            let fault = said.fault.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
            let line = format!(
                "  d{:<6} {:<20} {} → {}{fault}",
                said.decision.0, one.action, said.live_rule, said.rule
            );
            printer.line(&safe_text::line(&line));
        }
        if count > most {
            printer.line(&format!("  and {} more: --all", count.saturating_sub(most)));
        }
        rest = later;
    }
}

fn data(started: &Started, tally: &Tally, left: usize) -> serde_json::Value {
    let differed = tally.differed.iter().map(|one| {
        let said = &one.said;
        json!({
            "decision": said.decision.0, "action": one.action, "run": one.run, "way": Way::of(said).told(),
            "live": said.live.as_str(), "live_rule": said.live_rule, "verdict": said.verdict.as_str(), "rule": said.rule,
            "fault": said.fault,
        })
    });
    json!({
        "candidate": started.record.candidate, "name": started.record.name, "place": started.record.place,
        "since": started.at.0, "by": started.record.by, "reason": started.record.reason, "running": started.stopped.is_none(),
        "decisions": tally.decisions, "judged": tally.judged(), "agreed": tally.agreed, "not_judged": left,
        "runs": tally.runs, "why": tally.why, "differed": differed.collect::<Vec<_>>(),
    })
}
