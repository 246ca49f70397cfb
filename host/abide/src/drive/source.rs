//! Sources in a run: what a task of one brought back is measured and written down, and policy is asked whether the source may stay where it is.

use abide_core::action::HoldSource;
use abide_core::canonical;
use abide_core::decision::Verdict;
use abide_core::event::{Body, SourceDemoted, SourcePromoted, SourceSampled};
use abide_core::id::{Digest, Oid, RepoPath, Seq};
use abide_core::patch::{PatchDoc, PatchLimits};
use abide_core::plan::UnitSpec;
use abide_core::safe_text;
use abide_core::source::SourceCase;
use abide_core::spine::Run;
use abide_gate::{Admission, Ask};
use abide_sandbox::{RunOutcome, RunResult};

use super::{Answer, Drive, work};
use crate::cli::printer::Tone;
use crate::desk::Payload;
use crate::report::Failure;
use crate::sources::sample::{self, About, Came};
use crate::sources::{Definitions, Life, RULES};

/// LIMIT: bytes of one file of records.
const RECORDS_BYTES_MAX: u64 = 64 << 20;

/// A source that a unit reads.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    /// Digest of its definition.
    definition: Digest,
    /// What the log says of it.
    life: Life,
}

impl Reads {
    /// As policy is told before anything is asked for.
    pub(super) fn case(&self, spec: &UnitSpec) -> Option<SourceCase> {
        self.life.case(spec, &self.definition, None)
    }
}

/// A source that lost its place by a task.
#[derive(Debug)]
pub(super) struct Fallen {
    /// The decision that would not let it stay.
    pub(super) decision: Seq,
    /// The rule that stands against it.
    pub(super) rule: String,
}

/// Requests of a task that were refused.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refusals {
    /// All of them.
    pub(super) all: u64,
    /// Those that `robots.txt` forbids.
    pub(super) by_robots: u64,
}

