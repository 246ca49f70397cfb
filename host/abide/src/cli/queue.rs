//! `ab queue`: what waits for a person.

use serde_json::json;

use super::Shell;
use super::args::AtRepo;
use super::printer::Tone;
use super::show::{ago, object};
use crate::queue;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;

pub(crate) fn run(shell: &Shell, args: &AtRepo) -> Result<Exit, Failure> {
    // Neither the policy nor `ab.yml` is read: what waits is seen while they are broken, too.
    let known = repository::open(shell, args.repo.as_deref())?;
    let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
    let items = queue::items(&log)?;
    let now = log.now().0;
    if items.is_empty() {
        shell.printer.line("nothing waits");
    }
    for item in &items {
        let left = if now >= item.expires {
            "expired".to_owned()
        } else {
            format!("expires in {}", ago(item.expires.saturating_sub(now)))
        };
        let what = object(&log, item)?;
        shell.printer.line(&format!(
            "{:<6} {:<8} {what}",
            shell.printer.paint(Tone::Wait, &item.name),
            item.class.as_str()
        ));
        shell.printer.line(&format!(
            "       {} · waits {} · {left}",
            item.why,
            ago(now.saturating_sub(item.since))
        ));
    }
    if let Some(first) = items.first() {
        shell
            .printer
            .line(&format!("next: ab show {0} · ab approve {0} · ab deny {0} --reason WHY", first.name));
    }
    let rows: Vec<_> = items
        .iter()
        .map(|item| json!({ "item": item.name, "run": item.run.id, "unit": item.unit, "class": item.class, "action": item.action, "why": item.why, "since": item.since, "expires": item.expires }))
        .collect();
    shell.printer.data(&json!({ "waiting": rows }));
    Ok(Exit::Done)
}
