//! `ab approve` and `ab deny`: a person's word becomes a fact; the gate is asked again.

use abide_core::event::Body;
use serde_json::json;

use super::Shell;
use super::args::{ApproveArgs, DenyArgs, Item as Named};
use super::run::{Bench, conclude};
use crate::queue::{self, Item};
use crate::report::{Exit, Failure};

pub(crate) fn approve(shell: &Shell, args: &ApproveArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.item.at.repo.as_deref())?;
    let item = find(&bench, &args.item)?;
    let by = who(shell, &args.item)?;
    if bench.desk.now().0 >= item.expires {
        return Err(Failure::new("AB0042", format!("`{}` expired before anyone decided", item.name))
            .help("start the run again")
            .exit(Exit::Denied));
    }
    if bench.desk.halt(&item.run.id)?.halted {
        return Err(Failure::new("AB0121", "the kill switch is pulled")
            .help("ab resume --reason WHY opens the gate again")
            .exit(Exit::Halted));
    }
    let body = Body::Approved {
        item: item.name.clone(),
        action: item.action.clone(),
        by: by.clone(),
        role: args.role.clone(),
        note: args.note.clone(),
    };
    bench.desk.record(Some(&item.run.id), &body, vec![])?;
    shell.printer.line(&format!(
        "approved {} by {by} as {} · action {}",
        item.name,
        args.role,
        item.action.short()
    ));
    if args.no_resume {
        shell.printer.line(&format!("next: ab resume {}", item.run.id));
        shell.printer.data(
            &json!({ "approved": item.name, "run": item.run.id, "action": item.action, "resumed": false }),
        );
        return Ok(Exit::Done);
    }
    let run = bench.carry_on(shell, &item.run.id)?;
    Ok(conclude(shell, &bench.desk, &run))
}

pub(crate) fn deny(shell: &Shell, args: &DenyArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.item.at.repo.as_deref())?;
    let item = find(&bench, &args.item)?;
    let by = who(shell, &args.item)?;
    let body = Body::Refused { item: item.name.clone(), by: by.clone(), reason: args.reason.clone() };
    bench.desk.record(Some(&item.run.id), &body, vec![])?;
    shell.printer.line(&format!("refused {} by {by}: {}", item.name, args.reason));
    let run = bench.carry_on(shell, &item.run.id)?;
    conclude(shell, &bench.desk, &run);
    Ok(Exit::Done)
}

fn find(bench: &Bench, named: &Named) -> Result<Item, Failure> {
    match (&named.item, &named.run) {
        (Some(item), _) => queue::find(&bench.desk, item),
        (None, Some(run)) => queue::find_step(&bench.desk, run, named.step.as_deref()),
        (None, None) => {
            Err(Failure::new("AB0040", "which item?").help("ab queue lists what waits").exit(Exit::Usage))
        }
    }
}

/// Who decides. A name is one line of visible text, so that the record cannot be misread.
fn who(shell: &Shell, named: &Named) -> Result<String, Failure> {
    let by = named.by.clone().unwrap_or_else(|| shell.env.actor.clone());
    if by.is_empty() || by.len() > 200 || abide_core::safe_text::line(&by) != by {
        return Err(
            Failure::new("AB0043", "a name is 1 to 200 bytes of visible text on one line").exit(Exit::Usage)
        );
    }
    Ok(by)
}
