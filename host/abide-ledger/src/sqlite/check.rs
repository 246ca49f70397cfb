//! Looking for what was changed behind our back.

use abide_core::id::RunId;
use rusqlite::Connection;

use super::fault::{damaged, fault, stored};
use super::{append, view};
use crate::leaf::{Blob, Leaf};
use crate::store::StoreError;

/// The columns beside the bytes of an event say what the bytes say.
pub(super) fn columns(db: &Connection) -> Result<(), StoreError> {
    let fault = fault("be checked", 0);
    let mut statement =
        db.prepare("SELECT seq, bytes, kind, run, at FROM leaves ORDER BY seq").map_err(&fault)?;
    let mut rows = statement.query([]).map_err(&fault)?;
    while let Some(row) = rows.next().map_err(&fault)? {
        let get = || {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Option<String>>(3)?,
                row.get::<_, i64>(4)?,
            ))
        };
        let (seq, bytes, kind, run, at) = get().map_err(&fault)?;
        let leaf = Leaf::parse(bytes)?;
        if leaf.kind() != kind
            || leaf.run().map(RunId::as_str) != run.as_deref()
            || stored(leaf.at().0)? != at
        {
            return Err(damaged(&format!("the columns of event {seq} are not what its bytes say")));
        }
    }
    Ok(())
}

/// Every document matches its digest.
pub(super) fn blobs(db: &Connection) -> Result<(), StoreError> {
    let fault = fault("be checked", 0);
    let mut statement = db.prepare("SELECT digest, bytes FROM blobs ORDER BY digest").map_err(&fault)?;
    let mut rows = statement.query([]).map_err(&fault)?;
    while let Some(row) = rows.next().map_err(&fault)? {
        let (digest, bytes): (String, Vec<u8>) =
            row.get(0).and_then(|digest| Ok((digest, row.get(1)?))).map_err(&fault)?;
        if Blob::new("", bytes).digest().as_str() != digest {
            return Err(damaged(&format!("document {digest} does not match its digest")));
        }
    }
    Ok(())
}

/// Replays the log into a database in memory and compares every row, all as of one moment.
pub(super) fn projections(db: &Connection) -> Result<(), StoreError> {
    let scratch = Connection::open_in_memory().map_err(fault("open a scratch database", 0))?;
    let tables = [include_str!("schema.sql"), include_str!("projections.sql")].concat();
    scratch.execute_batch(&tables).map_err(fault("make scratch tables", 0))?;
    db.execute_batch("BEGIN").map_err(fault("be read", 0))?;
    let outcome =
        append::replay(db, &scratch).and_then(|()| Ok((view::tables(db)?, view::tables(&scratch)?)));
    db.execute_batch("COMMIT").map_err(fault("be read", 0))?;
    let (found, made) = outcome?;
    match made.0.iter().find(|(table, rows)| found.0.get(*table) != Some(rows)) {
        Some((table, _)) => Err(damaged(&format!("table `{table}` is not what the log makes of it"))),
        None => Ok(()),
    }
}
