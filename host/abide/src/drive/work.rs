//! From a task to a commit on a work branch: the worker proposes, the host applies, measures and asks, the hand commits.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use abide_core::action::{AdoptCommit, CommitPatch, OpenEgress, RunWorker};
use abide_core::canonical;
use abide_core::event::{Body, TaskRan};
use abide_core::facts::Facts;
use abide_core::id::{Digest, Oid, RefName, RepoPath};
use abide_core::input::{Subject, SubjectKind};
use abide_core::patch::{PatchDoc, PatchLimits};
use abide_core::plan::{PROMOTION, PROPOSAL, Plan, RECIPES, UnitSpec};
use abide_core::source::SourceCase;
use abide_core::spine::{Progress, Run, Unit};
use abide_effects::forge::{Adopt, Commit, CommitText, Links, Repo, Scratch, Workspace, WorkspaceLimits};
use abide_gate::Ask;
use abide_sandbox::{
    Capability, DirWorkspace, Egress, NoEgress, Recording, RunOutcome, RunRequest, RunResult, Task,
    Transcript,
};

use super::source::Refusals;
use super::{Answer, Drive, offer};
use crate::browser::Pages;
use crate::cli::printer::Tone;
use crate::desk::Payload;
use crate::egress::Way;
use crate::measure::{self, Measured};
use crate::policy::Policy;
use crate::report::Failure;
use crate::workers::history::History;
use crate::workshop::Worker;

/// LIMIT: what a worker is shown of a repository.
const WORKSPACE: WorkspaceLimits =
    WorkspaceLimits { files_max: 200_000, bytes_max: 4 << 30, file_bytes_max: 512 << 20 };

/// What a worker may do on a task.
struct Leave {
    /// What it is run with.
    request: RunRequest,
    /// Name of its lease; empty where it has none.
    lease: String,
    /// Place of the decision.
    seq: abide_core::id::Seq,
}

