//! `ab policy replay`: what a policy would have decided about past changes.

mod again;
mod recorded;

use std::path::PathBuf;
use std::sync::Arc;

use abide_core::id::Oid;
use abide_core::input::{SafetyLevel, SafetyMode};
use abide_core::safe_text;
use abide_gate::Judge;
use clap::Args as ClapArgs;

use super::{Files, Which, level};
use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::policy::Policy;
use crate::replay::page::{self, Made};
use crate::replay::report;
use crate::replay::tally::{Column, way};
use crate::replay::{Asked, Past, corpus, decide, history, naive};
use crate::report::{Exit, Failure};
use crate::sealed::JudgeKind;
use crate::{repository, wiring};

/// What `--against` takes for the policy without the repository's own rules.
const SHIPPED: &str = "shipped";

/// `ab policy replay`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    which: Which,
    /// How many commits of the target branch to go back (first parents).
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..), conflicts_with_all = ["git", "corpus"])]
    history: usize,
    /// Commits of a range such as `v1.0..main` (first parents) instead.
    #[arg(long, value_name = "RANGE", conflicts_with = "corpus")]
    git: Option<String>,
    /// Changes from a file instead: JSON lines, compressed or not. It holds no contents, so what needs them counts as unmeasured.
    #[arg(long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// Decide anew what the log has decided since a day (2026-11-01), or `all`, and compare.
    #[arg(long, value_name = "SINCE", conflicts_with_all = ["git", "corpus", "history", "profile", "against", "show"])]
    ledger: Option<String>,
    /// Only these profiles; all of the policy if none is named.
    #[arg(long, value_name = "NAME")]
    profile: Vec<String>,
    /// Compare with the policy in another folder or bundle, or with `shipped`, which is without the repository's own rules: what it denied and
    /// this one allows comes first.
    #[arg(long, value_name = "FOLDER|BUNDLE")]
    against: Option<PathBuf>,
    /// Show the whole decision about a commit, as git would name it or by its first letters. May be given more than once.
    #[arg(long, value_name = "COMMIT")]
    show: Vec<String>,
    /// Who judges. If not given: `sealed`, which holds whatever a policy does, with --against, with --git and for a bundle in --dir; otherwise
    /// `native`, which is about twice as fast.
    #[arg(long, value_name = "KIND")]
    judge: Option<JudgeKind>,
    /// Write the replay to FILE as one HTML page for a review: with a chart, without scripts, the same bytes every time.
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    html: Option<PathBuf>,
}

pub(crate) fn run(shell: &Shell, args: &ReplayArgs) -> Result<Exit, Failure> {
    let kind = args.judge.unwrap_or_else(|| args.default_judge());
    let (policy, judge) = policy(shell, args, &args.which, kind)?;
    if let Some(since) = &args.ledger {
        let known = repository::open(shell, args.which.repo.as_deref())?;
        let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
        return recorded::run(shell, &log, &*judge, since);
    }
    let before = match &args.against {
        Some(word) if word.as_os_str() == SHIPPED => {
            let opened = Files::open(shell, &args.which)?;
            let mut added = opened.added.clone();
            added.of_mut(opened.stands_for).clear();
            let files = Files { added, ..opened };
            Some(self::over(shell, args, &args.which, &files, args.judge.unwrap_or_default())?)
        }
        Some(folder) => {
            let which = Which { repo: args.which.repo.clone(), dir: Some(folder.clone()), layer: None };
            Some(self::policy(shell, args, &which, args.judge.unwrap_or(JudgeKind::Sealed))?)
        }
        None => None,
    };
    let (past, past_before) = {
        let _busy = shell.printer.busy("measuring");
        pasts(shell, args, &policy, before.as_ref().map(|(before, _)| before))?
    };
    // Before anything is decided or printed: a commit that is not there is an error at once.
    let shown =
        args.show.iter().map(|name| place(shell, args, &past, name)).collect::<Result<Vec<_>, _>>()?;
    let mut columns = Vec::new();
    for profile in profiles(args, &policy)? {
        let _busy = shell.printer.busy(&format!("deciding as {profile}"));
        let asked = Asked {
            profile: profile.clone(),
            mode: SafetyMode::DenyByDefault,
            level: SafetyLevel::High,
            level_max: 5,
            kept: args.show.clone(),
        };
        let outcomes = decide(&policy, &*judge, &past, &asked)?;
        // Each policy decides by what it measures itself.
        let measured = past_before.as_ref().unwrap_or(&past);
        let before = before.as_ref();
        let before = before.map(|(before, judge)| decide(before, &**judge, measured, &asked)).transpose()?;
        columns.push(Column { profile, outcomes, before });
    }
    let own = own_profile(shell, args);
    for line in report::lines(&past, &columns, own.as_deref()) {
        shell.printer.line(&line);
    }
    for place in shown {
        show(shell, &past, &columns, place);
    }
    if let Some(file) = &args.html {
        let made = Made {
            command: again::command(args),
            fixed: again::fixed(args, &past),
            policy: policy.bundle.digest().clone(),
            against: before.as_ref().map(|(before, _)| before.bundle.digest().clone()),
        };
        crate::html::write(file, &page::page(&past, &columns, &made))?;
        shell.printer.line(&format!("wrote     {}", safe_text::line(&file.to_string_lossy())));
    }
    shell.printer.data(&report::data(&past, &columns));
    for unread in &past.unread {
        shell.printer.talk(&format!("not counted: {}", safe_text::line(unread)));
    }
    Ok(if past.unread.is_empty() { Exit::Done } else { Exit::Fault })
}

