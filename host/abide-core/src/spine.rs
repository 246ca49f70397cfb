//! A run, told by its events. This file is the table of contents of the system:
//!
//! 1. [`Run::apply`] folds one event into the state,
//! 2. [`Run::wants`] says what the run wants next in that state,
//! 3. [`step`] is both.
//!
//! All three are pure. Recovery folds the log and asks again; a run that was approved asks the gate the same question once more.

use std::collections::BTreeMap;

use crate::action::ActionClass;
use crate::canary::{self, CanaryState, CanaryTerms};
use crate::decision::Verdict;
use crate::event::{Body, Event, PlannedUnit, RunStarted};
use crate::id::{Digest, Environment, Oid, ReleaseId, RunId};
use crate::input::RunMode;

/// How often a unit starts again because its target moved.
pub const ATTEMPTS_MAX: u32 = 3;

/// What the run wants next. Each is asked of the gate before anything happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Turn the goal into units.
    Plan,
    /// Run the unit's worker.
    Generate(String),
    /// Measure the unit's patch and commit it to a work branch.
    Write(String),
    /// Run the checks on the unit's commit.
    Check(String),
    /// Try the way back of the unit's commit.
    Rehearse(String),
    /// Move the target branch to the unit's commit.
    Merge(String),
    /// Put the merged tree in front of users.
    Deploy,
    /// Look at the canary.
    Observe,
    /// Make the canary the release.
    Promote,
    /// Take the way back.
    RollBack,
    /// Say that it is over.
    Finish,
}

/// How far a unit has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was proposed yet, or its target moved.
    Ready,
    /// The worker proposed a patch.
    Proposed {
        /// The patch document.
        patch: Digest,
        /// Commit that it was made for.
        base: Oid,
    },
    /// Someone outside offers a commit.
    Offered {
        /// The commit.
        commit: Oid,
        /// Where the target branch stood.
        base: Oid,
    },
    /// The patch is on a work branch.
    Committed(Work),
    /// The checks ran.
    Checked(Work),
    /// The way back was tried.
    Rehearsed(Work),
    /// The target branch stands at its commit.
    Merged(Oid),
    /// A decision ended it.
    Denied,
    /// It could not be done.
    Failed,
    /// The worker found nothing to change.
    Unneeded,
}

/// A unit's commit on its work branch, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The commit.
    pub commit: Oid,
    /// Its parent.
    pub base: Oid,
    /// Its tree.
    pub tree: Oid,
    /// Digest of the measured facts.
    pub facts: Digest,
    /// Place in the log where the checks were recorded.
    pub checks_passed: Option<bool>,
    /// Whether undoing it came out clean.
    pub way_back_clean: Option<bool>,
}

/// One unit of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What was planned.
    pub plan: PlannedUnit,
    /// How far it has come.
    pub progress: Progress,
    /// Counted from 1.
    pub attempt: u32,
}

/// Something of this run that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Queue item.
    pub item: String,
    /// Class of the action.
    pub class: ActionClass,
    /// Digest of the action; an approval of another digest does not count.
    pub action: Digest,
}

/// An approval that was given. A fact, never a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Digest of the action.
    pub action: Digest,
    /// Who.
    pub by: String,
    /// In which role.
    pub role: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// The canary that is out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Where.
    pub environment: Environment,
    /// What.
    pub release: ReleaseId,
    /// From which commit.
    pub commit: Oid,
    /// What stood there before.
    pub previous: Option<ReleaseId>,
    /// What policy demands of it.
    pub terms: CanaryTerms,
    /// Good answers.
    pub good: u64,
    /// Bad answers.
    pub bad: u64,
    /// The judgement as of the last observation.
    pub state: CanaryState,
}