impl Drive<'_> {
    /// Runs the unit's worker, or takes the commit that was offered.
    pub(super) fn generate(&self, run: &Run, unit: &str) -> Result<(), Failure> {
        let spec = self.spec(run, unit)?;
        let base = self.head(run)?;
        if spec.recipe == PROPOSAL {
            return self.take_offer(run, &spec, base);
        }
        if spec.recipe == PROMOTION {
            return self.promote_source(run, &spec);
        }
        let reads = self.reads(&spec)?;
        let missing = self.missing(&spec, &base)?;
        let planned = run.unit(unit).and_then(|unit| unit.plan.component.as_ref());
        let worker = &self.workshop.of_unit(&spec.worker, planned, &self.desk.ledger)?;
        if let Some(why) = missing {
            return self.worker_failed(run, unit, worker, "AB0888", &why);
        }
        // While the gate is asked and the files of the base are laid out.
        self.workshop.prepare_for(worker);
        let Some(Leave { request, lease, seq }) = self.may_run(run, &spec, worker, &base)? else {
            return Ok(());
        };
        let looks = request.grants.contains(&Capability::Browser);
        let way = if looks || request.grants.contains(&Capability::Egress) {
            let source = reads.as_ref().and_then(|reads| reads.case(&spec));
            let Some(way) = self.way_out(run, unit, worker, (&lease, looks), source)? else {
                return Ok(());
            };
            Some(way)
        } else {
            None
        };
        let transcript = {
            let _busy = self.printer().busy(&format!("{} {}", worker.name, spec.recipe));
            self.let_work(&request, way.as_ref())
        };
        // Also of a worker that could not be run: what it asked was asked.
        let asked = match way {
            Some(way) => {
                let closed = way.close(unit, &worker.digest, &lease)?;
                let refusals = Refusals { all: closed.refused(), by_robots: closed.forbidden };
                self.deed(run, &Body::EgressUsed(Box::new(closed.record)), closed.payloads)?;
                refusals
            }
            None => Refusals::default(),
        };
        let transcript = transcript?;
        self.task_ran(run, unit, seq, &transcript)?;
        if let Some(reads) = &reads
            && let Some(fallen) = self.judge_source(run, &spec, reads, (&base, &transcript.outcome), asked)?
        {
            let (decision, rule) = (fallen.decision.into(), fallen.rule);
            self.note(run, &Body::UnitDenied { unit: unit.to_owned(), decision, rule }, vec![])?;
            return Ok(());
        }
        if spec.probe && matches!(transcript.outcome.result, RunResult::Proposed(_)) {
            let (component, why) = (worker.digest.clone(), "a probe is only measured".to_owned());
            self.note(run, &Body::NothingToDo { unit: unit.to_owned(), component, why }, vec![])?;
            return Ok(());
        }
        self.take_answer(run, unit, worker, base, seq, &transcript.outcome)
    }

    /// What of the files that the task's parameters name is not there, before a person is asked for anything.
    fn missing(&self, spec: &UnitSpec, base: &Oid) -> Result<Option<String>, Failure> {
        let recipe = RECIPES.iter().find(|recipe| recipe.name == spec.recipe && recipe.worker == spec.worker);
        for name in recipe.map_or(&[][..], |recipe| recipe.reads) {
            let Some(path) = spec.params.get(*name) else { continue };
            let at: Option<RepoPath> = path.parse().ok();
            let file = at.map(|at| self.repo.read_blob_at(base, &at, WORKSPACE.file_bytes_max)).transpose();
            if file.map_err(|error| Failure::of(error.code(), error))?.flatten().is_none() {
                let path = abide_core::safe_text::line(path);
                return Ok(Some(format!(
                    "parameter `{name}`: there is no `{path}` at {}; commit it first",
                    base.short()
                )));
            }
        }
        Ok(None)
    }

    /// Asks whether the worker may run, and with what. None where the answer is not yes; the log says which.
    fn may_run(
        &self,
        run: &Run,
        spec: &UnitSpec,
        worker: &Worker,
        base: &Oid,
    ) -> Result<Option<Leave>, Failure> {
        let unit = spec.id.as_str();
        let requests = match self.workshop.requests(worker) {
            Ok(requests) => requests,
            Err(failure) => {
                self.worker_failed(run, unit, worker, failure.code, &failure.what)?;
                return Ok(None);
            }
        };
        let task = Task {
            id: format!("{}/{unit}", run.id),
            recipe: spec.recipe.clone(),
            parameters: spec.params.clone(),
            scope: spec.scope.clone(),
            base: base.clone(),
        };
        let action = RunWorker {
            run: run.id.clone(),
            unit: unit.to_owned(),
            component: worker.digest.clone(),
            task: canonical::digest(&task).map_err(|error| Failure::of("AB0124", error))?,
            base: base.clone(),
            requests: requests.iter().cloned().collect(),
        };
        let history = History::of(self.desk, &worker.digest)?.told();
        let subject = Subject { history: Some(history), ..super::worker(run, &worker.name, &worker.digest) };
        let ask = Ask { requests: action.requests.clone(), ..self.ask(run, subject) };
        let Answer::Go { permit, decision, seq } = self.admit(run, action, ask, Some(unit))? else {
            return Ok(None);
        };
        super::redeem(permit)?;
        let limits = self.desk.policy.limits.get(&decision.grants.limits).cloned().ok_or_else(|| {
            Failure::new(
                "AB0831",
                format!(
                    "policy grants the limits `{}`, which its data does not name",
                    decision.grants.limits
                ),
            )
        })?;
        let grants: BTreeSet<Capability> = Capability::ALL
            .into_iter()
            .filter(|capability| decision.grants.capabilities.iter().any(|name| name == capability.name()))
            .collect();
        let stubs = decision.grants.stubs.iter().cloned().collect();
        let request = RunRequest { component: worker.digest.clone(), task, grants, stubs, limits };
        Ok(Some(Leave { request, lease: decision.grants.egress, seq }))
    }

    /// Runs the worker over the files of its base, and keeps what it was answered.
    fn let_work(&self, request: &RunRequest, way: Option<&Way>) -> Result<Transcript, Failure> {
        let (_files, view) = shown(self.repo, &request.task.base, &self.scratch, &self.desk.policy)?;
        let egress: &dyn Egress = match way {
            Some(way) => way,
            None => &NoEgress,
        };
        let recording = Arc::new(Recording::over(Arc::new(view)));
        let outcome = self.workshop.run(request, recording.clone(), &recording.egress(egress))?;
        Ok(recording.transcript(request.clone(), outcome))
    }

    /// Asks for the lease that the worker was granted, and opens it. None where the answer is not yes; the log says which.
    fn way_out(
        &self,
        run: &Run,
        unit: &str,
        worker: &Worker,
        (name, looks): (&str, bool),
        source: Option<SourceCase>,
    ) -> Result<Option<Way>, Failure> {
        let lease = self.desk.policy.egress.lease(name, &worker.digest)?;
        let origins = lease.origins();
        let action = OpenEgress {
            run: run.id.clone(),
            unit: unit.to_owned(),
            component: worker.digest.clone(),
            origins: origins.clone(),
            manners: lease.manners.clone(),
            source,
        };
        let ask =
            Ask { requests: origins, ..self.ask(run, super::worker(run, &worker.name, &worker.digest)) };
        let Answer::Go { permit, .. } = self.admit(run, action, ask, Some(unit))? else { return Ok(None) };
        let policy = &self.desk.policy;
        let pages = looks.then(|| Pages::new(&policy.browser, &policy.jail.read, &self.scratch));
        Way::open(self.desk, self.workshop.vault(), permit, lease, pages).map(Some)
    }

    /// Writes down what was run, with its capability receipt and what it takes to run it again.
    fn task_ran(
        &self,
        run: &Run,
        unit: &str,
        decision: abide_core::id::Seq,
        transcript: &Transcript,
    ) -> Result<(), Failure> {
        let receipt = Payload::json("receipt", &transcript.outcome)?;
        let packed = transcript.pack().map_err(|error| Failure::of("AB0124", error))?;
        let packed = Payload::bytes(abide_ledger::TRANSCRIPT, packed);
        let ran = TaskRan {
            unit: unit.to_owned(),
            decision: decision.into(),
            component: transcript.request.component.clone(),
            result: transcript.outcome.result.word().to_owned(),
            receipt: receipt.digest.clone(),
            transcript: packed.digest.clone(),
        };
        self.note(run, &Body::TaskRan(Box::new(ran)), vec![receipt, packed])?;
        Ok(())
    }

    /// Writes down what the worker answered, with its capability receipt.
    fn take_answer(
        &self,
        run: &Run,
        unit: &str,
        worker: &Worker,
        base: Oid,
        seq: abide_core::id::Seq,
        outcome: &RunOutcome,
    ) -> Result<(), Failure> {
        let receipt = Payload::json("receipt", outcome)?;
        match &outcome.result {
            RunResult::Proposed(proposal) => {
                let patch = Payload::json("patch", &proposal.patch)?;
                let body = Body::PatchProposed {
                    unit: unit.to_owned(),
                    decision: seq.into(),
                    base,
                    component: worker.digest.clone(),
                    patch: patch.digest.clone(),
                    receipt: receipt.digest.clone(),
                };
                self.note(run, &body, vec![patch, receipt])?;
                Ok(())
            }
            RunResult::Failed(failure) if failure.code().is_none() => {
                let why = abide_core::safe_text::line(&failure.message);
                self.story.beat("propose", Tone::Faint, "nothing", &why);
                let body = Body::NothingToDo { unit: unit.to_owned(), component: worker.digest.clone(), why };
                self.note(run, &body, vec![receipt])?;
                Ok(())
            }
            other => {
                let (code, why) = (other.code().unwrap_or("AB0811"), told(other));
                self.worker_failed(run, unit, worker, code, &why)
            }
        }
    }

    /// Makes the candidate tree, measures it, asks, and commits it to the unit's work branch.
    pub(super) fn write(&self, run: &Run, unit: &str) -> Result<(), Failure> {
        let state = unit_of(run, unit)?;
        if let Progress::Proposed { base, .. } | Progress::Offered { base, .. } = &state.progress {
            let head = self.head(run)?;
            if head != *base {
                return self.target_moved(run, state, base, head);
            }
        }
        match &state.progress {
            Progress::Proposed { patch, base } => self.write_patch(run, state, patch, base),
            Progress::Offered { commit, base } => self.write_offer(run, state, commit, base),
            other => Err(Failure::new("AB0030", format!("unit {unit} cannot be written from {other:?}"))),
        }
    }

    fn write_patch(&self, run: &Run, unit: &Unit, patch: &Digest, base: &Oid) -> Result<(), Failure> {
        let id = unit.plan.id.as_str();
        let limits = PatchLimits::CEILING;
        let doc = match PatchDoc::parse(&self.desk.payload(patch)?, &limits) {
            Ok(doc) => doc,
            Err(error) => return self.refuse_patch(run, id, error.code(), &error.to_string()),
        };
        let scratch = self.scratch_store()?;
        let tree = match scratch.apply(base, &doc, &limits) {
            Ok(tree) => tree,
            Err(error) => return self.refuse_patch(run, id, error.code(), &error.to_string()),
        };
        let measured = self.measured(run, &scratch, base, &tree)?;
        let component = unit
            .plan
            .component
            .clone()
            .ok_or_else(|| Failure::new("AB0030", format!("unit {id} has no component")))?;
        let spec = self.spec(run, id)?;
        let branch = work_branch(run, id)?;
        let action = CommitPatch {
            repo: run.started.repo.clone(),
            run: run.id.clone(),
            unit: id.to_owned(),
            expected: self.standing(&branch)?,
            branch,
            base: base.clone(),
            tree,
            patch: patch.clone(),
            component: component.clone(),
            title: unit.plan.title.clone(),
        };
        let facts = Payload::json("facts", &measured.facts)?;
        let ask = self.ask_change(run, super::worker(run, &spec.worker, &component), measured);
        let Answer::Go { permit, seq, .. } = self.admit(run, action, ask, Some(id))? else { return Ok(()) };
        let text = CommitText {
            author: spec.worker.clone(),
            body: format!("{} by recipe {}.", unit.plan.title, spec.recipe),
            time: self.desk.now(),
        };
        let receipt = Commit::new(self.repo)
            .apply(permit, &scratch, &text)
            .map_err(|error| Failure::of(error.code(), error))?;
        let done = receipt.outcome;
        self.committed(run, id, seq, (done.branch, done.commit, done.base, done.tree), facts)
    }

    fn write_offer(&self, run: &Run, unit: &Unit, commit: &Oid, base: &Oid) -> Result<(), Failure> {
        let id = unit.plan.id.as_str();
        let scratch = self.scratch_store()?;
        let info = scratch.commit(commit).map_err(|error| Failure::of(error.code(), error))?;
        let measured = self.measured(run, &scratch, base, &info.tree)?;
        let spec = self.spec(run, id)?;
        let branch = work_branch(run, id)?;
        let action = AdoptCommit {
            repo: run.started.repo.clone(),
            run: run.id.clone(),
            unit: id.to_owned(),
            expected: self.standing(&branch)?,
            branch,
            base: base.clone(),
            commit: commit.clone(),
            tree: info.tree,
        };
        let facts = Payload::json("facts", &measured.facts)?;
        let ask = self.ask_change(run, proposer(run, &spec), measured);
        let Answer::Go { permit, seq, .. } = self.admit(run, action, ask, Some(id))? else { return Ok(()) };
        let receipt = Adopt::new(self.repo)
            .apply(permit, &scratch, self.desk.now())
            .map_err(|error| Failure::of(error.code(), error))?;
        let done = receipt.outcome;
        self.committed(run, id, seq, (done.branch, done.commit, done.base, done.tree), facts)
    }

    fn committed(
        &self,
        run: &Run,
        unit: &str,
        seq: abide_core::id::Seq,
        done: (RefName, Oid, Oid, Oid),
        facts: Payload,
    ) -> Result<(), Failure> {
        let (branch, commit, base, tree) = done;
        let body = Body::PatchCommitted {
            unit: unit.to_owned(),
            decision: seq.into(),
            branch,
            commit,
            base,
            tree,
            facts: facts.digest.clone(),
        };
        self.deed(run, &body, vec![facts])?;
        Ok(())
    }

    fn take_offer(&self, run: &Run, spec: &UnitSpec, base: Oid) -> Result<(), Failure> {
        let param = |name: &str| spec.params.get(name).cloned().unwrap_or_default();
        let commit: Oid = param("commit").parse().map_err(|error| Failure::of("AB0023", error))?;
        // The target may have moved since the commit was handed in. Judged against it, the commit would seem to undo what it lacks.
        let standing = offer::standing(&self.scratch_store()?, &base, &commit)?;
        if let Err(unfit) = standing.fits(&run.started.target, &commit, &base) {
            return self.refuse_patch(run, &spec.id, unfit.code, &format!("{}; {}", unfit.what, unfit.next));
        }
        let body = Body::CommitProposed { unit: spec.id.clone(), base, commit, by: param("by") };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    fn worker_failed(
        &self,
        run: &Run,
        unit: &str,
        worker: &Worker,
        code: &str,
        why: &str,
    ) -> Result<(), Failure> {
        self.story.beat(
            "propose",
            Tone::Bad,
            "failed",
            &format!("{}: {} [{code}]", worker.name, abide_core::safe_text::line(why)),
        );
        let body = Body::WorkerFailed {
            unit: unit.to_owned(),
            component: worker.digest.clone(),
            code: code.to_owned(),
            why: abide_core::safe_text::line(why),
        };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    pub(super) fn refuse_patch(&self, run: &Run, unit: &str, code: &str, why: &str) -> Result<(), Failure> {
        self.story.beat(
            "write",
            Tone::Bad,
            "refused",
            &format!("{} [{code}]", abide_core::safe_text::line(why)),
        );
        let body = Body::PatchRefused {
            unit: unit.to_owned(),
            code: code.to_owned(),
            why: abide_core::safe_text::line(why),
        };
        self.note(run, &body, vec![])?;
        Ok(())
    }

    /// A question about a change that was measured.
    pub(super) fn ask_change(&self, run: &Run, subject: Subject, measured: Measured) -> Ask {
        Ask { facts: Some(measured.facts), risk: measured.risk, ..self.ask(run, subject) }
    }

    /// Measures what differs between the tree of commit `base` and `tree`.
    pub(super) fn measured(
        &self,
        run: &Run,
        scratch: &Scratch,
        base: &Oid,
        tree: &Oid,
    ) -> Result<Measured, Failure> {
        let base_tree = scratch.commit(base).map_err(|error| Failure::of(error.code(), error))?.tree;
        let delta = scratch
            .delta(&base_tree, tree, self.desk.policy.meter.limits())
            .map_err(|error| Failure::of(error.code(), error))?;
        measure::measure(self.desk, &delta, &run.started.sponsor)
    }

    /// The facts that were measured when the unit was written.
    pub(super) fn facts_of(&self, digest: &Digest) -> Result<Facts, Failure> {
        self.desk.value(digest)
    }

    /// A throw-away object store over the repository and what was handed in for it.
    pub(super) fn scratch_store(&self) -> Result<Scratch, Failure> {
        let store = if self.incoming.is_dir() {
            Scratch::with_incoming(self.repo, &self.scratch, &self.incoming)
        } else {
            Scratch::new(self.repo, &self.scratch)
        };
        store.map_err(|error| Failure::of(error.code(), error))
    }

    /// Where a branch stands; zero if it does not exist.
    fn standing(&self, branch: &RefName) -> Result<Oid, Failure> {
        Ok(self
            .repo
            .find(branch)
            .map_err(|error| Failure::of(error.code(), error))?
            .unwrap_or_else(Oid::zero))
    }

    /// What was planned for the unit.
    pub(super) fn spec(&self, run: &Run, id: &str) -> Result<UnitSpec, Failure> {
        let digest =
            run.plan.as_ref().ok_or_else(|| Failure::new("AB0030", format!("run {} has no plan", run.id)))?;
        let plan: Plan = self.desk.value(digest)?;
        plan.units
            .into_iter()
            .find(|unit| unit.id == id)
            .ok_or_else(|| Failure::new("AB0030", format!("the plan of run {} has no unit {id}", run.id)))
    }

    /// Who asks about a unit's commit: its worker, or the person who proposed it.
    pub(super) fn author(&self, run: &Run, unit: &Unit) -> Result<Subject, Failure> {
        let spec = self.spec(run, &unit.plan.id)?;
        Ok(match &unit.plan.component {
            Some(component) => super::worker(run, &spec.worker, component),
            None => proposer(run, &spec),
        })
    }
}

/// The files of commit `base` as a worker sees them. They are there as long as the first of the two is.
pub(crate) fn shown(
    repo: &Repo,
    base: &Oid,
    scratch: &Path,
    policy: &Policy,
) -> Result<(Workspace, DirWorkspace), Failure> {
    let files = Workspace::of_commit(repo, base, scratch, Links::AsFiles, WORKSPACE)
        .map_err(|error| Failure::of(error.code(), error))?;
    let dir = files.dir().map_err(|error| Failure::of(error.code(), error))?;
    let view = DirWorkspace::open(dir, policy.workspace.clone())
        .map_err(|error| Failure::of(error.code(), error))?;
    Ok((files, view))
}

/// How a run ended, in a sentence.
pub(crate) fn told(result: &RunResult) -> String {
    match result {
        RunResult::Proposed(_) => "it proposed a change".to_owned(),
        RunResult::Failed(failure) => failure.message.clone(),
        RunResult::Refused(refusal) => refusal.to_string(),
        RunResult::Trapped(trap) => format!("it was stopped ({:?}): {}", trap.kind, trap.message),
        RunResult::Rejected(rejection) => rejection.to_string(),
    }
}

fn proposer(run: &Run, spec: &UnitSpec) -> Subject {
    let id = spec.params.get("by").cloned().unwrap_or_default();
    Subject {
        kind: SubjectKind::Human,
        id,
        role: "author".to_owned(),
        component: None,
        on_behalf_of: Some(run.started.sponsor.clone()),
        history: None,
    }
}

fn work_branch(run: &Run, unit: &str) -> Result<RefName, Failure> {
    RefName::branch(&format!("ab/{}/{unit}", run.id)).map_err(|error| Failure::of("AB0300", error))
}

/// The unit's state.
pub(super) fn unit_of<'r>(run: &'r Run, id: &str) -> Result<&'r Unit, Failure> {
    run.unit(id).ok_or_else(|| Failure::new("AB0030", format!("run {} has no unit {id}", run.id)))
}
