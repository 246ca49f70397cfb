//! The clock of an engine: a thread that moves its epoch while something runs, and rests otherwise.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ticks after the last run until it rests. Waking it costs some microseconds, so it is not done between two runs in a row.
const LINGER_TICKS: u32 = 50;

/// Moves the epoch of an engine until it is dropped.
pub(crate) struct EpochClock {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

impl EpochClock {
    pub(crate) fn start(engine: &wasmtime::Engine, tick: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ticker = std::thread::Builder::new().name("engine-clock".to_owned()).spawn({
            let (shared, engine) = (Arc::clone(&shared), engine.clone());
            move || shared.run(&engine, tick)
        })?;
        Ok(Self { shared, ticker: Some(ticker) })
    }

    /// Keeps the clock going until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.shared.change(|state| state.running = state.running.saturating_add(1));
        Running { clock: &self.shared, began: self.shared.ticks.load(Ordering::Relaxed) }
    }
}

impl Drop for EpochClock {
    fn drop(&mut self) {
        self.shared.change(|state| state.stop = true);
        if let Some(ticker) = self.ticker.take() {
            // A clock that panicked has nothing left to stop.
            drop(ticker.join());
        }
    }
}

/// A run in progress.
pub(crate) struct Running<'a> {
    clock: &'a Shared,
    began: u64,
}

impl Running<'_> {
    /// Ticks since it began.
    pub(crate) fn elapsed_ticks(&self) -> u64 {
        self.clock.ticks.load(Ordering::Relaxed).saturating_sub(self.began)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.clock.change(|state| state.running = state.running.saturating_sub(1));
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    ticks: AtomicU64,
}

#[derive(Default)]
struct State {
    running: u32,
    rests: bool,
    stop: bool,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if state.rests || state.stop {
            self.changed.notify_all();
        }
    }

    fn run(&self, engine: &wasmtime::Engine, tick: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle = LINGER_TICKS;
        while !state.stop {
            if state.running == 0 && idle >= LINGER_TICKS {
                state.rests = true;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.rests = false;
                idle = 0;
                continue;
            }
            let (next, timeout) =
                self.changed.wait_timeout(state, tick).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
                idle = if state.running == 0 { idle.saturating_add(1) } else { 0 };
                self.ticks.fetch_add(1, Ordering::Relaxed);
                engine.increment_epoch();
            }
        }
    }
}
