//! `ab run` and `ab propose`: from a ticket, or from a commit, as far as policy allows.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

mod given;
mod layered;

use std::path::Path;

use abide_core::event::{Body, Caps, Count, RunStarted};
use abide_core::id::{Oid, RunId};
use abide_core::input::RunMode;
use abide_core::plan::{Plan, TICKET_BYTES_MAX};
use abide_core::spine::{Deployment, Run};
use abide_effects::forge::Scratch;
use abide_effects::process::{Containment, Host};
use abide_gate::source::Files;
use abide_ledger::Blob;
use abide_sandbox::Execution;
use serde_json::json;

use super::Shell;
use super::args::{Mode, ProposeArgs, RunArgs};
use super::printer::Tone;
use crate::config::Config;
use crate::config::env::Env;
use crate::config::quantity::{Dollars, Quantity};
use crate::desk::{Desk, Payload};
use crate::drive::{Drive, offer};
use crate::in_force;
use crate::layers;
use crate::no_exec;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository::{self, Known};
use crate::story::Story;
use crate::walls::Walls;
use crate::wiring;
use crate::workshop::{Terms as RunnerTerms, Workshop};

/// Everything that carrying a run on takes, owned.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The repository and its state.
    pub(crate) known: Known,
    /// `ab.yml` of the target branch.
    pub(crate) config: Config,
    /// The repository's own rules on its target branch.
    own: Files,
    /// The log, the gate and the policy.
    pub(crate) desk: Desk,
    /// The workers.
    pub(crate) workshop: Workshop,
    /// What this host can hold.
    pub(crate) walls: Walls,
}

impl Bench {
    /// Opens the repository at `path` with its log and the policy of its target branch.
    pub(crate) fn open(shell: &Shell, path: Option<&Path>) -> Result<Self, Failure> {
        let known = repository::open(shell, path)?;
        let config = known.config()?;
        let ledger = wiring::ledger(&known.state)?;
        let own = known.policies(&config)?;
        let policy = Policy::in_force(&ledger, &own, &config, &Files::new())?;
        if let Some(why) = &policy.degraded {
            let mark = shell.printer.paint(Tone::Bad, "!");
            shell.printer.talk(&format!("{mark} an older policy is in force [AB0262]: {why}"));
        }
        let mode = policy.execution.asked(shell.env.no_exec);
        let terms = RunnerTerms::of(&policy, shell.env.no_exec);
        let workshop = Workshop::shipped(terms, &known.state);
        let env = under(mode, &shell.env);
        let shadow = layered::shadow(&ledger, &own, &config, &Files::new(), &env);
        let desk = wiring::desk(ledger, policy, shadow, &env)?;
        let walls = Walls::of_host(&known.state);
        Ok(Self { known, config, own, desk, workshop, walls })
    }

    /// Carries a run on, and says where it stands.
    pub(crate) fn carry_on(&self, shell: &Shell, run: &RunId) -> Result<Run, Failure> {
        let own = self.desk_of(shell, run)?;
        let desk = own.as_ref().unwrap_or(&self.desk);
        keep_policy(desk)?;
        let started = wiring::monotonic();
        let monotonic_ms = move || {
            u64::try_from(wiring::monotonic().saturating_duration_since(started).as_millis())
                .unwrap_or(u64::MAX)
        };
        let host = Host {
            path: shell.env.path.clone(),
            monotonic_ms: &monotonic_ms,
            containment: Containment::probe(),
        };
        let jail = wiring::jail(&desk.policy.jail, &self.known.state, &shell.env);
        let environment = shell.env.picked(self.config.checks.iter().flat_map(|check| &check.env));
        let drive = Drive {
            desk,
            repo: &self.known.repo,
            config: &self.config,
            workshop: &self.workshop,
            story: Story { printer: &shell.printer },
            host_level_max: self.config.level_max.number().min(self.walls.level_max()),
            scratch: self.known.state.scratch()?,
            last: std::cell::Cell::new(None),
            jail: &jail,
            host: &host,
            environment: &environment,
            incoming: self.known.state.incoming(run),
        };
        let state = drive.carry_on(run);
        // However it went: what was judged beside it is written down last, and changes nothing of it.
        if let Some(shadow) = &desk.shadow {
            shadow.record(&desk.ledger);
        }
        state
    }
}

/// The environment where the policy says how code is run; this process holds itself to it.
fn under(mode: no_exec::Mode, env: &Env) -> Env {
    if let Err(error) = mode.hold() {
        tracing::debug!(%error, "the kernel does not keep this process from executable pages; its engine makes none");
    }
    Env { no_exec: mode.execution() == Execution::Interpreted, ..env.clone() }
}

