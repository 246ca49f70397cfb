//! `ab doctor`: which walls stand, and how far autonomy may go with them.

mod cost;

use abide_core::event::PolicySignature;
use abide_effects::forge::Note;
use abide_sandbox::Execution;
use abide_sandbox::runner::{Attempt, Wall, no_exec};
use serde_json::json;

use super::Shell;
use super::args::AtRepo;
use super::printer::Tone;
use super::run::Bench;
use crate::browser::Otherwise;
use crate::embedded;
use crate::in_force;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::sealed::{self, JudgeKind};
use crate::shadow::candidate;
use crate::wiring;

pub(crate) fn run(shell: &Shell, args: &AtRepo) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.repo.as_deref())?;
    for wall in &bench.walls.all {
        let (tone, mark) = if wall.stands { (Tone::Good, "✓") } else { (Tone::Wait, "–") };
        shell.printer.line(&format!("{:<14} {} {}", wall.name, shell.printer.paint(tone, mark), wall.what));
    }
    let runner = runner(shell, &bench);
    let execution = execution(shell, &bench, &runner);
    let jail = jail(shell, &bench)?;
    let browser = browser(shell, &bench, &jail);
    let bundle = &bench.desk.policy.bundle;
    let workers: Vec<_> = embedded::WORKERS.iter().map(|(name, _)| name.trim_end_matches(".wasm")).collect();
    let size = bench.desk.ledger.size().map_err(|error| Failure::of(error.code(), error))?;
    policy(shell, &bench)?;
    shell.printer.line(&format!(
        "{:<14} {} {}",
        "workers",
        shell.printer.paint(Tone::Good, "✓"),
        workers.join(", ")
    ));
    shell.printer.line(&format!(
        "{:<14} {} {size} events, key {}",
        "log",
        shell.printer.paint(Tone::Good, "✓"),
        bench.desk.ledger.vkey()
    ));
    egress(shell, &bench);
    for note in bench.known.repo.notes() {
        shell.printer.line(&format!(
            "{:<14} {} {}",
            "repository",
            shell.printer.paint(Tone::Wait, "!"),
            note_text(note)
        ));
    }
    let gaps = in_force::gaps(&bench.known, &bench.config)?;
    for gap in gaps.absent.iter().chain(&gaps.differs) {
        let mark = shell.printer.paint(Tone::Wait, "!");
        shell.printer.line(&format!("{:<14} {mark} {gap}", "in force"));
    }
    let level = bench.config.level_max.number().min(bench.walls.level_max());
    let reason = if bench.config.level_max.number() <= bench.walls.level_max() {
        "autonomy_max in ab.yml"
    } else {
        "the walls of this host"
    };
    shell.printer.line(&format!(
        "{:<14} A{level} at most under {} ({reason}) → ab explain AB0210",
        "level", bench.config.profile
    ));
    let not_in_force = [gaps.absent, gaps.differs].concat();
    let walls: Vec<_> = bench
        .walls
        .all
        .iter()
        .map(|wall| json!({ "wall": wall.name, "stands": wall.stands, "what": wall.what }))
        .collect();
    shell.printer.data(&json!({
        "walls": walls, "runner": runner, "execution": execution, "jail": jail, "browser": browser, "single_user": bench.walls.single_user(), "level_max": level, "bundle": bundle.digest(),
        "policy_version": bench.desk.policy.record.as_ref().map_or(0, |record| record.version.0),
        "organisation_version": bench.desk.policy.organisation.as_ref().map_or(0, |record| record.version.0),
        "policy_degraded": bench.desk.policy.degraded, "judge": bench.desk.policy.judge.name(), "sealed_judge": sealed::carried(), "workers": workers, "log_size": size,
        "not_in_force": not_in_force,
    }));
    Ok(Exit::Done)
}

