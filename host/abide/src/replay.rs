//! What a policy would have decided about changes that were made long ago.
//!
//! Every change is put as the same question: a worker asks to merge it, required checks have passed, the way back was rehearsed, and nobody
//! has approved. What would have merged by itself counts into the window of its author, as it does in earnest.

pub(crate) mod corpus;
pub(crate) mod history;
pub(crate) mod page;
pub(crate) mod report;
pub(crate) mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use abide_core::action::{Action as _, ActionClass, Merge};
use abide_core::decision::{Decision, Finding, FindingLevel, Verdict};
use abide_core::facts::{Facts, Meter, WindowFacts};
use abide_core::id::{Digest, Oid, RepoId, RunId};
use abide_core::input::{
    ActionInput, CheckInput, PolicyInput, RunInput, SafetyLevel, SafetyMode, Subject, Target,
};
use abide_core::risk::RiskConfig;
use abide_gate::{Judge, Opinion, Question};

use crate::example;
use crate::policy::Policy;
use crate::report::Failure;

/// One past change.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Its commit.
    pub(crate) commit: Oid,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Who made it.
    pub(crate) author: String,
    /// First line of its message.
    pub(crate) title: String,
    /// What was measured; its window is that of this change alone.
    pub(crate) facts: Facts,
    /// The commit that took it back, if one did.
    pub(crate) reverted_by: Option<String>,
}

/// Changes, the oldest first, and where they come from.
#[derive(Debug)]
pub(crate) struct Past {
    /// The repository.
    pub(crate) repo: RepoId,
    /// For the headline, for example `the last 500 commits of main`.
    pub(crate) origin: String,
    /// The changes.
    pub(crate) changes: Vec<Change>,
    /// Changes that could not be read, each told.
    pub(crate) unread: Vec<String>,
    /// The same past under a name that cannot move.
    pub(crate) fixed: Fixed,
}

impl Past {
    /// The changes that both could read, in the same places: what one of two policies cannot measure is compared by neither.
    pub(crate) fn both(mut self, mut other: Self) -> (Self, Self) {
        let commits =
            |past: &Self| past.changes.iter().map(|change| change.commit.clone()).collect::<BTreeSet<_>>();
        let (ours, theirs) = (commits(&self), commits(&other));
        let told = |commit: &Oid| format!("{}: the other policy cannot measure it", commit.short());
        self.unread.extend(ours.difference(&theirs).map(told));
        self.changes.retain(|change| theirs.contains(&change.commit));
        other.changes.retain(|change| ours.contains(&change.commit));
        (self, other)
    }
}

/// A past under a name that cannot move, so that a replay can be repeated.
#[derive(Debug, Clone)]
pub(crate) enum Fixed {
    /// A range of commits, as `--git` takes it.
    Range(String),
    /// A file with this digest.
    File(Digest),
}

/// Who decides, how.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Name of the profile.
    pub(crate) profile: String,
    /// How findings count.
    pub(crate) mode: SafetyMode,
    /// Which thresholds apply.
    pub(crate) level: SafetyLevel,
    /// The highest autonomy level.
    pub(crate) level_max: u8,
    /// First letters of commits whose questions are kept.
    pub(crate) kept: Vec<String>,
}

/// What would have been decided about one change.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Rules that stand against it, the gravest first, without those that only warn.
    pub(crate) rules: Vec<String>,
    /// Whether it would have merged by itself if what was not measured were clean.
    pub(crate) if_clean: bool,
    /// All that rules found.
    pub(crate) findings: Vec<Finding>,
    /// What was asked and the whole decision, if they were to be kept.
    pub(crate) kept: Option<Box<(PolicyInput, Decision)>>,
}

/// Changes of one author, each within the window of one before it: what merged of the one counts for the other. Places in [`Past::changes`].
type Chain = Vec<usize>;

/// Blocks of chains for each core: few enough that many questions are judged on one thread, one after the other, and enough that all cores are
/// busy to the end.
const BLOCKS_PER_CORE: usize = 8;