/// Where the run stands with its deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployment {
    /// Nothing to deploy yet, or nothing to deploy to.
    None,
    /// A merge has not been deployed yet.
    Due(Oid),
    /// A canary is out.
    Canary(Canary),
    /// Promoted.
    Live(ReleaseId),
    /// Taken back.
    RolledBack(ReleaseId),
    /// The gate said no.
    Denied,
}

/// The key under which a run's own actions wait, beside its units.
pub const PLAN_KEY: &str = "plan";
/// The key under which a deployment waits.
pub const DEPLOY_KEY: &str = "deploy";

/// A run, as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// How it began.
    pub started: RunStarted,
    /// When it began, in milliseconds since 1970.
    pub started_at: u64,
    /// The adopted plan.
    pub plan: Option<Digest>,
    /// Its units, in order.
    pub units: Vec<Unit>,
    /// What waits for a person, by unit (or [`PLAN_KEY`], [`DEPLOY_KEY`]).
    pub waiting: BTreeMap<String, Waiting>,
    /// Approvals given.
    pub approvals: Vec<Approval>,
    /// The deployment.
    pub deployment: Deployment,
    /// Whether the kill switch stopped it.
    pub halted: bool,
    /// Whether planning was refused.
    pub plan_denied: bool,
    /// How it ended.
    pub finished: Option<String>,
}

/// Folds `event` into `run` and says what the run wants next.
pub fn step(run: &Run, event: &Event) -> (Run, Vec<Intent>) {
    let mut next = run.clone();
    next.apply(event);
    let wants = next.wants();
    (next, wants)
}

impl Run {
    /// The run that `event` began; `None` if it is not a beginning.
    pub fn begin(event: &Event) -> Option<Self> {
        let (Some(id), Body::RunStarted(started)) = (&event.run, &event.body) else { return None };
        Some(Self {
            id: id.clone(),
            started: started.clone(),
            started_at: event.at,
            plan: None,
            units: Vec::new(),
            waiting: BTreeMap::new(),
            approvals: Vec::new(),
            deployment: Deployment::None,
            halted: false,
            plan_denied: false,
            finished: None,
        })
    }

