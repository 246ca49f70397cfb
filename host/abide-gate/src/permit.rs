//! Proof that one exact action was allowed and recorded, once, for a short while.
//!
//! It has no constructor outside this crate, no `Clone`, no serde: it cannot be forged, copied, stored or sent. `tests/ui/` shows each abuse
//! that the compiler refuses.

use std::sync::Arc;

use abide_core::action::Action;
use abide_core::id::{Digest, Epoch, RunId, Seq, Timestamp};

use crate::ports::{Clock, Halt};

/// Proof that the gate allowed exactly this action, once, for a short while.
#[derive(Debug)]
#[must_use = "a permit that is dropped is an effect that never happens"]
pub struct Permit<A> {
    action: A,
    terms: Terms,
}

/// What a permit stands on, and the gate's own ports with which it looks again.
#[derive(Debug)]
struct Terms {
    run: RunId,
    seq: Seq,
    decision: Digest,
    expires: Timestamp,
    epoch: Epoch,
    clock: Arc<dyn Clock>,
    halt: Arc<dyn Halt>,
}

/// Why a permit no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// Older than its time to live.
    #[error("the permit has expired")]
    Expired,
    /// The kill switch was pulled after it was minted.
    #[error("the kill switch was pulled after this was permitted")]
    Halted,
    /// The kill switch cannot be read, which counts as pulled.
    #[error("the kill switch cannot be read, which counts as pulled")]
    Unreadable,
}

impl Stale {
    /// The code for `ab explain`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "AB0120",
            Self::Halted => "AB0121",
            Self::Unreadable => "AB0122",
        }
    }
}

/// The action taken out of its permit, with the decision that let it through.
#[derive(Debug)]
#[must_use = "an effect must cite the decision in its receipt"]
pub struct Redeemed<A> {
    /// The action, exactly as judged.
    pub action: A,
    terms: Terms,
}

impl<A: Action> Permit<A> {
    #[expect(
        clippy::too_many_arguments,
        reason = "called once, by the gate, with everything it has just recorded"
    )]
    pub(crate) fn mint(
        action: A,
        run: RunId,
        seq: Seq,
        decision: Digest,
        expires: Timestamp,
        epoch: Epoch,
        clock: Arc<dyn Clock>,
        halt: Arc<dyn Halt>,
    ) -> Self {
        Self { action, terms: Terms { run, seq, decision, expires, epoch, clock, halt } }
    }

    /// The action that was permitted, to look at.
    pub fn action(&self) -> &A {
        &self.action
    }

    /// Spends the permit, yielding the action only while the permission still stands.
    pub fn redeem(self) -> Result<Redeemed<A>, Stale> {
        self.terms.check(A::SURVIVES_HALT)?;
        Ok(Redeemed { action: self.action, terms: self.terms })
    }
}

impl<A: Action> Redeemed<A> {
    /// Place in the log of the decision to cite in the receipt.
    pub fn seq(&self) -> Seq {
        self.terms.seq
    }

    /// Digest of the decision.
    pub fn decision(&self) -> &Digest {
        &self.terms.decision
    }

    /// The run on whose behalf it was decided.
    pub fn run(&self) -> &RunId {
        &self.terms.run
    }

    /// Looks again at the clock and at the kill switch; an effect calls this at its sink, as late as it can.
    pub fn still_stands(&self) -> Result<(), Stale> {
        self.terms.check(A::SURVIVES_HALT)
    }
}

impl Terms {
    fn check(&self, survives_halt: bool) -> Result<(), Stale> {
        if !survives_halt {
            let state = self.halt.state(&self.run).map_err(|_| Stale::Unreadable)?;
            if state.halted || state.epoch != self.epoch {
                return Err(Stale::Halted);
            }
        }
        if self.clock.now() >= self.expires {
            return Err(Stale::Expired);
        }
        Ok(())
    }
}
