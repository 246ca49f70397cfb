//! What an effect did, citing the decision that let it through. The shell turns it into an event of the log.

use abide_core::action::Action;
use abide_core::id::{Digest, RunId, Seq};
use abide_gate::Redeemed;
use serde::Serialize;

/// Whether the effect happened now or was found done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Landing {
    /// It happened now.
    Fresh,
    /// An earlier attempt had landed; nothing was done.
    Already,
}

/// What an effect did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use = "an effect without a recorded receipt looks undone after a crash"]
pub struct Receipt<O> {
    /// The run on whose behalf it was decided.
    pub run: RunId,
    /// Place in the log of the decision.
    pub seq: Seq,
    /// Digest of the decision.
    pub decision: Digest,
    /// Whether it happened now.
    pub landing: Landing,
    /// What is now true of the world.
    pub outcome: O,
}

impl<O> Receipt<O> {
    pub(crate) fn of<A: Action>(redeemed: &Redeemed<A>, landing: Landing, outcome: O) -> Self {
        Self {
            run: redeemed.run().clone(),
            seq: redeemed.seq(),
            decision: redeemed.decision().clone(),
            landing,
            outcome,
        }
    }
}
