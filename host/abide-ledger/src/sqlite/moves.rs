//! Spending the record that allows one ref move. It happens in the transaction of the event that says so.

use abide_core::decision::Verdict;
use abide_core::id::{RunId, Seq, Timestamp};
use rusqlite::{Connection, params};
use serde_json::json;

use super::fault::{fault, unstored};
use super::{append, read, view};
use crate::leaf::{Draft, Leaf};
use crate::merkle::Frontier;
use crate::store::{DecisionRow, Guard, RefMove, RefMoveRefusal, StoreError};

/// Spends an unused, unexpired allow of class MERGE for exactly this move; or says why there is none, and writes nothing.
pub(super) fn spend(
    db: &Connection,
    edge: &mut Frontier,
    claim: &RefMove,
    now: Timestamp,
) -> Result<Result<Seq, RefMoveRefusal>, StoreError> {
    match find(db, claim, now)? {
        Ok(decision) => allow(db, edge, claim, &decision, now).map(Ok),
        Err(why) => Ok(Err(why)),
    }
}

/// What [`spend`] would answer now. Only spending makes it certain.
pub(super) fn peek(
    db: &Connection,
    claim: &RefMove,
    now: Timestamp,
) -> Result<Result<Seq, RefMoveRefusal>, StoreError> {
    Ok(find(db, claim, now)?.map(|decision| decision.seq))
}

fn find(
    db: &Connection,
    claim: &RefMove,
    now: Timestamp,
) -> Result<Result<DecisionRow, RefMoveRefusal>, StoreError> {
    if let Some(freeze) = view::freezes(db)?.into_iter().find(|freeze| freeze.repo == claim.repo.as_str()) {
        return Ok(Err(RefMoveRefusal::Frozen { since: freeze.seq }));
    }
    let mut refusal = None;
    for decision in matching(db, claim)? {
        match judge(db, &decision, now)? {
            Ok(()) => return Ok(Ok(decision)),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    refusal.map_or_else(|| no_decision(db, claim).map(Err), |why| Ok(Err(why)))
}

/// Decisions on exactly this move, newest first: it is the one that whoever asks has just been given, and it has the word on why.
fn matching(db: &Connection, claim: &RefMove) -> Result<Vec<DecisionRow>, StoreError> {
    let values =
        params![claim.repo.as_str(), claim.reference.as_str(), claim.old.as_str(), claim.new.as_str()];
    view::decisions(
        db,
        "WHERE repo = ?1 AND ref = ?2 AND old = ?3 AND new = ?4 AND class = 'MERGE' ORDER BY seq DESC",
        values,
    )
}

fn judge(
    db: &Connection,
    decision: &DecisionRow,
    now: Timestamp,
) -> Result<Result<(), RefMoveRefusal>, StoreError> {
    let seq = decision.seq;
    if decision.judged.verdict != Verdict::Allow {
        return Ok(Err(RefMoveRefusal::NotAllowed { seq, verdict: decision.judged.verdict }));
    }
    if let Some(by) = decision.consumed_by {
        return Ok(Err(RefMoveRefusal::AlreadyUsed { seq, by }));
    }
    // A decision without a run is under the switch of the whole system alone, which every run's switch includes.
    let halt = read::halt_of(db, decision.run.as_ref().map(RunId::as_str))?;
    if halt.halted {
        return Ok(Err(RefMoveRefusal::Halted));
    }
    if halt.epoch != decision.epoch {
        return Ok(Err(RefMoveRefusal::WrongEpoch { seq }));
    }
    if now >= decision.expires {
        return Ok(Err(RefMoveRefusal::Expired { seq }));
    }
    Ok(Ok(()))
}

fn allow(
    db: &Connection,
    edge: &mut Frontier,
    claim: &RefMove,
    decision: &DecisionRow,
    now: Timestamp,
) -> Result<Seq, StoreError> {
    let data = json!({
        "decision": decision.seq.0.to_string(),
        "repo": claim.repo.as_str(),
        "ref": claim.reference.as_str(),
        "old": claim.old.as_str(),
        "new": claim.new.as_str(),
    });
    let leaf = Leaf::new(decision.run.clone(), "RefMoveAllowed", now, data)?;
    append::append(db, edge, &[Draft::from(leaf)], &Guard::Free)?;
    Ok(decision.seq)
}

/// What to say when no decision is about exactly this move: a halt comes first, then a work branch that is taken for a merge.
fn no_decision(db: &Connection, claim: &RefMove) -> Result<RefMoveRefusal, StoreError> {
    if read::halt_of(db, None)?.halted {
        return Ok(RefMoveRefusal::Halted);
    }
    let written = "SELECT max(decision) FROM ref_moves WHERE repo = ?1 AND kind = 'PatchCommitted' AND (ref = ?2 OR new = ?3)";
    let allowed = "SELECT max(seq) FROM decisions WHERE repo = ?1 AND ref = ?2 AND class = 'WRITE' AND verdict = 'allow'";
    let (repo, reference, new) = (claim.repo.as_str(), claim.reference.as_str(), claim.new.as_str());
    let mut found = newest(db, written, params![repo, reference, new])?;
    if found.is_none() {
        found = newest(db, allowed, params![repo, reference])?;
    }
    Ok(match found {
        Some(seq) => RefMoveRefusal::OnlyWrite { seq: Seq(unstored(seq)?) },
        None => RefMoveRefusal::NoDecision,
    })
}

fn newest(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Option<i64>, StoreError> {
    db.query_row(sql, values, |row| row.get(0)).map_err(fault("be read", 0))
}