/// Through what requests leave, where policy lets any.
fn egress(shell: &Shell, bench: &Bench) {
    let policy = &bench.desk.policy.egress;
    if policy.leases.is_empty() {
        return;
    }
    let leases: Vec<_> = policy.leases.keys().map(String::as_str).collect();
    let (tone, mark, how) = match &policy.host.upstream {
        None => (Tone::Good, "✓", "every address is checked before it is dialled".to_owned()),
        Some(upstream) => (
            Tone::Wait,
            "!",
            format!(
                "through {}:{}, which looks names up by itself: where they lead cannot be checked here",
                abide_core::safe_text::line(&upstream.host),
                upstream.port
            ),
        ),
    };
    let mark = shell.printer.paint(tone, mark);
    shell.printer.line(&format!("{:<14} {mark} leases {}; {how}", "egress", leases.join(", ")));
}

/// What of this host is tried: one is started here, and attempts what it must not be able to do.
struct Tried {
    /// Name of the line.
    head: &'static str,
    /// What happens where a wall is required and does not stand.
    stopped: &'static str,
    /// Who could get out.
    who: &'static str,
    walls: Vec<Wall>,
    attempts: Vec<Attempt>,
}

/// The walls around a worker's process.
fn runner(shell: &Shell, bench: &Bench) -> serde_json::Value {
    match bench.workshop.examine() {
        Ok((walls, attempts)) => {
            let (head, stopped, who) = ("runner", "no worker runs", "a worker that breaks out");
            let tried = Tried { head, stopped, who, walls, attempts };
            tell(shell, &tried, &bench.workshop.mode().required(&bench.desk.policy.walls_required), &[])
        }
        Err(error) => {
            untold(shell, "runner", &format!("no worker can run: {error} → ab explain {}", error.code()))
        }
    }
}

/// How code is run here, and what that costs where it is interpreted.
fn execution(shell: &Shell, bench: &Bench, runner: &serde_json::Value) -> serde_json::Value {
    let mode = bench.workshop.mode();
    let line = |tone, mark: &str, text: &str| {
        let mark = shell.printer.paint(tone, mark);
        shell.printer.line(&format!("{:<14} {mark} {text}", "execution"));
    };
    let cost = match mode.execution() {
        Execution::Native if makes_none(runner) => {
            line(
                Tone::Bad,
                "✗",
                "this host makes no page executable, and workers are machine code: use --no-exec → ab explain AB0881",
            );
            serde_json::Value::Null
        }
        Execution::Native => {
            line(Tone::Good, "✓", "as machine code; ab doctor --no-exec measures what interpreting costs");
            serde_json::Value::Null
        }
        Execution::Interpreted => {
            match mode.hold() {
                Ok(()) => {
                    line(Tone::Good, "✓", "interpreted; no page of this process becomes executable (MDWE)");
                }
                Err(error) => line(
                    Tone::Wait,
                    "–",
                    &format!(
                        "interpreted; the kernel does not keep this process from executable pages, which it does not make: {error}"
                    ),
                ),
            }
            cost::tell(shell, bench)
        }
    };
    json!({ "execution": mode.execution(), "mode": mode, "cost": cost })
}

/// Whether nobody here makes a page executable: the wall stands without having been raised.
fn makes_none(runner: &serde_json::Value) -> bool {
    let walls = runner.get("walls").and_then(serde_json::Value::as_array);
    walls
        .is_some_and(|walls| walls.iter().any(|wall| wall["name"] == no_exec::WALL && wall["stands"] == true))
}

/// The walls around a check.
fn jail(shell: &Shell, bench: &Bench) -> Result<serde_json::Value, Failure> {
    let settings = &bench.desk.policy.jail;
    let cells = wiring::jail(settings, &bench.known.state, &shell.env);
    Ok(match cells.examine(&bench.known.state.scratch()?) {
        Ok((walls, attempts)) => {
            let tried = Tried { head: "jail", stopped: "no check runs", who: "a check", walls, attempts };
            tell(shell, &tried, &settings.require_walls, &settings.autonomous_needs)
        }
        Err(error) => {
            untold(shell, "jail", &format!("no check can run: {error} → ab explain {}", error.code))
        }
    })
}