    /// The run that `events` tell, in log order. Events of other runs are passed over; those of the whole system count.
    pub fn fold<'a>(id: &RunId, events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut run: Option<Self> = None;
        for event in events.into_iter().filter(|event| event.run.as_ref().is_none_or(|of| of == id)) {
            match &mut run {
                None => run = Self::begin(event),
                Some(run) => run.apply(event),
            }
        }
        run
    }

    /// Folds one event into the state.
    pub fn apply(&mut self, event: &Event) {
        match &event.body {
            Body::PlanAdopted { plan, units, .. } => self.adopt(plan, units),
            Body::DecisionRecorded(decision) => {
                self.note_decision(decision.class, decision.verdict, decision.unit.as_deref());
            }
            Body::ReviewRequested { item, unit, class, action, .. } => {
                let key = waiting_key(*class, unit.as_deref());
                self.waiting
                    .insert(key, Waiting { item: item.clone(), class: *class, action: action.clone() });
            }
            Body::Approved { item, action, by, role, .. } => self.approve(item, action, by, role, event.at),
            Body::Refused { item, .. } => self.refuse(item),
            Body::Killed { .. } => self.halted = true,
            Body::RunFinished { outcome, .. } => self.finished = Some(outcome.clone()),
            Body::CanaryStarted { .. }
            | Body::CanaryObserved { .. }
            | Body::Promoted { .. }
            | Body::RolledBack { .. }
            | Body::DeployDenied { .. } => {
                self.apply_deployment(event);
            }
            Body::PatchProposed { .. }
            | Body::CommitProposed { .. }
            | Body::WorkerFailed { .. }
            | Body::NothingToDo { .. }
            | Body::PatchRefused { .. }
            | Body::PatchCommitted { .. }
            | Body::ChecksFinished { .. }
            | Body::RollbackRehearsed { .. }
            | Body::TargetMoved { .. }
            | Body::Merged { .. }
            | Body::SourcePromoted(_)
            | Body::UnitDenied { .. } => self.apply_unit(&event.body),
            Body::LogCreated { .. }
            | Body::RunStarted(_)
            | Body::EgressUsed(_)
            | Body::RefMoveAllowed { .. }
            | Body::RefMoveRefused { .. }
            | Body::Reverted { .. }
            | Body::BudgetReserved { .. }
            | Body::BudgetSettled { .. }
            | Body::Frozen { .. }
            | Body::RefAccepted { .. }
            | Body::TaskRan(_)
            | Body::PolicyActivated(_)
            | Body::LayerActivated(_)
            | Body::WorkerOffered(_)
            | Body::WorkerApproved(_)
            | Body::WorkerRevoked(_)
            | Body::SourceSampled(_)
            | Body::SourceDemoted(_)
            | Body::ShadowStarted(_)
            | Body::ShadowJudged(_)
            | Body::ShadowStopped { .. }
            // A halted run stays halted: its plans belong to an epoch that is over. `resume` opens the way for new runs.
            | Body::Resumed { .. }
            | Body::Unfrozen { .. } => {}
        }
    }

    /// What the run wants in this state; nothing while it waits for a person, and nothing but the way back once it is halted.
    pub fn wants(&self) -> Vec<Intent> {
        if let Deployment::Canary(canary) = &self.deployment
            && (self.halted || canary.state == CanaryState::Failing)
        {
            return vec![Intent::RollBack];
        }
        if self.halted || self.finished.is_some() {
            return Vec::new();
        }
        if self.plan.is_none() {
            return match (self.plan_denied, self.waiting.contains_key(PLAN_KEY)) {
                (true, _) => vec![Intent::Finish],
                (false, true) => Vec::new(),
                (false, false) => vec![Intent::Plan],
            };
        }
        let runnable = self
            .units
            .iter()
            .find(|unit| !unit.is_settled(self.started.mode) && !self.waiting.contains_key(&unit.plan.id));
        if let Some(unit) = runnable {
            return vec![unit.wants()];
        }
        self.wants_of_deployment()
    }

    /// Merged, waiting and denied-or-failed units.
    pub fn tally(&self) -> (u64, u64, u64) {
        let count =
            |test: fn(&Progress) -> bool| self.units.iter().map(|unit| u64::from(test(&unit.progress))).sum();
        let merged = count(|progress| matches!(progress, Progress::Merged(_)));
        let denied = count(|progress| matches!(progress, Progress::Denied | Progress::Failed));
        let queued = self.waiting.values().map(|_| 1).sum();
        (merged, queued, denied)
    }

    /// The unit called `id`.
    pub fn unit(&self, id: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.plan.id == id)
    }

    fn wants_of_deployment(&self) -> Vec<Intent> {
        match &self.deployment {
            Deployment::Due(_) | Deployment::Canary(_) if self.waiting.contains_key(DEPLOY_KEY) => Vec::new(),
            Deployment::Due(_) => vec![Intent::Deploy],
            Deployment::Canary(canary) => match canary.state {
                CanaryState::Pending => vec![Intent::Observe],
                CanaryState::Healthy => vec![Intent::Promote],
                CanaryState::Failing => vec![Intent::RollBack],
            },
            Deployment::None | Deployment::Live(_) | Deployment::RolledBack(_) | Deployment::Denied
                if self.waiting.is_empty() =>
            {
                vec![Intent::Finish]
            }
            Deployment::None | Deployment::Live(_) | Deployment::RolledBack(_) | Deployment::Denied => {
                Vec::new()
            }
        }
    }

    fn adopt(&mut self, plan: &Digest, units: &[PlannedUnit]) {
        self.plan = Some(plan.clone());
        self.units = units
            .iter()
            .map(|plan| Unit { plan: plan.clone(), progress: Progress::Ready, attempt: 1 })
            .collect();
    }

    fn note_decision(&mut self, class: ActionClass, verdict: Verdict, unit: Option<&str>) {
        // An answer other than `review` ends the wait: the same intent was asked again.
        if verdict != Verdict::Review {
            self.waiting.remove(&waiting_key(class, unit));
        }
        if class == ActionClass::Plan && verdict == Verdict::Deny {
            self.plan_denied = true;
        }
    }

    fn approve(&mut self, item: &str, action: &Digest, by: &str, role: &str, at: u64) {
        let named = self.waiting.values().any(|waiting| waiting.item == item && waiting.action == *action);
        if named {
            self.approvals.push(Approval {
                action: action.clone(),
                by: by.to_owned(),
                role: role.to_owned(),
                at,
            });
            self.waiting.retain(|_, waiting| waiting.item != item);
        }
    }

    fn refuse(&mut self, item: &str) {
        let Some(key) =
            self.waiting.iter().find(|(_, waiting)| waiting.item == item).map(|(key, _)| key.clone())
        else {
            return;
        };
        self.waiting.remove(&key);
        match key.as_str() {
            PLAN_KEY => self.plan_denied = true,
            DEPLOY_KEY => self.deployment = Deployment::Denied,
            unit => self.set(unit, Progress::Denied),
        }
    }

    fn set(&mut self, id: &str, progress: Progress) {
        if let Some(unit) = self.units.iter_mut().find(|unit| unit.plan.id == id) {
            unit.progress = progress;
        }
    }

    fn update_work(&mut self, id: &str, commit: &Oid, change: impl FnOnce(Work) -> Progress) {
        let Some(unit) = self.units.iter_mut().find(|unit| unit.plan.id == id) else { return };
        if let Progress::Committed(work) | Progress::Checked(work) | Progress::Rehearsed(work) =
            &unit.progress
            && work.commit == *commit
        {
            unit.progress = change(work.clone());
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`apply` matches every event and sends only some of them here"
    )]
    fn apply_unit(&mut self, body: &Body) {
        match body {
            Body::PatchProposed { unit, patch, base, .. } => {
                self.set(unit, Progress::Proposed { patch: patch.clone(), base: base.clone() });
            }
            Body::CommitProposed { unit, commit, base, .. } => {
                self.set(unit, Progress::Offered { commit: commit.clone(), base: base.clone() });
            }
            Body::WorkerFailed { unit, .. } | Body::PatchRefused { unit, .. } => {
                self.set(unit, Progress::Failed);
            }
            Body::NothingToDo { unit, .. } => self.set(unit, Progress::Unneeded),
            // What was to be done is done, and there is nothing to merge.
            Body::SourcePromoted(promoted) => self.set(&promoted.unit, Progress::Unneeded),
            Body::UnitDenied { unit, .. } => self.set(unit, Progress::Denied),
            Body::PatchCommitted { unit, commit, base, tree, facts, .. } => {
                let (commit, base, tree, facts) = (commit.clone(), base.clone(), tree.clone(), facts.clone());
                self.set(
                    unit,
                    Progress::Committed(Work {
                        commit,
                        base,
                        tree,
                        facts,
                        checks_passed: None,
                        way_back_clean: None,
                    }),
                );
            }
            Body::ChecksFinished { unit, commit, passed, .. } => {
                self.update_work(unit, commit, |work| {
                    Progress::Checked(Work { checks_passed: Some(*passed), ..work })
                });
            }
            Body::RollbackRehearsed { unit, commit, clean } => {
                self.update_work(unit, commit, |work| {
                    Progress::Rehearsed(Work { way_back_clean: Some(*clean), ..work })
                });
            }
            Body::TargetMoved { unit, .. } => self.start_again(unit),
            Body::Merged { unit: Some(unit), new, .. } => {
                self.set(unit, Progress::Merged(new.clone()));
                if self.started.deploys_to.is_some() {
                    self.deployment = Deployment::Due(new.clone());
                }
            }
            _ => {}
        }
    }

    fn start_again(&mut self, id: &str) {
        self.waiting.remove(id);
        let Some(unit) = self.units.iter_mut().find(|unit| unit.plan.id == id) else { return };
        let again = unit.attempt < ATTEMPTS_MAX;
        unit.attempt = unit.attempt.saturating_add(1);
        unit.progress = if again { Progress::Ready } else { Progress::Failed };
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "`apply` matches every event and sends only some of them here"
    )]
    fn apply_deployment(&mut self, event: &Event) {
        match &event.body {
            Body::CanaryStarted {
                environment,
                release,
                commit,
                previous,
                steps,
                success_permille,
                deadline,
                ..
            } => {
                let terms =
                    CanaryTerms { steps: steps.0, success_permille: success_permille.0, deadline: *deadline };
                self.deployment = Deployment::Canary(Canary {
                    environment: environment.clone(),
                    release: release.clone(),
                    commit: commit.clone(),
                    previous: previous.clone(),
                    terms,
                    good: 0,
                    bad: 0,
                    state: canary::judge(terms, 0, 0, event.at),
                });
            }
            Body::CanaryObserved { release, outcome, .. } => {
                if let Deployment::Canary(canary) = &mut self.deployment
                    && canary.release == *release
                {
                    canary.good = canary.good.saturating_add(u64::from(outcome == "good"));
                    canary.bad = canary.bad.saturating_add(u64::from(outcome == "bad"));
                    canary.state = canary::judge(canary.terms, canary.good, canary.bad, event.at);
                }
            }
            Body::Promoted { release, .. } => self.deployment = Deployment::Live(release.clone()),
            Body::RolledBack { from, .. } => self.deployment = Deployment::RolledBack(from.clone()),
            Body::DeployDenied { .. } => {
                // A canary whose promotion was denied is taken back; a deployment that never began needs no way back.
                match &mut self.deployment {
                    Deployment::Canary(canary) => canary.state = CanaryState::Failing,
                    other => *other = Deployment::Denied,
                }
            }
            _ => {}
        }
    }
}

