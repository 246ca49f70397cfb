//! One thread writes. Appends that wait for it share a commit; each has its own savepoint, so that a refused one harms no other.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use abide_core::id::{Seq, Timestamp};
use rusqlite::Connection;

use super::fault::fault;
use super::{append, moves};
use crate::leaf::{Blob, Draft};
use crate::merkle::Frontier;
use crate::store::{CheckpointRow, Guard, Limits, RefMove, RefMoveRefusal, StoreError};

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Work {
    Append { drafts: Vec<Draft>, guard: Guard },
    Blobs(Vec<Blob>),
    Spend { claim: RefMove, now: Timestamp },
    Checkpoint(CheckpointRow),
    Rebuild,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Appended(Vec<Seq>),
    Answered(Result<Seq, RefMoveRefusal>),
    Quiet,
}

type Answer = Result<Done, StoreError>;

struct Job {
    work: Work,
    answer: SyncSender<Answer>,
}

/// Handle of the thread; dropping it lets the thread finish what it was asked and then ends it.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    wait: Duration,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn start(db: Connection, edge: Frontier, limits: Limits) -> Result<Self, StoreError> {
        let (jobs, inbox) = sync_channel(limits.queue_max);
        let mut desk = Desk { db, edge, limits };
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || desk.serve(&inbox))
            .map_err(|error| StoreError::System {
                what: "start its writer",
                source: std::sync::Arc::new(error),
            })?;
        // The queue is bounded, a commit waits once for a lock, and a failed batch is tried once more job by job: hence the factor.
        let wait = Duration::from_millis(limits.wait_ms_max.saturating_mul(4).saturating_add(5_000));
        Ok(Self { jobs: Some(jobs), thread: Some(thread), wait })
    }

    /// Waits until the work is durable, or refused.
    pub(super) fn submit(&self, work: Work) -> Answer {
        let (answer, outcome) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or(StoreError::Silent)?;
        jobs.send(Job { work, answer }).map_err(|_| StoreError::Silent)?;
        outcome.recv_timeout(self.wait).map_err(|_| StoreError::Silent)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has answered nobody, and everybody has failed closed.
            drop(thread.join());
        }
    }
}

struct Desk {
    db: Connection,
    edge: Frontier,
    limits: Limits,
}

impl Desk {
    fn serve(&mut self, inbox: &Receiver<Job>) {
        while let Ok(first) = inbox.recv() {
            let mut batch = vec![first];
            while batch.len() < self.limits.batch_max {
                match inbox.try_recv() {
                    Ok(job) => batch.push(job),
                    Err(_) => break,
                }
            }
            self.settle(&batch);
        }
    }

    /// Commits a batch; if the whole of it fails, each job is tried by itself, so that a small one is not refused for a large one.
    fn settle(&mut self, batch: &[Job]) {
        let works: Vec<&Work> = batch.iter().map(|job| &job.work).collect();
        let answers = match self.commit(&works) {
            Ok(answers) => answers,
            Err(error) if works.len() == 1 => vec![Err(error)],
            Err(StoreError::Locked { waited_ms }) => {
                works.iter().map(|_| Err(StoreError::Locked { waited_ms })).collect()
            }
            Err(_) => works.iter().map(|work| self.alone(work)).collect(),
        };
        for (job, answer) in batch.iter().zip(answers) {
            // Whoever asked may have given up waiting; the log stands as it is either way.
            drop(job.answer.send(answer));
        }
    }

    fn alone(&mut self, work: &Work) -> Answer {
        self.commit(&[work])?.pop().unwrap_or(Err(StoreError::Silent))
    }

    fn commit(&mut self, works: &[&Work]) -> Result<Vec<Answer>, StoreError> {
        self.batch("BEGIN IMMEDIATE")?;
        let outcome = self.refresh().and_then(|()| {
            let answers = works.iter().map(|work| self.guarded(work)).collect::<Result<Vec<_>, _>>()?;
            self.batch("COMMIT")?;
            Ok(answers)
        });
        if outcome.is_err() {
            if !self.db.is_autocommit() {
                // The error that matters is the first one; if the rollback fails too, the next `BEGIN` says so.
                drop(self.batch("ROLLBACK"));
            }
            self.edge = Frontier::default();
        }
        outcome
    }

    /// Reads the edge again if another process moved it.
    fn refresh(&mut self) -> Result<(), StoreError> {
        let size = super::read::size(&self.db)?;
        if size != self.edge.size() || size == 0 {
            self.edge = super::edge_of(&self.db, size)?;
        }
        Ok(())
    }

    /// One job in its own savepoint. `Err` means that the whole transaction is lost.
    fn guarded(&mut self, work: &Work) -> Result<Answer, StoreError> {
        self.batch("SAVEPOINT job")?;
        let before = self.edge.clone();
        match self.perform(work) {
            Ok(done) => self.batch("RELEASE job").map(|()| Ok(done)),
            Err(error) if self.db.is_autocommit() => Err(error),
            Err(error) => {
                self.batch("ROLLBACK TO job; RELEASE job")?;
                self.edge = before;
                Ok(Err(error))
            }
        }
    }

    fn perform(&mut self, work: &Work) -> Answer {
        let (db, edge) = (&self.db, &mut self.edge);
        match work {
            Work::Append { drafts, guard } => append::append(db, edge, drafts, guard).map(Done::Appended),
            Work::Blobs(blobs) => append::put_blobs(db, blobs).map(|()| Done::Quiet),
            Work::Spend { claim, now } => moves::spend(db, edge, claim, *now).map(Done::Answered),
            Work::Checkpoint(row) => append::put_checkpoint(db, row).map(|()| Done::Quiet),
            Work::Rebuild => append::rebuild(db).map(|()| Done::Quiet),
        }
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.db.execute_batch(sql).map_err(fault("write", self.limits.wait_ms_max))
    }
}
