//! Reads of the projections.

use abide_core::decision::Verdict;
use abide_core::id::{Epoch, IdError, RunId, Seq, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row, params};

use super::fault::{damaged, stored, unstored};
use super::projection;
use super::read::all;
use crate::store::{
    Approval, DecisionRow, Freeze, Judged, MoveRow, QueueItem, QueueState, Release, RunRow, StoreError,
    Tables, TaskRow,
};

/// A column that is not what was once written.
fn parsed<T, E>(text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr<Err = E>,
{
    text.parse().map_err(|_| damaged("a projection holds what was never written: rebuild it from the log"))
}

fn optional<T, E>(text: Option<String>) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr<Err = E>,
{
    text.map(|text| parsed(&text)).transpose()
}

fn seq(value: i64) -> Result<Seq, StoreError> {
    unstored(value).map(Seq)
}

fn time(value: i64) -> Result<Timestamp, StoreError> {
    unstored(value).map(Timestamp)
}

fn verdict(text: &str) -> Result<Verdict, StoreError> {
    [Verdict::Allow, Verdict::Review, Verdict::Deny]
        .into_iter()
        .find(|verdict| verdict.as_str() == text)
        .ok_or_else(|| damaged("a verdict is unknown"))
}

/// The row as texts and numbers, in the order of the columns asked for.
struct Cells(Vec<Value>);

impl Cells {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        (0..row.as_ref().column_count())
            .map(|column| row.get(column))
            .collect::<rusqlite::Result<Vec<Value>>>()
            .map(Self)
    }

    fn maybe(&self, column: usize) -> Option<String> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Some(text.clone()),
            Some(Value::Integer(number)) => Some(number.to_string()),
            Some(Value::Null | Value::Real(_) | Value::Blob(_)) | None => None,
        }
    }

    fn text(&self, column: usize) -> String {
        self.maybe(column).unwrap_or_default()
    }

    fn number(&self, column: usize) -> Result<i64, StoreError> {
        self.maybe_number(column)
            .ok_or_else(|| damaged("a projection lacks a number: rebuild it from the log"))
    }

    fn maybe_number(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Integer(number)) => Some(*number),
            Some(Value::Null | Value::Real(_) | Value::Text(_) | Value::Blob(_)) | None => None,
        }
    }
}

pub(super) fn runs(db: &Connection) -> Result<Vec<RunRow>, StoreError> {
    // A kill of the system, or of this run, shows as long as the run is under way.
    let sql = "SELECT id, goal, mode,
        CASE WHEN status = 'running' AND EXISTS (SELECT 1 FROM halts WHERE scope IN ('*', id) AND halted = 1) THEN 'halted' ELSE status END,
        profile, repo, target, base, ticket, sponsor, created_at, finished_at FROM runs ORDER BY created_at, id";
    all(db, sql, [], Cells::read)?.iter().map(run).collect()
}

fn run(cells: &Cells) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: parsed(&cells.text(0))?,
        goal: cells.text(1),
        mode: cells.text(2),
        status: cells.text(3),
        profile: cells.text(4),
        repo: cells.text(5),
        target: cells.text(6),
        base: cells.text(7),
        ticket: cells.maybe(8),
        sponsor: cells.text(9),
        created_at: time(cells.number(10)?)?,
        finished_at: cells.maybe_number(11).map(time).transpose()?,
    })
}

pub(super) fn tasks(db: &Connection, run: &RunId) -> Result<Vec<TaskRow>, StoreError> {
    let sql =
        "SELECT id, unit, type, title, status, attempt, error FROM tasks WHERE run_id = ?1 ORDER BY rowid";
    all(db, sql, [run.as_str()], Cells::read)?.iter().map(task).collect()
}

fn task(cells: &Cells) -> Result<TaskRow, StoreError> {
    Ok(TaskRow {
        id: cells.text(0),
        unit: cells.text(1),
        recipe: cells.text(2),
        title: cells.text(3),
        status: cells.text(4),
        attempt: unstored(cells.number(5)?)?,
        error: cells.maybe(6),
    })
}

pub(super) fn decision(db: &Connection, seq: Seq) -> Result<Option<DecisionRow>, StoreError> {
    Ok(decisions(db, "WHERE seq = ?1", [stored(seq.0)?])?.pop())
}

pub(super) fn decisions_of(db: &Connection, run: &RunId) -> Result<Vec<DecisionRow>, StoreError> {
    decisions(db, "WHERE run = ?1 ORDER BY seq", [run.as_str()])
}

pub(super) fn decisions(
    db: &Connection,
    which: &str,
    values: impl Params,
) -> Result<Vec<DecisionRow>, StoreError> {
    let columns = "seq, run, unit, class, kind, verdict, action_digest, digest, expires, epoch, repo, ref, old, new, consumed_by";
    all(db, &format!("SELECT {columns} FROM decisions {which}"), values, Cells::read)?
        .iter()
        .map(decided)
        .collect()
}

