//! A thread with an instance on it: the module calls deeper than a usual thread's stack reaches.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use abide_gate::BundleText;
use abide_gate::sealed::{Lost, read_loaded};

use super::instance::{Door, Instance, ticks};
use super::{SealedError, SealedModule};

/// Stack beside that of the module.
const STACK_BYTES_MORE: usize = 2 << 20;

/// Where the outcome of the first loading comes.
pub(super) type Loading = Receiver<Result<(), SealedError>>;

type Reply = Result<Vec<u8>, Lost>;

struct Job {
    request: Vec<u8>,
    reply: SyncSender<Reply>,
}

/// The handle of such a thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: SyncSender<Job>,
}

impl Worker {
    /// Starts one, which begins by loading the bundle.
    pub(super) fn start(
        module: &Arc<SealedModule>,
        text: &BundleText,
        door: Door,
    ) -> Result<(Self, Loading), Lost> {
        let (jobs, queue) = sync_channel(1);
        let (tell, loading) = sync_channel(1);
        let mut seat = Seat { module: Arc::clone(module), text: text.clone(), door, instance: None };
        let body = move || {
            // Nobody listens only if the caller waits no longer, or asks at once.
            drop(tell.send(seat.renew()));
            seat.serve(&queue);
        };
        std::thread::Builder::new()
            .name("sealed-judge".to_owned())
            .stack_size(module.limits.stack_bytes_max.saturating_add(STACK_BYTES_MORE))
            .spawn(body)
            .map_err(|_| Lost::NoThread)?;
        Ok((Self { jobs }, loading))
    }

    /// Puts a request to it; the reply, and whether it may be asked again.
    pub(super) fn decide(&self, request: Vec<u8>, deadline: Duration) -> (Reply, bool) {
        let (reply, wait) = sync_channel(1);
        if self.jobs.send(Job { request, reply }).is_err() {
            return (Err(Lost::Panicked), false);
        }
        match wait.recv_timeout(deadline) {
            Ok(reply) => (reply, true),
            Err(RecvTimeoutError::Timeout) => (Err(Lost::Deadline), false),
            Err(RecvTimeoutError::Disconnected) => (Err(Lost::Panicked), false),
        }
    }
}

/// What the thread has.
struct Seat {
    module: Arc<SealedModule>,
    text: BundleText,
    door: Door,
    instance: Option<Used>,
}

struct Used {
    instance: Instance,
    /// Its memory when it had loaded its bundle.
    loaded_bytes: usize,
    /// Decisions that it made.
    decisions: u64,
}

impl Seat {
    fn serve(&mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            let reply = self.decide(&job.request);
            let failed = reply.is_err();
            // Nobody listens if the caller waits no longer.
            drop(job.reply.send(reply));
            // Before the next question comes, not when it is there.
            if failed || self.has_grown() {
                drop(self.renew());
            }
        }
    }

    /// An instance that has just loaded the bundle takes the place of the one there was.
    fn renew(&mut self) -> Result<(), SealedError> {
        self.instance = None;
        let _running = self.module.clock.running();
        let mut instance = Instance::new(&self.module, self.door).map_err(SealedError::Start)?;
        let reply = instance
            .load(self.text.to_bytes(), ticks(self.module.limits.load_ms(&self.text)))
            .map_err(SealedError::Lost)?;
        read_loaded(&reply)
            .ok_or(SealedError::Lost(Lost::Malformed("what it said about the policy is not its reply")))??;
        let loaded_bytes = instance.memory_bytes();
        self.instance = Some(Used { instance, loaded_bytes, decisions: 0 });
        Ok(())
    }

    fn has_grown(&self) -> bool {
        let max = self.module.limits.memory_bytes_kept_max;
        // One that is as large as it was when it had just loaded its data would be no smaller if it were made anew.
        let has_grown = |used: &Used| used.instance.memory_bytes() > max.max(used.loaded_bytes);
        self.instance.as_ref().is_some_and(has_grown)
    }

    fn decide(&mut self, request: &[u8]) -> Reply {
        if self.instance.is_none() {
            self.renew().map_err(|error| Lost::Reload(error.code()))?;
        }
        let module = Arc::clone(&self.module);
        let running = module.clock.running();
        let all = ticks(module.limits.decide_ms_max);
        let (reply, was_used) = self.once(request, all);
        if reply == Err(Lost::Memory) && was_used {
            // Whether there is room must not depend on what was asked before.
            self.renew().map_err(|error| Lost::Reload(error.code()))?;
            return self.once(request, all.saturating_sub(running.elapsed_ticks())).0;
        }
        reply
    }

    /// The reply, and whether the instance had decided before.
    fn once(&mut self, request: &[u8], ticks: u64) -> (Reply, bool) {
        let Some(used) = &mut self.instance else { return (Err(Lost::Panicked), false) };
        let was_used = used.decisions > 0;
        used.decisions = used.decisions.saturating_add(1);
        let reply = used.instance.decide(request, ticks);
        if reply.is_err() {
            // A trap may have left anything behind.
            self.instance = None;
        }
        (reply, was_used)
    }
}
