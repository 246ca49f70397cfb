//! `ab policy explain`: why, rule by rule, and what would have to change.

use std::path::PathBuf;

use abide_core::decision::Decision;
use abide_core::event::{Body, DecisionRecorded, Event};
use abide_core::id::Seq;
use abide_core::input::PolicyInput;
use abide_core::safe_text;
use abide_gate::{BundleText, Question};
use clap::Args as ClapArgs;
use serde_json::{Value, json};

use super::reasons;
use crate::cli::Shell;
use crate::desk::Log;
use crate::report::{Exit, Failure};
use crate::repository::{self, Known};
use crate::sealed::JudgeKind;
use crate::shadow::candidate;
use crate::shadow::tally::Tally;
use crate::why;
use crate::wiring;

/// `ab policy explain`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// The repository; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// A decision (d12), a queue item (q12), a run, or the first letters of a commit; the last decision if not given.
    #[arg(value_name = "WHAT")]
    what: Option<String>,
    /// By the candidate in the shadow instead: why it would have decided as it did.
    #[arg(long)]
    shadow: bool,
    /// Everything: all places of each rule, all data it reads, every flip, and the whole input.
    #[arg(long)]
    trace: bool,
}

pub(crate) fn run(shell: &Shell, args: &ExplainArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.repo.as_deref())?;
    let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
    let decisions = log.of_kinds(&["DecisionRecorded"])?;
    let (seq, record) = find(&known, &decisions, args.what.as_deref())?;
    let (mut decision, input, mut bundle) = recorded(&log, record)?;
    let mut kind = JudgeKind::Native;
    if args.shadow {
        (decision, bundle) = by_candidate(shell, &log, seq, record)?;
        kind = JudgeKind::Sealed;
    }
    let mut fired = why::fired(&bundle, &decision);
    let folder = known.config().map_or_else(|_| "policies".to_owned(), |config| config.policies.to_string());
    // A candidate that gave no answer would give none to anything like the question, each time after its whole deadline.
    let flips = if args.shadow && decision.fault.is_some() {
        Vec::new()
    } else {
        why::flips(&why::Asked { bundle: &bundle, kind, env: &shell.env }, &input, &decision, &fired)?
    };
    reasons::edited(&mut fired, &folder);
    shell.printer.line(&format!("d{seq} {} {} → {}", record.class, record.kind, decision.verdict.as_str()));
    for line in reasons::lines(&fired, &flips, reasons::most(args.trace)) {
        shell.printer.line(&line);
    }
    if args.trace {
        let text = serde_json::to_string_pretty(&input).map_err(|error| Failure::of("AB0124", error))?;
        shell.printer.exact(&safe_text::block(&text));
    }
    let (rules, flips) = reasons::data(&fired, &flips);
    shell.printer.data(
        &json!({ "seq": seq.0, "verdict": decision.verdict.as_str(), "rules": rules, "flips": flips, "input": input }),
    );
    Ok(Exit::Done)
}

/// The decision that is meant: of a run the last that did not allow, else the last.
fn find<'a>(
    known: &Known,
    decisions: &'a [(Seq, Event)],
    what: Option<&str>,
) -> Result<(Seq, &'a DecisionRecorded), Failure> {
    let all = || {
        decisions.iter().rev().filter_map(|(seq, event)| {
            let Body::DecisionRecorded(record) = &event.body else { return None };
            Some((*seq, event, &**record))
        })
    };
    let place = what.and_then(|what| what.strip_prefix(['d', 'q'])?.parse::<u64>().ok());
    let found = match (what, place) {
        (None, _) => all().next(),
        (Some(_), Some(place)) => all().find(|(seq, _, _)| seq.0 == place),
        (Some(what), None) => {
            let of_run =
                || all().filter(|(_, event, _)| event.run.as_ref().is_some_and(|run| run.as_str() == what));
            let stopped =
                of_run().find(|(_, _, record)| record.verdict != abide_core::decision::Verdict::Allow);
            let of_commit = |start: &str| {
                all().find(|(_, _, record)| {
                    names(record.action.get("action").unwrap_or(&record.action), start)
                })
            };
            // `main` or `HEAD~1`, as git would name it; nothing else is guessed.
            let by_git = || of_commit(known.repo.revision(what)?.as_str());
            stopped.or_else(|| of_run().next()).or_else(|| of_commit(what)).or_else(by_git)
        }
    };
    found.map(|(seq, _, record)| (seq, record)).ok_or_else(|| {
        Failure::new(
            "AB0044",
            format!("there is no decision about `{}`", safe_text::line(what.unwrap_or("anything"))),
        )
        .help("ab show RUN lists a run's decisions; a commit that ab never judged has none")
        .exit(Exit::Usage)
    })
}

/// Whether an action is about the commit, or the tree, whose id begins so. On which commit it rests does not count: that is another one.
fn names(action: &Value, start: &str) -> bool {
    let begins = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(start));
    start.len() >= 4 && ["commit", "tree"].iter().filter_map(|field| action.get(field)).any(begins)
}

/// What the candidate decides about the same question, with the bundle that judged it in the shadow. Where it agreed, the one of the same tally.
/// It is asked where it was asked before: behind the wall.
fn by_candidate(
    shell: &Shell,
    log: &Log,
    seq: Seq,
    record: &DecisionRecorded,
) -> Result<(Decision, BundleText), Failure> {
    let none = |what: String| {
        Failure::new("AB0186", what)
            .help("ab policy shadow lists the decisions that a candidate judged otherwise")
            .exit(Exit::Usage)
    };
    let started =
        candidate::last(&log.ledger)?.ok_or_else(|| none("no policy was ever in the shadow".to_owned()))?;
    let tally = Tally::of(log, &started)?;
    let digest = tally.about(seq).and_then(|one| one.bundle.clone()).or(tally.bundle.clone());
    let digest = digest.filter(|_| tally.answered.contains(&seq));
    let digest = digest.ok_or_else(|| none(format!("the candidate did not judge d{seq}")))?;
    let bundle = BundleText::from_bytes(&log.payload(&digest)?)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let question = Question::from_bytes(log.payload(&record.input)?)
        .map_err(|error| Failure::new("AB0187", error.to_string()).exit(Exit::Evidence))?;
    let judge = JudgeKind::Sealed.over_text(&shell.env, bundle.clone())?;
    Ok((judge.decide(&question), bundle))
}

/// The decision, what was asked, and the policy that answered, as they lie in the log.
fn recorded(log: &Log, record: &DecisionRecorded) -> Result<(Decision, PolicyInput, BundleText), Failure> {
    let bundle = BundleText::from_bytes(&log.payload(&record.bundle)?)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    Ok((log.value(&record.digest)?, log.value(&record.input)?, bundle))
}
