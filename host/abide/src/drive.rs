//! Performs what the spine wants, one intent at a time: ask the gate, let the hand act on the permit, write down what happened.
//!
//! Nothing here decides. A crash between any two lines loses nothing: the log is folded again, and the same intent is asked again.

mod deploy;
mod land;
pub(crate) mod offer;
mod source;
pub(crate) mod work;

use std::cell::Cell;
use std::collections::BTreeMap;

use abide_core::action::{Action, ActionClass, AdoptPlan};
use abide_core::decision::{Decision, Verdict};
use abide_core::event::{Body, Event, PlannedUnit};
use abide_core::id::{Digest, Oid, RunId, Seq};
use abide_core::input::{BudgetInput, CanaryInput, RiskInput, RollbackInput, RunInput, Subject, SubjectKind};
use abide_core::plan::{PROMOTION, PROPOSAL, Plan};
use abide_core::spine::{Intent, Run};
use abide_effects::forge::Repo;
use abide_effects::process::Host;
use abide_gate::{Admission, Ask, Permit};

use crate::cli::printer::Printer;
use crate::config::Config;
use crate::desk::{Desk, Payload};
use crate::jail::Cells;
use crate::report::{Exit, Failure};
use crate::story::Story;
use crate::workshop::Workshop;

/// The ledger's code for a run that another process carried on.
const OVERTAKEN: &str = "AB0411";
/// Hours that a person has to decide.
pub(crate) const REVIEW_HOURS: u64 = 24;

/// Everything that carrying a run on takes.
#[derive(Debug)]
pub(crate) struct Drive<'a> {
    /// The log, the gate and the policy.
    pub(crate) desk: &'a Desk,
    /// The repository.
    pub(crate) repo: &'a Repo,
    /// `ab.yml` of the target branch.
    pub(crate) config: &'a Config,
    /// The workers.
    pub(crate) workshop: &'a Workshop,
    /// Tells the person what happens.
    pub(crate) story: Story<'a>,
    /// Highest level that this host's walls support.
    pub(crate) host_level_max: u8,
    /// A folder for work in progress.
    pub(crate) scratch: std::path::PathBuf,
    /// Last event of the run that this process knows of.
    pub(crate) last: Cell<Option<Seq>>,
    /// Where checks run.
    pub(crate) jail: &'a Cells,
    /// What this host can do for checks and probes.
    pub(crate) host: &'a Host<'a>,
    /// Variables that checks may be given.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// Objects that were handed in for this run.
    pub(crate) incoming: std::path::PathBuf,
}

/// The gate's answer to one intent, after it was written down.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once a beat and taken apart at once")]
enum Answer<A> {
    /// Act on it.
    Go { permit: Permit<A>, decision: Decision, seq: Seq },
    /// It waits, or it is over; the log says which.
    Stop,
}

