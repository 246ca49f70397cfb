//! What a write does inside its transaction.

use abide_core::id::{RunId, Seq};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::fault::{damaged, fault, stored, unstored};
use super::{projection, read};
use crate::leaf::{BLOB_BYTES_MAX, Blob, Draft};
use crate::merkle::{Frontier, NodeHash};
use crate::store::{CheckpointRow, Guard, StoreError};

pub(super) fn edge(db: &Connection) -> Result<Frontier, StoreError> {
    super::edge_of(db, read::size(db)?)
}

pub(super) fn append(
    db: &Connection,
    edge: &mut Frontier,
    drafts: &[Draft],
    guard: &Guard,
) -> Result<Vec<Seq>, StoreError> {
    check(db, guard)?;
    drafts.iter().map(|draft| add(db, edge, draft)).collect()
}

fn check(db: &Connection, guard: &Guard) -> Result<(), StoreError> {
    match guard {
        Guard::Free => Ok(()),
        Guard::RunAt { run, last } => {
            let found: Option<i64> = query(db, "SELECT max(seq) FROM leaves WHERE run = ?1", run.as_str())?;
            let found = found.map(unstored).transpose()?;
            if found == last.map(|seq| seq.0) {
                Ok(())
            } else {
                Err(StoreError::Overtaken { run: run.clone() })
            }
        }
    }
}

fn query(db: &Connection, sql: &str, value: &str) -> Result<Option<i64>, StoreError> {
    let found = db.prepare_cached(sql).and_then(|mut statement| {
        statement.query_row([value], |row| row.get::<_, Option<i64>>(0)).optional()
    });
    found.map(Option::flatten).map_err(fault("be read", 0))
}

fn add(db: &Connection, edge: &mut Frontier, draft: &Draft) -> Result<Seq, StoreError> {
    let (seq, leaf) = (edge.size(), &draft.leaf);
    let grown = edge.push(NodeHash::leaf(leaf.bytes())).ok_or_else(|| damaged("it is full"))?;
    for node in grown {
        if node.level == 0 {
            let run = leaf.run().map(RunId::as_str);
            let row =
                params![stored(seq)?, &node.hash.0[..], leaf.bytes(), leaf.kind(), run, stored(leaf.at().0)?];
            write(
                db,
                "INSERT INTO leaves (seq, hash, bytes, kind, run, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                row,
            )?;
        } else {
            let row = params![node.level, stored(node.index)?, &node.hash.0[..]];
            write(db, "INSERT INTO nodes (level, idx, hash) VALUES (?1, ?2, ?3)", row)?;
        }
    }
    put_blobs(db, &draft.blobs)?;
    projection::apply(db, seq, leaf)?;
    Ok(Seq(seq))
}

pub(super) fn put_blobs(db: &Connection, blobs: &[Blob]) -> Result<(), StoreError> {
    for blob in blobs {
        if blob.bytes().len() > BLOB_BYTES_MAX {
            return Err(StoreError::Blob { bytes: blob.bytes().len() });
        }
        let row = params![blob.digest().as_str(), blob.kind(), blob.bytes()];
        write(db, "INSERT INTO blobs (digest, kind, bytes) VALUES (?1, ?2, ?3)", row)?;
    }
    Ok(())
}

/// Keeps a signed root. The same root for the same size again is no news; another root is a fork.
pub(super) fn put_checkpoint(db: &Connection, row: &CheckpointRow) -> Result<(), StoreError> {
    match read::checkpoint_at(db, row.size)? {
        Some(known) if known.root == row.root && known.origin == row.origin => Ok(()),
        Some(_) => Err(StoreError::Forked { size: row.size }),
        None => {
            let values = params![stored(row.size)?, row.origin, &row.root.0[..], row.note];
            write(db, "INSERT INTO checkpoints (size, origin, root, note) VALUES (?1, ?2, ?3, ?4)", values)
        }
    }
}

/// Throws every projection away and replays the log into it.
pub(super) fn rebuild(db: &Connection) -> Result<(), StoreError> {
    for table in projection::TABLES {
        db.execute(&format!("DELETE FROM {table}"), []).map_err(fault("empty a projection", 0))?;
    }
    replay(db, db)
}

/// Replays the log of `from` into the projections of `into`.
pub(super) fn replay(from: &Connection, into: &Connection) -> Result<(), StoreError> {
    read::each(from, |record| projection::apply(into, record.seq.0, &record.leaf))
}

fn write(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    let outcome = db.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    outcome.map(|_| ()).map_err(fault("write", 0))
}
