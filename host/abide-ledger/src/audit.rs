//! Checking a whole log from its stored bytes: nothing that was computed before is believed.

use abide_core::id::{RunId, Timestamp};

use crate::checkpoint::Checkpoint;
use crate::leaf::Record;
use crate::ledger::{Ledger, LedgerError};
use crate::merkle::{Frontier, NodeHash};
use crate::report::Report;
use crate::store::{CheckpointRow, Store, StoreError};

/// Events read at a time.
const STRIDE: u64 = 4_096;

/// Checks every page, leaf, hash, signed root, document and projection of a ledger.
///
/// `Err` means that the ledger cannot be read at all. The log as it stood when this began is checked; what others append meanwhile is not.
pub fn verify_log(ledger: &Ledger) -> Result<Report, LedgerError> {
    let mut report = Report::default();
    let store = ledger.store();
    let storage = said(store.check_storage())?;
    report.add("storage", "AB0404", storage.map(|()| "every page, row and document matches".to_owned()));
    let checkpoints = store.checkpoints()?;
    let log = said(rehash(store, &checkpoints))?;
    let Some(walk) = log.map_err(|why| report.refused("leaves", "AB0450", why)).ok() else {
        return Ok(report);
    };
    report.ok("leaves", format!("{} events rehashed, no gap; root {:?}", walk.size, walk.root));
    report.add("checkpoints", "AB0451", signed(ledger, &checkpoints, &walk));
    let same = said(store.projections_agree())?;
    report.add(
        "projections",
        "AB0452",
        same.map(|()| "what the log makes of them is what they are".to_owned()),
    );
    Ok(report)
}

/// Runs of the log, oldest first.
pub fn runs(ledger: &Ledger) -> Result<Vec<RunId>, StoreError> {
    Ok(ledger.store().runs()?.into_iter().map(|run| run.id).collect())
}

/// The latest time that any event of the log has; 1970 if there is none. A clock may have been set back since.
pub fn latest(ledger: &Ledger) -> Result<Timestamp, StoreError> {
    let store = ledger.store();
    let (mut latest, mut next, size) = (Timestamp(0), 0_u64, store.size()?);
    while next < size {
        let end = next.saturating_add(STRIDE).min(size);
        for record in store.records(next..end)? {
            latest = latest.max(record.leaf.at());
        }
        next = end;
    }
    Ok(latest)
}

/// What was read and computed on the way.
struct Walk {
    size: u64,
    root: NodeHash,
    /// Roots at the sizes that were signed.
    roots: Vec<NodeHash>,
}

/// Damage is a finding; everything else means that nothing can be said.
fn said<T>(outcome: Result<T, StoreError>) -> Result<Result<T, String>, StoreError> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(StoreError::Damaged { what }) => Ok(Err(what)),
        Err(StoreError::Leaf(error)) => Ok(Err(error.to_string())),
        Err(error @ (StoreError::Malformed { .. } | StoreError::Conflict { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

fn rehash(store: &dyn Store, checkpoints: &[CheckpointRow]) -> Result<Walk, StoreError> {
    let size = store.size()?;
    let mut signed = checkpoints.iter().map(|row| row.size).peekable();
    let (mut edge, mut roots) = (Frontier::default(), Vec::new());
    while edge.size() < size {
        let records = store.records(edge.size()..edge.size().saturating_add(STRIDE).min(size))?;
        if records.is_empty() {
            return Err(StoreError::Damaged { what: format!("event {} is missing", edge.size()) });
        }
        for record in records {
            add(store, &mut edge, &record)?;
            if signed.next_if_eq(&edge.size()).is_some() {
                roots.push(edge.root());
            }
        }
    }
    Ok(Walk { size, root: edge.root(), roots })
}

/// The leaf must be the next one, and every hash that it completes must be the stored one.
fn add(store: &dyn Store, edge: &mut Frontier, record: &Record) -> Result<(), StoreError> {
    if record.seq.0 != edge.size() {
        return Err(StoreError::Damaged { what: format!("event {} is missing", edge.size()) });
    }
    let grown = edge.push(NodeHash::leaf(record.leaf.bytes())).unwrap_or_default();
    for node in grown {
        if store.node(node.level, node.index)? != node.hash {
            return Err(StoreError::Damaged {
                what: format!("event {} was changed, or a hash above it", record.seq),
            });
        }
    }
    Ok(())
}

/// Every signed root is signed by the log's key and is the root that the stored bytes give.
fn signed(ledger: &Ledger, checkpoints: &[CheckpointRow], walk: &Walk) -> Result<String, String> {
    for (index, row) in checkpoints.iter().enumerate() {
        let checkpoint = Checkpoint::open(&row.note, ledger.vkey())
            .map_err(|error| format!("checkpoint of size {}: {error}", row.size))?;
        if checkpoint.size != row.size
            || checkpoint.root != row.root
            || checkpoint.origin.as_str() != row.origin
        {
            return Err(format!("checkpoint of size {}: the note says something else", row.size));
        }
        if row.size > walk.size {
            return Err(format!(
                "{} events were signed for, and the log has {}: it was cut off",
                row.size, walk.size
            ));
        }
        if walk.roots.get(index) != Some(&row.root) {
            return Err(format!("checkpoint of size {}: the stored events give another root", row.size));
        }
    }
    let last = checkpoints.last().map_or(0, |row| row.size);
    let unsigned = walk.size.saturating_sub(last);
    Ok(format!(
        "{} signed roots match; {unsigned} events are younger than the last of them",
        checkpoints.len()
    ))
}

#[cfg(test)]
mod tests;
