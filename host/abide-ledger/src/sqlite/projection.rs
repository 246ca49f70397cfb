//! From an event to the rows that it changes. The parent matches, the children write: `run` keeps runs, units and budgets, `law` keeps
//! decisions, approvals and the kill switch, `change` keeps references and releases.

use abide_core::id::RunId;
use rusqlite::{Connection, OptionalExtension as _, Params};
use serde_json::{Map, Value};

use super::fault::{fault, stored};
use crate::leaf::{Leaf, decimal};
use crate::store::StoreError;

mod change;
mod law;
mod run;

/// Every projection, children before parents.
pub(super) const TABLES: [&str; 13] = [
    "reservations",
    "budgets",
    "tasks",
    "runs",
    "consumed",
    "decisions",
    "queue",
    "approvals",
    "kills",
    "halts",
    "ref_moves",
    "freezes",
    "releases",
];

/// Writes what the event at `seq` says into the projections. Kinds that are not known change nothing.
pub(super) fn apply(db: &Connection, seq: u64, leaf: &Leaf) -> Result<(), StoreError> {
    let event = Event {
        db,
        seq: stored(seq)?,
        at: stored(leaf.at().0)?,
        kind: leaf.kind(),
        run: leaf.run().map(RunId::as_str),
        data: &leaf.data(),
    };
    match leaf.kind() {
        "RunStarted" => run::started(&event),
        "PlanAdopted" => law::spend(&event, "PLAN").and_then(|_| run::planned(&event)),
        "PatchProposed" => law::spend(&event, "GENERATE").and_then(|_| run::task(&event, "proposed", None)),
        "SourcePromoted" => law::spend(&event, "FETCH").and_then(|_| run::task(&event, "promoted", None)),
        "EgressUsed" => law::spend(&event, "FETCH").map(drop),
        "CommitProposed" => run::task(&event, "proposed", None),
        "WorkerFailed" => run::task(&event, "failed", Some("why")),
        "PatchRefused" => run::task(&event, "refused", Some("why")),
        "UnitDenied" => law::overtaken(&event).and_then(|()| run::task(&event, "denied", Some("rule"))),
        "TargetMoved" => law::overtaken(&event),
        "RunFinished" => run::finished(&event),
        "BudgetReserved" => run::reserved(&event),
        "BudgetSettled" => run::settled(&event),
        "DecisionRecorded" => law::decided(&event),
        "ReviewRequested" => law::asked(&event).and_then(|()| run::task(&event, "waiting", None)),
        "Approved" => law::approved(&event),
        "Refused" => law::refused(&event),
        "Killed" => law::switched(&event, true),
        "Resumed" => law::switched(&event, false),
        "PatchCommitted" => change::committed(&event),
        "ChecksFinished" => law::spend(&event, "EXECUTE").and_then(|_| run::task(&event, "checked", None)),
        "RefMoveAllowed" => change::allowed(&event),
        "RefMoveRefused" => change::refused(&event),
        "Merged" | "Reverted" => change::moved(&event),
        "Frozen" => change::frozen(&event),
        "Unfrozen" => change::unfrozen(&event),
        "CanaryStarted" => change::canary(&event),
        "Promoted" => change::promoted(&event),
        "RolledBack" => change::rolled_back(&event),
        _ => Ok(()),
    }
}

/// One event with the connection that its rows go through.
struct Event<'a> {
    db: &'a Connection,
    seq: i64,
    at: i64,
    kind: &'a str,
    run: Option<&'a str>,
    data: &'a Map<String, Value>,
}

impl Event<'_> {
    /// A field that must be there.
    fn text(&self, field: &'static str) -> Result<&str, StoreError> {
        self.optional(field)?.ok_or_else(|| self.malformed(field, "is missing"))
    }

    /// A field that may be absent or null.
    fn optional(&self, field: &'static str) -> Result<Option<&str>, StoreError> {
        text_in(self.data, field).map_err(|()| self.malformed(field, "is not a text"))
    }

    /// A number, written as a text.
    fn number(&self, field: &'static str) -> Result<i64, StoreError> {
        self.optional_number(field)?.ok_or_else(|| self.malformed(field, "is missing"))
    }

    /// A number that may be absent.
    fn optional_number(&self, field: &'static str) -> Result<Option<i64>, StoreError> {
        number_in(self.data, field).map_err(|()| self.malformed(field, "is not a number written as a text"))
    }

    /// The run, which this kind of event must have.
    fn own_run(&self) -> Result<&str, StoreError> {
        self.run.ok_or_else(|| self.malformed("run", "is missing"))
    }

    fn malformed(&self, field: &'static str, why: &'static str) -> StoreError {
        StoreError::Malformed { kind: self.kind.to_owned(), field, why }
    }

    fn conflict(&self, why: &'static str) -> StoreError {
        StoreError::Conflict { kind: self.kind.to_owned(), why }
    }

    /// Runs one statement; a broken constraint means that the event contradicts the log, as `why` says.
    fn write(&self, sql: &str, values: impl Params, why: &'static str) -> Result<usize, StoreError> {
        let outcome = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        outcome.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => self.conflict(why),
            _ => fault("update a projection", 0)(error),
        })
    }

    /// Reads at most one row.
    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let found = self
            .db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(values, read).optional());
        found.map_err(fault("read a projection", 0))
    }
}

fn text_in<'a>(data: &'a Map<String, Value>, field: &str) -> Result<Option<&'a str>, ()> {
    match data.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(()),
    }
}

fn number_in(data: &Map<String, Value>, field: &str) -> Result<Option<i64>, ()> {
    let Some(text) = text_in(data, field)? else { return Ok(None) };
    decimal(text).and_then(|number| i64::try_from(number).ok()).map(Some).ok_or(())
}
