//! The one place that joins ports to implementations.

use std::path::PathBuf;
use std::sync::Arc;

use abide_core::event::Body;
use abide_core::id::{RunId, Seq, Timestamp};
use abide_gate::{Clock, DecisionLog, Gate, Halt};
use abide_ledger::{Blob, Draft, Guard, Leaf, Ledger, Opening};
use abide_sandbox::jail::Jail;

use crate::config::env::{Drill, Env};
use crate::desk::{Desk, Log};
use crate::home::State;
use crate::jail::{Cells, JailSettings};
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::shadow::{Shadow, Watched};

/// The wall clock of this host.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = std::time::SystemTime::now();
        // A clock before 1970 reads as 1970: permits then expire at once relative to any later reading, which fails closed.
        let ms = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Timestamp(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

/// Jails for checks, made by this program.
pub(crate) fn jail(settings: &JailSettings, state: &State, env: &Env) -> Cells {
    let user = env.picked([&"HOME".to_owned()]).into_values().next().map(PathBuf::from);
    // Every repository's state is secret, not only this one's.
    let kept = state.folder.parent().unwrap_or(&state.folder).to_owned();
    Cells::new(Jail::this(), settings.clone(), user, kept)
}

/// Opens the log of `state`.
pub(crate) fn ledger(state: &State) -> Result<Arc<Ledger>, Failure> {
    let ledger = Ledger::open(&state.ledger(), &Opening::STANDARD)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
    Ok(Arc::new(ledger))
}

/// The log alone, for what reads it and asks no gate.
pub(crate) fn log(ledger: Arc<Ledger>, drill: Option<Drill>) -> Log {
    Log { ledger, clock: Arc::new(SystemClock), drill }
}

/// The desk over `ledger` with `policy` in force, judged as the policy says (natively or sealed), and perhaps another one in the shadow.
pub(crate) fn desk(
    ledger: Arc<Ledger>,
    policy: Policy,
    shadow: Option<Arc<Shadow>>,
    env: &Env,
) -> Result<Desk, Failure> {
    let judge = policy.judge.over(env, &policy.bundle)?;
    let mut log: Arc<dyn DecisionLog> = Arc::<Ledger>::clone(&ledger);
    if let Some(shadow) = &shadow {
        log = Arc::new(Watched { log, shadow: Arc::clone(shadow) });
    }
    let halt: Arc<dyn Halt> = Arc::<Ledger>::clone(&ledger);
    let reading = self::log(ledger, env.drill);
    let ticking: Arc<dyn Clock> = Arc::<SystemClock>::clone(&reading.clock);
    let gate = Gate::new(judge, log, ticking, halt);
    Ok(Desk { log: reading, policy, gate, shadow })
}

/// `count` random bytes from the system.
pub(crate) fn entropy<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new("AB0007", format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

/// Writes down one event with what it cites.
pub(crate) fn record(
    ledger: &Ledger,
    run: Option<&RunId>,
    body: &Body,
    blobs: Vec<Blob>,
    guard: Guard,
) -> Result<Seq, Failure> {
    let (kind, data) = body.parts().map_err(|error| Failure::of("AB0124", error))?;
    let leaf = Leaf::new(run.cloned(), &kind, SystemClock.now(), data)
        .map_err(|error| Failure::of("AB0409", error))?;
    let drafts = vec![Draft { leaf, blobs }];
    let seqs = match guard {
        Guard::Free => ledger.append(drafts),
        Guard::RunAt { run, last } => ledger.append_after(&run, last, drafts),
    };
    let seqs = seqs.map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
    seqs.first()
        .copied()
        .ok_or_else(|| Failure::new("AB0413", "the log gave no place for an event").exit(Exit::Gate))
}

/// The time now.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// A clock that never jumps, for how long something took.
pub(crate) fn monotonic() -> std::time::Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "limits and durations are measured on a clock that never jumps"
    )]
    std::time::Instant::now()
}
