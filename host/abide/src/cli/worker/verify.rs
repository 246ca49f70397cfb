//! `ab worker verify`: whether what policy grants a component, and what it withholds, holds on this host.

use std::path::Path;

use abide_core::safe_text;
use abide_sandbox::inspect::Inspection;
use clap::Args as ClapArgs;
use serde_json::json;

use super::{Law, inspect};
use crate::cli::Shell;
use crate::cli::args::AtRepo;
use crate::cli::printer::Tone;
use crate::report::{Exit, Failure};
use crate::workers::grants::Outlook;
use crate::workers::probes::{self, Stand, Tried};
use crate::workers::{Kept, Registry};
use crate::{wiring, workshop};

const AFTER: &str = "\
Each grant is taken away once, and the component must then be refused. Each limit is tried on a component that does nothing but break it, each wall by
something that gets out if it can, and the lease of the network is held against addresses that it must not allow (no request is made).
It writes nothing. Exit 8: something does not hold.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    at: AtRepo,
    /// A .wasm file, the folder of an OCI image layout, or the name of a worker that was handed in.
    #[arg(value_name = "FILE|NAME")]
    what: String,
}

/// The component that `what` means: a file where there is one, or else the one that is used under that name.
pub(super) fn component(law: &Law, what: &str) -> Result<(Vec<u8>, Inspection), Failure> {
    let path = Path::new(what);
    let state = law.state.as_ref().filter(|_| !path.exists() && !what.contains(['/', '.']));
    let Some(state) = state else { return inspect::look(law, path) };
    let registry = Registry::of(&*wiring::ledger(state)?)?;
    let entry = registry.of_name(what).next_back().map_or_else(|| registry.usable(what), Ok)?;
    let bytes = Kept::of(state).read(&entry.offer.component)?;
    let most = law.policy.engine.component_bytes_max;
    let found = abide_sandbox::inspect::inspect(&bytes, most)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    Ok((bytes, found))
}

pub(super) fn run(shell: &Shell, args: &VerifyArgs) -> Result<Exit, Failure> {
    let law = Law::around(shell, args.at.repo.as_deref())?;
    let (bytes, found) = component(&law, &args.what)?;
    let outlook = inspect::outlook(&law, &found);
    if let Some(first) = found.objections(|name| outlook.stubs.contains(name)).first() {
        return Err(Failure::new(first.code, first.what.clone())
            .help(first.next.clone())
            .exit(Exit::Evidence));
    }
    let printer = &shell.printer;
    printer.line(&format!("component   {}", found.digest));
    inspect::grants(printer, &law, &outlook, &found);
    if let Some(missed) = outlook.miss.first() {
        let what = format!("policy gives it no `{}`, so it would not be run at all", safe_text::line(missed));
        return Err(Failure::new("AB0201", what)
            .help(format!("grant it in {}, or use a worker that does without", outlook.place))
            .exit(Exit::Denied));
    }
    let all = {
        let _busy = printer.busy("trying");
        tried(&law, shell.env.no_exec, &bytes, &found, &outlook)?
    };
    tell(shell, &all);
    for name in &outlook.unasked {
        let mark = printer.paint(Tone::Wait, "wider");
        printer.line(&format!("{mark}   {name}: granted, and it does not ask for it"));
    }
    let failed = all.iter().filter(|one| !one.holds).count();
    printer.data(&json!({
        "component": found.digest, "outlook": outlook, "tried": all, "failed": failed, "wider": outlook.unasked,
    }));
    if failed > 0 {
        printer.line(&format!("next: {failed} of {} do not hold · ab explain AB0857", all.len()));
        return Ok(Exit::Evidence);
    }
    printer.line(&format!("granted and enforced: {} of {}", all.len(), all.len()));
    if law.state.is_some() && Path::new(&args.what).exists() {
        printer.line(&format!("next: ab worker add {} --reason WHY", safe_text::line(&args.what)));
    }
    Ok(Exit::Done)
}

fn tried(
    law: &Law,
    no_exec: bool,
    bytes: &[u8],
    found: &Inspection,
    outlook: &Outlook,
) -> Result<Vec<Tried>, Failure> {
    let limits = law.policy.limits.get(&outlook.limits).ok_or_else(|| {
        Failure::new("AB0831", format!("there are no limits called `{}`", outlook.limits)).exit(Exit::Gate)
    })?;
    let processes = workshop::apart(&law.policy, no_exec, law.state.as_ref())?;
    let stand = Stand::new(&processes, &law.policy)?;
    let mut all = probes::imports(&stand, bytes, found, outlook, limits)?;
    if let Some(name) = &outlook.lease {
        all.extend(probes::lease(&law.policy.egress.lease(name, &found.digest)?));
    }
    all.extend(probes::limits(&stand, limits)?);
    let (walls, attempts) = processes.examine().map_err(|error| Failure::of(error.code(), error))?;
    all.extend(walls.into_iter().filter(|wall| !wall.stands).map(|wall| {
        let is_required = law.policy.walls_required.contains(&wall.name);
        let came = if is_required {
            "does not stand, and policy requires it"
        } else {
            "does not stand on this host"
        };
        Tried::of(format!("wall {}", wall.name), wall.what, came, !is_required)
    }));
    let open: Vec<&str> =
        attempts.iter().filter(|one| one.refused.is_none()).map(|one| one.what.as_str()).collect();
    let came = if open.is_empty() { "none is open".to_owned() } else { format!("open: {}", open.join(", ")) };
    all.push(Tried::of(
        "walls",
        format!("{} ways out of its process", attempts.len()),
        came,
        open.is_empty(),
    ));
    Ok(all)
}

fn tell(shell: &Shell, all: &[Tried]) {
    let printer = &shell.printer;
    let field = all.iter().map(|one| one.field.chars().count()).max().unwrap_or_default().min(32);
    let asked = all.iter().map(|one| one.asked.chars().count()).max().unwrap_or_default().min(48);
    for one in all {
        let (tone, mark) = if one.holds { (Tone::Good, "✓") } else { (Tone::Bad, "✗") };
        printer.line(&format!(
            "{} {:<field$}  {:<asked$}  {}",
            printer.paint(tone, mark),
            safe_text::line(&one.field),
            safe_text::line(&one.asked),
            safe_text::line(&one.came)
        ));
    }
}
