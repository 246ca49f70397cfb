//! `ab worker tighten`: the least that would have done, from the receipts of what a worker did.

use std::collections::BTreeSet;

use abide_core::id::Digest;
use abide_core::safe_text;
use abide_sandbox::{Capability, Limits};
use clap::Args as ClapArgs;
use serde_json::json;

use super::verify::component;
use super::{Law, inspect};
use crate::cli::Shell;
use crate::cli::args::AtRepo;
use crate::cli::run::Bench;
use crate::report::{Exit, Failure};
use crate::workers::grants::Outlook;
use crate::workers::history::History;

const AFTER: &str = "\
It reads the capability receipts of the newest 500 tasks and proposes an entry for grants.yaml: what was never used is left out, and each limit is four
times the most that a task had, if that is less than today. It writes nothing: the change is yours to make, and policy's to accept.
A component that imports what it does not use is not run without it; there a lease without rules takes the place of the network.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct TightenArgs {
    #[command(flatten)]
    at: AtRepo,
    /// The name of a worker that was handed in, or the file of a component.
    #[arg(value_name = "NAME|FILE")]
    what: String,
    /// Propose from so few tasks, too.
    #[arg(long, value_name = "N", default_value_t = 20)]
    tasks: u32,
}

pub(super) fn run(shell: &Shell, args: &TightenArgs) -> Result<Exit, Failure> {
    let law = Law::around(shell, args.at.repo.as_deref())?;
    let (_, found) = component(&law, &args.what)?;
    let outlook = inspect::outlook(&law, &found);
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let history = History::of(&bench.desk, &found.digest)?;
    if history.tasks < args.tasks {
        let what = format!(
            "{} has run {} tasks here, and a proposal needs {}",
            found.digest.short(),
            history.tasks,
            args.tasks
        );
        return Err(Failure::new("AB0861", what)
            .help(format!("let it work first, or say --tasks {}", history.tasks.max(1)))
            .exit(Exit::Usage));
    }
    let limits = law.policy.limits.get(&outlook.limits).ok_or_else(|| {
        Failure::new("AB0831", format!("there are no limits called `{}`", outlook.limits)).exit(Exit::Gate)
    })?;
    let less = Less::of(&found.digest, &outlook, limits, &history);
    tell(shell, &history, &outlook, &less);
    shell.printer.data(&json!({
        "component": found.digest, "history": history, "proposal": less.changes, "yaml": less.yaml, "outlook": outlook,
    }));
    Ok(Exit::Done)
}

/// A proposal.
struct Less {
    /// What it changes, in words.
    changes: Vec<String>,
    /// For `policies/data/grants.yaml`, and `egress.yaml` where it says so.
    yaml: String,
}

/// Times the most that was used.
const ROOM: u64 = 4;

impl Less {
    fn of(component: &Digest, outlook: &Outlook, limits: &Limits, history: &History) -> Self {
        let mut changes: Vec<String> =
            outlook.unasked.iter().map(|name| format!("without `{name}`: it does not ask for it")).collect();
        let called = |name: &str| {
            Capability::ALL
                .into_iter()
                .find(|one| one.name() == name)
                .and_then(|one| history.used.get(&one))
                .is_some_and(|(tasks, _)| *tasks > 0)
        };
        let grants = outlook.grants();
        let kept: BTreeSet<&str> = grants.iter().map(|one| one.name()).collect();
        let kept: Vec<&str> = kept.into_iter().collect();
        let mut lease = outlook.lease.clone();
        if let Some(name) = &outlook.lease
            && !called("egress")
        {
            changes.push(format!("lease `none` in place of `{name}`: it asked for nothing"));
            lease = Some("none".to_owned());
        }
        let (smaller, named) = smaller(limits, history);
        changes.extend(named);
        let set = format!("{}-observed", component.hex().chars().take(8).collect::<String>());
        let packages: BTreeSet<&str> =
            outlook.stubs.iter().map(|name| abide_sandbox::inspect::package(name)).collect();
        let packages: Vec<&str> = packages.into_iter().collect();
        let mut entry = vec![format!("capabilities: [{}]", kept.join(", ")), format!("limits: {set}")];
        if !packages.is_empty() {
            entry.push(format!("stubs: [{}]", packages.join(", ")));
        }
        entry.extend(lease.map(|lease| format!("egress: {lease}")));
        let mut yaml = vec![
            "components:".to_owned(),
            format!("  \"{component}\": {{{}}}", entry.join(", ")),
            "limit_sets:".to_owned(),
            format!("  {set}:"),
        ];
        yaml.extend(smaller.iter().map(|(name, value)| format!("    {name}: {value}")));
        let yaml = yaml.join("\n");
        Self { changes, yaml }
    }
}