/// Decides about every change by all cores: chains do not touch each other. `judge` judges by `policy`.
pub(crate) fn decide(
    policy: &Policy,
    judge: &dyn Judge,
    past: &Past,
    asked: &Asked,
) -> Result<Vec<Outcome>, Failure> {
    let chains = chains(past, policy.window_hours);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let blocks = blocks(&chains, past.changes.len().div_ceil(cores.saturating_mul(BLOCKS_PER_CORE)));
    let plain = plain(policy, past, asked)?;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            outcomes.extend(side_by_side((policy, judge), past, asked, &plain, block)?);
        }
        Ok(outcomes)
    };
    let results = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let died = |_| Failure::new("AB0171", "a thread of the replay died".to_owned());
        threads.into_iter().map(|thread| thread.join().map_err(died)?).collect::<Result<Vec<_>, Failure>>()
    })?;
    let mut outcomes: Vec<(usize, Outcome)> = results.into_iter().flatten().collect();
    outcomes.sort_by_key(|(place, _)| *place);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The longest first, so that those that are decided side by side end together.
fn chains(past: &Past, hours: u64) -> Vec<Chain> {
    let mut authors: BTreeMap<&str, Vec<(Chain, u64)>> = BTreeMap::new();
    for (place, change) in past.changes.iter().enumerate() {
        let own = authors.entry(&change.author).or_default();
        match own.last_mut() {
            // Nothing before it is in its window, nor in any later one's: such a change begins a chain.
            Some((chain, latest)) if *latest >= since(change, hours) => {
                chain.push(place);
                *latest = change.at.max(*latest);
            }
            _ => own.push((vec![place], change.at)),
        }
    }
    let mut chains: Vec<Chain> = authors.into_values().flatten().map(|(chain, _)| chain).collect();
    chains.sort_by_key(|chain| std::cmp::Reverse(chain.len()));
    chains
}

/// Chains that are decided side by side, about `weight` changes of them in a block: a long chain has one to itself.
fn blocks(chains: &[Chain], weight: usize) -> Vec<&[Chain]> {
    let mut sum = 0_usize;
    let mut full = move |chain: &Chain| {
        sum = sum.saturating_add(chain.len());
        let is_full = sum >= weight;
        if is_full {
            sum = 0;
        }
        is_full
    };
    chains.split_inclusive(move |chain| full(chain)).collect()
}

fn since(change: &Change, hours: u64) -> u64 {
    change.at.saturating_sub(hours.saturating_mul(3_600_000))
}

/// Decides about some chains: about the first change of each, then about the second, and so on.
fn side_by_side(
    (policy, judge): (&Policy, &dyn Judge),
    past: &Past,
    asked: &Asked,
    plain: &PolicyInput,
    chains: &[Chain],
) -> Result<Vec<(usize, Outcome)>, Failure> {
    let mut merged: Vec<Vec<&Change>> = vec![Vec::new(); chains.len()];
    let longest = chains.iter().map(Vec::len).max().unwrap_or_default();
    let mut outcomes = Vec::new();
    for step in 0..longest {
        let mut round = Vec::new();
        for (chain, own) in chains.iter().zip(&mut merged) {
            let place = chain.get(step).copied();
            let Some((place, change)) = place.and_then(|at| Some((at, past.changes.get(at)?))) else {
                continue;
            };
            own.retain(|earlier| earlier.at >= since(change, policy.window_hours));
            let facts = in_window(change, own, policy.window_hours);
            round.push((place, change, own, input(plain, &policy.risk, change, facts)?));
        }
        let inputs: Vec<PolicyInput> = round.iter().map(|(_, _, _, input)| input.clone()).collect();
        let opinions = judge.opinions(inputs);
        let clean = if_clean((policy, judge), round.iter().map(|(_, _, _, input)| input).zip(&opinions));
        for (((place, change, own, input), opinion), if_clean) in round.into_iter().zip(opinions).zip(clean) {
            if opinion.verdict == Verdict::Allow || if_clean {
                own.push(change);
            }
            let is_kept = asked.kept.iter().any(|start| change.commit.as_str().starts_with(start));
            let kept = is_kept.then(|| decided(judge, input)).transpose()?;
            let (verdict, rules) = (opinion.verdict, against(&opinion.findings));
            let outcome = Outcome { verdict, rules, if_clean, findings: opinion.findings, kept };
            outcomes.push((place, outcome));
        }
    }
    Ok(outcomes)
}