impl Drive<'_> {
    /// Carries `run` on until it wants nothing: it is finished, waits for a person, or is halted.
    pub(crate) fn carry_on(&self, id: &RunId) -> Result<Run, Failure> {
        let mut last: Option<(Intent, usize)> = None;
        loop {
            let history = self.desk.history(id)?;
            let run = fold(id, &history)?;
            self.last.set(last_of(id, &history));
            let Some(intent) = run.wants().into_iter().next() else { return Ok(run) };
            // INVARIANT: every intent leaves at least one event, or asking again would never end.
            if last.as_ref() == Some(&(intent.clone(), history.len())) {
                return Err(Failure::new(
                    "AB0030",
                    format!("run {id} does not move: {intent:?} left no trace in the log"),
                ));
            }
            last = Some((intent.clone(), history.len()));
            match self.perform(&run, &history, &intent) {
                Ok(()) => {}
                // Another process carried the run on (a kill takes canaries back by itself): look again, and want what is wanted now.
                Err(failure) if failure.code == OVERTAKEN && self.is_halted(id)? => last = None,
                Err(failure) => return Err(failure),
            }
        }
    }

    fn is_halted(&self, id: &RunId) -> Result<bool, Failure> {
        Ok(fold(id, &self.desk.history(id)?)?.halted)
    }

    fn perform(&self, run: &Run, history: &[(Seq, Event)], intent: &Intent) -> Result<(), Failure> {
        match intent {
            Intent::Plan => self.plan(run),
            Intent::Generate(unit) => self.generate(run, unit),
            Intent::Write(unit) => self.write(run, unit),
            Intent::Check(unit) => self.check(run, unit),
            Intent::Rehearse(unit) => self.rehearse(run, unit),
            Intent::Merge(unit) => self.merge(run, unit, history),
            Intent::Deploy => self.deploy(run),
            Intent::Observe => self.observe(run),
            Intent::Promote => self.promote(run, history),
            Intent::RollBack => self.roll_back(run),
            Intent::Finish => self.finish(run),
        }
    }

    /// Adopts the plan that was written down when the run began.
    fn plan(&self, run: &Run) -> Result<(), Failure> {
        let goal = self.desk.payload(&run.started.goal)?;
        let text = String::from_utf8_lossy(&goal);
        let plan =
            Plan::of_ticket(&text).map_err(|error| Failure::of(error.code(), error).exit(Exit::Usage))?;
        let units = plan.units.iter().map(|unit| self.planned(unit)).collect::<Result<Vec<_>, _>>()?;
        let payload = Payload::json("plan", &plan)?;
        let action =
            AdoptPlan { run: run.id.clone(), plan: payload.digest.clone(), base: run.started.base.clone() };
        let Answer::Go { permit, seq, .. } = self.admit(run, action, self.ask(run, service(run)), None)?
        else {
            return Ok(());
        };
        redeem(permit)?;
        self.story.planned(&plan, &units);
        self.note(
            run,
            &Body::PlanAdopted { decision: seq.into(), plan: payload.digest.clone(), units },
            vec![payload],
        )?;
        Ok(())
    }

    fn planned(&self, unit: &abide_core::plan::UnitSpec) -> Result<PlannedUnit, Failure> {
        let component = match unit.recipe.as_str() {
            PROPOSAL | PROMOTION => None,
            _ => Some(self.workshop.named(&unit.worker, &self.desk.ledger)?.digest),
        };
        Ok(PlannedUnit {
            id: unit.id.clone(),
            recipe: unit.recipe.clone(),
            component,
            title: unit.title.clone(),
        })
    }

    /// Writes down what happened in `run`, if no other process has carried it on meanwhile.
    fn note(&self, run: &Run, body: &Body, payloads: Vec<Payload>) -> Result<Seq, Failure> {
        let seq = self.desk.record_after(&run.id, self.last.get(), body, payloads)?;
        self.last.set(Some(seq));
        Ok(seq)
    }

    /// Writes down what was done. A deed is written down whoever carried the run on meanwhile: a receipt that is lost is worse than two.
    fn deed(&self, run: &Run, body: &Body, payloads: Vec<Payload>) -> Result<Seq, Failure> {
        let seq = self.desk.record(Some(&run.id), body, payloads)?;
        self.last.set(Some(seq));
        Ok(seq)
    }

    /// Takes note of events of `run` that an effect caused the log to write.
    fn look_again(&self, run: &Run) -> Result<(), Failure> {
        let history = self.desk.history(&run.id)?;
        self.last.set(last_of(&run.id, &history));
        Ok(())
    }

    /// Says that it is over.
    fn finish(&self, run: &Run) -> Result<(), Failure> {
        let (merged, queued, denied) = run.tally();
        let outcome = if denied > 0 || run.plan_denied { "denied" } else { "done" };
        let count = abide_core::event::Count;
        let body = Body::RunFinished {
            outcome: outcome.to_owned(),
            merged: count(merged),
            queued: count(queued),
            denied: count(denied),
        };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    /// Asks the gate and writes down what follows from an answer that is not yes.
    fn admit<A: Action>(
        &self,
        run: &Run,
        action: A,
        ask: Ask,
        unit: Option<&str>,
    ) -> Result<Answer<A>, Failure> {
        let (facts, class) = (ask.facts.clone(), A::CLASS);
        let ask = Ask { unit: unit.map(str::to_owned), ..ask };
        let admission = self.desk.admit(action, ask)?;
        self.last.set(Some(place(&admission)));
        match admission {
            Admission::Allow { permit, decision, seq } => {
                self.story.decided(class, A::KIND, &decision, facts.as_ref(), None);
                Ok(Answer::Go { permit, decision, seq })
            }
            Admission::Review { action, decision, seq } => {
                let item = format!("q{seq}");
                self.story.decided(class, A::KIND, &decision, facts.as_ref(), Some(&item));
                let digest = action.digest().map_err(|error| Failure::of("AB0124", error))?;
                let expires = self.desk.now().plus_ms(REVIEW_HOURS.saturating_mul(3_600_000)).0;
                let why = lead_rule(&decision);
                let unit = unit.map(str::to_owned);
                let body = Body::ReviewRequested {
                    item,
                    unit,
                    decision: seq.into(),
                    class,
                    action: digest,
                    expires,
                    why,
                };
                self.note(run, &body, vec![])?;
                Ok(Answer::Stop)
            }
            Admission::Deny { decision, seq } => {
                self.story.decided(class, A::KIND, &decision, facts.as_ref(), None);
                self.note_denial(run, class, unit, &decision, seq)?;
                Ok(Answer::Stop)
            }
        }
    }

    fn note_denial(
        &self,
        run: &Run,
        class: ActionClass,
        unit: Option<&str>,
        decision: &Decision,
        seq: Seq,
    ) -> Result<(), Failure> {
        let rule = lead_rule(decision);
        let body = match (unit, class) {
            (Some(unit), _) => Body::UnitDenied { unit: unit.to_owned(), decision: seq.into(), rule },
            (None, ActionClass::Deploy) => Body::DeployDenied { decision: seq.into(), rule },
            // A denied plan is told by its decision alone. A denied way back must not be asked for ever.
            (None, ActionClass::Rollback) => {
                return Err(Failure::new("AB0692", format!("the way back was denied by `{rule}`"))
                    .help("a person must look at the environment now")
                    .exit(Exit::Denied));
            }
            (
                None,
                ActionClass::Plan
                | ActionClass::Fetch
                | ActionClass::Generate
                | ActionClass::Execute
                | ActionClass::Write
                | ActionClass::Merge,
            ) => {
                return Ok(());
            }
        };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    /// What every question of `run` says.
    fn ask(&self, run: &Run, subject: Subject) -> Ask {
        let started = &run.started;
        Ask {
            run: RunInput {
                id: run.id.clone(),
                goal: started.goal.clone(),
                ticket: started.ticket.clone(),
                mode: started.mode,
                attempt: 1,
                profile: started.profile.clone(),
                halted: false,
                frozen: self.desk.is_frozen(started.repo.as_str()),
                safety_mode: started.safety_mode,
                safety_level: started.safety_level,
                host_level_max: self.host_level_max,
                jail_walls: Vec::new(),
            },
            unit: None,
            subject,
            reason: started.reason.clone(),
            repo: started.repo.clone(),
            protected: false,
            requests: Vec::new(),
            facts: None,
            checks: Vec::new(),
            approvals: run.approvals.iter().map(approval).collect(),
            budget: self.budget(run),
            risk: RiskInput { band: "low".to_owned(), ..RiskInput::default() },
            rollback: RollbackInput { kind: "none".to_owned(), rehearsed: false, trusted: false },
            canary: CanaryInput { state: "none".to_owned(), ..CanaryInput::default() },
        }
    }

    fn budget(&self, run: &Run) -> BudgetInput {
        let caps = &run.started.budget;
        let spent_ms = self.desk.now().0.saturating_sub(run.started_at);
        let wall_ms_left = caps.wall_ms.map(|cap| cap.0.saturating_sub(spent_ms));
        let tokens_left = caps.tokens.map(|cap| cap.0);
        let usd_micro_left = caps.usd_micro.map(|cap| cap.0);
        BudgetInput { tokens_left, usd_micro_left, wall_ms_left, exhausted: wall_ms_left == Some(0) }
    }

    /// Where the target branch stands.
    fn head(&self, run: &Run) -> Result<Oid, Failure> {
        self.repo.branch(&run.started.target).map_err(|error| Failure::of(error.code(), error))
    }

    /// The terminal.
    pub(crate) fn printer(&self) -> &Printer {
        self.story.printer
    }
}

fn last_of(id: &RunId, history: &[(Seq, Event)]) -> Option<Seq> {
    history.iter().rev().find(|(_, event)| event.run.as_ref() == Some(id)).map(|(seq, _)| *seq)
}

/// The run that its history tells.
pub(crate) fn fold(id: &RunId, history: &[(Seq, Event)]) -> Result<Run, Failure> {
    Run::fold(id, history.iter().map(|(_, event)| event)).ok_or_else(|| {
        Failure::new("AB0032", format!("there is no run `{id}`"))
            .help("ab show lists the last run")
            .exit(Exit::Usage)
    })
}

fn place<A>(admission: &Admission<A>) -> Seq {
    match admission {
        Admission::Allow { seq, .. } | Admission::Review { seq, .. } | Admission::Deny { seq, .. } => *seq,
    }
}

/// Takes the action out of its permit where recording is the whole effect.
fn redeem<A: Action>(permit: Permit<A>) -> Result<(), Failure> {
    let redeemed = permit.redeem().map_err(stale)?;
    redeemed.still_stands().map_err(stale)
}

fn stale(stale: abide_gate::Stale) -> Failure {
    Failure::of(stale.code(), stale).exit(Exit::Halted)
}

fn approval(approval: &abide_core::spine::Approval) -> abide_core::input::ApprovalInput {
    let abide_core::spine::Approval { action, by, role, at } = approval.clone();
    abide_core::input::ApprovalInput { by, role, action, at }
}

/// The rule to name: the most severe finding's, or the fault, or the verdict itself.
pub(crate) fn lead_rule(decision: &Decision) -> String {
    let fault = decision.fault.clone();
    let lead = || decision.lead().map(|finding| finding.rule.clone());
    fault.or_else(lead).unwrap_or_else(|| match decision.verdict {
        Verdict::Allow => "allow".to_owned(),
        Verdict::Review => "needs-human".to_owned(),
        Verdict::Deny => "not-allowed".to_owned(),
    })
}

/// The engine itself, on behalf of the sponsor.
fn service(run: &Run) -> Subject {
    let on_behalf_of = Some(run.started.sponsor.clone());
    Subject {
        kind: SubjectKind::Service,
        id: "ab".to_owned(),
        role: "operator".to_owned(),
        component: None,
        on_behalf_of,
        history: None,
    }
}

/// A worker, on behalf of the sponsor.
fn worker(run: &Run, id: &str, component: &Digest) -> Subject {
    let on_behalf_of = Some(run.started.sponsor.clone());
    Subject {
        kind: SubjectKind::Worker,
        id: id.to_owned(),
        role: "author".to_owned(),
        component: Some(component.clone()),
        on_behalf_of,
        history: None,
    }
}
