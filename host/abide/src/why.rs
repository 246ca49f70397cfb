//! Why a decision came out as it did, and which one change of a fact or of a datum would have made it another.
//!
//! Nothing here is guessed: each suggestion is the recorded question with one thing changed, put to the recorded policy again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use abide_core::decision::{Decision, FindingLevel, Obligation, Verdict};
use abide_core::facts::{Facts, TestFacts, Totals, WindowFacts};
use abide_core::input::{ApprovalInput, CheckInput, PolicyInput, RunMode, SafetyLevel, SafetyMode};
use abide_core::risk::RiskConfig;
use abide_gate::{BundleText, Judge, Question};
use serde_json::Value;

use crate::config::env::Env;
use crate::report::{Exit, Failure};
use crate::sealed::JudgeKind;

/// A rule that found something.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    /// Its id.
    pub(crate) rule: String,
    /// How grave.
    pub(crate) level: FindingLevel,
    /// What it said, once for each place.
    pub(crate) said: Vec<String>,
    /// Where it stands, as `file:line`; empty if its id is put together while judging.
    pub(crate) stands: Vec<String>,
    /// Data that it reads, with what is there.
    pub(crate) data: BTreeMap<String, Value>,
}

/// One change that makes another verdict.
#[derive(Debug, Clone)]
pub(crate) struct Flip {
    /// In words that finish «it would be … ».
    pub(crate) what: String,
    /// What it would be.
    pub(crate) verdict: Verdict,
}

/// A policy, and who judges by it and by what is like it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The policy, not loaded.
    pub(crate) bundle: &'a BundleText,
    /// Who judges: behind the wall where nobody trusts the policy.
    pub(crate) kind: JudgeKind,
    /// What that takes.
    pub(crate) env: &'a Env,
}

impl Asked<'_> {
    fn judge(&self, text: BundleText) -> Result<Arc<dyn Judge>, Failure> {
        self.kind.over_text(self.env, text)
    }
}

/// The highest level of the autonomy scale.
const LEVEL_MAX: u8 = 5;
/// What a suggestion of a level says before its number.
const AT_LEVEL: &str = "if `autonomy_max` and the walls of the host allowed A";
/// Files of a change that are left out one by one, at most.
const FILES_MAX: usize = 60;

/// The rules of `decision`, gravest first.
pub(crate) fn fired(bundle: &BundleText, decision: &Decision) -> Vec<Fired> {
    let mut rules: Vec<Fired> = Vec::new();
    for finding in &decision.findings {
        let path = finding.path.as_ref().map(|path| format!(" ({path})")).unwrap_or_default();
        let said = format!("{}{path}", finding.msg);
        if let Some(known) =
            rules.iter_mut().find(|known| known.rule == finding.rule && known.level == finding.level)
        {
            known.said.push(said);
            continue;
        }
        let blocks = blocks(bundle, &finding.rule);
        let data = blocks.iter().flat_map(|(_, text)| read_data(text, bundle.data())).collect();
        let stands = blocks.into_iter().map(|(place, _)| place).collect();
        rules.push(Fired {
            rule: finding.rule.clone(),
            level: finding.level,
            said: vec![said],
            stands,
            data,
        });
    }
    rules.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.rule.cmp(&b.rule)));
    rules
}

/// Where rules with this id stand, and their texts.
fn blocks(bundle: &BundleText, rule: &str) -> Vec<(String, String)> {
    let wanted = format!("\"rule\": \"{rule}\"");
    let mut found = Vec::new();
    for (path, text) in bundle.modules() {
        let lines: Vec<&str> = text.lines().collect();
        for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.contains(&wanted)) {
            let is_head = |line: &&str| !line.is_empty() && !line.starts_with(['\t', ' ', '#', '}']);
            let head = (0..=number).rev().find(|at| lines.get(*at).is_some_and(is_head)).unwrap_or(number);
            let body = lines.iter().skip(head).take_while(|line| **line != "}").copied();
            found.push((format!("{path}:{}", head.saturating_add(1)), body.collect::<Vec<_>>().join("\n")));
        }
    }
    found
}

