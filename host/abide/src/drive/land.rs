//! From a commit on a work branch to the target branch: checks, rehearsal of the way back, merge.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

use std::collections::BTreeMap;

use abide_core::action::{Merge, OpenEgress, RunChecks};
use abide_core::canonical;
use abide_core::event::{Body, CheckResult, Count, Event};
use abide_core::id::{Oid, Seq};
use abide_core::input::{CheckInput, RollbackInput};
use abide_core::spine::{Progress, Run, Unit, Work};
use abide_effects::checks::{self, CheckHand, CheckLimits, CheckOutcome, CheckRan, CheckSpec};
use abide_effects::forge::{MergeError, MergeHand, Rehearsal, WorkspaceLimits};
use abide_effects::process::Output;
use abide_gate::Ask;
use abide_ledger::RefMove;

use super::work::unit_of;
use super::{Answer, Drive};
use crate::cli::printer::Tone;
use crate::config::Check;
use crate::config::env::Moment;
use crate::desk::Payload;
use crate::egress::CheckWay;
use crate::report::Failure;

/// LIMIT: what any check may use, whatever `ab.yml` says.
const CHECKS: CheckLimits = CheckLimits {
    wall_ms_max: 3_600_000,
    grace_ms: 2_000,
    cpu_s_max: 3_600,
    file_bytes_max: 8 << 30,
    output_bytes_max: 256 << 10,
    printed_bytes_max: 64 << 20,
    workspace: WorkspaceLimits { files_max: 200_000, bytes_max: 4 << 30, file_bytes_max: 512 << 20 },
};