/// Whether pages can be looked at with a browser here, and what is done otherwise.
fn browser(shell: &Shell, bench: &Bench, jail: &serde_json::Value) -> serde_json::Value {
    let settings = &bench.desk.policy.browser;
    let standing = jail.get("walls").and_then(serde_json::Value::as_array).into_iter().flatten();
    let standing: Vec<&str> = standing
        .filter(|wall| wall["stands"] == true)
        .filter_map(|wall| wall.get("name").and_then(serde_json::Value::as_str))
        .collect();
    let missing: Vec<&str> =
        settings.require_walls.iter().map(String::as_str).filter(|wall| !standing.contains(wall)).collect();
    let otherwise = match settings.otherwise {
        Otherwise::Static => "pages are read without their scripts",
        Otherwise::Refuse => "no page is read",
    };
    let program = abide_core::safe_text::line(&settings.program.to_string_lossy());
    let is_there = settings.program.exists();
    let (tone, mark, text) = match (is_there, missing.as_slice()) {
        (true, []) => (
            Tone::Good,
            "✓",
            format!("{program}, in a jail without a way out; the broker answers its requests"),
        ),
        (true, missing) => (
            Tone::Wait,
            "–",
            format!("it needs walls that do not stand ({}): {otherwise}", missing.join(", ")),
        ),
        (false, _) => {
            (Tone::Wait, "–", format!("{program} is not there: {otherwise} (apt-get install chromium)"))
        }
    };
    let mark = shell.printer.paint(tone, mark);
    shell.printer.line(&format!("{:<14} {mark} {text}", "browser"));
    json!({ "program": program, "is_there": is_there, "missing_walls": missing })
}

fn untold(shell: &Shell, head: &str, why: &str) -> serde_json::Value {
    let mark = shell.printer.paint(Tone::Bad, "!");
    shell.printer.line(&format!("{head:<14} {mark} {}", abide_core::safe_text::line(why)));
    json!({ "error": why })
}

/// Says which walls stand, and what is open nevertheless. Without a wall of `asked` a person is asked first.
fn tell(shell: &Shell, tried: &Tried, required: &[String], asked: &[String]) -> serde_json::Value {
    let mut head = tried.head;
    let mut line = |tone, mark: &str, text: &str| {
        let mark = shell.printer.paint(tone, mark);
        shell.printer.line(&format!("{head:<14} {mark} {}", abide_core::safe_text::line(text)));
        head = "";
    };
    for wall in &tried.walls {
        let lost = lost(tried.head, &wall.name);
        let needed = match (wall.stands, required.contains(&wall.name), asked.contains(&wall.name)) {
            (true, ..) => {
                line(Tone::Good, "✓", &format!("{}: {}", wall.name, wall.what));
                continue;
            }
            (false, true, _) => format!("; policy requires it: {}", tried.stopped),
            (false, false, true) => "; without it a person is asked before a check runs".to_owned(),
            (false, false, false) => lost.to_owned(),
        };
        let (tone, mark) = if needed == lost { (Tone::Wait, "–") } else { (Tone::Bad, "✗") };
        line(tone, mark, &format!("{}: {}{needed}", wall.name, wall.what));
    }
    let open: Vec<_> = tried.attempts.iter().filter(|attempt| attempt.refused.is_none()).collect();
    for attempt in &open {
        line(Tone::Bad, "✗", &format!("{} could {}", tried.who, attempt.what));
    }
    if open.is_empty() {
        line(Tone::Good, "✓", &format!("{} ways out were tried, and none is open", tried.attempts.len()));
    }
    let walls: Vec<_> = tried
        .walls
        .iter()
        .map(|wall| {
            let lost = lost(tried.head, &wall.name).trim_start_matches("; ");
            json!({ "name": wall.name, "stands": wall.stands, "what": wall.what, "without": lost })
        })
        .collect();
    json!({ "walls": walls, "attempts": tried.attempts })
}

