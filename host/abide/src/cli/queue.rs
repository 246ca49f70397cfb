//! `ab queue`: what waits for a person.

use serde_json::json;

use super::Shell;
use super::args::AtRepo;
use super::printer::Tone;
use super::show::object;
use crate::queue::{self, ago};
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;
use crate::workers::{Registry, Standing};

pub(crate) fn run(shell: &Shell, args: &AtRepo) -> Result<Exit, Failure> {
    // Neither the policy nor `ab.yml` is read: what waits is seen while they are broken, too.
    let known = repository::open(shell, args.repo.as_deref())?;
    let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
    let items = queue::items(&log)?;
    let now = log.now().0;
    let registry = Registry::of(&log.ledger)?;
    let offered: Vec<_> = registry.entries().filter(|entry| entry.standing == Standing::Waits).collect();
    for entry in &offered {
        let mark = shell.printer.paint(Tone::Wait, &format!("{:<6}", entry.item()));
        let (name, by) = (&entry.offer.name, abide_core::safe_text::line(&entry.offer.by));
        shell.printer.line(&format!(
            "{mark} WORKER   `{name}` ({}), handed in by {by}",
            entry.offer.component.short()
        ));
        shell.printer.line(&format!("       next: ab worker list · ab approve {} --as NAME", entry.item()));
    }
    if items.is_empty() && offered.is_empty() {
        shell.printer.line("nothing waits");
    }
    for item in &items {
        let left = item.left(now);
        let what = object(&log, item)?;
        shell.printer.line(&format!(
            "{} {:<8} {what}",
            // Padded before it is painted: escapes have no width.
            shell.printer.paint(Tone::Wait, &format!("{:<6}", item.name)),
            item.class.as_str()
        ));
        shell.printer.line(&format!(
            "       {} · waits {} · {left}",
            item.why,
            ago(now.saturating_sub(item.since))
        ));
    }
    if let Some(first) = items.iter().find(|item| !item.is_expired(now)) {
        shell
            .printer
            .line(&format!("next: ab show {0} · ab approve {0} · ab deny {0} --reason WHY", first.name));
    }
    if let Some(expired) = items.iter().find(|item| item.is_expired(now)) {
        let again = queue::again(&log, &expired.run)?;
        shell.printer.line(&format!("{0} expired: {again} · ab deny {0} --reason expired", expired.name));
    }
    let rows: Vec<_> = items
        .iter()
        .map(|item| json!({ "item": item.name, "run": item.run.id, "unit": item.unit, "class": item.class, "action": item.action, "why": item.why, "since": item.since, "expires": item.expires }))
        .collect();
    let workers: Vec<_> = offered
        .iter()
        .map(|entry| json!({ "item": entry.item(), "name": entry.offer.name, "component": entry.offer.component }))
        .collect();
    shell.printer.data(&json!({ "waiting": rows, "workers": workers }));
    Ok(Exit::Done)
}
