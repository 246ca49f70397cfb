//! A policy in the shadow: it judges beside the live one what that has judged, and nothing follows from what it says.
//!
//! The live decision is recorded first; only then is the question handed on, over a bounded queue that never blocks, to a thread of its own. What the
//! candidate does there (fail, hang, deny) changes nothing but the tally, which is written down when the run has gone as far as it goes.
//! It judges behind the wall of the sealed judge (`crate::sealed`), so it has no more of this process than that gives it, and without one it does
//! not judge at all. `candidate` is what judges, `tally` what is told of it.

pub(crate) mod candidate;
pub(crate) mod tally;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use abide_core::decision::Decision;
use abide_core::event::{Body, Cites, ShadowDiffered, ShadowJudged};
use abide_core::id::{Digest, Seq};
use abide_gate::{DecisionLog, DecisionRecord, Judge as _, PortError, Question};
use abide_ledger::{Blob, Guard, Ledger};
use abide_sandbox::SealedJudge;

use crate::drive::lead_rule;
use crate::report::Failure;
use crate::wiring;

/// Questions that may wait; more are not judged.
const QUEUE_MAX: usize = 32;
/// Bytes of a question at most; a larger one is not judged.
const INPUT_BYTES_MAX: usize = 1 << 20;
/// How far the shadow steps back behind everything else on the host.
const NICE: i32 = 5;
/// How long the end of a run waits for what is still being judged, in milliseconds.
const WAIT_MS: u64 = 5_000;
/// Decisions in one event at most, so that it stays a small leaf of the log.
const EVENT_MAX: usize = 100;
/// Characters of a reason that are kept.
const WHY_CHARS_MAX: usize = 300;

/// What judges, put together on the shadow's own thread. It stands behind the wall: its memory and its time are bounded, whatever the candidate is.
type Load = Arc<dyn Fn() -> Result<SealedJudge, Failure> + Send + Sync>;

/// A decision that was recorded.
struct Seen {
    seq: Seq,
    input: Vec<u8>,
    live: Decision,
}

/// What came out so far.
#[derive(Debug, Default)]
struct Outcome {
    bundle: Option<Blob>,
    agreed: Vec<Seq>,
    differed: Vec<ShadowDiffered>,
    why: Option<String>,
}

/// The thread, once there was something to judge.
struct Working {
    queue: SyncSender<Seen>,
    done: Receiver<()>,
    outcome: Arc<Mutex<Outcome>>,
}

/// A candidate that judges beside the live policy.
pub(crate) struct Shadow {
    candidate: Digest,
    load: Load,
    working: Mutex<Option<Working>>,
    /// Every decision since the last tally, judged or not.
    seen: Mutex<BTreeSet<Seq>>,
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadow").field("candidate", &self.candidate).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shadow {
    /// The shadow of `candidate`, which `load` puts together when there is something to judge.
    pub(crate) fn new(
        candidate: Digest,
        load: impl Fn() -> Result<SealedJudge, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { candidate, load: Arc::new(load), working: Mutex::default(), seen: Mutex::default() }
    }