/// What a worker that breaks out of its engine gains where a wall does not stand around its process.
fn lost(head: &str, wall: &str) -> &'static str {
    match wall {
        _ if head != "runner" => "",
        "bounds" => {
            "; without it others of this user read what is in its memory, and it has files that a shell left open"
        }
        "namespaces" => {
            "; without it this host's network devices are in sight, and the other walls alone keep it from sockets"
        }
        "landlock" => {
            "; without it the other walls alone keep it from files, and it may signal processes of this user"
        }
        "seccomp" => {
            "; without it every call to the kernel is open, and files, sockets and programs are as far as the other walls go"
        }
        "no-exec" => {
            "; without it a mistake of the compiler is machine code that runs, behind the other walls"
        }
        _ => "",
    }
}

/// Who judges, and whether there is a sealed judge for what is not trusted.
fn judge(shell: &Shell, kind: JudgeKind) {
    let (tone, mark, sealed) = match sealed::carried() {
        Some(digest) => (Tone::Good, "✓", format!("the sealed one is {}", digest.short())),
        None => (Tone::Wait, "!", "there is no sealed one in this binary → ab explain AB0193".to_owned()),
    };
    shell.printer.line(&format!(
        "{:<14} {} {} decides; {sealed}",
        "judge",
        shell.printer.paint(tone, mark),
        kind.name()
    ));
}

/// What judges, and what judges beside it.
fn policy(shell: &Shell, bench: &Bench) -> Result<(), Failure> {
    let bundle = &bench.desk.policy.bundle;
    shell.printer.line(&format!(
        "{:<14} {} bundle {} ({} modules), {}",
        "policy",
        shell.printer.paint(Tone::Good, "✓"),
        bundle.digest().short(),
        bundle.modules().len(),
        origin(&bench.desk.policy)
    ));
    judge(shell, bench.desk.policy.judge);
    if let Some(started) = candidate::last(&bench.desk.ledger)?.filter(|started| started.stopped.is_none()) {
        let mark = shell.printer.paint(Tone::Wait, "–");
        let name = abide_core::safe_text::line(&started.record.name);
        shell.printer.line(&format!(
            "{:<14} {mark} `{name}` judges beside it; nothing follows: ab policy shadow",
            "shadow"
        ));
    }
    if let Some(why) = &bench.desk.policy.degraded {
        let mark = shell.printer.paint(Tone::Bad, "!");
        shell.printer.line(&format!("{:<14} {mark} {why} → ab explain AB0262", "policy"));
    }
    Ok(())
}

/// Where the policy comes from.
fn origin(policy: &Policy) -> String {
    let people = |signed: &[PolicySignature]| {
        signed.iter().map(|one| one.person.as_str()).collect::<Vec<_>>().join(", ")
    };
    let base = policy.record.as_ref().map_or_else(
        || "built in".to_owned(),
        |record| format!("version {} signed by {}", record.version.0, people(&record.signed)),
    );
    match &policy.organisation {
        Some(layer) => {
            format!("{base}; organisation v{} signed by {}", layer.version.0, people(&layer.signed))
        }
        None => base,
    }
}

fn note_text(note: &Note) -> String {
    match note {
        Note::Alternates(paths) => {
            format!("borrows objects from {} other stores, which can take them away", paths.len())
        }
        Note::Replacements => {
            "has refs/replace: git on the command line shows other contents than are judged".to_owned()
        }
        Note::HooksPath(path) => format!(
            "core.hooksPath is `{}`: hooks installed by ab hook do not run",
            abide_core::safe_text::line(path)
        ),
        Note::LinkedWorktree => "was opened through a linked work tree".to_owned(),
    }
}
