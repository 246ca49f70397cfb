//! Answers a question by the generation in force. Every failure is a denial with a code of its own.

use std::sync::Arc;

use abide_core::canonical::CanonicalError;
use abide_core::decision::{Decision, Finding, FindingLevel, Grants, Verdict};
use abide_core::id::Digest;
use abide_core::input::PolicyInput;
use regorus::Value;

use crate::engine::answer::{self, Answer};
use crate::engine::bundle::{Answerer, Bundle};
use crate::engine::document;
use crate::engine::floor;
use crate::engine::generations::Generations;
use crate::engine::limits::JudgeLimits;
use crate::engine::link::{Asked, Lines};
use crate::engine::loader::{self, BundleError};
use crate::engine::opinion::Opinion;
use crate::engine::sealed;
use crate::engine::supervisor::{Lost, Supervisor};
use crate::question::{Question, QuestionError};

/// What is written into a decision as its engine.
pub(crate) const ENGINE: &str = "regorus 0.14.1";

/// Why there was no clean answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Undefined,
    Evaluation(String),
    Shape(String),
    Deadline,
    Panicked,
    Crowded,
    Input(String),
    NoThread,
    /// Only the sealed judge has these.
    Memory,
    Stack,
    Malformed(&'static str),
    Sealed(&'static str),
}

impl Fault {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Undefined => "AB0110",
            Self::Evaluation(_) => "AB0111",
            Self::Shape(_) => "AB0112",
            Self::Deadline => "AB0113",
            Self::Panicked => "AB0114",
            Self::Crowded => "AB0115",
            Self::Input(_) => "AB0116",
            Self::NoThread => "AB0119",
            Self::Memory => "AB0198",
            Self::Stack => "AB0199",
            Self::Malformed(_) => "AB0192",
            Self::Sealed(code) => code,
        }
    }

    pub(crate) fn of(lost: Lost) -> Self {
        match lost {
            Lost::Deadline => Self::Deadline,
            Lost::Panicked => Self::Panicked,
            Lost::Crowded => Self::Crowded,
            Lost::NoThread => Self::NoThread,
        }
    }

    pub(crate) fn told(&self) -> String {
        match self {
            Self::Undefined => "no rule of the policy gave an answer".to_owned(),
            Self::Evaluation(why) => format!("the policy failed: {why}"),
            Self::Shape(why) => format!("the policy answered in a shape that is not a decision: {why}"),
            Self::Deadline => "the policy did not answer in time".to_owned(),
            Self::Panicked => "the policy engine panicked".to_owned(),
            Self::Crowded => "too many policy evaluations ran past their deadline and still run".to_owned(),
            Self::Input(why) => format!("the input cannot be judged: {why}"),
            Self::NoThread => "no thread could be started to judge on".to_owned(),
            Self::Memory => "the policy needs more memory than the sealed judge has".to_owned(),
            Self::Stack => "the policy nests deeper than the sealed judge can follow".to_owned(),
            Self::Malformed(why) => format!("the sealed judge gave no answer that can be read: {why}"),
            Self::Sealed(_) => "the sealed judge no longer loads the bundle that it loaded before".to_owned(),
        }
    }
}

/// The judge inside this process.
#[derive(Debug)]
pub struct NativeJudge {
    generations: Arc<Generations>,
    supervisor: Supervisor,
    limits: JudgeLimits,
    joined: bool,
}

impl NativeJudge {
    /// A judge that answers by the generation in force.
    pub fn new(generations: Arc<Generations>, limits: JudgeLimits) -> Self {
        Self { generations, supervisor: Supervisor::new(limits.abandoned_max), limits, joined: true }
    }

    /// A judge that answers by the modules as they were written, not joined into one. It gives the same answers, only later: tests hold the
    /// one against the other, whatever it takes.
    pub fn as_written(bundle: Bundle) -> Self {
        let limits = JudgeLimits { interpreter_ms_max: 10_000, deadline_ms: 20_000, ..JudgeLimits::SHIPPED };
        Self { joined: false, ..Self::new(Arc::new(Generations::new(bundle)), limits) }
    }

    /// A judge over one generation, with the limits that ship.
    pub fn over(bundle: Bundle) -> Self {
        Self::new(Arc::new(Generations::new(bundle)), JudgeLimits::SHIPPED)
    }

    fn ask(&self, bundle: &Bundle, question: &Question) -> Result<Answer, Fault> {
        if question.bytes().len() > self.limits.input_bytes_max {
            return Err(Fault::Input(format!(
                "{} bytes are more than {}",
                question.bytes().len(),
                self.limits.input_bytes_max
            )));
        }
        let asked = Asked::of(question.input());
        let answerer = if self.joined { bundle.answerer(&asked) } else { Arc::new(bundle.as_written()) };
        let (bytes, limits) = (question.shared(), self.limits);
        // Freeing what a decision used takes a tenth as long as the decision.
        let work = move || {
            let mut used = None;
            let answer = evaluate_leaving(&answerer, &bytes, &limits, &mut used);
            (answer, (used, answerer))
        };
        self.supervisor
            .call_then_sweep(self.limits.deadline(), work)
            .unwrap_or_else(|lost| Err(Fault::of(lost)))
    }
}

impl crate::gate::Judge for NativeJudge {
    fn decide(&self, question: &Question) -> Decision {
        let bundle = self.generations.current();
        let answer = self.ask(&bundle, question);
        compose(bundle.digest(), ENGINE, question, answer)
    }

