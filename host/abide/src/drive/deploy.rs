//! From a merged commit to users: canary, observation, promotion, or the way back.

use std::time::Duration;

use abide_core::action::{Deploy, Promote, Rollback, RollbackPlan, WayBack};
use abide_core::decision::{Decision, Obligation};
use abide_core::event::{Body, Count, Event};
use abide_core::id::{Oid, ReleaseId, Seq};
use abide_core::input::{CanaryInput, RollbackInput};
use abide_core::spine::{Canary, Deployment, Run};
use abide_effects::deploy::{self, Directory, DirectoryLimits, Health};
use abide_effects::forge::WorkspaceLimits;
use abide_gate::Ask;

use super::{Answer, Drive};
use crate::cli::printer::Tone;
use crate::config::DeployConfig;
use crate::desk::Payload;
use crate::report::{Exit, Failure};

/// LIMIT: releases kept besides those in use, and the size of one.
const LIMITS: DirectoryLimits = DirectoryLimits {
    keep: 5,
    release: WorkspaceLimits { files_max: 200_000, bytes_max: 4 << 30, file_bytes_max: 512 << 20 },
};

/// What a canary must show, from the decision's obligation.
struct Terms {
    steps: u64,
    success_permille: u64,
    deadline_ms: u64,
}

impl Drive<'_> {
    /// Puts the merged tree out as a canary.
    pub(super) fn deploy(&self, run: &Run) -> Result<(), Failure> {
        let Deployment::Due(commit) = &run.deployment else { return Err(lost(run, "has nothing to deploy")) };
        let (config, driver) = self.driver(run)?;
        let environment = &config.environment;
        let release = ReleaseId::of(commit);
        let standing = driver.standing(environment).map_err(|error| Failure::of(error.code(), error))?;
        let rollback =
            driver.way_back(environment, &release).map_err(|error| Failure::of(error.code(), error))?;
        let scratch = self.scratch_store()?;
        let tree = scratch.commit(commit).map_err(|error| Failure::of(error.code(), error))?.tree;
        let known = self.released_tree(standing.current.as_ref(), environment.as_str())?;
        // What was there before Abide came is not this run's doing, but nobody measured it either: the gate is told so.
        let before = match &known {
            Some(tree) => tree.clone(),
            None => scratch.commit(&run.started.base).map_err(|error| Failure::of(error.code(), error))?.tree,
        };
        let delta = scratch
            .delta(&before, &tree, self.desk.policy.meter.limits())
            .map_err(|error| Failure::of(error.code(), error))?;
        let mut measured = crate::measure::measure(self.desk, &delta, &run.started.sponsor)?;
        if known.is_none() {
            measured.facts.unmeasured.push("release-baseline".to_owned());
        }
        let action = Deploy {
            repo: run.started.repo.clone(),
            run: run.id.clone(),
            environment: environment.clone(),
            release: release.clone(),
            commit: commit.clone(),
            tree,
            rollback: rollback.clone(),
        };
        let ask = Ask {
            rollback: self.way(&rollback, &driver)?,
            ..self.ask_change(run, super::service(run), measured)
        };
        let Answer::Go { permit, decision, seq } = self.admit(run, action, ask, None)? else { return Ok(()) };
        let terms = terms(&decision);
        let done =
            driver.deploy(permit, self.repo).map_err(|error| Failure::of(error.code(), error))?.outcome;
        let body = Body::CanaryStarted {
            decision: seq.into(),
            environment: done.environment,
            release: done.release,
            commit: done.commit,
            previous: standing.current,
            steps: Count(terms.steps),
            success_permille: Count(terms.success_permille),
            deadline: self.desk.now().plus_ms(terms.deadline_ms).0,
        };
        self.deed(run, &body, vec![])?;
        Ok(())
    }

    /// Looks at the canary once, after the interval that `ab.yml` names.
    pub(super) fn observe(&self, run: &Run) -> Result<(), Failure> {
        let canary = out(run)?;
        let (config, driver) = self.driver(run)?;
        let stopped = || self.desk.halt(&run.id).map_or(true, |state| state.halted);
        if !canary_is_new(canary) {
            pause(config.interval_ms, &stopped);
        }
        if stopped() {
            // The kill is in the log already; folding it again makes the run want the way back.
            return self.look_again_or_fail(run);
        }
        let folder = driver.release_path(&canary.environment, &canary.release);
        let seen = deploy::observe(
            &config.probe,
            &canary.environment,
            &canary.release,
            &folder,
            self.host,
            &stopped,
        );
        let (outcome, tone) = match &seen {
            Health::Ok(_) => ("good", Tone::Good),
            Health::Bad(_) => ("bad", Tone::Bad),
            Health::NoData(_) => ("no-data", Tone::Wait),
        };
        let detail = abide_core::safe_text::line(seen.detail());
        self.story.beat("canary", tone, outcome, &detail);
        let (environment, release) = (canary.environment.clone(), canary.release.clone());
        let body = Body::CanaryObserved { environment, release, outcome: outcome.to_owned(), detail };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    /// Makes the canary the release.
    pub(super) fn promote(&self, run: &Run, history: &[(Seq, Event)]) -> Result<(), Failure> {
        let canary = out(run)?;
        let (_, driver) = self.driver(run)?;
        let observations: Vec<&Event> = history
            .iter()
            .map(|(_, event)| event)
            .filter(|event| matches!(&event.body, Body::CanaryObserved { release, .. } if *release == canary.release))
            .collect();
        let evidence = Payload::json("observations", &observations)?;
        let rollback = plan_of(canary);
        let action = Promote {
            run: run.id.clone(),
            environment: canary.environment.clone(),
            release: canary.release.clone(),
            evidence: evidence.digest.clone(),
            rollback: rollback.clone(),
        };
        let ask = Ask {
            rollback: self.way(&rollback, &driver)?,
            canary: canary_input(canary),
            ..self.ask(run, super::service(run))
        };
        let Answer::Go { permit, seq, .. } = self.admit(run, action, ask, None)? else { return Ok(()) };
        let done = driver.promote(permit).map_err(|error| Failure::of(error.code(), error))?.outcome;
        self.story.beat("", Tone::Good, "live", &format!("{} in {}", done.release, done.environment));
        let body =
            Body::Promoted { decision: seq.into(), environment: done.environment, release: done.release };
        self.deed(run, &body, vec![evidence])?;
        Ok(())
    }

    /// Takes the way back that was named when the deployment was judged.
    pub(super) fn roll_back(&self, run: &Run) -> Result<(), Failure> {
        let canary = out(run)?;
        let (_, driver) = self.driver(run)?;
        let plan = plan_of(canary);
        let ask = Ask {
            rollback: self.way(&plan, &driver)?,
            canary: canary_input(canary),
            ..self.ask(run, super::service(run))
        };
        let Answer::Go { permit, seq, .. } = self.admit(run, Rollback { plan }, ask, None)? else {
            return Err(Failure::new("AB0690", "the way back waits for a person")
                .help("ab queue")
                .exit(Exit::Waiting));
        };
        let done = driver.roll_back(permit).map_err(|error| Failure::of(error.code(), error))?.outcome;
        let to = done.to.as_ref().map_or("nothing", |release| release.as_str());
        self.story.beat(
            "",
            Tone::Wait,
            "back",
            &format!("{} in {}: {} is served", done.from, done.environment, to),
        );
        let body = Body::RolledBack {
            decision: seq.into(),
            environment: done.environment,
            from: done.from,
            to: done.to,
        };
        self.deed(run, &body, vec![])?;
        Ok(())
    }

    fn driver(&self, run: &Run) -> Result<(&DeployConfig, Directory), Failure> {
        let config =
            self.config.deploy.as_ref().ok_or_else(|| {
                lost(run, "deploys, but ab.yml on the target branch no longer says where to")
            })?;
        Ok((config, Directory::new(config.directory.clone(), config.source.clone(), LIMITS)))
    }

    /// The way back as the gate is told of it: rehearsed if the release it leads to is there, trusted if the log promoted it.
    fn way(&self, plan: &RollbackPlan, driver: &Directory) -> Result<RollbackInput, Failure> {
        Ok(match &plan.way {
            WayBack::Nothing => RollbackInput { kind: "nothing".to_owned(), rehearsed: true, trusted: true },
            WayBack::Release(release) => {
                let releases = self
                    .desk
                    .ledger
                    .store()
                    .releases(plan.environment.as_str())
                    .map_err(|error| Failure::of(error.code(), error))?;
                let trusted =
                    releases.iter().any(|known| known.release == *release && known.state == "promoted");
                let rehearsed = driver.release_path(&plan.environment, release).is_dir();
                RollbackInput { kind: "release".to_owned(), rehearsed, trusted }
            }
        })
    }

    /// Tree of the release that is served now; `None` if nothing is, or if the log does not know it.
    fn released_tree(&self, release: Option<&ReleaseId>, environment: &str) -> Result<Option<Oid>, Failure> {
        let Some(release) = release else { return Ok(None) };
        let known = self
            .desk
            .ledger
            .store()
            .releases(environment)
            .map_err(|error| Failure::of(error.code(), error))?;
        let Some(known) = known.iter().find(|known| known.release == *release) else { return Ok(None) };
        Ok(Some(self.repo.commit(&known.commit).map_err(|error| Failure::of(error.code(), error))?.tree))
    }

    fn look_again_or_fail(&self, run: &Run) -> Result<(), Failure> {
        let history = self.desk.history(&run.id)?;
        if super::fold(&run.id, &history)?.halted {
            return Ok(());
        }
        Err(Failure::new("AB0122", "the kill switch cannot be read").exit(Exit::Gate))
    }
}