/// A limit: its name, what it is, the most that was used, and what is never undercut.
type Row = (&'static str, u64, Option<(u64, u64)>);

/// Each limit with room above what was used, and never above what it is; and which of them differ.
fn smaller(limits: &Limits, history: &History) -> (Vec<(&'static str, u64)>, Vec<String>) {
    let most = |capability| history.used.get(&capability).map(|(_, usage)| *usage).unwrap_or_default();
    let (workspace, log, progress, browser) = (
        most(Capability::Workspace),
        most(Capability::Log),
        most(Capability::Progress),
        most(Capability::Browser),
    );
    // What no receipt measures stays as it is.
    let rows: [Row; 19] = [
        ("memory_bytes_max", limits.memory_bytes_max, Some((history.memory_bytes, 8 << 20))),
        ("table_elements_max", limits.table_elements_max.into(), None),
        ("wall_ms_max", limits.wall_ms_max, Some((history.wall_ms, 1_000))),
        ("hostcall_bytes_max", limits.hostcall_bytes_max, None),
        ("workspace_calls_max", limits.workspace_calls_max.into(), Some((workspace.calls, 64))),
        ("workspace_bytes_max", limits.workspace_bytes_max, Some((workspace.bytes, 1 << 20))),
        ("log_calls_max", limits.log_calls_max.into(), Some((log.calls, 16))),
        ("log_bytes_max", limits.log_bytes_max, Some((log.bytes, 4 << 10))),
        ("progress_calls_max", limits.progress_calls_max.into(), Some((progress.calls, 16))),
        ("files_max", limits.files_max.into(), Some((history.files.into(), 4))),
        ("output_bytes_max", limits.output_bytes_max, Some((history.output_bytes, 64 << 10))),
        ("random_bytes_max", limits.random_bytes_max, None),
        ("http_fields_max", limits.http_fields_max.into(), None),
        ("http_field_bytes_max", limits.http_field_bytes_max, None),
        ("http_body_bytes_max", limits.http_body_bytes_max, None),
        ("http_outstanding_max", limits.http_outstanding_max.into(), None),
        ("browser_pages_max", limits.browser_pages_max.into(), None),
        ("browser_calls_max", limits.browser_calls_max.into(), Some((browser.calls, 16))),
        ("browser_bytes_max", limits.browser_bytes_max, Some((browser.bytes, 1 << 20))),
    ];
    let mut named = Vec::new();
    let smaller = rows.into_iter().map(|(name, now, used)| {
        let room = used.map(|(most, least)| {
            most.saturating_mul(ROOM).max(least).checked_next_power_of_two().unwrap_or(now)
        });
        let then = room.map_or(now, |room| room.min(now));
        if then < now {
            let most = used.map_or(0, |(most, _)| most);
            named.push(format!("{name} {then} in place of {now}: the most was {most}"));
        }
        (name, then)
    });
    let smaller = smaller.collect();
    (smaller, named)
}

fn tell(shell: &Shell, history: &History, outlook: &Outlook, less: &Less) {
    let printer = &shell.printer;
    printer.line(&format!(
        "tasks       {}: {} proposals, {} stopped, in {} something was denied",
        history.tasks, history.proposed, history.stopped, history.denied
    ));
    for (capability, (tasks, most)) in &history.used {
        printer.line(&format!(
            "used        {capability} in {tasks} tasks, at most {} calls and {} bytes",
            most.calls, most.bytes
        ));
    }
    for name in
        outlook.get.keys().filter(|name| !history.used.keys().any(|used| used.name() == name.as_str()))
    {
        printer.line(&format!("never used  {name}"));
    }
    for (origin, tasks) in &history.origins {
        printer.line(&format!("asked       {} in {tasks} tasks", safe_text::line(origin)));
    }
    if less.changes.is_empty() {
        printer.line("nothing of its grants can be less");
        return;
    }
    for change in &less.changes {
        printer.line(&format!("tighten     {change}"));
    }
    printer.line(&format!("for         {} (and `egress.yaml`, where a lease changes):", outlook.place));
    printer.exact("");
    for line in less.yaml.lines() {
        printer.exact(line);
    }
    if less.yaml.contains("egress: none") {
        printer.exact("# egress.yaml");
        for line in NOTHING.lines() {
            printer.exact(line);
        }
    }
    printer.exact("");
    printer.line("next: put it into the policy's data · ab policy check · ab policy replay");
}

/// A lease with which nothing may be asked.
const NOTHING: &str = "\
leases:
  none:
    rules: []
    budgets: {requests_max: 1, per_second_max: 1, concurrent_max: 1, request_bytes_max: 0, response_bytes_max: 0, bytes_max: 0, request_ms_max: 1000, idle_ms_max: 1000, lease_ms_max: 1000}";
