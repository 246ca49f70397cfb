//! Decide (pure), record durably, and only then mint.

use std::sync::Arc;

use abide_core::action::Action;
use abide_core::canonical::{self, CanonicalError};
use abide_core::decision::{Decision, Obligation, Verdict};
use abide_core::facts::Facts;
use abide_core::id::{Digest, Epoch, RunId, Seq};
use abide_core::input::{
    ActionInput, ApprovalInput, BudgetInput, CanaryInput, CheckInput, PolicyInput, RiskInput, RollbackInput,
    RunInput, Subject, Target,
};

use crate::engine::Opinion;
use crate::permit::Permit;
use crate::ports::{Clock, DecisionLog, DecisionRecord, Halt, HaltState, PortError};
use crate::question::Question;

/// Answers for one bundle generation. Pure: the same action and input give the same decision.
pub trait Judge: std::fmt::Debug + Send + Sync {
    /// Judges an input. Every failure is a decision too: a denial with its own fault code.
    fn decide(&self, question: &Question) -> Decision;

    /// What would be decided about these inputs, in their order.
    fn opinions(&self, inputs: Vec<PolicyInput>) -> Vec<Opinion> {
        inputs.iter().map(|input| Opinion::of(self, input)).collect()
    }
}

/// Everything that a caller may say about an action. Time, class, kind, digest and place come from the gate and the action itself.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The run. The gate overwrites `halted` with what the kill switch says.
    pub run: RunInput,
    /// The unit of work, if the action belongs to one.
    pub unit: Option<String>,
    /// Who asks.
    pub subject: Subject,
    /// Reason for access.
    pub reason: String,
    /// The repository in whose name the action is judged, for actions that name none.
    pub repo: abide_core::id::RepoId,
    /// Whether the reference that would move is protected.
    pub protected: bool,
    /// Capabilities or origins asked for.
    pub requests: Vec<String>,
    /// What the host measured.
    pub facts: Option<Facts>,
    /// Finished checks.
    pub checks: Vec<CheckInput>,
    /// Approvals so far.
    pub approvals: Vec<ApprovalInput>,
    /// What is left to spend.
    pub budget: BudgetInput,
    /// Risk.
    pub risk: RiskInput,
    /// The way back.
    pub rollback: RollbackInput,
    /// The canary.
    pub canary: CanaryInput,
}

/// What the caller may do next.
#[derive(Debug)]
pub enum Admission<A> {
    /// Here is the proof.
    Allow {
        /// The proof.
        permit: Permit<A>,
        /// The decision, recorded at `seq`.
        decision: Decision,
        /// Its place in the log.
        seq: Seq,
    },
    /// Ask a person, then come back through the gate.
    Review {
        /// The action, given back.
        action: A,
        /// The decision, recorded at `seq`.
        decision: Decision,
        /// Its place in the log.
        seq: Seq,
    },
    /// Tell the run.
    Deny {
        /// The decision, recorded at `seq`.
        decision: Decision,
        /// Its place in the log.
        seq: Seq,
    },
}

/// No answer could be recorded, so nothing may happen.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The facts are not those of the tree that the action would put somewhere.
    #[error("the facts were not measured of the tree that this action would put in place")]
    Facts,
    /// What is asked for is not what the action would hand out.
    #[error("the requests are not those of the action")]
    Requests,
    /// The judge answered about something else.
    #[error("the judge answered another question than it was asked")]
    Judge,
    /// The action or its input has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl AdmitError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Port(_) => "AB0123",
            Self::Canonical(_) => "AB0124",
            Self::Facts => "AB0125",
            Self::Requests => "AB0127",
            Self::Judge => "AB0128",
        }
    }
}

/// How long a permit lives unless an `expire` obligation shortens it, in milliseconds.
const PERMIT_TTL_MS: u64 = 60_000;

/// The policy gate.
#[derive(Debug, Clone)]
pub struct Gate {
    judge: Arc<dyn Judge>,
    log: Arc<dyn DecisionLog>,
    clock: Arc<dyn Clock>,
    halt: Arc<dyn Halt>,
}

impl Gate {
    /// A gate that asks `judge` and records in `log`.
    pub fn new(
        judge: Arc<dyn Judge>,
        log: Arc<dyn DecisionLog>,
        clock: Arc<dyn Clock>,
        halt: Arc<dyn Halt>,
    ) -> Self {
        Self { judge, log, clock, halt }
    }