/// Paths of data that a text names, with their values.
fn read_data(text: &str, data: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("data.") {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        if text.get(..at).is_some_and(|before| before.ends_with(is_part)) {
            continue;
        }
        let path: String =
            text.get(at..).unwrap_or_default().chars().take_while(|letter| is_part(*letter)).collect();
        let parts: Vec<&str> = path.split('.').skip(1).filter(|part| !part.is_empty()).collect();
        let value = parts.iter().try_fold(data, |node, part| node.get(*part));
        if let (Some(value), false) = (value, parts.is_empty() || parts == ["hard", "enabled"]) {
            found.push((format!("data.{}", parts.join(".")), value.clone()));
        }
    }
    found
}

/// Every single change that makes another verdict, what is best for the change first.
/// `fired` are the rules of the decision, as [`fired`] finds them.
pub(crate) fn flips(
    asked: &Asked<'_>,
    input: &PolicyInput,
    decision: &Decision,
    fired: &[Fired],
) -> Result<Vec<Flip>, Failure> {
    let bundle = asked.bundle;
    let risk = RiskConfig::from_data(bundle.data())
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
    let judge = asked.judge(bundle.clone())?;
    let judged = |(what, other): &(String, PolicyInput)| {
        let mut other = other.clone();
        // Risk follows from the facts; where those are as they were, so is it.
        if let Some(facts) = other.facts.as_ref().filter(|_| other.facts != input.facts) {
            other.risk = risk.assess(facts);
        }
        let question = Question::new(other).map_err(|error| Failure::of("AB0124", error))?;
        let verdict = judge.decide(&question).verdict;
        Ok((verdict != decision.verdict).then(|| Flip { what: what.clone(), verdict }))
    };
    let mut found = on_all_cores(&candidates(bundle, input, decision), judged)?;
    lowest_level(&mut found);
    found.extend(by_data(asked, input, decision, fired)?);
    found.sort_by_key(|flip| flip.verdict);
    Ok(found)
}

/// Of the levels that make the same verdict, the lowest is enough.
fn lowest_level(found: &mut Vec<Flip>) {
    let mut told: Vec<Verdict> = Vec::new();
    found.retain(|flip| {
        let again = flip.what.starts_with(AT_LEVEL) && told.contains(&flip.verdict);
        if flip.what.starts_with(AT_LEVEL) {
            told.push(flip.verdict);
        }
        !again
    });
}

/// The question with one thing changed, and what that is.
fn candidates(bundle: &BundleText, input: &PolicyInput, decision: &Decision) -> Vec<(String, PolicyInput)> {
    let mut all = of_run(bundle, input);
    all.extend(approved(input, decision));
    for (place, check) in input.checks.iter().enumerate() {
        let passed = check.outcome == "passed";
        let mut other = input.clone();
        if let Some(check) = other.checks.get_mut(place) {
            if passed { "failed" } else { "passed" }.clone_into(&mut check.outcome);
        }
        all.push((
            format!("if check `{}` had {}", check.name, if passed { "failed" } else { "passed" }),
            other,
        ));
    }
    if !input.checks.iter().any(|check| check.required) {
        let check = CheckInput {
            name: "check".to_owned(),
            outcome: "passed".to_owned(),
            required: true,
            walls: Vec::new(),
        };
        let mut other = input.clone();
        other.checks.push(check);
        all.push(("if a required check had passed".to_owned(), other));
    }
    if let Some(facts) = &input.facts {
        all.extend(
            of_facts(facts)
                .into_iter()
                .map(|(what, facts)| (what, PolicyInput { facts: Some(facts), ..input.clone() })),
        );
    }
    all
}