impl ReplayArgs {
    /// Commits of others may bring rules of others, and a bundle is not one's own.
    fn default_judge(&self) -> JudgeKind {
        let is_packed = self.which.dir.as_ref().is_some_and(|dir| dir.is_file());
        if is_packed || self.git.is_some() { JudgeKind::Sealed } else { JudgeKind::Native }
    }
}

/// The changes as `policy` measures them, and as `before` does if that is otherwise.
fn pasts(
    shell: &Shell,
    args: &ReplayArgs,
    policy: &Policy,
    before: Option<&Policy>,
) -> Result<(Past, Option<Past>), Failure> {
    let found = past(shell, args, policy)?;
    let Some(before) = before.filter(|before| before.measure != policy.measure) else {
        return Ok((found, None));
    };
    let (found, other) = found.both(past(shell, args, before)?);
    Ok((found, Some(other)))
}

/// A policy and who judges by it.
type Judged = (Policy, Arc<dyn Judge>);

/// The policy, with what `ab.yml` tightens where there is one.
fn policy(shell: &Shell, args: &ReplayArgs, which: &Which, kind: JudgeKind) -> Result<Judged, Failure> {
    over(shell, args, which, &Files::open(shell, which)?, kind)
}

fn over(
    shell: &Shell,
    args: &ReplayArgs,
    which: &Which,
    files: &Files,
    kind: JudgeKind,
) -> Result<Judged, Failure> {
    let config = if args.corpus.is_some() && which.dir.is_some() {
        None
    } else {
        repository::open(shell, which.repo.as_deref())?.config().ok()
    };
    files.judged(shell, config.as_ref(), kind)
}

/// The profile of `ab.yml`, where the replay is of a repository.
fn own_profile(shell: &Shell, args: &ReplayArgs) -> Option<String> {
    let known = repository::open(shell, args.which.repo.as_deref()).ok().filter(|_| args.corpus.is_none())?;
    known.config().ok().map(|config| config.profile)
}

fn profiles(args: &ReplayArgs, policy: &Policy) -> Result<Vec<String>, Failure> {
    args.profile.iter().try_for_each(|profile| policy.has_profile(profile))?;
    Ok(if args.profile.is_empty() { policy.profiles() } else { args.profile.clone() })
}

fn past(shell: &Shell, args: &ReplayArgs, policy: &Policy) -> Result<Past, Failure> {
    if let Some(file) = &args.corpus {
        return corpus::read(file, &policy.meter);
    }
    let known = repository::open(shell, args.which.repo.as_deref())?;
    let config = known.config()?;
    let (head, until, count, origin) = match &args.git {
        None => {
            let head = known.head(&config.target)?;
            (head, None, args.history, format!("{}, {}", known.state.repository.id, config.target.short()))
        }
        Some(range) => {
            let (from, to) =
                range.split_once("..").map_or((None, range.as_str()), |(from, to)| (Some(from), to));
            let find = |name: &str| resolve(&known.repo, name);
            (find(to)?, from.map(find).transpose()?, usize::MAX, range.clone())
        }
    };
    let id = &known.state.repository.id;
    history::read(known.repo.git_dir(), id, &policy.meter, &head, (count, until.as_ref()), origin)
}

fn resolve(repo: &abide_effects::forge::Repo, name: &str) -> Result<Oid, Failure> {
    repo.revision(name).ok_or_else(|| {
        Failure::new("AB0173", format!("no commit is called `{name}` here"))
            .help("a range is spelled FROM..TO, with anything that git takes for a commit")
            .exit(Exit::Usage)
    })
}

/// The place of the commit called `name` in the replay.
fn place(shell: &Shell, args: &ReplayArgs, past: &Past, name: &str) -> Result<usize, Failure> {
    let find = |start: &str| past.changes.iter().position(|change| change.commit.as_str().starts_with(start));
    let by_git = || {
        let known =
            repository::open(shell, args.which.repo.as_deref()).ok().filter(|_| args.corpus.is_none())?;
        find(known.repo.revision(name)?.as_str())
    };
    find(name).or_else(by_git).ok_or_else(|| {
        let what = format!("`{}` is no commit of this replay", safe_text::line(name));
        Failure::new("AB0173", what)
            .help("it goes back over first parents only: widen it with --history, or check the spelling")
            .exit(Exit::Usage)
    })
}

fn show(shell: &Shell, past: &Past, columns: &[Column], place: usize) {
    let printer = &shell.printer;
    let Some(change) = past.changes.get(place) else { return };
    printer.line("");
    printer.line(&report::name(change));
    let usual = if naive(&change.facts) { "auto" } else { "not auto" };
    printer.line(&format!("  {usual} by the rule of thumb (what only touches docs and tests merges)"));
    for column in columns {
        let Some(outcome) = column.outcomes.get(place) else { continue };
        let tone = match way(outcome.verdict) {
            "auto" => Tone::Good,
            "queue" => Tone::Wait,
            _ => Tone::Bad,
        };
        printer.line(&format!("  {} by {}", printer.paint(tone, way(outcome.verdict)), column.profile));
        let mut told: Vec<(&str, String, usize)> = Vec::new();
        let mut findings: Vec<_> = outcome.findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        for finding in findings {
            if let Some(known) = told.iter_mut().find(|(rule, _, _)| *rule == finding.rule) {
                known.2 = known.2.saturating_add(1);
                continue;
            }
            let path = finding.path.as_ref().map(|path| format!(" ({path})")).unwrap_or_default();
            let line = format!("    {:<7}{}: {}{path}", level(finding.level), finding.rule, finding.msg);
            told.push((&finding.rule, line, 0));
        }
        for (_, line, more) in told {
            let more = if more == 0 { String::new() } else { format!(" — and {more} more of this rule") };
            printer.line(&format!("{line}{more}"));
        }
    }
}