    /// Judges, records, and only then mints.
    pub fn admit<A: Action>(&self, action: A, ask: Ask) -> Result<Admission<A>, AdmitError> {
        let at = self.clock.now();
        let state = self.halt_state::<A>(&ask.run.id)?;
        if action.tree().is_some_and(|tree| ask.facts.as_ref().is_none_or(|facts| facts.tree != *tree)) {
            return Err(AdmitError::Facts);
        }
        if action.requests() != ask.requests {
            return Err(AdmitError::Requests);
        }
        let action_bytes = action.canonical()?;
        let unit = ask.unit.clone();
        let run = ask.run.id.clone();
        let action_digest = Digest::of(&action_bytes);
        let question = Question::new(compose(&action, action_digest.clone(), ask, at.0, state.halted))?;
        let decision = self.judge.decide(&question);
        if decision.action != action_digest || decision.input != *question.digest() {
            return Err(AdmitError::Judge);
        }
        let decision_bytes = canonical::jcs(&decision)?;
        let digest = Digest::of(&decision_bytes);
        let expires = at.plus_ms(ttl_ms(&decision));
        let record = DecisionRecord {
            run: run.clone(),
            unit,
            class: A::CLASS,
            kind: A::KIND,
            action_bytes,
            input_bytes: question.bytes().to_vec(),
            decision_bytes,
            digest: digest.clone(),
            decision: decision.clone(),
            at,
            expires,
            epoch: state.epoch,
        };
        let seq = self.log.append(&record)?;
        tracing::info!(action.class = %A::CLASS, verdict = decision.verdict.as_str(), decision.seq = seq.0, rules = ?rules(&decision), "gate.decide");
        Ok(match decision.verdict {
            Verdict::Allow => {
                let (clock, halt) = (Arc::clone(&self.clock), Arc::clone(&self.halt));
                let permit = Permit::mint(action, run, seq, digest, expires, state.epoch, clock, halt);
                Admission::Allow { permit, decision, seq }
            }
            Verdict::Review => Admission::Review { action, decision, seq },
            Verdict::Deny => Admission::Deny { decision, seq },
        })
    }
}

impl Gate {
    /// An unreadable kill switch counts as pulled: nothing goes forward, and the way back stays open.
    fn halt_state<A: Action>(&self, run: &RunId) -> Result<HaltState, PortError> {
        let state = self.halt.state(run);
        if A::SURVIVES_HALT {
            Ok(state.unwrap_or(HaltState { epoch: Epoch(0), halted: true }))
        } else {
            state
        }
    }
}

fn ttl_ms(decision: &Decision) -> u64 {
    let shortest = decision.obligations.iter().filter_map(|obligation| match obligation {
        Obligation::Expire { ttl_ms } => Some(*ttl_ms),
        Obligation::Approvals { .. }
        | Obligation::Canary { .. }
        | Obligation::Flag { .. }
        | Obligation::Redact { .. } => None,
    });
    shortest.min().unwrap_or(PERMIT_TTL_MS).min(PERMIT_TTL_MS)
}

fn rules(decision: &Decision) -> Vec<&str> {
    decision.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

fn compose<A: Action>(action: &A, digest: Digest, ask: Ask, now: u64, halted: bool) -> PolicyInput {
    let place = action.place();
    let target = Target {
        repo: place.repo.cloned().unwrap_or(ask.repo),
        branch: place.branch.cloned(),
        protected: ask.protected,
        environment: place.environment.map(|environment| environment.as_str().to_owned()),
    };
    PolicyInput {
        schema: PolicyInput::SCHEMA.to_owned(),
        now,
        run: RunInput { halted, ..ask.run },
        subject: ask.subject,
        action: ActionInput {
            class: A::CLASS,
            kind: A::KIND.to_owned(),
            digest,
            reason: ask.reason,
            target,
            requests: ask.requests,
            manners: action.manners().cloned(),
            source: action.source().cloned(),
        },
        facts: ask.facts,
        checks: ask.checks,
        approvals: ask.approvals,
        budget: ask.budget,
        risk: ask.risk,
        rollback: ask.rollback,
        canary: ask.canary,
    }
}

#[cfg(test)]
mod tests;