fn decided(cells: &Cells) -> Result<DecisionRow, StoreError> {
    Ok(DecisionRow {
        seq: seq(cells.number(0)?)?,
        run: optional::<_, IdError>(cells.maybe(1))?,
        unit: cells.maybe(2),
        judged: Judged {
            class: parsed(&cells.text(3))?,
            kind: cells.text(4),
            verdict: verdict(&cells.text(5))?,
            action: parsed(&cells.text(6))?,
        },
        digest: parsed(&cells.text(7))?,
        expires: time(cells.number(8)?)?,
        epoch: Epoch(unstored(cells.number(9)?)?),
        repo: optional(cells.maybe(10))?,
        reference: optional(cells.maybe(11))?,
        old: optional(cells.maybe(12))?,
        new: optional(cells.maybe(13))?,
        consumed_by: cells.maybe_number(14).map(seq).transpose()?,
    })
}

const QUEUE: &str =
    "SELECT item, run, unit, decision, class, action, expires, why, status, asked_at FROM queue";

pub(super) fn queue(db: &Connection, which: QueueState) -> Result<Vec<QueueItem>, StoreError> {
    let filter = match which {
        QueueState::Waiting => "WHERE status IN ('waiting', 'approved')",
        QueueState::All => "",
    };
    all(db, &format!("{QUEUE} {filter} ORDER BY asked_at, item"), [], Cells::read)?
        .iter()
        .map(|cells| queued(db, cells))
        .collect()
}

pub(super) fn queue_item(db: &Connection, item: &str) -> Result<Option<QueueItem>, StoreError> {
    all(db, &format!("{QUEUE} WHERE item = ?1"), [item], Cells::read)?
        .first()
        .map(|cells| queued(db, cells))
        .transpose()
}

fn queued(db: &Connection, cells: &Cells) -> Result<QueueItem, StoreError> {
    let (item, action) = (cells.text(0), cells.text(5));
    let sql = "SELECT seq, by_whom, role, action, at, note FROM approvals WHERE item = ?1 AND action = ?2 ORDER BY seq";
    let approvals = all(db, sql, params![item, action], Cells::read)?
        .iter()
        .map(approval)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(QueueItem {
        item,
        run: parsed(&cells.text(1))?,
        unit: cells.maybe(2),
        decision: seq(cells.number(3)?)?,
        class: cells.text(4),
        action: parsed(&action)?,
        expires: time(cells.number(6)?)?,
        why: cells.text(7),
        status: cells.text(8),
        asked_at: time(cells.number(9)?)?,
        approvals,
    })
}

fn approval(cells: &Cells) -> Result<Approval, StoreError> {
    Ok(Approval {
        seq: seq(cells.number(0)?)?,
        by: cells.text(1),
        role: cells.text(2),
        action: parsed(&cells.text(3))?,
        at: time(cells.number(4)?)?,
        note: cells.maybe(5),
    })
}

pub(super) fn ref_moves(db: &Connection, repo: &str) -> Result<Vec<MoveRow>, StoreError> {
    let sql = "SELECT seq, ref, old, new, decision, kind FROM ref_moves WHERE repo = ?1 ORDER BY seq";
    all(db, sql, [repo], Cells::read)?.iter().map(moved).collect()
}

fn moved(cells: &Cells) -> Result<MoveRow, StoreError> {
    Ok(MoveRow {
        seq: seq(cells.number(0)?)?,
        reference: cells.text(1),
        old: cells.text(2),
        new: cells.text(3),
        decision: cells.maybe_number(4).map(seq).transpose()?,
        kind: cells.text(5),
    })
}

pub(super) fn freezes(db: &Connection) -> Result<Vec<Freeze>, StoreError> {
    all(db, "SELECT seq, repo, ref, found, why FROM freezes ORDER BY seq", [], Cells::read)?
        .iter()
        .map(frozen)
        .collect()
}

fn frozen(cells: &Cells) -> Result<Freeze, StoreError> {
    Ok(Freeze {
        seq: seq(cells.number(0)?)?,
        repo: cells.text(1),
        reference: cells.text(2),
        found: cells.text(3),
        why: cells.text(4),
    })
}

pub(super) fn releases(db: &Connection, environment: &str) -> Result<Vec<Release>, StoreError> {
    let sql = "SELECT release, commit_oid, state, seq FROM releases WHERE environment = ?1 ORDER BY started";
    all(db, sql, [environment], Cells::read)?.iter().map(release).collect()
}

fn release(cells: &Cells) -> Result<Release, StoreError> {
    Ok(Release {
        release: parsed(&cells.text(0))?,
        commit: parsed(&cells.text(1))?,
        state: cells.text(2),
        seq: seq(cells.number(3)?)?,
    })
}

/// Every projection, row by row, column by column.
pub(super) fn tables(db: &Connection) -> Result<Tables, StoreError> {
    let mut tables = Tables::default();
    for table in projection::TABLES {
        let rows = all(db, &format!("SELECT * FROM {table} ORDER BY 1, 2"), [], Cells::read)?;
        let texts =
            rows.iter().map(|cells| (0..cells.0.len()).map(|column| cells.text(column)).collect()).collect();
        tables.0.insert(table.to_owned(), texts);
    }
    Ok(tables)
}
