//! Runs, their units and their budgets.

use abide_core::id::Digest;
use rusqlite::params;
use serde_json::{Map, Value};

use super::{Event, number_in, text_in};
use crate::store::StoreError;

pub(super) fn started(event: &Event<'_>) -> Result<(), StoreError> {
    let empty = Map::new();
    let budget = match event.data.get("budget") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(event.malformed("budget", "is not an object")),
    };
    let cap = |field| {
        number_in(budget, field)
            .map_err(|()| event.malformed("budget", "holds what is not a number written as a text"))
    };
    event.write(
        "INSERT INTO runs (id, goal, autonomy, mode, status, budget_tokens, budget_usd_micro, budget_wall_ms, created_at, repo, target, base,
         profile, safety_mode, safety_level, ticket, sponsor) VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            event.own_run()?,
            event.text("goal")?,
            event.optional_number("autonomy")?,
            event.text("mode")?,
            cap("tokens")?,
            cap("usd_micro")?,
            cap("wall_ms")?,
            event.at,
            event.text("repo")?,
            event.text("target")?,
            event.text("base")?,
            event.text("profile")?,
            event.text("safety_mode")?,
            event.text("safety_level")?,
            event.optional("ticket")?,
            event.text("sponsor")?,
        ],
        "the run was started before, or its mode is neither PLAN nor APPLY",
    )?;
    Ok(())
}

pub(super) fn planned(event: &Event<'_>) -> Result<(), StoreError> {
    let run = event.own_run()?;
    let Some(Value::Array(units)) = event.data.get("units") else {
        return Err(event.malformed("units", "is not a list"));
    };
    for unit in units {
        let Value::Object(unit) = unit else {
            return Err(event.malformed("units", "holds what is not an object"));
        };
        let field = |name| {
            text_in(unit, name)
                .ok()
                .flatten()
                .ok_or_else(|| event.malformed("units", "lacks `id`, `recipe` or `title`"))
        };
        let params =
            serde_json::to_string(unit).map_err(|_| event.malformed("units", "has no canonical form"))?;
        let (name, recipe, title) = (field("id")?, field("recipe")?, field("title")?);
        let key = Digest::of(format!("{run}\n{name}\n{params}").as_bytes());
        event.write(
            "INSERT INTO tasks (id, run_id, type, params, status, idempotency_key, unit, title) VALUES (?1, ?2, ?3, ?4, 'planned', ?5, ?6, ?7)",
            params![format!("{run}/{name}"), run, recipe, params, key.as_str(), name, title],
            "the run is not known, or the unit was planned before",
        )?;
    }
    Ok(())
}

/// Moves the unit on, if the event names one. `error` is the field that says what went wrong.
pub(super) fn task(event: &Event<'_>, status: &str, error: Option<&'static str>) -> Result<(), StoreError> {
    let (Some(run), Some(unit)) = (event.run, event.optional("unit")?) else { return Ok(()) };
    let error = error.map_or(Ok(None), |field| event.optional(field))?;
    let tried = i64::from(matches!(event.kind, "PatchProposed" | "WorkerFailed"));
    let over = matches!(status, "refused" | "denied" | "merged" | "failed");
    event.write(
        "UPDATE tasks SET status = ?2, error = coalesce(?3, error), attempt = attempt + ?4, started_at = coalesce(started_at, ?5),
         finished_at = CASE WHEN ?6 THEN ?5 ELSE NULL END WHERE id = ?1",
        params![format!("{run}/{unit}"), status, error, tried, event.at, over],
        "the unit cannot change",
    )?;
    Ok(())
}

pub(super) fn finished(event: &Event<'_>) -> Result<(), StoreError> {
    let changed = event.write(
        "UPDATE runs SET status = ?2, finished_at = ?3 WHERE id = ?1",
        params![event.own_run()?, event.text("outcome")?, event.at],
        "the run cannot finish",
    )?;
    if changed == 0 { Err(event.conflict("the run is not known")) } else { Ok(()) }
}

pub(super) fn reserved(event: &Event<'_>) -> Result<(), StoreError> {
    event.write(
        "INSERT INTO reservations (run_id, reservation, provider, tokens, usd_micro) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![event.own_run()?, event.text("reservation")?, event.text("provider")?, event.number("tokens")?, event.number("usd_micro")?],
        "the run is not known, or the reservation was made before",
    )?;
    Ok(())
}

/// One settlement for each reservation.
pub(super) fn settled(event: &Event<'_>) -> Result<(), StoreError> {
    let (run, provider) = (event.own_run()?, event.text("provider")?);
    let changed = event.write(
        "UPDATE reservations SET settled_by = ?4 WHERE run_id = ?1 AND reservation = ?2 AND provider = ?3 AND settled_by IS NULL",
        params![run, event.text("reservation")?, provider, event.seq],
        "the reservation cannot be settled",
    )?;
    if changed == 0 {
        return Err(event.conflict("there is no open reservation to settle"));
    }
    event.write(
        "INSERT INTO budgets (run_id, provider, tokens_used, usd_micro_spent) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (run_id, provider) DO UPDATE SET tokens_used = tokens_used + excluded.tokens_used,
         usd_micro_spent = usd_micro_spent + excluded.usd_micro_spent",
        params![run, provider, event.number("tokens")?, event.number("usd_micro")?],
        "the run is not known",
    )?;
    Ok(())
}