/// Keeps the bytes of the policy beside the log before anything is decided by it. A run keeps what it began with; the policy may have changed
/// since then.
fn keep_policy(desk: &Desk) -> Result<(), Failure> {
    let bundle = &desk.policy.bundle;
    let store = desk.ledger.store();
    let fault = |error: abide_ledger::StoreError| Failure::of(error.code(), error).exit(Exit::Gate);
    if store.blob(bundle.digest()).map_err(fault)?.is_some() {
        return Ok(());
    }
    store.put_blobs(vec![Blob::new("bundle", bundle.to_bytes().to_vec())]).map_err(fault)
}

pub(crate) fn run(shell: &Shell, args: &RunArgs) -> Result<Exit, Failure> {
    let mut bench = Bench::open(shell, args.at.repo.as_deref())?;
    given::put(shell, &mut bench, &args.worker)?;
    let (ticket, text) = find_ticket(&bench, &args.ticket)?;
    // Planned once here, so that a ticket that means nothing is refused before anything is recorded.
    let plan = Plan::of_ticket(&text).map_err(|error| {
        let help = format!(
            "recipes: {}; `worker: NAME` beside `recipe` names a worker that was handed in; `ab explain tickets` shows how",
            recipes()
        );
        Failure::of(error.code(), error).help(help).exit(Exit::Usage)
    })?;
    for unit in plan.units.iter().filter(|unit| !unit.worker.is_empty()) {
        bench.workshop.named(&unit.worker, &bench.desk.ledger)?;
    }
    bench.workshop.check_no_exec()?;
    bench.workshop.prepare();
    let terms = Terms {
        ticket,
        profile: args.profile.clone(),
        cap: args.cap,
        usd: args.usd,
        mode: args.mode,
        reason: args.reason.clone(),
        layer: args.tighten.as_deref().map(|file| bench.layer(file)).transpose()?,
    };
    start(shell, &bench, (&text, &plan.title), &terms, None)
}

pub(crate) fn propose(shell: &Shell, args: &ProposeArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let by = args.by.clone().unwrap_or_else(|| shell.env.actor.clone());
    let layer = args.tighten.as_deref().map(|file| bench.layer(file)).transpose()?;
    let run = new_run(&bench)?;
    let incoming = bench.known.state.incoming(&run);
    let from = args.from.as_deref().unwrap_or_else(|| bench.known.repo.git_dir());
    let taken = abide_effects::forge::Intake::take(&bench.known.repo, from, &args.commit, &incoming);
    let commit: Oid = taken.map_err(|error| {
        let help = format!("name a branch or a commit that git log shows in {}", from.display());
        Failure::of(error.code(), error).help(help).exit(Exit::Usage)
    })?;
    let target = &bench.config.target;
    let head = bench.known.head(target)?;
    let scratch = Scratch::with_incoming(&bench.known.repo, &bench.known.state.scratch()?, &incoming)
        .map_err(|error| Failure::of(error.code(), error))?;
    if let Err(unfit) = offer::standing(&scratch, &head, &commit)?.fits(target, &commit, &head) {
        drop(std::fs::remove_dir_all(&incoming));
        return Err(Failure::new(unfit.code, unfit.what).help(unfit.next).exit(Exit::Usage));
    }
    let title = format!("Proposed commit {} by {}", commit.short(), abide_core::safe_text::line(&by));
    let by_line = serde_json::to_string(&by).map_err(|error| Failure::of("AB0124", error))?;
    let text =
        format!("---\nrecipe: proposal\nparams:\n  commit: \"{commit}\"\n  by: {by_line}\n---\n{title}\n");
    let terms = Terms {
        ticket: None,
        profile: args.profile.clone(),
        cap: None,
        usd: None,
        mode: args.mode,
        reason: args.reason.clone(),
        layer,
    };
    start(shell, &bench, (&text, &title), &terms, Some(run))
}

/// On which terms a run is started.
struct Terms {
    ticket: Option<String>,
    profile: Option<String>,
    cap: Option<Quantity>,
    usd: Option<Dollars>,
    mode: Mode,
    reason: Option<String>,
    /// The layer of this run alone, and the policy with it.
    layer: Option<(Files, Policy)>,
}

fn new_run(bench: &Bench) -> Result<RunId, Failure> {
    let random = u128::from_be_bytes(wiring::entropy::<16>()?);
    let ulid = ulid::Ulid::from_parts(bench.desk.now().0, random).to_string();
    ulid.parse().map_err(|error| Failure::of("AB0007", error))
}