/// Whether each would merge by itself if what was not measured were clean.
fn if_clean<'a>(
    (policy, judge): (&Policy, &dyn Judge),
    asked: impl Iterator<Item = (&'a PolicyInput, &'a Opinion)>,
) -> Vec<bool> {
    let (mut doubted, mut clean) = (Vec::new(), Vec::new());
    for (place, (input, opinion)) in asked.enumerate() {
        clean.push(false);
        let Some(facts) = input.facts.as_ref().filter(|facts| !facts.unmeasured.is_empty()) else { continue };
        if opinion.verdict != Verdict::Review {
            continue;
        }
        let facts = Facts { unmeasured: Vec::new(), ..facts.clone() };
        let risk = policy.risk.assess(&facts);
        doubted.push((place, PolicyInput { risk, facts: Some(facts), ..input.clone() }));
    }
    let (places, inputs): (Vec<usize>, Vec<PolicyInput>) = doubted.into_iter().unzip();
    for (place, opinion) in places.into_iter().zip(judge.opinions(inputs)) {
        if let Some(clean) = clean.get_mut(place) {
            *clean = opinion.verdict == Verdict::Allow;
        }
    }
    clean
}

/// The whole decision.
fn decided(judge: &dyn Judge, input: PolicyInput) -> Result<Box<(PolicyInput, Decision)>, Failure> {
    let question = Question::new(input).map_err(|error| Failure::of("AB0124", error))?;
    let decision = judge.decide(&question);
    Ok(Box::new((question.input().clone(), decision)))
}

fn in_window(change: &Change, earlier: &[&Change], hours: u64) -> Facts {
    let window = WindowFacts { hours, ..WindowFacts::default() };
    let window = earlier
        .iter()
        .chain([&change])
        .fold(window, |window, change| window.and_this(&change.facts.totals, &change.facts.by_zone()));
    Facts { window, ..change.facts.clone() }
}

/// The rules that stand against it, the gravest first.
fn against(findings: &[Finding]) -> Vec<String> {
    let grave = findings.iter().filter(|finding| finding.level > FindingLevel::Warn);
    let mut rules: Vec<(FindingLevel, &str)> =
        grave.map(|finding| (finding.level, finding.rule.as_str())).collect();
    rules.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    rules.dedup();
    rules.into_iter().map(|(_, rule)| rule.to_owned()).collect()
}

/// What every change of a replay is asked with: the example of a merge, put by a worker of this name.
fn plain(policy: &Policy, past: &Past, asked: &Asked) -> Result<PolicyInput, Failure> {
    let example = example::input(ActionClass::Merge, &asked.profile, &policy.meter, &policy.risk)?;
    let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().map_err(|error| Failure::of("AB0003", error))?;
    let run = RunInput {
        id: run,
        ticket: None,
        safety_mode: asked.mode,
        safety_level: asked.level,
        host_level_max: asked.level_max,
        ..example.run
    };
    let target = Target { repo: past.repo.clone(), ..example.action.target };
    let reason = "replay of a change that was made before".to_owned();
    let action = ActionInput { reason, target, ..example.action };
    let subject = Subject { id: "replay".to_owned(), component: None, on_behalf_of: None, ..example.subject };
    let checks = vec![CheckInput {
        name: "replay".to_owned(),
        outcome: "passed".to_owned(),
        required: true,
        walls: Vec::new(),
    }];
    Ok(PolicyInput { run, subject, action, checks, facts: None, ..example })
}

/// The question about one change.
fn input(
    plain: &PolicyInput,
    risk: &RiskConfig,
    change: &Change,
    facts: Facts,
) -> Result<PolicyInput, Failure> {
    let mut input = plain.clone();
    let target = input.action.target.branch.clone();
    let merge = Merge {
        repo: input.action.target.repo.clone(),
        target: target.ok_or_else(|| Failure::new("AB0171", "the example of a merge has no target"))?,
        expected: facts.base_tree.clone(),
        commit: change.commit.clone(),
        tree: facts.tree.clone(),
    };
    input.action.digest = Digest::of(&merge.canonical().map_err(|error| Failure::of("AB0124", error))?);
    input.now = change.at;
    input.run.goal = Digest::of(change.title.as_bytes());
    input.subject.on_behalf_of = Some(change.author.clone());
    input.risk = risk.assess(&facts);
    input.facts = Some(facts);
    Ok(input)
}

/// The rule of thumb that most tools ship: documentation and tests, told by their paths, merge by themselves.
pub(crate) fn naive(facts: &Facts) -> bool {
    let plain = |category: &String| ["docs", "tests"].contains(&category.as_str());
    !facts.files.is_empty() && facts.files.iter().all(|file| file.categories.iter().any(plain))
}

/// Measures one change that lies as trees in a repository.
pub(crate) fn measured(meter: &Meter, delta: &abide_core::facts::TreeDelta) -> Facts {
    meter.measure(delta, WindowFacts::default())
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]
mod tests;
