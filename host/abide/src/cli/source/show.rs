//! `ab source show`.

use std::path::PathBuf;

use abide_core::safe_text;
use clap::Args as ClapArgs;
use serde_json::json;

use super::super::Shell;
use super::super::args::AtRepo;
use super::super::printer::Tone;
use super::super::run::Bench;
use super::{against, definitions, tone};
use crate::html;
use crate::report::{Exit, Failure};
use crate::sources::page::{self, Gate, when};
use crate::sources::sample::Records;
use crate::sources::{Defined, Life};

/// Tasks that are listed.
const TASKS: usize = 10;

#[derive(Debug, ClapArgs)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    at: AtRepo,
    /// What it is called.
    name: String,
    /// Write a page with charts to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(shell: &Shell, args: &ShowArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let definitions = definitions(&bench)?;
    let defined = definitions.named(&args.name)?;
    let life = Life::of(&bench.desk, &defined.definition)?;
    // Whether it may stay, and whether it may go on.
    let gates = [life.has_place().then_some(life.state), life.state.next()]
        .into_iter()
        .flatten()
        .map(|to| Ok(Gate { to, against: against(&bench, defined, &life, to)? }))
        .collect::<Result<Vec<_>, Failure>>()?;
    if let Some(file) = &args.html {
        let newest = newest(&bench, defined, &life)?;
        let page = page::page(defined, &life, &gates, newest.as_ref());
        html::write(file, &page)?;
        shell.printer.line(&format!("wrote {}", safe_text::line(&file.to_string_lossy())));
    } else {
        told(shell, defined, &life, &gates);
    }
    shell.printer.data(&json!({
        "name": defined.name(), "path": defined.path, "definition": defined.definition, "state": life.state, "record": life.record(),
        "gates": gates.iter().map(|gate| json!({"to": gate.to, "against": gate.against})).collect::<Vec<_>>(),
    }));
    Ok(Exit::Done)
}

/// The records that it was seen to have last.
fn newest(bench: &Bench, defined: &Defined, life: &Life) -> Result<Option<Records>, Failure> {
    let Some(digest) = life.newest_records() else { return Ok(None) };
    let path = defined.unit.params.get("path").map_or("", String::as_str);
    Ok(Records::parse(path, &bench.desk.payload(digest)?).ok())
}

fn told(shell: &Shell, defined: &Defined, life: &Life, gates: &[Gate]) {
    let printer = &shell.printer;
    let row = |name: &str, text: &str| printer.line(&format!("{name:<20} {text}"));
    row("source", &format!("{} ({})", defined.name(), safe_text::line(&defined.path)));
    row("stands", &printer.paint(tone(life.state), life.state.as_str()));
    row("definition", defined.definition.as_str());
    if let Some(claim) = &defined.unit.source {
        row("licence", &safe_text::line(claim.licence.as_deref().unwrap_or("nobody said")));
        let terms = claim.terms.as_ref().map(|terms| safe_text::line(&page::terms(terms)));
        row("terms", &terms.unwrap_or_else(|| "nobody has read them".to_owned()));
    }
    for gate in gates {
        let to = format!("to be {}", gate.to.as_str());
        if gate.against.is_empty() {
            row(&to, &printer.paint(Tone::Good, "nothing stands against it"));
        }
        for (number, (rule, words)) in gate.against.iter().enumerate() {
            row(
                if number == 0 { &to } else { "" },
                &format!("{}: {}", printer.paint(Tone::Bad, rule), safe_text::line(words)),
            );
        }
    }
    for (name, value, _) in page::rows(&life.record()) {
        row(name, &value.to_string());
    }
    for step in life.moves.iter().rev().take(TASKS) {
        let why = safe_text::line(&step.reasons.join("; "));
        row(
            &when(step.at),
            &format!("{} → {} by {} {why}", step.from.as_str(), step.to.as_str(), safe_text::line(&step.by)),
        );
    }
    for one in life.samples.iter().rev().take(TASKS) {
        let sample = &one.sample;
        let why = sample.why.as_ref().map(|why| format!(": {}", safe_text::line(why))).unwrap_or_default();
        let run = one.run.as_ref().map(ToString::to_string).unwrap_or_default();
        row(
            &when(one.at),
            &format!(
                "{} {} records +{} ~{} −{} ({run}){why}",
                sample.outcome, sample.count.0, sample.added.0, sample.changed.0, sample.vanished.0
            ),
        );
    }
    printer.line(&format!(
        "next: ab source probe {0} · ab source promote {0} · ab source show {0} --html FILE",
        defined.name()
    ));
}