impl Unit {
    fn is_settled(&self, mode: RunMode) -> bool {
        match &self.progress {
            Progress::Merged(_) | Progress::Denied | Progress::Failed | Progress::Unneeded => true,
            // A run that only plans stops where the merge would be asked for.
            Progress::Rehearsed(_) => mode == RunMode::Plan,
            Progress::Ready
            | Progress::Proposed { .. }
            | Progress::Offered { .. }
            | Progress::Committed(_)
            | Progress::Checked(_) => false,
        }
    }

    fn wants(&self) -> Intent {
        let id = self.plan.id.clone();
        match &self.progress {
            Progress::Ready => Intent::Generate(id),
            Progress::Proposed { .. } | Progress::Offered { .. } => Intent::Write(id),
            Progress::Committed(_) => Intent::Check(id),
            Progress::Checked(_) => Intent::Rehearse(id),
            Progress::Rehearsed(_) => Intent::Merge(id),
            // INVARIANT: `wants` is asked only of units that are not settled.
            Progress::Merged(_) | Progress::Denied | Progress::Failed | Progress::Unneeded => Intent::Finish,
        }
    }
}

/// Under which key an action of `class` for `unit` waits.
pub fn waiting_key(class: ActionClass, unit: Option<&str>) -> String {
    match (class, unit) {
        (_, Some(unit)) => unit.to_owned(),
        (ActionClass::Deploy | ActionClass::Rollback, None) => DEPLOY_KEY.to_owned(),
        (
            ActionClass::Plan
            | ActionClass::Fetch
            | ActionClass::Generate
            | ActionClass::Execute
            | ActionClass::Write
            | ActionClass::Merge,
            None,
        ) => PLAN_KEY.to_owned(),
    }
}

#[cfg(test)]
mod tests;