impl Drive<'_> {
    /// Runs the target branch's checks on the unit's commit.
    pub(super) fn check(&self, run: &Run, unit: &str) -> Result<(), Failure> {
        let state = unit_of(run, unit)?;
        let work = work(state)?;
        let specs: Vec<CheckSpec> = self.config.checks.iter().map(spec).collect();
        let action = RunChecks {
            repo: run.started.repo.clone(),
            run: run.id.clone(),
            unit: unit.to_owned(),
            commit: work.commit.clone(),
            checks: self.config.checks.iter().map(|check| check.name.clone()).collect(),
            definitions: checks::definitions_digest(&specs).map_err(|error| Failure::of("AB0124", error))?,
            egress: checks::leases(&specs),
        };
        let facts = self.facts_of(&work.facts)?;
        let risk = self.desk.policy.risk.assess(&facts);
        let requests = action.egress.clone();
        let mut ask = Ask { facts: Some(facts), risk, requests, ..self.ask(run, self.author(run, state)?) };
        ask.run.jail_walls = self.jail.standing(&self.scratch);
        let Answer::Go { permit, seq, .. } = self.admit(run, action, ask, Some(unit))? else { return Ok(()) };
        let Some(ways) = self.ways_of_checks(run, unit, state, &specs)? else { return Ok(()) };
        let doors = ways.iter().map(|(name, way)| (name.clone(), way.door())).collect();
        let stopped = || self.desk.halt(&run.id).map_or(true, |state| state.halted);
        let ran = {
            let _busy = self.printer().busy("checks");
            let hand = CheckHand {
                repo: self.repo,
                root: &self.scratch,
                limits: CHECKS,
                base: &work.base,
                jail: self.jail,
                host: self.host,
                environment: self.environment,
                doors: &doors,
            };
            hand.apply(permit, &specs, &stopped)
        };
        // Also of checks that could not be ended: what they asked was asked.
        for (name, way) in &ways {
            let closed = way.close(unit, Some(name))?;
            self.deed(run, &Body::EgressUsed(Box::new(closed.record)), closed.payloads)?;
        }
        let receipt = ran.map_err(|error| Failure::of(error.code(), error))?;
        let (results, payloads) = self.told(receipt.outcome.results);
        let passed = results.iter().all(|result| !result.required || result.outcome == "passed");
        let body = Body::ChecksFinished {
            unit: unit.to_owned(),
            decision: seq.into(),
            commit: work.commit.clone(),
            passed,
            results,
        };
        self.note(run, &body, payloads)?;
        Ok(())
    }

    /// Tells how checks came out, and gives it as it is recorded, with what they printed.
    fn told(&self, checks: Vec<CheckRan>) -> (Vec<CheckResult>, Vec<Payload>) {
        let mut payloads = Vec::new();
        let mut results = Vec::new();
        for check in checks {
            let output = Payload::bytes(
                "check-output",
                check.output.as_ref().map(Output::text).unwrap_or_default().into_bytes(),
            );
            let told = check.outcome.as_str();
            let tone = if check.outcome == CheckOutcome::Passed { Tone::Good } else { Tone::Bad };
            self.story.beat("check", tone, told, &format!("{} {:.1} s", check.name, seconds(check.wall_ms)));
            if let Some(why) = &check.why {
                self.story.beat("", tone, "", &abide_core::safe_text::line(why));
            }
            let (name, exit, wall_ms) = (check.name, check.exit, Count(check.wall_ms));
            results.push(CheckResult {
                name,
                outcome: told.to_owned(),
                required: check.required,
                exit,
                wall_ms,
                output: output.digest.clone(),
                walls: check.walls,
                why: check.why.map(|why| abide_core::safe_text::line(&why)),
            });
            payloads.push(output);
        }
        (results, payloads)
    }

    /// Asks for the leases that checks ask for, and opens them. None where an answer is not yes; the log says which.
    fn ways_of_checks(
        &self,
        run: &Run,
        unit: &str,
        state: &Unit,
        specs: &[CheckSpec],
    ) -> Result<Option<BTreeMap<String, CheckWay>>, Failure> {
        let mut ways = BTreeMap::new();
        for spec in specs {
            let Some(name) = &spec.egress else { continue };
            // Whoever changes what a check is has another one, which was not decided about.
            let definition = canonical::digest(spec).map_err(|error| Failure::of("AB0124", error))?;
            let lease = self.desk.policy.egress.lease(name, &definition)?;
            let origins = lease.origins();
            let action = OpenEgress {
                run: run.id.clone(),
                unit: unit.to_owned(),
                component: definition.clone(),
                origins: origins.clone(),
                manners: lease.manners.clone(),
                source: None,
            };
            let ask = Ask { requests: origins, ..self.ask(run, self.author(run, state)?) };
            let Answer::Go { permit, .. } = self.admit(run, action, ask, Some(unit))? else {
                return Ok(None);
            };
            let way = CheckWay::open(self.desk, self.workshop.vault(), permit, (name, lease), definition)?;
            ways.insert(spec.name.clone(), way);
        }
        Ok(Some(ways))
    }

    /// Tries the way back of the unit's commit, in a store that is thrown away.
    pub(super) fn rehearse(&self, run: &Run, unit: &str) -> Result<(), Failure> {
        let work = work(unit_of(run, unit)?)?;
        let scratch = self.scratch_store()?;
        let base_tree = scratch.commit(&work.base).map_err(|error| Failure::of(error.code(), error))?.tree;
        let info = scratch.commit(&work.commit).map_err(|error| Failure::of(error.code(), error))?;
        let rehearsal = match info.parents.as_slice() {
            [parent] if *parent == work.base => scratch.rehearse_revert(&work.commit, &work.commit),
            // Several commits are undone as one: from the tree after them to the tree before them.
            _ => scratch.merge_trees(&work.tree, &work.tree, &base_tree),
        };
        let rehearsal = rehearsal.map_err(|error| Failure::of(error.code(), error))?;
        // Clean means more than "no conflict": undoing the change must give back exactly what was there.
        let clean = matches!(&rehearsal, Rehearsal::Clean { tree } if *tree == base_tree);
        let body = Body::RollbackRehearsed { unit: unit.to_owned(), commit: work.commit.clone(), clean };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    /// Asks for the merge, and moves the target branch to exactly the judged commit.
    pub(super) fn merge(&self, run: &Run, unit: &str, history: &[(Seq, Event)]) -> Result<(), Failure> {
        let state = unit_of(run, unit)?;
        let work = work(state)?;
        let head = self.head(run)?;
        if head != work.base && head != work.commit {
            return self.target_moved(run, state, &work.base, head);
        }
        let action = Merge {
            repo: run.started.repo.clone(),
            target: run.started.target.clone(),
            expected: work.base.clone(),
            commit: work.commit.clone(),
            tree: work.tree.clone(),
        };
        let scratch = self.scratch_store()?;
        let measured = self.measured(run, &scratch, &work.base, &work.tree)?;
        let rollback = RollbackInput {
            kind: "git-revert".to_owned(),
            rehearsed: work.way_back_clean == Some(true),
            trusted: true,
        };
        let protected = self.config.protected.contains(&action.target);
        let ask = Ask {
            protected,
            checks: finished(history, unit, work),
            rollback,
            ..self.ask_change(run, self.author(run, state)?, measured)
        };
        let Answer::Go { permit, seq, .. } = self.admit(run, action, ask, Some(unit))? else { return Ok(()) };
        let now = self.desk.now();
        let consume = |redeemed: &abide_gate::Redeemed<Merge>| {
            let action = &redeemed.action;
            let (repo, reference) = (action.repo.clone(), action.target.clone());
            let claim = RefMove { repo, reference, old: action.expected.clone(), new: action.commit.clone() };
            let spent = self.desk.ledger.consume_ref_move(&claim, self.desk.now())?;
            self.desk.drill(Moment::After);
            spent.map(|_| ()).map_err(Into::into)
        };
        match MergeHand::new(self.repo).apply(permit, now, &consume) {
            Ok(receipt) => {
                let done = receipt.outcome;
                self.look_again(run)?;
                self.story.beat(
                    "",
                    Tone::Good,
                    "merged",
                    &format!("{} {} → {}", done.target.short(), done.old.short(), done.new.short()),
                );
                if let Some(note) = done.checkout.note() {
                    self.printer().talk(&note);
                }
                let body = Body::Merged {
                    unit: Some(unit.to_owned()),
                    decision: seq.into(),
                    name: done.target,
                    old: done.old,
                    new: done.new,
                };
                self.deed(run, &body, vec![])?;
                Ok(())
            }
            Err(MergeError::TargetMoved { found, .. }) => self.target_moved(run, state, &work.base, found),
            // Asked again it would come out the same, so the unit is over.
            Err(error @ MergeError::NotFastForward { .. }) => {
                let why = format!("{error}; git rebase it onto {}", run.started.target.short());
                self.refuse_patch(run, unit, error.code(), &why)
            }
            Err(error @ MergeError::Locked(_)) => Err(self.locked(run, error)),
            Err(error) => Err(Failure::of(error.code(), error)),
        }
    }

    /// Says which lock is in the way. A process that was killed leaves it, like git's own; only a person knows that no git runs there.
    fn locked(&self, run: &Run, error: MergeError) -> Failure {
        let lock = self.repo.common_dir().join(format!("{}.lock", run.started.target));
        let help = format!(
            "if no git process runs there, a process was killed while it held {}: remove that file, then ab resume {}",
            lock.display(),
            run.id
        );
        Failure::of(error.code(), error).help(help)
    }

    /// Writes down that the target went away from `base`, on which the unit was made.
    pub(super) fn target_moved(&self, run: &Run, unit: &Unit, base: &Oid, found: Oid) -> Result<(), Failure> {
        self.story.moved(run, unit, base, &found);
        let body = Body::TargetMoved { unit: unit.plan.id.clone(), expected: base.clone(), found };
        self.note(run, &body, vec![])?;
        Ok(())
    }
}

