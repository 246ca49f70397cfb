//! Decisions and what was done on them, approvals, and the kill switch.

use rusqlite::params;
use serde_json::{Map, Value};

use super::{Event, text_in};
use crate::store::StoreError;

pub(super) fn decided(event: &Event<'_>) -> Result<(), StoreError> {
    let Some(Value::Object(named)) = event.data.get("action") else {
        return Err(event.malformed("action", "is not an object"));
    };
    let Some(Value::Object(action)) = named.get("action") else {
        return Err(event.malformed("action", "has no fields"));
    };
    let (class, kind) = (event.text("class")?, event.text("kind")?);
    if text_in(named, "class") != Ok(Some(class)) || text_in(named, "kind") != Ok(Some(kind)) {
        return Err(event.malformed("action", "is not of the class and kind that was judged"));
    }
    let part = |names: &[&str]| {
        part(action, names).map_err(|()| event.malformed("action", "has a reference that is not a text"))
    };
    event.write(
        "INSERT INTO decisions (seq, run, unit, class, kind, verdict, action_digest, digest, expires, epoch, repo, ref, old, new)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            event.seq,
            event.run,
            event.optional("unit")?,
            class,
            kind,
            event.text("verdict")?,
            event.text("action_digest")?,
            event.text("digest")?,
            event.number("expires")?,
            event.number("epoch")?,
            part(&["repo"])?,
            part(&["target", "branch"])?,
            part(&["expected"])?,
            part(&["commit"])?,
        ],
        "the verdict is none of allow, review and deny",
    )?;
    Ok(())
}

fn part<'a>(action: &'a Map<String, Value>, names: &[&str]) -> Result<Option<&'a str>, ()> {
    names.iter().find_map(|name| text_in(action, name).transpose()).transpose()
}

/// Marks the decision that the event cites as used. It must be an allow of this class, made for this run, and unused by this kind of deed.
pub(super) fn spend(event: &Event<'_>, class: &str) -> Result<i64, StoreError> {
    let decision = event.number("decision")?;
    let found = event.one("SELECT class, verdict, run FROM decisions WHERE seq = ?1", [decision], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    })?;
    let Some((judged, verdict, run)) = found else {
        return Err(event.conflict("it cites a decision that was never recorded"));
    };
    if judged != class {
        return Err(event.conflict("it cites a decision of another class"));
    }
    if verdict != "allow" {
        return Err(event.conflict("it cites a decision that is not an allow"));
    }
    if event.run.is_some() && run.as_deref() != event.run {
        return Err(event.conflict("it cites a decision of another run"));
    }
    event.write(
        "INSERT INTO consumed (decision, kind, seq) VALUES (?1, ?2, ?3)",
        params![decision, event.kind, event.seq],
        "the decision that it cites was used before",
    )?;
    event.write(
        "UPDATE decisions SET consumed_by = coalesce(consumed_by, ?2) WHERE seq = ?1",
        params![decision, event.seq],
        "the decision cannot be spent",
    )?;
    if event.kind != "RefMoveAllowed" {
        event.write(
            "UPDATE queue SET status = 'done', closed_by = ?2 WHERE status IN ('waiting', 'approved')
             AND action = (SELECT action_digest FROM decisions WHERE seq = ?1)",
            params![decision, event.seq],
            "the item cannot be closed",
        )?;
    }
    Ok(decision)
}

/// What was asked about this unit is not what will happen any more.
pub(super) fn overtaken(event: &Event<'_>) -> Result<(), StoreError> {
    event.write(
        "UPDATE queue SET status = 'superseded', closed_by = ?3 WHERE run = ?1 AND unit = ?2 AND status IN ('waiting', 'approved')",
        params![event.own_run()?, event.text("unit")?, event.seq],
        "the item cannot be closed",
    )?;
    Ok(())
}

/// A new question about the same unit and class takes the place of an older one.
pub(super) fn asked(event: &Event<'_>) -> Result<(), StoreError> {
    event.write(
        "UPDATE queue SET status = 'superseded', closed_by = ?5
         WHERE run = ?1 AND unit IS ?2 AND class = ?3 AND item <> ?4 AND status IN ('waiting', 'approved')",
        params![
            event.own_run()?,
            event.optional("unit")?,
            event.text("class")?,
            event.text("item")?,
            event.seq
        ],
        "the older question cannot be closed",
    )?;
    event.write(
        "INSERT INTO queue (item, run, unit, decision, class, action, expires, why, status, asked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting', ?9)
         ON CONFLICT (item) DO UPDATE SET decision = excluded.decision, class = excluded.class, action = excluded.action,
         expires = excluded.expires, why = excluded.why, status = 'waiting', asked_at = excluded.asked_at, closed_by = NULL",
        params![
            event.text("item")?,
            event.own_run()?,
            event.optional("unit")?,
            event.number("decision")?,
            event.text("class")?,
            event.text("action")?,
            event.number("expires")?,
            event.text("why")?,
            event.at,
        ],
        "the item cannot wait",
    )?;
    Ok(())
}

/// An approval is of one exact action, by one person once.
pub(super) fn approved(event: &Event<'_>) -> Result<(), StoreError> {
    let (item, action) = (event.text("item")?, event.text("action")?);
    let asked = event.one("SELECT action, status FROM queue WHERE item = ?1", [item], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    match asked {
        None => return Err(event.conflict("nobody asked for this approval")),
        Some((wanted, _)) if wanted != action => {
            return Err(event.conflict("another action than the approved one waits under this name"));
        }
        Some((_, status)) if status != "waiting" && status != "approved" => {
            return Err(event.conflict("the item does not wait any more"));
        }
        Some(_) => {}
    }
    event.write(
        "INSERT INTO approvals (seq, item, action, by_whom, role, at, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![event.seq, item, action, event.text("by")?, event.text("role")?, event.at, event.optional("note")?],
        "this person approved it before",
    )?;
    event.write(
        "UPDATE queue SET status = 'approved' WHERE item = ?1",
        [item],
        "the item cannot be approved",
    )?;
    Ok(())
}

pub(super) fn refused(event: &Event<'_>) -> Result<(), StoreError> {
    let changed = event.write(
        "UPDATE queue SET status = 'refused', closed_by = ?2 WHERE item = ?1 AND status IN ('waiting', 'approved')",
        params![event.text("item")?, event.seq],
        "the item cannot be refused",
    )?;
    if changed == 0 {
        return Err(event.conflict("no such item waits"));
    }
    event.write(
        "UPDATE tasks SET status = 'refused', error = ?2, finished_at = ?3
         WHERE id = (SELECT run || '/' || unit FROM queue WHERE item = ?1)",
        params![event.text("item")?, event.text("reason")?, event.at],
        "the unit cannot be refused",
    )?;
    Ok(())
}

/// The kill switch of the whole system, or of one run: named by the data, or by the envelope.
pub(super) fn switched(event: &Event<'_>, halted: bool) -> Result<(), StoreError> {
    let scope = event.optional("run")?.or(event.run).unwrap_or("*");
    event.write(
        "INSERT INTO kills (seq, scope, kind, by_whom, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![event.seq, scope, event.kind, event.text("by")?, event.text("reason")?],
        "the kill switch cannot move",
    )?;
    event.write(
        "INSERT INTO halts (scope, epoch, halted) VALUES (?1, 1, ?2)
         ON CONFLICT (scope) DO UPDATE SET epoch = epoch + 1, halted = excluded.halted",
        params![scope, halted],
        "the kill switch cannot move",
    )?;
    Ok(())
}