    fn opinions(&self, inputs: Vec<PolicyInput>) -> Vec<Opinion> {
        if self.joined {
            return self.generations.current().opinions(inputs);
        }
        inputs.iter().map(|input| Opinion::of(self, input)).collect()
    }
}

pub(crate) fn evaluate(answerer: &Answerer, bytes: &[u8], limits: &JudgeLimits) -> Result<Answer, Fault> {
    evaluate_leaving(answerer, bytes, limits, &mut None)
}

fn evaluate_leaving(
    answerer: &Answerer,
    bytes: &[u8],
    limits: &JudgeLimits,
    used: &mut Option<regorus::Engine>,
) -> Result<Answer, Fault> {
    answer::read(&value_leaving(answerer, bytes, used)?, limits)
}

/// What the rule says, as the engine has it.
pub(crate) fn value(answerer: &Answerer, bytes: &[u8]) -> Result<Value, Fault> {
    value_leaving(answerer, bytes, &mut None)
}

/// Asks a copy of the engine and leaves it in `used`, for the caller to drop when there is time.
fn value_leaving(
    answerer: &Answerer,
    bytes: &[u8],
    used: &mut Option<regorus::Engine>,
) -> Result<Value, Fault> {
    let input = document::read(bytes).map_err(|error| Fault::Input(error.to_string()))?;
    let engine = used.insert(answerer.engine.clone());
    engine.set_input(input);
    engine
        .eval_rule(answerer.entrypoint.clone())
        .map_err(|error| fault_of(&error.to_string(), &answerer.lines))
}

fn fault_of(printed: &str, lines: &Lines) -> Fault {
    if printed.contains("execution exceeded time limit") {
        return Fault::Deadline;
    }
    let (place, sentence) = loader::place_and_sentence(printed);
    Fault::Evaluation(
        place.map_or_else(|| sentence.clone(), |place| format!("{}: {sentence}", lines.origin(&place))),
    )
}

/// Turns a fault into a denial and adds what the host adds: the code of the fault, the answer and the verdict.
pub(crate) fn settle(
    input: &PolicyInput,
    answer: Result<Answer, Fault>,
) -> (Option<String>, Answer, Verdict) {
    let mut fault = None;
    let mut answer = answer.unwrap_or_else(|failed| {
        fault = Some(failed.code().to_owned());
        denial(&failed)
    });
    let verdict = floor::verdict(input, &mut answer);
    (fault, answer, verdict)
}

/// The decision: what the policy answered, with what the host adds. `engine` names who judged.
pub(crate) fn compose(
    bundle: &Digest,
    engine: &str,
    question: &Question,
    answer: Result<Answer, Fault>,
) -> Decision {
    let input = question.input();
    let (fault, answer, verdict) = settle(input, answer);
    let clean = fault.is_none();
    Decision {
        schema: Decision::SCHEMA.to_owned(),
        verdict,
        fault,
        findings: answer.findings,
        obligations: answer.obligations,
        grants: if clean && verdict == Verdict::Allow { answer.grants } else { Grants::default() },
        waived: answer.waived,
        risk: answer.risk.max(input.risk.score.min(100)),
        action: input.action.digest.clone(),
        input: question.digest().clone(),
        bundle: bundle.clone(),
        engine: engine.to_owned(),
    }
}

pub(crate) fn denial(fault: &Fault) -> Answer {
    let finding = Finding {
        rule: "no-clean-decision".to_owned(),
        level: FindingLevel::Hard,
        msg: answer::tidy(&fault.told()),
        path: None,
        help: Some(format!(
            "`ab explain {}` says what to do; `ab policy check` finds most such faults, with their place",
            fault.code()
        )),
    };
    Answer {
        verdict: Verdict::Deny,
        findings: vec![finding],
        obligations: Vec::new(),
        grants: Grants::default(),
        waived: Vec::new(),
        risk: 0,
    }
}

/// How autonomous a profile is, L0 to L5, as the policy computes it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelLabel {
    /// For any change.
    pub label: String,
    /// For the narrowest change that an override raises.
    pub upto: String,
    /// The levels that it follows from.
    pub reason: String,
}

/// Asks the rule `data.abide.level_label` about a profile. `None` if the bundle does not say.
pub fn level_label(bundle: &Bundle, profile: &str) -> Option<LevelLabel> {
    let (mut engine, profile) = (bundle.engine().clone(), profile.to_owned());
    let work = move || {
        let input = serde_json::json!({"run": {"profile": profile}});
        engine.set_input(serde_json::from_value(input).ok()?);
        let value = engine.eval_rule("data.abide.level_label".to_owned()).ok()?;
        serde_json::from_str(&value.to_json_str().ok()?).ok()
    };
    Supervisor::new(1).call(JudgeLimits::SHIPPED.deadline(), work).ok().flatten()
}

/// A stored decision could not be computed again.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The policy bytes.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The input bytes.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The decision has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl RecomputeError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bundle(error) => error.code(),
            Self::Question(error) => error.code(),
            Self::Canonical(_) => "AB0124",
        }
    }
}

/// Computes a decision again, natively, from the stored bytes of policy and input: the same bytes come out, or something was changed. `engine` is who
/// made it, as the decision says; a sealed judge answers as this one does, and its name is kept.
pub fn recompute(bundle: &[u8], input: &[u8], engine: &str) -> Result<Vec<u8>, RecomputeError> {
    let bundle = Bundle::from_bytes(bundle)?;
    let question = Question::from_bytes(input.to_vec())?;
    let decision = crate::gate::Judge::decide(&NativeJudge::over(bundle), &question);
    Ok(sealed::signed_by(decision, engine)?)
}