fn of_run(bundle: &BundleText, input: &PolicyInput) -> Vec<(String, PolicyInput)> {
    let mut all = Vec::new();
    let mut add = |what: String, change: &dyn Fn(&mut PolicyInput)| {
        let mut other = input.clone();
        change(&mut other);
        if other != *input {
            all.push((what, other));
        }
    };
    add("if the kill switch were not pulled".to_owned(), &|input| input.run.halted = false);
    add("if merges were not frozen".to_owned(), &|input| input.run.frozen = false);
    add("in mode APPLY".to_owned(), &|input| input.run.mode = RunMode::Apply);
    add("with budget left".to_owned(), &|input| input.budget.exhausted = false);
    add("without a rehearsed way back".to_owned(), &|input| input.rollback.rehearsed = false);
    add("if the way back had been rehearsed".to_owned(), &|input| input.rollback.rehearsed = true);
    for level in input.run.host_level_max.saturating_add(1)..=LEVEL_MAX {
        add(format!("{AT_LEVEL}{level}"), &|input| input.run.host_level_max = level);
    }
    for mode in [SafetyMode::DenyByDefault, SafetyMode::Warn, SafetyMode::Allow] {
        add(format!("in safety mode `{}`", mode.as_str()), &|input| input.run.safety_mode = mode);
    }
    for (name, level) in
        [("high", SafetyLevel::High), ("medium", SafetyLevel::Medium), ("low", SafetyLevel::Low)]
    {
        add(format!("at safety level `{name}`"), &|input| input.run.safety_level = level);
    }
    let profiles = bundle.data().get("profiles").and_then(Value::as_object);
    for profile in profiles.into_iter().flat_map(serde_json::Map::keys) {
        add(format!("with profile `{profile}`"), &|input| input.run.profile.clone_from(profile));
    }
    all
}

fn approved(input: &PolicyInput, decision: &Decision) -> Option<(String, PolicyInput)> {
    let (count, roles) = decision.obligations.iter().find_map(|obligation| match obligation {
        Obligation::Approvals { count, roles, .. } => Some((*count, roles.clone())),
        Obligation::Canary { .. }
        | Obligation::Flag { .. }
        | Obligation::Redact { .. }
        | Obligation::Expire { .. } => None,
    })?;
    let role = roles.first().cloned().unwrap_or_default();
    let mut other = input.clone();
    other.approvals.extend((0..count).map(|number| ApprovalInput {
        by: format!("someone-{number}"),
        role: role.clone(),
        action: input.action.digest.clone(),
        at: input.now,
    }));
    Some((format!("with {count} approval(s) by {}", roles.join(", ")), other))
}

fn of_facts(facts: &Facts) -> Vec<(String, Facts)> {
    let mut all = Vec::new();
    let mut add = |what: &str, change: &dyn Fn(&mut Facts)| {
        let mut other = facts.clone();
        change(&mut other);
        if other != *facts {
            all.push((what.to_owned(), other));
        }
    };
    add("without the credential in it", &|facts| facts.secrets.clear());
    add("without the forbidden pattern", &|facts| facts.forbidden.clear());
    add("without the dependency changes", &|facts| facts.dependencies.clear());
    add("without what is hard to take back", &|facts| facts.destructive.clear());
    add("without the hidden characters", &|facts| facts.hazards.clear());
    add("without the colliding names", &|facts| facts.collisions.clear());
    add("if what was not measured were clean", &|facts| facts.unmeasured.clear());
    add("if no test had become weaker", &|facts| {
        facts.tests = TestFacts { added: facts.tests.added, ..TestFacts::default() };
    });
    add("if a test had come with it", &|facts| facts.tests.added = facts.tests.added.max(1));
    add("if nothing else had merged in the window", &|facts| {
        let window = WindowFacts { hours: facts.window.hours, ..WindowFacts::default() };
        facts.window = window.and_this(&facts.totals, &facts.by_zone());
    });
    if facts.files.len() > 1 {
        for file in facts.files.iter().take(FILES_MAX) {
            all.push((format!("without {}", file.path), without(facts, &file.path)));
        }
    }
    all
}