fn out(run: &Run) -> Result<&Canary, Failure> {
    match &run.deployment {
        Deployment::Canary(canary) => Ok(canary),
        Deployment::None
        | Deployment::Due(_)
        | Deployment::Live(_)
        | Deployment::RolledBack(_)
        | Deployment::Denied => Err(lost(run, "has no canary")),
    }
}

fn lost(run: &Run, what: &str) -> Failure {
    Failure::new("AB0691", format!("run {} {what}", run.id))
}

fn canary_is_new(canary: &Canary) -> bool {
    canary.good == 0 && canary.bad == 0
}

fn plan_of(canary: &Canary) -> RollbackPlan {
    let way = canary.previous.clone().map_or(WayBack::Nothing, WayBack::Release);
    RollbackPlan { environment: canary.environment.clone(), from: canary.release.clone(), way }
}

fn canary_input(canary: &Canary) -> CanaryInput {
    let count = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    CanaryInput {
        state: canary.state.as_str().to_owned(),
        samples: count(canary.good.saturating_add(canary.bad)),
        successes: count(canary.good),
    }
}

/// The canary that the decision obliges to. Without one it must still answer well once.
fn terms(decision: &Decision) -> Terms {
    let obliged = decision.obligations.iter().find_map(|obligation| match obligation {
        Obligation::Canary { steps, success_permille, deadline_ms } => Some(Terms {
            steps: u64::from(*steps).max(1),
            success_permille: u64::from(*success_permille),
            deadline_ms: *deadline_ms,
        }),
        Obligation::Approvals { .. }
        | Obligation::Flag { .. }
        | Obligation::Redact { .. }
        | Obligation::Expire { .. } => None,
    });
    obliged.unwrap_or(Terms { steps: 1, success_permille: 1000, deadline_ms: 60_000 })
}

/// Waits between two looks, a little at a time, so that a kill is noticed.
fn pause(ms: u64, stopped: &dyn Fn() -> bool) {
    let mut left = ms;
    while left > 0 && !stopped() {
        let slice = left.min(100);
        std::thread::sleep(Duration::from_millis(slice));
        left = left.saturating_sub(slice);
    }
}