fn start(
    shell: &Shell,
    bench: &Bench,
    (text, title): (&str, &str),
    terms: &Terms,
    run: Option<RunId>,
) -> Result<Exit, Failure> {
    let run = run.map_or_else(|| new_run(bench), Ok)?;
    if bench.desk.halt(&run)?.halted {
        return Err(Failure::new("AB0121", "the kill switch is pulled")
            .help("ab resume --reason WHY opens the gate again")
            .exit(Exit::Halted));
    }
    let config = &bench.config;
    for gap in in_force::gaps(&bench.known, config)?.absent {
        shell.printer.talk(&format!("{} {gap}", shell.printer.paint(Tone::Wait, "!")));
    }
    let goal = Payload::bytes("goal", text.as_bytes().to_vec());
    let policy = terms.layer.as_ref().map_or(&bench.desk.policy, |(_, policy)| policy);
    let bundle = Payload::bytes("bundle", policy.bundle.to_bytes().to_vec());
    let layer = terms.layer.as_ref().map(|(files, _)| layers::run::stored(files)).transpose()?;
    let layer = layer.map(|bytes| Payload::bytes("run-layer", bytes));
    let reason = terms.reason.clone().unwrap_or_else(|| {
        terms.ticket.as_ref().map_or_else(|| title.to_owned(), |ticket| of_ticket(ticket, title))
    });
    let started = RunStarted {
        repo: bench.known.state.repository.id.clone(),
        target: config.target.clone(),
        base: bench.known.head(&config.target)?,
        profile: terms.profile.clone().unwrap_or_else(|| config.profile.clone()),
        mode: match terms.mode {
            Mode::Plan => RunMode::Plan,
            Mode::Apply => RunMode::Apply,
        },
        safety_mode: config.safety_mode,
        safety_level: config.safety_level,
        ticket: terms.ticket.clone(),
        goal: goal.digest.clone(),
        sponsor: shell.env.actor.clone(),
        reason,
        budget: caps(config, terms),
        deploys_to: config.deploy.as_ref().map(|deploy| deploy.environment.clone()),
        tighten: layer.as_ref().map(|layer| layer.digest.clone()),
    };
    let payloads = [goal, bundle].into_iter().chain(layer).collect();
    bench.desk.record(Some(&run), &Body::RunStarted(started), payloads)?;
    let state = bench.carry_on(shell, &run)?;
    Ok(conclude(shell, &bench.desk, &state))
}

/// Signs the log as it stands, so that what was written until now cannot be rewritten unseen. A failure is said and changes nothing.
fn sign(shell: &Shell, desk: &Desk) {
    if let Err(error) = desk.ledger.checkpoint() {
        shell.printer.talk(&format!("the log could not be signed: {error} [{}]", error.code()));
    }
}

/// Says how it stands and what to type next.
pub(crate) fn conclude(shell: &Shell, desk: &Desk, run: &Run) -> Exit {
    let (merged, queued, denied) = run.tally();
    let exit = exit_of(run, desk);
    let items: Vec<&str> = run.waiting.values().map(|waiting| waiting.item.as_str()).collect();
    let word = match exit {
        Exit::Halted => "Halted",
        Exit::Waiting => "Waiting",
        Exit::Denied => "Denied",
        Exit::Budget => "Out of budget",
        Exit::Fault => "Rolled back",
        Exit::Done | Exit::Usage | Exit::Gate | Exit::Evidence => "Done",
    };
    sign(shell, desk);
    let size = desk.ledger.size().unwrap_or_default();
    let tally = if run.plan_denied {
        "the plan itself, so nothing was begun".to_owned()
    } else {
        format!("{merged} merged, {queued} queued, {denied} denied")
    };
    shell.printer.line(&format!("{word}: {tally}. Evidence: run {}, log size {size}", run.id));
    let next = items.first().map_or_else(
        || format!("ab show {} · ab packet {}", run.id, run.id),
        |item| format!("ab show {item} · ab approve {item} · ab deny {item} --reason WHY"),
    );
    shell.printer.line(&format!("next: {next}"));
    shell.printer.data(&json!({
        "run": run.id, "exit": exit.number(), "merged": merged, "queued": queued, "denied": denied, "waiting": items,
        "merged_oids": run.units.iter().filter_map(|unit| match &unit.progress {
            abide_core::spine::Progress::Merged(oid) => Some(oid.as_str()),
            _ => None,
        }).collect::<Vec<_>>(),
        "deployment": deployment_word(&run.deployment),
        "log_size": size,
    }));
    exit
}