    /// Takes note of a recorded decision. Returns at once, whatever the candidate does.
    fn saw(&self, seq: Seq, record: &DecisionRecord) {
        locked(&self.seen).insert(seq);
        let mut working = locked(&self.working);
        if working.is_none() {
            *working = self.start();
        }
        let Some(thread) = working.as_ref().filter(|_| record.input_bytes.len() <= INPUT_BYTES_MAX) else {
            return;
        };
        let seen = Seen { seq, input: record.input_bytes.clone(), live: record.decision.clone() };
        // A queue that is full, or a thread that is gone, leaves the decision unjudged; it is counted as that.
        match thread.queue.try_send(seen) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    fn start(&self) -> Option<Working> {
        let load = Arc::clone(&self.load);
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let (ended, done) = sync_channel(1);
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let kept = Arc::clone(&outcome);
        let work = move || {
            // Threads that it starts are as far back as it is. Where the system says no, it competes like any other thread.
            match rustix::process::nice(NICE) {
                Ok(_) | Err(_) => {}
            }
            judge(&*load, &waiting, &kept);
            drop(ended);
        };
        thread::Builder::new().name("shadow".to_owned()).spawn(work).ok()?;
        Some(Working { queue, done, outcome })
    }

    /// Waits a little for what is still being judged, and gives what came out since the last time, in events with what they cite.
    fn finish(&self) -> Vec<(Body, Vec<Blob>)> {
        let mut outcome = Outcome::default();
        if let Some(working) = locked(&self.working).take() {
            drop(working.queue);
            // It ends by itself, or it is left behind with what it still says: nobody waits for a candidate that hangs.
            match working.done.recv_timeout(Duration::from_millis(WAIT_MS)) {
                Ok(()) | Err(_) => {}
            }
            outcome = std::mem::take(&mut *locked(&working.outcome));
        }
        let seen = std::mem::take(&mut *locked(&self.seen));
        let judged: BTreeSet<Seq> = outcome
            .agreed
            .iter()
            .copied()
            .chain(outcome.differed.iter().map(|one| Seq(one.decision.0)))
            .collect();
        let missed: Vec<Seq> = seen.difference(&judged).copied().collect();
        events(&self.candidate, outcome, &missed)
    }

    /// Writes down what came out. It is no part of the run: a failure is told and changes nothing.
    pub(crate) fn record(&self, ledger: &Ledger) {
        for (body, blobs) in self.finish() {
            if let Err(failure) = wiring::record(ledger, None, &body, blobs, Guard::Free) {
                tracing::warn!(
                    code = failure.code,
                    "what the policy in the shadow said could not be written down"
                );
            }
        }
    }
}

fn judge(
    load: &dyn Fn() -> Result<SealedJudge, Failure>,
    waiting: &Receiver<Seen>,
    outcome: &Mutex<Outcome>,
) {
    let judge = match load() {
        Ok(judge) => judge,
        Err(failure) => {
            let why = abide_core::safe_text::line(&format!("{} [{}]", failure.what, failure.code));
            locked(outcome).why = Some(why.chars().take(WHY_CHARS_MAX).collect());
            return;
        }
    };
    locked(outcome).bundle = Some(Blob::new("bundle", judge.text().to_bytes().to_vec()));
    for Seen { seq, input, live } in waiting {
        let Ok(question) = Question::from_bytes(input) else { continue };
        let said = judge.decide(&question);
        let (rule, live_rule) = (lead_rule(&said), lead_rule(&live));
        let mut outcome = locked(outcome);
        if (said.verdict, &rule) == (live.verdict, &live_rule) {
            outcome.agreed.push(seq);
        } else {
            outcome.differed.push(ShadowDiffered {
                decision: seq.into(),
                live: live.verdict,
                live_rule,
                verdict: said.verdict,
                rule,
                fault: said.fault,
            });
        }
    }
}

/// One event for each hundred decisions.
fn events(candidate: &Digest, outcome: Outcome, missed: &[Seq]) -> Vec<(Body, Vec<Blob>)> {
    let Outcome { bundle, agreed, differed, why } = outcome;
    let mut left: Vec<One> = agreed.into_iter().map(One::Agreed).collect();
    left.extend(differed.into_iter().map(One::Differed));
    left.extend(missed.iter().copied().map(One::Missed));
    let digest = bundle.as_ref().map(|bundle| bundle.digest().clone());
    let parts = left.chunks(EVENT_MAX).map(|part| {
        let mut judged = ShadowJudged {
            candidate: candidate.clone(),
            bundle: digest.clone(),
            agreed: Vec::new(),
            differed: Vec::new(),
            missed: Vec::new(),
            why: why.clone(),
        };
        for one in part {
            match one {
                One::Agreed(seq) => judged.agreed.push(Cites::from(*seq)),
                One::Differed(one) => judged.differed.push(one.clone()),
                One::Missed(seq) => judged.missed.push(Cites::from(*seq)),
            }
        }
        (Body::ShadowJudged(Box::new(judged)), bundle.clone().into_iter().collect())
    });
    parts.collect()
}

enum One {
    Agreed(Seq),
    Differed(ShadowDiffered),
    Missed(Seq),
}

/// The log of decisions, with the shadow told of each that became durable.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The log.
    pub(crate) log: Arc<dyn DecisionLog>,
    /// Who is told.
    pub(crate) shadow: Arc<Shadow>,
}

impl DecisionLog for Watched {
    fn append(&self, record: &DecisionRecord) -> Result<Seq, PortError> {
        let seq = self.log.append(record)?;
        self.shadow.saw(seq, record);
        Ok(seq)
    }
}

#[cfg(test)]
mod tests;