/// The facts of the change without one of its files.
fn without(facts: &Facts, path: &str) -> Facts {
    let mut other = facts.clone();
    other.files.retain(|file| file.path != path);
    other.secrets.retain(|found| found.path != path);
    other.forbidden.retain(|found| found.path != path);
    other.dependencies.retain(|found| found.path != path);
    other.destructive.retain(|found| found.path != path);
    other.hazards.retain(|found| found.path != path);
    other.tests.weakened.retain(|found| found.path != path);
    other.tests.files_removed.retain(|removed| removed != path);
    let names = |pick: fn(&abide_core::facts::FileFacts) -> &Vec<String>| {
        let mut names: Vec<String> = other.files.iter().flat_map(pick).cloned().collect();
        names.sort();
        names.dedup();
        names
    };
    (other.zones, other.categories) = (names(|file| &file.zones), names(|file| &file.categories));
    other.totals = other.files.iter().fold(Totals::default(), Totals::and);
    other
}

/// Data that a rule reads: numbers raised beyond every bound, lists emptied, truths turned.
fn by_data(
    asked: &Asked<'_>,
    input: &PolicyInput,
    decision: &Decision,
    fired: &[Fired],
) -> Result<Vec<Flip>, Failure> {
    let bundle = asked.bundle;
    let grave = fired.iter().filter(|rule| rule.level > FindingLevel::Warn);
    let paths: BTreeMap<&String, &Value> = grave.flat_map(|rule| &rule.data).collect();
    let tried: Vec<(String, Value)> =
        paths.into_iter().filter_map(|(path, value)| other_data(bundle, path, value)).collect();
    let question = Question::new(input.clone()).map_err(|error| Failure::of("AB0124", error))?;
    // Each is a policy of its own that must be loaded, which takes longer than asking it.
    on_all_cores(&tried, |(what, data)| {
        // Data that this policy does not take is no suggestion.
        let changed = BundleText::new(bundle.modules().clone(), data.clone());
        let Some(judge) = changed.ok().and_then(|changed| asked.judge(changed).ok()) else { return Ok(None) };
        let verdict = judge.decide(&question).verdict;
        Ok((verdict != decision.verdict).then(|| Flip { what: what.clone(), verdict }))
    })
}

/// What `judged` makes of each, in their order.
fn on_all_cores<T: Sync>(
    tried: &[T],
    judged: impl Fn(&T) -> Result<Option<Flip>, Failure> + Sync,
) -> Result<Vec<Flip>, Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = tried.len().div_ceil(cores).max(1);
    let work = |share: &[T]| {
        share.iter().filter_map(|one| judged(one).transpose()).collect::<Result<Vec<_>, Failure>>()
    };
    let found = thread::scope(|scope| {
        let threads: Vec<_> = tried.chunks(share).map(|share| scope.spawn(|| work(share))).collect();
        let died = |_| Failure::new("AB0171", "a thread that asked about a change died".to_owned());
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(died).flatten())
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// The data with one datum changed, and what that is in words; `None` for what has no obvious other value.
fn other_data(bundle: &BundleText, path: &str, value: &Value) -> Option<(String, Value)> {
    let (what, other) = match value {
        Value::Number(number) => {
            (format!("with a higher `{path}` (now {number})"), Value::from(1_000_000_000_u64))
        }
        Value::Array(_) => (format!("if `{path}` were empty"), Value::Array(Vec::new())),
        Value::Bool(truth) => (format!("if `{path}` were {}", !truth), Value::Bool(!truth)),
        Value::Null | Value::String(_) | Value::Object(_) => return None,
    };
    let mut data = bundle.data().clone();
    let pointer = format!("/{}", path.split('.').skip(1).collect::<Vec<_>>().join("/"));
    *data.pointer_mut(&pointer)? = other;
    Some((what, data))
}
