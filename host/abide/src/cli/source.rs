//! `ab source`: places on the web that records are read from, and how far each has come.

mod propose;
mod scout;
mod show;

use abide_core::action::ActionClass;
use abide_core::event::{Body, SourceDemoted};
use abide_core::input::PolicyInput;
use abide_core::safe_text;
use abide_core::source::{SourceCase, SourceState};
use abide_ledger::Guard;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::Shell;
use super::args::{AtRepo, Mode, RunArgs};
use super::printer::Tone;
use super::run::Bench;
use crate::example;
use crate::report::{Exit, Failure};
use crate::sources::{Defined, Definitions, Life, RULES};
use crate::wiring;

const AFTER: &str = "\
From an address to a source that is read without a person:
  ab source propose NAME --url URL --schema FILE --path FILE   a change that defines it
  ab source probe NAME          read it once, and measure; nothing is written
  ab source promote NAME        to probation; each use of it waits for a person
  ab source probe NAME          … until it has shown enough
  ab source promote NAME        to active
  ab run --ticket sources/NAME.md
What it must show is policies/data/sources.yaml. One that does not hold is demoted by itself.
docs/sources.md has the walk.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct SourceArgs {
    #[command(subcommand)]
    verb: SourceVerb,
}

#[derive(Debug, Subcommand)]
enum SourceVerb {
    /// List the sources that the target branch defines, and how far each has come.
    List(AtRepo),
    /// Show one: its measures, what policy would say now, its tasks; as a page with charts.
    Show(show::ShowArgs),
    /// Propose a source: a change that defines it goes the way of every change.
    Propose(propose::ProposeArgs),
    /// Read a source once and measure what comes back; nothing is written.
    Probe(Named),
    /// Ask for the next place: from proposed or demoted to probation, from there to active.
    Promote(Named),
    /// Take a source's place away.
    Demote(DemoteArgs),
    /// Look for further sources where active ones lead to, and propose them.
    Scout(scout::ScoutArgs),
}

#[derive(Debug, ClapArgs)]
struct Named {
    #[command(flatten)]
    at: AtRepo,
    /// What it is called.
    name: String,
    /// The autonomy profile, instead of the one in ab.yml.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Why; recorded with every decision.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, ClapArgs)]
struct DemoteArgs {
    #[command(flatten)]
    at: AtRepo,
    /// What it is called.
    name: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(shell: &Shell, args: &SourceArgs) -> Result<Exit, Failure> {
    match &args.verb {
        SourceVerb::List(at) => list(shell, at),
        SourceVerb::Show(args) => show::run(shell, args),
        SourceVerb::Propose(args) => propose::run(shell, args),
        SourceVerb::Probe(args) => probe(shell, args),
        SourceVerb::Promote(args) => promote(shell, args),
        SourceVerb::Demote(args) => demote(shell, args),
        SourceVerb::Scout(args) => scout::run(shell, args),
    }
}

/// What the target branch defines now.
fn definitions(bench: &Bench) -> Result<Definitions, Failure> {
    let head = bench.known.head(&bench.config.target)?;
    Definitions::at(&bench.known.repo, &bench.config, &head)
}

/// A run of the ticket `text`, as `ab run` would start it.
fn start(
    shell: &Shell,
    at: &AtRepo,
    text: String,
    mode: Mode,
    terms: (Option<&String>, Option<&String>),
) -> Result<Exit, Failure> {
    let (profile, reason) = (terms.0.cloned(), terms.1.cloned());
    let args = RunArgs {
        at: at.clone(),
        ticket: text,
        profile,
        cap: None,
        usd: None,
        mode,
        reason,
        tighten: None,
        worker: Vec::new(),
    };
    super::run::run(shell, &args)
}

fn tone(state: SourceState) -> Tone {
    match state {
        SourceState::Proposed => Tone::Faint,
        SourceState::Probation => Tone::Wait,
        SourceState::Active => Tone::Good,
        SourceState::Demoted => Tone::Bad,
    }
}

fn list(shell: &Shell, at: &AtRepo) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, at.repo.as_deref())?;
    let printer = &shell.printer;
    let (definitions, mut lives) = (definitions(&bench)?, Life::all(&bench.desk)?);
    let mut rows = Vec::new();
    if definitions.by_name.is_empty() {
        let folder = bench.config.sources.as_str();
        printer.line(&format!("no source is defined: {folder}/*.md on the target branch would"));
        printer.line("next: ab source propose NAME --url URL --schema FILE --path FILE");
    } else {
        let head = format!(
            "{:<20}  {:<9}  {:>5}  {:>8}  {:>7}  newest",
            "name", "stands", "tasks", "good", "records"
        );
        printer.line(&printer.paint(Tone::Faint, &head));
    }
    for (name, defined) in &definitions.by_name {
        let life = lives.remove(&defined.definition).unwrap_or_default();
        let record = life.record();
        let newest = life.samples.last().map(|one| {
            let why = one.sample.why.as_ref().map(|why| format!(": {}", safe_text::line(why)));
            format!(
                "{} {}{}",
                crate::queue::ago(bench.desk.now().0.saturating_sub(one.at)),
                one.sample.outcome,
                why.unwrap_or_default()
            )
        });
        printer.line(&format!(
            "{name:<20}  {}  {:>5}  {:>6}‰  {:>7}  {}",
            printer.paint(tone(life.state), &format!("{:<9}", life.state.as_str())),
            record.samples,
            record.succeeded_permille,
            record.records,
            newest.unwrap_or_else(|| "never read".to_owned())
        ));
        rows.push(json!({ "name": name, "state": life.state, "path": defined.path, "definition": defined.definition, "record": record }));
    }
    for (path, why) in &definitions.broken {
        let mark = printer.paint(Tone::Bad, "!");
        printer.line(&format!("{mark} {}: {}", safe_text::line(path), safe_text::line(why)));
    }
    printer.data(&json!({ "sources": rows, "broken": definitions.broken }));
    Ok(Exit::Done)
}