impl Drive<'_> {
    /// The source that the unit reads, if it names one.
    pub(super) fn reads(&self, spec: &UnitSpec) -> Result<Option<Reads>, Failure> {
        if spec.source.is_none() {
            return Ok(None);
        }
        let definition = spec.definition().map_err(|error| Failure::of("AB0124", error))?;
        let life = Life::of(self.desk, &definition)?;
        Ok(Some(Reads { definition, life }))
    }

    /// Measures what a task of a source brought back, writes it down, and asks whether the source may stay where it is. Where it may not, nothing of the task goes on.
    pub(super) fn judge_source(
        &self,
        run: &Run,
        spec: &UnitSpec,
        reads: &Reads,
        (base, outcome): (&Oid, &RunOutcome),
        refusals: Refusals,
    ) -> Result<Option<Fallen>, Failure> {
        let about = About {
            unit: spec.id.clone(),
            source: spec.source.as_ref().map(|claim| claim.name.clone()).unwrap_or_default(),
            refused: refusals.all,
            forbidden: refusals.by_robots,
            wall_ms: outcome.spent.wall_ms,
        };
        let path = spec.params.get("path").cloned().unwrap_or_default();
        let file = self.records_of(spec, base, outcome, &path)?;
        let came = match &file {
            Ok((bytes, is_new)) => Came::To { path: &path, bytes, is_new: *is_new },
            Err((code, why)) => Came::Nothing { code: code.clone(), why: why.clone() },
        };
        let before = reads.life.newest_records().map(|digest| self.desk.payload(digest)).transpose()?;
        let key = sample::key_of(&self.hints(spec, base)?);
        let sample = sample::measure(&about, &reads.definition, &came, before.as_deref(), &key)?;
        let kept = match (&came, &sample.records) {
            (Came::To { bytes, .. }, Some(_)) => vec![Payload::bytes("records", bytes.to_vec())],
            (Came::To { .. } | Came::Nothing { .. }, _) => Vec::new(),
        };
        self.tell(&sample);
        self.deed(run, &Body::SourceSampled(Box::new(sample)), kept)?;
        self.keep_source(run, spec, &reads.definition)
    }

    fn tell(&self, sample: &SourceSampled) {
        let source = safe_text::line(&sample.source);
        if let Some(why) = &sample.why {
            let code = sample.code.as_deref().unwrap_or_default();
            return self.story.beat("source", Tone::Bad, "failed", &format!("{source}: {why} [{code}]"));
        }
        let told = format!(
            "{source}: {} records, {}‰ filled, +{} ~{} −{}, {} refused, {} ms",
            sample.count.0,
            sample.filled_permille.0,
            sample.added.0,
            sample.changed.0,
            sample.vanished.0,
            sample.refused.0,
            sample.wall_ms.0
        );
        self.story.beat("source", Tone::Good, "read", &told);
    }

    /// The file of records after the task, and whether it is another than before; or the code and the reason why there is none.
    #[expect(clippy::type_complexity, reason = "a file, or why there is none")]
    fn records_of(
        &self,
        spec: &UnitSpec,
        base: &Oid,
        outcome: &RunOutcome,
        path: &str,
    ) -> Result<Result<(Vec<u8>, bool), (String, String)>, Failure> {
        let none = |code: &str, why: String| Ok(Err((code.to_owned(), why)));
        let Ok(at) = path.parse::<RepoPath>() else {
            return none("AB0887", format!("`path` of source {} is no path", spec.title));
        };
        match &outcome.result {
            RunResult::Proposed(proposal) => {
                let bytes = canonical::jcs(&proposal.patch).map_err(|error| Failure::of("AB0124", error))?;
                let doc = match PatchDoc::parse(&bytes, &PatchLimits::CEILING) {
                    Ok(doc) => doc,
                    Err(error) => return none(error.code(), error.to_string()),
                };
                let scratch = self.scratch_store()?;
                let tree = match scratch.apply(base, &doc, &PatchLimits::CEILING) {
                    Ok(tree) => tree,
                    Err(error) => return none(error.code(), error.to_string()),
                };
                let fault = |error: abide_effects::forge::ReadError| Failure::of(error.code(), error);
                let base_tree = scratch.commit(base).map_err(fault)?.tree;
                let delta =
                    scratch.delta(&base_tree, &tree, self.desk.policy.meter.limits()).map_err(fault)?;
                let entry = delta.entries().iter().find(|entry| entry.path() == at.as_str().as_bytes());
                let bytes = entry.and_then(|entry| entry.new_side()?.bytes().map(<[u8]>::to_vec));
                match bytes {
                    Some(bytes) => Ok(Ok((bytes, true))),
                    None => none("AB0887", format!("it proposed something else than `{path}`")),
                }
            }
            RunResult::Failed(failure) if failure.code().is_none() => {
                let file = self.repo.read_blob_at(base, &at, RECORDS_BYTES_MAX);
                match file.map_err(|error| Failure::of(error.code(), error))? {
                    Some(bytes) => Ok(Ok((bytes, false))),
                    None => none("AB0887", format!("it proposed nothing, and there is no `{path}`")),
                }
            }
            RunResult::Failed(_) | RunResult::Refused(_) | RunResult::Trapped(_) | RunResult::Rejected(_) => {
                none(outcome.result.code().unwrap_or("AB0811"), work::told(&outcome.result))
            }
        }
    }

    /// The hints of a definition, which stand in it or in a file of the base.
    fn hints(&self, spec: &UnitSpec, base: &Oid) -> Result<Vec<u8>, Failure> {
        let Some(hints) = spec.params.get("hints") else { return Ok(Vec::new()) };
        if hints.trim_start().starts_with('{') {
            return Ok(hints.clone().into_bytes());
        }
        let Ok(at) = hints.parse::<RepoPath>() else { return Ok(Vec::new()) };
        let file = self.repo.read_blob_at(base, &at, RECORDS_BYTES_MAX);
        Ok(file.map_err(|error| Failure::of(error.code(), error))?.unwrap_or_default())
    }

    /// Asks whether a source may stay where it is after what was measured. Where rules about sources say no, it is demoted; a gate that fails, or a rule about
    /// something else, takes nobody's place.
    fn keep_source(
        &self,
        run: &Run,
        spec: &UnitSpec,
        definition: &Digest,
    ) -> Result<Option<Fallen>, Failure> {
        let life = Life::of(self.desk, definition)?;
        if !life.has_place() {
            return Ok(None);
        }
        let case = life.case(spec, definition, Some(life.state));
        let (decision, seq) = match self.desk.admit(
            HoldSource { run: run.id.clone(), source: case },
            Ask { unit: None, ..self.ask(run, super::service(run)) },
        )? {
            Admission::Allow { permit, decision, seq } => {
                super::redeem(permit)?;
                (decision, seq)
            }
            Admission::Review { decision, seq, .. } | Admission::Deny { decision, seq } => (decision, seq),
        };
        self.last.set(Some(seq));
        let mut reasons: Vec<String> = decision
            .findings
            .iter()
            .filter(|finding| finding.rule.starts_with(RULES))
            .map(|finding| format!("{}: {}", finding.rule, safe_text::line(&finding.msg)))
            .collect();
        reasons.dedup();
        if decision.verdict != Verdict::Deny || reasons.is_empty() {
            return Ok(None);
        }
        let name = spec.source.as_ref().map(|claim| claim.name.clone()).unwrap_or_default();
        self.story.beat("source", Tone::Bad, "demoted", &format!("{name}: {}", reasons.join("; ")));
        let body = Body::SourceDemoted(Box::new(SourceDemoted {
            source: name,
            definition: definition.clone(),
            from: life.state,
            denied: Some(seq.into()),
            by: "policy".to_owned(),
            reasons,
        }));
        self.deed(run, &body, vec![])?;
        let lead = decision.findings.into_iter().find(|finding| finding.rule.starts_with(RULES));
        Ok(lead.map(|finding| Fallen { decision: seq, rule: finding.rule }))
    }

    /// Asks for the source that the unit names to come further. What it is, the target branch says, not the ticket.
    pub(super) fn promote_source(&self, run: &Run, spec: &UnitSpec) -> Result<(), Failure> {
        let param = |name: &str| spec.params.get(name).map_or("", String::as_str);
        let refuse = |why: &str| self.refuse_patch(run, &spec.id, "AB0886", why);
        let defined = Definitions::at(self.repo, self.config, &self.head(run)?)?;
        let Some(defined) = defined.by_name.get(param("source")) else {
            return refuse("the target branch does not define it any more");
        };
        if defined.definition.as_str() != param("definition") {
            return refuse(
                "the target branch defines it otherwise since then; ab source show tells how it stands",
            );
        }
        let life = Life::of(self.desk, &defined.definition)?;
        let Some(to) = life.state.next() else { return refuse("it is active already") };
        let source = life.case(&defined.unit, &defined.definition, Some(to));
        let action = HoldSource { run: run.id.clone(), source };
        let ask = self.ask(run, super::service(run));
        let Answer::Go { permit, seq, .. } = self.admit(run, action, ask, Some(&spec.id))? else {
            return Ok(());
        };
        super::redeem(permit)?;
        self.story.beat("source", Tone::Good, to.as_str(), defined.name());
        let body = Body::SourcePromoted(Box::new(SourcePromoted {
            unit: spec.id.clone(),
            decision: seq.into(),
            source: defined.name().to_owned(),
            definition: defined.definition.clone(),
            from: life.state,
            to,
        }));
        self.note(run, &body, vec![]).map(drop)
    }
}
