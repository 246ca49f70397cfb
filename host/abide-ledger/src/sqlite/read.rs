//! Reads of the log itself. Stored bytes come out exactly as they went in.

use std::ops::Range;

use abide_core::id::{Digest, Epoch, RunId, Seq};
use abide_gate::HaltState;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::fault::{damaged, fault, stored, unstored};
use crate::leaf::{Blob, Leaf, Record};
use crate::merkle::{NodeHash, Nodes};
use crate::store::{CheckpointRow, StoreError};

/// The stored tree.
pub(super) struct StoredNodes<'a>(pub(super) &'a Connection);

impl Nodes for StoredNodes<'_> {
    type Error = StoreError;
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, StoreError> {
        node(self.0, level, index)
    }
}

pub(super) fn size(db: &Connection) -> Result<u64, StoreError> {
    let next: Option<i64> = one(db, "SELECT coalesce(max(seq) + 1, 0) FROM leaves", [], |row| row.get(0))?;
    unstored(next.unwrap_or(0))
}

pub(super) fn records(db: &Connection, places: Range<u64>) -> Result<Vec<Record>, StoreError> {
    let values = params![stored(places.start)?, stored(places.end)?];
    collect(db, "SELECT seq, hash, bytes FROM leaves WHERE seq >= ?1 AND seq < ?2 ORDER BY seq", values)
}

pub(super) fn records_of(db: &Connection, run: &RunId) -> Result<Vec<Record>, StoreError> {
    collect(db, "SELECT seq, hash, bytes FROM leaves WHERE run = ?1 ORDER BY seq", [run.as_str()])
}

pub(super) fn records_of_kinds(db: &Connection, kinds: &[&str]) -> Result<Vec<Record>, StoreError> {
    let mut all = Vec::new();
    for kind in kinds {
        all.extend(collect(db, "SELECT seq, hash, bytes FROM leaves WHERE kind = ?1 ORDER BY seq", [kind])?);
    }
    all.sort_by_key(|record| record.seq);
    Ok(all)
}

/// Hands over every record in order, without holding them all.
pub(super) fn each(
    db: &Connection,
    mut take: impl FnMut(Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let fault = fault("be read", 0);
    let mut statement =
        db.prepare_cached("SELECT seq, hash, bytes FROM leaves ORDER BY seq").map_err(&fault)?;
    let mut rows = statement.query([]).map_err(&fault)?;
    while let Some(row) = rows.next().map_err(&fault)? {
        take(record(raw(row).map_err(&fault)?)?)?;
    }
    Ok(())
}

type Raw = (i64, Vec<u8>, Vec<u8>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn record((seq, _, bytes): Raw) -> Result<Record, StoreError> {
    Ok(Record { seq: Seq(unstored(seq)?), leaf: Leaf::parse(bytes)? })
}

fn collect(db: &Connection, sql: &str, values: impl Params) -> Result<Vec<Record>, StoreError> {
    all(db, sql, values, raw)?.into_iter().map(record).collect()
}

/// Level 0 is kept with the leaves, everything above beside them.
pub(super) fn node(db: &Connection, level: u32, index: u64) -> Result<NodeHash, StoreError> {
    let found: Option<Vec<u8>> = if level == 0 {
        one(db, "SELECT hash FROM leaves WHERE seq = ?1", [stored(index)?], |row| row.get(0))?
    } else {
        one(
            db,
            "SELECT hash FROM nodes WHERE level = ?1 AND idx = ?2",
            params![level, stored(index)?],
            |row| row.get(0),
        )?
    };
    found.and_then(|hash| NodeHash::from_slice(&hash)).ok_or_else(|| damaged("a hash of the tree is missing"))
}

pub(super) fn blob(db: &Connection, digest: &Digest) -> Result<Option<Blob>, StoreError> {
    let found: Option<(String, Vec<u8>)> =
        one(db, "SELECT kind, bytes FROM blobs WHERE digest = ?1", [digest.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let Some((kind, bytes)) = found else { return Ok(None) };
    let blob = Blob::new(&kind, bytes);
    if blob.digest() == digest { Ok(Some(blob)) } else { Err(damaged("a blob does not match its digest")) }
}

pub(super) fn last_checkpoint(db: &Connection) -> Result<Option<CheckpointRow>, StoreError> {
    checkpoint(db, "SELECT size, origin, root, note FROM checkpoints ORDER BY size DESC LIMIT 1", [])
}

pub(super) fn checkpoint_at(db: &Connection, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
    checkpoint(db, "SELECT size, origin, root, note FROM checkpoints WHERE size = ?1", [stored(size)?])
}

pub(super) fn checkpoints(db: &Connection) -> Result<Vec<CheckpointRow>, StoreError> {
    all(db, "SELECT size, origin, root, note FROM checkpoints ORDER BY size", [], note)?
        .into_iter()
        .map(signed)
        .collect()
}

fn checkpoint(db: &Connection, sql: &str, values: impl Params) -> Result<Option<CheckpointRow>, StoreError> {
    one(db, sql, values, note)?.map(signed).transpose()
}

type Note = (i64, String, Vec<u8>, String);

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn signed((size, origin, root, note): Note) -> Result<CheckpointRow, StoreError> {
    let root = NodeHash::from_slice(&root).ok_or_else(|| damaged("a signed root is malformed"))?;
    Ok(CheckpointRow { origin, size: unstored(size)?, root, note })
}

pub(super) fn halt(db: &Connection, run: &RunId) -> Result<HaltState, StoreError> {
    halt_of(db, Some(run.as_str()))
}

/// The switch of the system and, if a run is named, of that run: one statement, so both are read at the same moment.
pub(super) fn halt_of(db: &Connection, run: Option<&str>) -> Result<HaltState, StoreError> {
    let sql = "SELECT coalesce(sum(epoch), 0), coalesce(max(halted), 0) FROM halts WHERE scope IN ('*', ?1)";
    let found: Option<(i64, i64)> = one(db, sql, [run.unwrap_or("*")], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (epoch, halted) = found.ok_or_else(|| damaged("the kill switch cannot be read"))?;
    Ok(HaltState { epoch: Epoch(unstored(epoch)?), halted: halted != 0 })
}

pub(super) fn one<T>(
    db: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let found = db.prepare_cached(sql).and_then(|mut statement| statement.query_row(values, read).optional());
    found.map_err(fault("be read", 0))
}

pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    values: impl Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let found = db
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<T>>>());
    found.map_err(fault("be read", 0))
}