fn probe(shell: &Shell, args: &Named) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let definitions = definitions(&bench)?;
    let defined = definitions.named(&args.name)?;
    let before = Life::of(&bench.desk, &defined.definition)?.samples.len();
    // The same ticket, of which nothing is written.
    let (first, rest) = defined.text.split_once('\n').unwrap_or((&defined.text, ""));
    let text = format!("{first}\nprobe: true\n{rest}");
    // The log is one process's at a time.
    drop(bench.desk);
    let exit = start(shell, &args.at, text, Mode::Plan, (args.profile.as_ref(), args.reason.as_ref()))?;
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let life = Life::of(&bench.desk, &defined.definition)?;
    if life.samples.len() > before {
        let (name, state) = (&args.name, life.state.as_str());
        shell
            .printer
            .line(&format!("next: ab source show {name} · ab source promote {name}   (it is {state})"));
    }
    Ok(exit)
}

fn promote(shell: &Shell, args: &Named) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let definitions = definitions(&bench)?;
    let defined = definitions.named(&args.name)?;
    let life = Life::of(&bench.desk, &defined.definition)?;
    let Some(to) = life.state.next() else {
        return Err(Failure::new("AB0886", format!("source `{}` is active already", args.name))
            .help("ab source demote NAME --reason WHY takes its place away")
            .exit(Exit::Usage));
    };
    let text = format!(
        "---\nrecipe: promote-source\nparams: {{source: \"{}\", definition: \"{}\"}}\n---\nLet source {} be {}\n",
        args.name,
        defined.definition,
        args.name,
        to.as_str()
    );
    drop(bench);
    start(shell, &args.at, text, Mode::Apply, (args.profile.as_ref(), args.reason.as_ref()))
}

fn demote(shell: &Shell, args: &DemoteArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let definitions = definitions(&bench)?;
    let defined = definitions.named(&args.name)?;
    let life = Life::of(&bench.desk, &defined.definition)?;
    if life.state == SourceState::Demoted {
        return Err(Failure::new("AB0886", format!("source `{}` is demoted already", args.name))
            .help("ab source show NAME says by whom and why")
            .exit(Exit::Usage));
    }
    let body = Body::SourceDemoted(Box::new(SourceDemoted {
        source: args.name.clone(),
        definition: defined.definition.clone(),
        from: life.state,
        denied: None,
        by: shell.env.actor.clone(),
        reasons: vec![args.reason.clone()],
    }));
    wiring::record(&bench.desk.ledger, None, &body, vec![], Guard::Free)?;
    shell.printer.line(&format!("demoted  {} ({} before)", args.name, life.state.as_str()));
    shell.printer.line("next: ab source list · no run reads it any more");
    shell.printer.data(&json!({ "demoted": args.name, "from": life.state }));
    Ok(Exit::Done)
}

/// What policy would say of a place for a source, and of nothing else: levels, approvals and modes are left out.
fn against(
    bench: &Bench,
    defined: &Defined,
    life: &Life,
    to: SourceState,
) -> Result<Vec<(String, String)>, Failure> {
    let source: Option<SourceCase> = life.case(&defined.unit, &defined.definition, Some(to));
    let policy = &bench.desk.policy;
    let example = example::input(ActionClass::Fetch, &bench.config.profile, &policy.meter, &policy.risk)?;
    let mut action = example.action.clone();
    (action.kind, action.requests, action.source) = ("hold-source".to_owned(), Vec::new(), source);
    let input = PolicyInput { now: bench.desk.now().0, action, ..example };
    let opinion = policy.bundle.opinions(vec![input]).pop();
    let findings = opinion.into_iter().flat_map(|opinion| opinion.findings);
    let mut told: Vec<(String, String)> = findings
        .filter(|finding| finding.rule.starts_with(RULES))
        .map(|finding| (finding.rule, finding.msg))
        .collect();
    told.dedup();
    Ok(told)
}
