//! `ab approve` and `ab deny`: a person's word becomes a fact; the gate is asked again.

use abide_core::decision::Decision;
use abide_core::event::Body;
use abide_core::id::Oid;
use abide_core::input::PolicyInput;
use abide_core::spine::Run;
use serde_json::json;

use super::Shell;
use super::args::{ApproveArgs, DenyArgs, Item as Named};
use super::run::{Bench, conclude};
use super::worker;
use crate::approvers;
use crate::queue::{self, Item};
use crate::report::{Exit, Failure};
use crate::story::Story;
use crate::workers;

pub(crate) fn approve(shell: &Shell, args: &ApproveArgs) -> Result<Exit, Failure> {
    if let Some(item) = args.item.item.as_deref().filter(|item| workers::is_item(item)) {
        let by = who(shell, &args.item)?;
        return worker::approve(shell, &args.item.at, item, (&by, &args.role, args.note.as_deref()));
    }
    let bench = Bench::open(shell, args.item.at.repo.as_deref())?;
    let item = find(&bench, &args.item)?;
    let by = who(shell, &args.item)?;
    if item.is_expired(bench.desk.now().0) {
        let again = queue::again(&bench.desk, &item.run)?;
        return Err(Failure::new("AB0042", format!("`{}` expired before anyone decided", item.name))
            .help(format!("start again: {again}; ab deny {} --reason expired clears the queue", item.name))
            .exit(Exit::Denied));
    }
    if bench.desk.halt(&item.run.id)?.halted {
        return Err(Failure::new("AB0121", "the kill switch is pulled")
            .help("ab resume --reason WHY opens the gate again")
            .exit(Exit::Halted));
    }
    if let Some(to) = item.moved(&bench.known.head(&item.run.started.target)?) {
        return out_of_date(shell, &bench, &item, to, args.no_resume);
    }
    let decision: Decision = bench.desk.value(&item.record.digest)?;
    let input: PolicyInput = bench.desk.value(&item.record.input)?;
    // An approval that cannot count is refused before it is recorded: else the same question comes back without a word why.
    if let Err(why) = approvers::counts(&decision, &input, (&by, &args.role), bench.desk.now().0) {
        return Err(Failure::new(
            "AB0045",
            format!("an approval of `{}` by `{by}` as `{}` does not count: {why}", item.name, args.role),
        )
        .help(format!(
            "nothing was recorded. Who may decide: {}. Say who you are with --as NAME --role ROLE",
            approvers::told(&decision, &input)
        ))
        .exit(Exit::Denied));
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
    still_waits(shell, &bench, &item, &run)?;
    Ok(conclude(shell, &bench.desk, &run))
}

/// The target moved since the question was asked, so the answer would be about a change that cannot be made any more. The unit starts again.
fn out_of_date(shell: &Shell, bench: &Bench, item: &Item, to: Oid, wait: bool) -> Result<Exit, Failure> {
    let unit = item.unit.as_ref().and_then(|unit| item.run.unit(unit));
    let (Some(from), Some(unit)) = (item.base(), unit) else {
        return Err(Failure::new("AB0030", format!("`{}` has no base", item.name)));
    };
    shell.printer.line(&format!("not recorded: {} is out of date", item.name));
    Story { printer: &shell.printer }.moved(&item.run, unit, &from, &to);
    let body = Body::TargetMoved { unit: unit.plan.id.clone(), expected: from, found: to };
    bench.desk.record(Some(&item.run.id), &body, vec![])?;
    if wait {
        shell.printer.line(&format!("next: ab resume {}", item.run.id));
        shell.printer.data(&json!({ "approved": null, "run": item.run.id, "resumed": false }));
        return Ok(Exit::Waiting);
    }
    let run = bench.carry_on(shell, &item.run.id)?;
    Ok(conclude(shell, &bench.desk, &run))
}

/// Says what is still missing where the same action waits on: another rule wants another look, or one look is not enough.
fn still_waits(shell: &Shell, bench: &Bench, item: &Item, run: &Run) -> Result<(), Failure> {
    let Some(waiting) = run.waiting.values().find(|waiting| waiting.action == item.action) else {
        return changed(shell, bench, item, run);
    };
    let again = queue::find(&bench.desk, &waiting.item)?;
    let decision: Decision = bench.desk.value(&again.record.digest)?;
    let input: PolicyInput = bench.desk.value(&again.record.input)?;
    let told = approvers::told(&decision, &input);
    shell.printer.line(&format!("the approval counts, and more is asked for: {told}"));
    Ok(())
}

/// Says so where the same question came up again about something else: what was approved is not what would be done now.
fn changed(shell: &Shell, bench: &Bench, item: &Item, run: &Run) -> Result<(), Failure> {
    for waiting in run.waiting.values() {
        let again = queue::find(&bench.desk, &waiting.item)?;
        if again.record.kind == item.record.kind && again.unit == item.unit {
            shell.printer.line(&format!(
                "what it is about has changed since {0} came up, so the approval does not fit any more: ab show {1}",
                item.name, again.name
            ));
        }
    }
    Ok(())
}

pub(crate) fn deny(shell: &Shell, args: &DenyArgs) -> Result<Exit, Failure> {
    if let Some(item) = args.item.item.as_deref().filter(|item| workers::is_item(item)) {
        let by = who(shell, &args.item)?;
        return worker::deny(shell, &args.item.at, item, (&by, &args.reason));
    }
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
