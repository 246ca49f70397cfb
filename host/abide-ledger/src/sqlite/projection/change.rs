//! References that moved or may not move, and releases.

use rusqlite::params;

use super::{Event, law, run};
use crate::store::StoreError;

pub(super) fn committed(event: &Event<'_>) -> Result<(), StoreError> {
    let decision = law::spend(event, "WRITE")?;
    record(event, Some(decision), event.text("branch")?, event.text("base")?, event.text("commit")?)?;
    run::task(event, "committed", None)
}

pub(super) fn allowed(event: &Event<'_>) -> Result<(), StoreError> {
    let decision = law::spend(event, "MERGE")?;
    record(event, Some(decision), event.text("ref")?, event.text("old")?, event.text("new")?)
}

pub(super) fn refused(event: &Event<'_>) -> Result<(), StoreError> {
    event.text("repo")?;
    event.text("code")?;
    record(event, None, event.text("ref")?, event.text("old")?, event.text("new")?)
}

/// A protected reference stands elsewhere now.
pub(super) fn moved(event: &Event<'_>) -> Result<(), StoreError> {
    let decision = law::spend(event, "MERGE")?;
    record(event, Some(decision), event.text("ref")?, event.text("old")?, event.text("new")?)?;
    run::task(event, "merged", None)
}

/// The repository is the one that the decision names, or the event's own.
fn record(
    event: &Event<'_>,
    decision: Option<i64>,
    reference: &str,
    old: &str,
    new: &str,
) -> Result<(), StoreError> {
    event.write(
        "INSERT INTO ref_moves (seq, kind, repo, ref, old, new, decision, code)
         VALUES (?1, ?2, coalesce((SELECT repo FROM decisions WHERE seq = ?7), ?3), ?4, ?5, ?6, ?7, ?8)",
        params![
            event.seq,
            event.kind,
            event.optional("repo")?,
            reference,
            old,
            new,
            decision,
            event.optional("code")?
        ],
        "the move cannot be recorded",
    )?;
    Ok(())
}

pub(super) fn frozen(event: &Event<'_>) -> Result<(), StoreError> {
    event.write(
        "INSERT INTO freezes (repo, ref, seq, found, why) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (repo, ref) DO UPDATE SET found = excluded.found, why = excluded.why",
        params![event.text("repo")?, event.text("ref")?, event.seq, event.text("found")?, event.text("why")?],
        "the repository cannot be frozen",
    )?;
    Ok(())
}

pub(super) fn unfrozen(event: &Event<'_>) -> Result<(), StoreError> {
    event.text("by")?;
    event.text("reason")?;
    event.write(
        "DELETE FROM freezes WHERE repo = ?1",
        [event.text("repo")?],
        "the repository cannot be thawed",
    )?;
    Ok(())
}

pub(super) fn canary(event: &Event<'_>) -> Result<(), StoreError> {
    law::spend(event, "DEPLOY")?;
    event.write(
        "INSERT INTO releases (environment, release, commit_oid, state, seq, started) VALUES (?1, ?2, ?3, 'canary', ?4, ?4)
         ON CONFLICT (environment, release) DO UPDATE SET commit_oid = excluded.commit_oid, state = 'canary', seq = excluded.seq, started = excluded.seq",
        params![event.text("environment")?, event.text("release")?, event.text("commit")?, event.seq],
        "the release cannot start",
    )?;
    Ok(())
}

pub(super) fn promoted(event: &Event<'_>) -> Result<(), StoreError> {
    law::spend(event, "DEPLOY")?;
    release(event, event.text("release")?, "promoted", "a release is promoted that was never started")
}

/// Taking a release away also says where the way back led, if anywhere.
pub(super) fn rolled_back(event: &Event<'_>) -> Result<(), StoreError> {
    law::spend(event, "ROLLBACK")?;
    release(event, event.text("from")?, "rolled-back", "a release is taken back that was never started")?;
    event.optional("to")?.map_or(Ok(()), |to| {
        release(event, to, "promoted", "the way back leads to a release that was never started")
    })
}

fn release(event: &Event<'_>, release: &str, state: &str, unknown: &'static str) -> Result<(), StoreError> {
    let changed = event.write(
        "UPDATE releases SET state = ?3, seq = ?4 WHERE environment = ?1 AND release = ?2",
        params![event.text("environment")?, release, state, event.seq],
        "the release cannot change",
    )?;
    if changed == 0 { Err(event.conflict(unknown)) } else { Ok(()) }
}