fn deployment_word(deployment: &Deployment) -> &'static str {
    match deployment {
        Deployment::None => "none",
        Deployment::Due(_) => "due",
        Deployment::Canary(_) => "canary",
        Deployment::Live(_) => "live",
        Deployment::RolledBack(_) => "rolled-back",
        Deployment::Denied => "denied",
    }
}

fn exit_of(run: &Run, desk: &Desk) -> Exit {
    let (_, queued, denied) = run.tally();
    let halted = run.halted || desk.halt(&run.id).map_or(true, |state| state.halted);
    if halted {
        return Exit::Halted;
    }
    if queued > 0 {
        return Exit::Waiting;
    }
    match &run.deployment {
        Deployment::RolledBack(_) => return Exit::Fault,
        Deployment::Denied => return Exit::Denied,
        Deployment::None | Deployment::Due(_) | Deployment::Canary(_) | Deployment::Live(_) => {}
    }
    if denied == 0 && !run.plan_denied {
        return Exit::Done;
    }
    let budget = desk.history(&run.id).is_ok_and(|history| {
        history.iter().any(
            |(_, event)| matches!(&event.body, Body::UnitDenied { rule, .. } if rule.starts_with("budget")),
        )
    });
    if budget { Exit::Budget } else { Exit::Denied }
}

fn caps(config: &Config, terms: &Terms) -> Caps {
    let least = |configured: Option<u64>, asked: Option<u64>| match (configured, asked) {
        (Some(a), Some(b)) => Some(Count(a.min(b))),
        (a, b) => a.or(b).map(Count),
    };
    Caps {
        tokens: least(config.tokens_max, terms.cap.map(|cap| cap.0)),
        usd_micro: least(config.usd_micro_max, terms.usd.map(|usd| usd.0)),
        wall_ms: config.wall_ms_max.map(Count),
    }
}

fn recipes() -> String {
    let names: Vec<_> = abide_core::plan::RECIPES
        .iter()
        .filter(|recipe| !recipe.worker.is_empty())
        .map(|recipe| recipe.name)
        .collect();
    names.join(", ")
}

/// The reason of a run for a ticket. A file named `ticket.md` is not called «ticket ticket».
fn of_ticket(ticket: &str, title: &str) -> String {
    let says_so = ticket.to_ascii_lowercase().starts_with("ticket");
    if says_so { format!("{ticket}: {title}") } else { format!("ticket {ticket}: {title}") }
}

/// The ticket that `word` means: a file, an id looked up on the target branch, or the words themselves.
fn find_ticket(bench: &Bench, word: &str) -> Result<(Option<String>, String), Failure> {
    let path = Path::new(word);
    if path.is_file() {
        let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
        if size > u64::try_from(TICKET_BYTES_MAX).unwrap_or(u64::MAX) {
            return Err(Failure::new(
                "AB0020",
                format!("the ticket `{word}` has {size} bytes, more than {TICKET_BYTES_MAX}"),
            )
            .exit(Exit::Usage));
        }
        let bytes = std::fs::read(path).map_err(|error| Failure::of("AB0020", error).exit(Exit::Usage))?;
        let text = String::from_utf8(bytes)
            .map_err(|error| Failure::of("AB0020", error).help("a ticket is UTF-8 text").exit(Exit::Usage))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        return Ok((name, text));
    }
    // What looks like a file is meant as one: it is neither an id nor a title.
    let looks_like_a_file =
        !word.contains(char::is_whitespace) && (word.contains('/') || word.strip_suffix(".md").is_some());
    if looks_like_a_file && !word.ends_with('/') {
        return Err(Failure::new(
            "AB0025",
            format!("there is no file `{}`", abide_core::safe_text::line(word)),
        )
        .help("a ticket is a file, an id, or words: --ticket \"Repair links in docs/\"")
        .exit(Exit::Usage));
    }
    let is_id = !word.contains(char::is_whitespace)
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'#'));
    if is_id {
        let place = bench.config.tickets.replace("{id}", word);
        let head = bench.known.head(&bench.config.target)?;
        let Some(bytes) = bench.known.file(&head, &place)? else {
            let target = bench.config.target.short();
            return Err(Failure::new(
                "AB0025",
                format!("there is no ticket `{word}`: neither a file of that name nor `{place}` on {target}"),
            )
            .help("a ticket may also be given in words: --ticket \"Repair links in docs/\"")
            .exit(Exit::Usage));
        };
        let text =
            String::from_utf8(bytes).map_err(|error| Failure::of("AB0020", error).exit(Exit::Usage))?;
        return Ok((Some(word.to_owned()), text));
    }
    Ok((None, word.to_owned()))
}