fn spec(check: &Check) -> CheckSpec {
    CheckSpec {
        name: check.name.clone(),
        command: check.argv.clone(),
        timeout_ms: check.timeout_ms,
        env: check.env.clone(),
        required: check.required,
        workdir: None,
        read: check.read.clone(),
        egress: check.egress.clone(),
        proof: check.proof.clone(),
    }
}

fn work(unit: &Unit) -> Result<&Work, Failure> {
    match &unit.progress {
        Progress::Committed(work) | Progress::Checked(work) | Progress::Rehearsed(work) => Ok(work),
        other => Err(Failure::new("AB0030", format!("unit {} has no commit: {other:?}", unit.plan.id))),
    }
}

/// What the checks of the unit's commit said, as the gate is told it.
fn finished(history: &[(Seq, Event)], unit: &str, work: &Work) -> Vec<CheckInput> {
    let last = history.iter().rev().find_map(|(_, event)| match &event.body {
        Body::ChecksFinished { unit: of, commit, results, .. } if of == unit && *commit == work.commit => {
            Some(results)
        }
        _ => None,
    });
    let mut checks: Vec<_> = last
        .into_iter()
        .flatten()
        .map(|result| CheckInput {
            name: result.name.clone(),
            outcome: result.outcome.clone(),
            required: result.required,
            walls: result.walls.clone(),
        })
        .collect();
    checks.sort();
    checks
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "shown to a person with one decimal")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
