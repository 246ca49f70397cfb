//! Long-lived threads on which policies run, so that one that never ends or panics costs a denial and not the process.
//!
//! A thread that overruns is abandoned, not killed (nothing can kill a thread); the number of such threads is capped. What this
//! does not bound is memory: a policy from somebody you do not trust belongs in the sealed judge.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Why no answer came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The deadline passed.
    Deadline,
    /// The work panicked.
    Panicked,
    /// Too many overran before and still run.
    Crowded,
    /// No thread could be started.
    NoThread,
}

/// Stack of a thread that judges or loads. LIMIT: reserved, not committed; deep syntax trees are walked and dropped on it.
const STACK_BYTES: usize = 256 * 1024 * 1024;

const RUNNING: u8 = 0;
const DONE: u8 = 1;
const ABANDONED: u8 = 2;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of such threads.
#[derive(Debug)]
pub(crate) struct Supervisor {
    idle: Mutex<Vec<Sender<Job>>>,
    abandoned: Arc<AtomicUsize>,
    abandoned_max: usize,
}

impl Supervisor {
    pub(crate) fn new(abandoned_max: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), abandoned: Arc::new(AtomicUsize::new(0)), abandoned_max }
    }

    /// Runs `work` on a thread of its own and waits for it, but not longer than `deadline`.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        self.call_then_sweep(deadline, || (work(), ()))
    }

    /// The same for work that leaves something behind: the answer goes out first, and what is left is dropped when nobody waits any more.
    pub(crate) fn call_then_sweep<T: Send + 'static, L: 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce() -> (T, L) + Send + 'static,
    ) -> Result<T, Lost> {
        if self.abandoned.load(Ordering::Acquire) >= self.abandoned_max {
            return Err(Lost::Crowded);
        }
        let (answer, wait) = sync_channel(1);
        let state = Arc::new(AtomicU8::new(RUNNING));
        let job = job(work, answer, Arc::clone(&state), Arc::clone(&self.abandoned));
        let worker = self.dispatch(job)?;
        let outcome = match wait.recv_timeout(deadline) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Disconnected) => return Err(Lost::Panicked),
            Err(RecvTimeoutError::Timeout) => {
                self.abandoned.fetch_add(1, Ordering::AcqRel);
                if state.compare_exchange(RUNNING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    return Err(Lost::Deadline);
                }
                // It finished between the timeout and this line.
                self.abandoned.fetch_sub(1, Ordering::AcqRel);
                wait.recv().map_err(|_| Lost::Panicked)?
            }
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        outcome
    }

    fn dispatch(&self, mut job: Job) -> Result<Sender<Job>, Lost> {
        loop {
            let Some(worker) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else { break };
            match worker.send(job) {
                Ok(()) => return Ok(worker),
                Err(returned) => job = returned.0,
            }
        }
        let worker = spawn()?;
        worker.send(job).map_err(|_| Lost::NoThread)?;
        Ok(worker)
    }
}

fn job<T: Send + 'static, L: 'static>(
    work: impl FnOnce() -> (T, L) + Send + 'static,
    answer: SyncSender<Result<T, Lost>>,
    state: Arc<AtomicU8>,
    abandoned: Arc<AtomicUsize>,
) -> Job {
    Box::new(move || {
        let (outcome, left) = match catch_unwind(AssertUnwindSafe(work)) {
            Ok((answer, left)) => (Ok(answer), Some(left)),
            Err(_) => (Err(Lost::Panicked), None),
        };
        if state.compare_exchange(RUNNING, DONE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            // Nobody listens only if the caller is gone, and then nobody misses the answer.
            drop(answer.send(outcome));
        } else {
            abandoned.fetch_sub(1, Ordering::AcqRel);
        }
        drop(left);
    })
}

fn spawn() -> Result<Sender<Job>, Lost> {
    let (jobs, queue) = channel::<Job>();
    let body = move || {
        for job in queue {
            job();
        }
    };
    thread::Builder::new()
        .name("judge".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(body)
        .map_err(|_| Lost::NoThread)?;
    Ok(jobs)
}
