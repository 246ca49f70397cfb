//! What waits for a person, as the log tells it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

use abide_core::action::ActionClass;
use abide_core::event::{Body, DecisionRecorded, Event};
use abide_core::id::{Digest, Oid, RunId, Seq};
use abide_core::plan::{PROPOSAL, Plan};
use abide_core::safe_text;
use abide_core::spine::{Run, Waiting};

use crate::desk::Log;
use crate::drive;
use crate::report::{Exit, Failure};

/// One item.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its name, `q` and the place of the decision in the log.
    pub(crate) name: String,
    /// The run that waits.
    pub(crate) run: Run,
    /// The unit, if it is one of the run's units.
    pub(crate) unit: Option<String>,
    /// Class of the action.
    pub(crate) class: ActionClass,
    /// Digest of the action.
    pub(crate) action: Digest,
    /// The rule that stopped it.
    pub(crate) why: String,
    /// Since when, in milliseconds since 1970.
    pub(crate) since: u64,
    /// Until when a person may decide.
    pub(crate) expires: u64,
    /// The decision.
    pub(crate) decision: Seq,
    /// Its record.
    pub(crate) record: DecisionRecorded,
}

impl Item {
    /// The commit on which the action rests: where the target stood when it was asked.
    pub(crate) fn base(&self) -> Option<Oid> {
        let field = |name: &str| self.record.action.pointer(&format!("/action/{name}"))?.as_str();
        let name = match self.class {
            ActionClass::Generate | ActionClass::Write => "base",
            ActionClass::Merge => "expected",
            ActionClass::Plan
            | ActionClass::Fetch
            | ActionClass::Execute
            | ActionClass::Deploy
            | ActionClass::Rollback => return None,
        };
        field(name)?.parse().ok()
    }

    /// Where the target went, if the item is about a unit and the target does not stand any more where it stood when it was asked.
    pub(crate) fn moved(&self, head: &Oid) -> Option<Oid> {
        let base = self.base().filter(|_| self.unit.is_some())?;
        (base != *head).then(|| head.clone())
    }

    /// How long a person may still decide.
    pub(crate) fn left(&self, now: u64) -> String {
        if self.is_expired(now) {
            format!("expired {} ago", ago(now.saturating_sub(self.expires)))
        } else {
            format!("expires in {}", ago(self.expires.saturating_sub(now)))
        }
    }

    /// Whether it is too late to decide.
    pub(crate) fn is_expired(&self, now: u64) -> bool {
        now >= self.expires
    }
}

/// The command that starts `run` anew.
pub(crate) fn again(log: &Log, run: &Run) -> Result<String, Failure> {
    if let Some(ticket) = &run.started.ticket {
        return Ok(format!("ab run --ticket {}", quoted(ticket)));
    }
    let goal = log.payload(&run.started.goal)?;
    let Ok(plan) = Plan::of_ticket(&String::from_utf8_lossy(&goal)) else {
        return Ok("ab run --ticket …".to_owned());
    };
    let commit =
        plan.units.iter().find(|unit| unit.recipe == PROPOSAL).and_then(|unit| unit.params.get("commit"));
    Ok(match commit {
        Some(commit) => format!("ab propose {}", quoted(commit)),
        None => format!("ab run --ticket {}", quoted(&plan.title)),
    })
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let text = safe_text::line(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A length of time in the largest unit that fits.
pub(crate) fn ago(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let fit = units.iter().find_map(|(unit, name)| {
        ms.checked_div(*unit).filter(|count| *count > 0).map(|count| format!("{count} {name}"))
    });
    fit.unwrap_or_else(|| "0 s".to_owned())
}

/// Every item, oldest first.
pub(crate) fn items(log: &Log) -> Result<Vec<Item>, Failure> {
    items_before(log, None)
}

/// The same, as it was before the event at `end`.
pub(crate) fn items_before(log: &Log, end: Option<Seq>) -> Result<Vec<Item>, Failure> {
    let mut runs: Vec<RunId> = Vec::new();
    let mut events = log.all()?;
    events.retain(|(seq, _)| end.is_none_or(|end| *seq < end));
    for (_, event) in &events {
        if let (Some(run), Body::ReviewRequested { .. }) = (&event.run, &event.body)
            && !runs.contains(run)
        {
            runs.push(run.clone());
        }
    }
    let mut items = Vec::new();
    for id in &runs {
        let own: Vec<(Seq, Event)> = events
            .iter()
            .filter(|(_, event)| event.run.as_ref().is_none_or(|of| of == id))
            .cloned()
            .collect();
        let run = drive::fold(id, &own)?;
        if run.halted || run.finished.is_some() {
            continue;
        }
        for waiting in run.waiting.values() {
            items.extend(item(&run, waiting, &own));
        }
    }
    items.sort_by_key(|item| item.decision);
    Ok(items)
}

fn item(run: &Run, waiting: &Waiting, history: &[(Seq, Event)]) -> Option<Item> {
    let (since, unit, decision, expires, why) =
        history.iter().rev().find_map(|(_, event)| match &event.body {
            Body::ReviewRequested { item, unit, decision, expires, why, .. } if *item == waiting.item => {
                Some((event.at, unit.clone(), Seq(decision.0), *expires, why.clone()))
            }
            _ => None,
        })?;
    let record = history.iter().find_map(|(seq, event)| match &event.body {
        Body::DecisionRecorded(record) if *seq == decision => Some((**record).clone()),
        _ => None,
    })?;
    Some(Item {
        name: waiting.item.clone(),
        run: run.clone(),
        unit,
        class: waiting.class,
        action: waiting.action.clone(),
        why,
        since,
        expires,
        decision,
        record,
    })
}

/// The item called `name`.
pub(crate) fn find(log: &Log, name: &str) -> Result<Item, Failure> {
    items(log)?.into_iter().find(|item| item.name == name).ok_or_else(|| {
        Failure::new("AB0040", format!("nothing called `{name}` waits for a person"))
            .help("ab queue lists what waits")
            .exit(Exit::Usage)
    })
}

/// The item of `run` at `step` (`apply` is the merge); the only one if no step is named.
pub(crate) fn find_step(log: &Log, run: &str, step: Option<&str>) -> Result<Item, Failure> {
    let class = match step {
        None => None,
        Some("apply" | "merge") => Some(ActionClass::Merge),
        Some(other) => Some(
            other
                .to_ascii_uppercase()
                .parse::<ActionClass>()
                .map_err(|error| Failure::of("AB0041", error).exit(Exit::Usage))?,
        ),
    };
    let mut found: Vec<Item> = items(log)?
        .into_iter()
        .filter(|item| item.run.id.as_str() == run && class.is_none_or(|class| class == item.class))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(item), true) => Ok(item),
        (None, _) => Err(Failure::new("AB0040", format!("nothing of run `{run}` waits at this step"))
            .help("ab queue lists what waits")
            .exit(Exit::Usage)),
        (Some(_), false) => Err(Failure::new("AB0041", format!("several steps of run `{run}` wait"))
            .help("name one with --step, or the item itself")
            .exit(Exit::Usage)),
    }
}
