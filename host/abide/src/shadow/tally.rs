//! What a candidate said, put together from the log.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::decision::Verdict;
use abide_core::event::{Body, Event, ShadowDiffered};
use abide_core::id::{Digest, RunId, Seq};

use super::candidate::Started;
use crate::desk::Log;
use crate::report::Failure;

/// How a candidate differs; what would let more through comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// It would deny what was allowed, or the like: from one verdict to another, by its rank in the report.
    Verdict(Verdict, Verdict),
    /// The same verdict for another leading reason.
    Rule,
    /// It gave no clean answer.
    Failed,
}

impl Way {
    /// Of one difference.
    pub(crate) fn of(one: &ShadowDiffered) -> Self {
        if one.fault.is_some() {
            Self::Failed
        } else if one.live == one.verdict {
            Self::Rule
        } else {
            Self::Verdict(one.live, one.verdict)
        }
    }

    /// In words.
    pub(crate) fn told(self) -> String {
        match self {
            Self::Verdict(live, said) => format!("{} → {}", live.as_str(), said.as_str()),
            Self::Rule => "other rule".to_owned(),
            Self::Failed => "no answer".to_owned(),
        }
    }

    /// Where it stands in a report.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Verdict(Verdict::Deny, Verdict::Allow) => 0,
            Self::Verdict(Verdict::Review, Verdict::Allow) => 1,
            Self::Verdict(Verdict::Deny, _) => 2,
            Self::Verdict(Verdict::Allow, Verdict::Deny) => 3,
            Self::Verdict(Verdict::Review, _) => 4,
            Self::Verdict(Verdict::Allow, _) => 5,
            Self::Failed => 6,
            Self::Rule => 7,
        }
    }
}

/// One difference with where it happened.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    /// What was said.
    pub(crate) said: ShadowDiffered,
    /// The action, as `CLASS kind`.
    pub(crate) action: String,
    /// The run.
    pub(crate) run: Option<RunId>,
    /// The bundle that judged.
    pub(crate) bundle: Option<Digest>,
}

/// Everything about one candidate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Decisions since it was started.
    pub(crate) decisions: usize,
    /// Those where it agreed.
    pub(crate) agreed: usize,
    /// Those where it did not, what would let more through first.
    pub(crate) differed: Vec<Difference>,
    /// Runs that were judged.
    pub(crate) runs: BTreeSet<RunId>,
    /// Decisions that it answered.
    pub(crate) answered: BTreeSet<Seq>,
    /// The bundle that judged last.
    pub(crate) bundle: Option<Digest>,
    /// Why decisions were not judged, where that is known.
    pub(crate) why: BTreeSet<String>,
}

impl Tally {
    /// Of the candidate that `started`, from the log.
    pub(crate) fn of(log: &Log, started: &Started) -> Result<Self, Failure> {
        let events = log.of_kinds(&["DecisionRecorded", "ShadowJudged"])?;
        let end = started.stopped.map_or(u64::MAX, |seq| seq.0);
        let decisions: BTreeMap<u64, &Event> = events
            .iter()
            .filter(|(seq, event)| {
                seq.0 > started.seq.0 && seq.0 < end && matches!(event.body, Body::DecisionRecorded(_))
            })
            .map(|(seq, event)| (seq.0, event))
            .collect();
        let mut tally = Self { decisions: decisions.len(), ..Self::default() };
        for (seq, event) in &events {
            let Body::ShadowJudged(judged) = &event.body else { continue };
            if *seq < started.seq || judged.candidate != started.record.candidate {
                continue;
            }
            tally.agreed = tally.agreed.saturating_add(judged.agreed.len());
            tally.why.extend(judged.why.clone());
            tally.bundle = judged.bundle.clone().or(tally.bundle);
            tally.answered.extend(judged.agreed.iter().map(|one| Seq(one.0)));
            tally.answered.extend(judged.differed.iter().map(|one| Seq(one.decision.0)));
            for one in &judged.agreed {
                tally.runs.extend(decisions.get(&one.0).and_then(|event| event.run.clone()));
            }
            for one in &judged.differed {
                let Some(event) = decisions.get(&one.decision.0) else { continue };
                let Body::DecisionRecorded(record) = &event.body else { continue };
                tally.runs.extend(event.run.clone());
                tally.differed.push(Difference {
                    said: one.clone(),
                    action: format!("{} {}", record.class, record.kind),
                    run: event.run.clone(),
                    bundle: judged.bundle.clone(),
                });
            }
        }
        tally.differed.sort_by_key(|one| (Way::of(&one.said).rank(), one.said.decision));
        Ok(tally)
    }

    /// Decisions that the candidate was asked about and answered.
    pub(crate) fn judged(&self) -> usize {
        self.agreed.saturating_add(self.differed.len())
    }

    /// What the candidate said about the decision at `seq`.
    pub(crate) fn about(&self, seq: Seq) -> Option<&Difference> {
        self.differed.iter().find(|one| one.said.decision.0 == seq.0)
    }
}
