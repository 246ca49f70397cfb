//! What a policy would have decided about changes that were made long ago.
//!
//! Every change is put as the same question: a worker asks to merge it, required checks have passed, the way back was rehearsed, and nobody
//! has approved. What would have merged by itself counts into the window of its author, as it does in earnest.

pub(crate) mod corpus;
pub(crate) mod history;
pub(crate) mod page;
pub(crate) mod report;
pub(crate) mod tally;

use std::collections::BTreeMap;
use std::thread;

use abide_core::action::{Action as _, Merge};
use abide_core::decision::{Decision, FindingLevel, Verdict};
use abide_core::facts::{Facts, Meter, WindowFacts};
use abide_core::id::{Digest, Oid, RefName, RepoId, RunId};
use abide_core::input::{
    ActionInput, BudgetInput, CanaryInput, CheckInput, PolicyInput, RollbackInput, RunInput, RunMode,
    SafetyLevel, SafetyMode, Subject, SubjectKind, Target,
};
use abide_core::risk::RiskConfig;
use abide_gate::{Judge, Question};

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
    /// The whole decision.
    pub(crate) decision: Decision,
    /// What was asked, if it was to be kept.
    pub(crate) input: Option<Box<PolicyInput>>,
}

/// Decides about every change, by all cores: changes of different authors do not touch each other.
pub(crate) fn decide(
    policy: &Policy,
    judge: &dyn Judge,
    past: &Past,
    asked: &Asked,
) -> Result<Vec<Outcome>, Failure> {
    let mut authors: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, change) in past.changes.iter().enumerate() {
        authors.entry(&change.author).or_default().push(place);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<usize>> = vec![Vec::new(); cores];
    let mut by_size: Vec<Vec<usize>> = authors.into_values().collect();
    by_size.sort_by_key(|places| std::cmp::Reverse(places.len()));
    for places in by_size {
        if let Some(least) = shares.iter_mut().min_by_key(|share| share.len()) {
            least.extend(places);
        }
    }
    let results = thread::scope(|scope| {
        let threads: Vec<_> = shares
            .iter()
            .map(|share| scope.spawn(move || decide_share((policy, judge), past, asked, share)))
            .collect();
        let died = |_| Failure::new("AB0171", "a thread of the replay died".to_owned());
        threads.into_iter().map(|thread| thread.join().map_err(died)?).collect::<Result<Vec<_>, Failure>>()
    })?;
    let mut outcomes: Vec<(usize, Outcome)> = results.into_iter().flatten().collect();
    outcomes.sort_by_key(|(place, _)| *place);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// `share` names the changes of some authors, those of each in the order of time.
fn decide_share(
    (policy, judge): (&Policy, &dyn Judge),
    past: &Past,
    asked: &Asked,
    share: &[usize],
) -> Result<Vec<(usize, Outcome)>, Failure> {
    let mut merged: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    let mut outcomes = Vec::new();
    for place in share {
        let Some(change) = past.changes.get(*place) else { continue };
        let own = merged.entry(&change.author).or_default();
        let since = change.at.saturating_sub(policy.window_hours.saturating_mul(3_600_000));
        own.retain(|earlier| earlier.at >= since);
        let facts = in_window(change, own, policy.window_hours);
        let put = |facts| {
            Question::new(input(&policy.risk, past, asked, change, facts)?)
                .map_err(|error| Failure::of("AB0124", error))
        };
        let question = put(facts.clone())?;
        let decision = judge.decide(&question);
        let is_kept = asked.kept.iter().any(|start| change.commit.as_str().starts_with(start));
        let input = is_kept.then(|| Box::new(question.input().clone()));
        let in_doubt = decision.verdict == Verdict::Review && !facts.unmeasured.is_empty();
        let if_clean = in_doubt
            && judge.decide(&put(Facts { unmeasured: Vec::new(), ..facts })?).verdict == Verdict::Allow;
        let outcome =
            Outcome { verdict: decision.verdict, rules: against(&decision), if_clean, decision, input };
        if outcome.verdict == Verdict::Allow || if_clean {
            own.push(change);
        }
        outcomes.push((*place, outcome));
    }
    Ok(outcomes)
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
fn against(decision: &Decision) -> Vec<String> {
    let grave = decision.findings.iter().filter(|finding| finding.level > FindingLevel::Warn);
    let mut rules: Vec<(FindingLevel, &str)> =
        grave.map(|finding| (finding.level, finding.rule.as_str())).collect();
    rules.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    rules.dedup();
    rules.into_iter().map(|(_, rule)| rule.to_owned()).collect()
}

fn input(
    risk: &RiskConfig,
    past: &Past,
    asked: &Asked,
    change: &Change,
    facts: Facts,
) -> Result<PolicyInput, Failure> {
    let fixed = |error| Failure::of("AB0003", error);
    let target: RefName = "refs/heads/main".parse().map_err(fixed)?;
    let merge = Merge {
        repo: past.repo.clone(),
        target: target.clone(),
        expected: facts.base_tree.clone(),
        commit: change.commit.clone(),
        tree: facts.tree.clone(),
    };
    let digest = Digest::of(&merge.canonical().map_err(|error| Failure::of("AB0124", error))?);
    let run: RunId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().map_err(|error| Failure::of("AB0003", error))?;
    Ok(PolicyInput {
        schema: PolicyInput::SCHEMA.to_owned(),
        now: change.at,
        run: RunInput {
            id: run,
            goal: Digest::of(change.title.as_bytes()),
            ticket: None,
            mode: RunMode::Apply,
            attempt: 1,
            profile: asked.profile.clone(),
            halted: false,
            frozen: false,
            safety_mode: asked.mode,
            safety_level: asked.level,
            host_level_max: asked.level_max,
        },
        subject: Subject {
            kind: SubjectKind::Worker,
            id: "replay".to_owned(),
            role: "worker".to_owned(),
            component: None,
            on_behalf_of: Some(change.author.clone()),
        },
        action: ActionInput {
            class: Merge::CLASS,
            kind: Merge::KIND.to_owned(),
            digest,
            reason: "replay of a change that was made before".to_owned(),
            target: Target {
                repo: past.repo.clone(),
                branch: Some(target),
                protected: true,
                environment: None,
            },
            requests: Vec::new(),
        },
        risk: risk.assess(&facts),
        facts: Some(facts),
        checks: vec![CheckInput { name: "replay".to_owned(), outcome: "passed".to_owned(), required: true }],
        approvals: Vec::new(),
        budget: BudgetInput::default(),
        rollback: RollbackInput { kind: "git-revert".to_owned(), rehearsed: true, trusted: true },
        canary: CanaryInput { state: "none".to_owned(), ..CanaryInput::default() },
    })
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
