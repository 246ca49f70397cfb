//! What would be decided about many inputs, one after the other on one thread: for those who look for a case in which a policy is wrong.
//!
//! An opinion is not a decision: it has no digests, and nothing can be recorded or permitted by it.

use std::sync::Arc;

use abide_core::decision::{Decision, Finding, Verdict};
use abide_core::input::PolicyInput;

use crate::engine::bundle::Bundle;
use crate::engine::judge::{self, Fault, evaluate, settle};
use crate::engine::limits::JudgeLimits;
use crate::engine::link::Asked;
use crate::engine::supervisor::Supervisor;
use crate::gate::Judge;
use crate::question::Question;

/// What would be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// The verdict, what the host adds included.
    pub verdict: Verdict,
    /// Code of the fault, where there was no clean answer: then it is a denial.
    pub fault: Option<String>,
    /// All findings, sorted.
    pub findings: Vec<Finding>,
}

impl Opinion {
    /// A denial for want of an answer.
    pub(crate) fn denial(fault: &Fault) -> Self {
        let denied = judge::denial(fault);
        Self { verdict: Verdict::Deny, fault: Some(fault.code().to_owned()), findings: denied.findings }
    }

    /// By one question and one decision.
    pub(crate) fn of<J: Judge + ?Sized>(judge: &J, input: &PolicyInput) -> Self {
        match Question::new(input.clone()) {
            Ok(question) => {
                let Decision { verdict, fault, findings, .. } = judge.decide(&question);
                Self { verdict, fault, findings }
            }
            Err(error) => told(input, Err(Fault::Input(error.to_string()))),
        }
    }
}

impl Bundle {
    /// What would be decided about these inputs, in their order: the same verdicts and findings as by [`crate::NativeJudge`].
    ///
    /// Each has the limits of a decision; if one runs past them and cannot be stopped, all of them are denied.
    pub fn opinions(&self, inputs: Vec<PolicyInput>) -> Vec<Opinion> {
        let limits = JudgeLimits::SHIPPED;
        let count = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let deadline = limits.deadline().saturating_mul(count.max(1));
        let (bundle, inputs) = (self.clone(), Arc::new(inputs));
        let work = {
            let inputs = Arc::clone(&inputs);
            move || inputs.iter().map(|input| bundle.opinion(input, &limits)).collect()
        };
        Supervisor::new(1)
            .call(deadline, work)
            .unwrap_or_else(|lost| inputs.iter().map(|input| told(input, Err(Fault::of(lost)))).collect())
    }

    pub(crate) fn opinion(&self, input: &PolicyInput, limits: &JudgeLimits) -> Opinion {
        let answer = serde_json::to_vec(input)
            .map_err(|error| Fault::Input(error.to_string()))
            .and_then(|bytes| evaluate(&self.answerer(&Asked::of(input)), &bytes, limits));
        told(input, answer)
    }
}

pub(crate) fn told(input: &PolicyInput, answer: Result<crate::engine::answer::Answer, Fault>) -> Opinion {
    let (fault, answer, verdict) = settle(input, answer);
    Opinion { verdict, fault, findings: answer.findings }
}
