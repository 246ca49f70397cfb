//! `ab policy eval`: one input document, judged for advice. Nothing is recorded and nothing is permitted.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abide_core::action::ActionClass;
use abide_core::decision::{Decision, Verdict};
use abide_core::safe_text;
use abide_gate::{Judge, Question};
use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::json;

use super::{Files, Which, reasons};
use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::sealed::JudgeKind;
use crate::{document, example, repository, why};

const AFTER: &str = "\
The answer is advice: it is not recorded, and there is no permit in it. Exit codes: 0 it
would be allowed, 3 denied, 4 it would wait for a person, 6 the policy gave no clean answer.

    ab policy eval --print-example MERGE > input.json
    ab policy eval input.json
    ab policy explain q7 --json | ab policy eval - --profile staging-aggressive";

/// `ab policy eval`.
#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    which: Which,
    /// The document, `-` for stdin: an input, or what `explain`, `show` or `replay --show` print with --json.
    #[arg(value_name = "INPUT", required_unless_present = "print_example")]
    input: Option<PathBuf>,
    /// Ask under this profile instead of the one in the document.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Who judges. If not given: `sealed`, which holds whatever a policy does, for a bundle in --dir; otherwise `native`.
    #[arg(long, value_name = "KIND")]
    judge: Option<JudgeKind>,
    /// Everything: all places of each rule, all data it reads, every flip, and the whole input.
    #[arg(long)]
    trace: bool,
    /// Print an input of this class to start from, and judge nothing.
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["input", "trace"], ignore_case = true,
        value_parser = PossibleValuesParser::new(ActionClass::ALL.map(ActionClass::as_str)).map(|name| super::class(&name)))]
    print_example: Option<ActionClass>,
}

pub(crate) fn run(shell: &Shell, args: &EvalArgs) -> Result<Exit, Failure> {
    let (policy, judge) = policy(shell, args)?;
    if let Some(profile) = &args.profile {
        policy.has_profile(profile)?;
    }
    if let Some(class) = args.print_example {
        let profile = args.profile.clone().or_else(|| shipped_profile(&policy)).unwrap_or_default();
        let input = example::input(class, &profile, &policy.meter, &policy.risk)?;
        let text = serde_json::to_string_pretty(&input).map_err(|error| Failure::of("AB0124", error))?;
        shell.printer.raw(&format!("{text}\n"));
        return Ok(Exit::Done);
    }
    let text = read(args.input.as_deref().unwrap_or_else(|| Path::new("-")))?;
    let mut input = document::input(&text, args.profile.as_deref())?;
    if let Some(profile) = &args.profile {
        input.run.profile.clone_from(profile);
    }
    let question = Question::new(input).map_err(|error| Failure::of("AB0124", error))?;
    let decision = judge.decide(&question);
    tell(shell, args, &policy, &question, &decision)?;
    Ok(match (&decision.fault, decision.verdict) {
        (Some(_), _) => Exit::Gate,
        (None, Verdict::Allow) => Exit::Done,
        (None, Verdict::Review) => Exit::Waiting,
        (None, Verdict::Deny) => Exit::Denied,
    })
}

/// The profile under which most repositories begin, or the first that there is.
fn shipped_profile(policy: &Policy) -> Option<String> {
    let known = policy.profiles();
    known.iter().find(|name| *name == "prod-conservative").or_else(|| known.first()).cloned()
}

/// A folder that is named stands for itself; without one, the repository's rules with what its `ab.yml` tightens.
fn policy(shell: &Shell, args: &EvalArgs) -> Result<(Policy, Arc<dyn Judge>), Failure> {
    let which = &args.which;
    let files = Files::open(shell, which)?;
    let is_packed = which.dir.as_ref().is_some_and(|dir| dir.is_file());
    let kind = args.judge.unwrap_or(if is_packed { JudgeKind::Sealed } else { JudgeKind::Native });
    let config = match &which.dir {
        Some(_) => None,
        None => Some(repository::open(shell, which.repo.as_deref())?.config()?),
    };
    files.judged(shell, config.as_ref(), kind)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let fault = |why: String| {
        Failure::new("AB0176", format!("`{shown}` cannot be read: {why}"))
            .help("name a file, or `-` for stdin")
            .exit(Exit::Usage)
    };
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| fault(error.to_string()))?)
    };
    let mut text = Vec::new();
    let most = document::BYTES_MAX.saturating_add(1);
    source.take(most).read_to_end(&mut text).map_err(|error| fault(error.to_string()))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > document::BYTES_MAX {
        return Err(fault(format!("it has more than {} bytes", document::BYTES_MAX)));
    }
    Ok(text)
}

fn tell(
    shell: &Shell,
    args: &EvalArgs,
    policy: &Policy,
    question: &Question,
    decision: &Decision,
) -> Result<(), Failure> {
    let (printer, input) = (&shell.printer, question.input());
    let bundle = policy.bundle.text();
    let fired = why::fired(&bundle, decision);
    let asked = why::Asked { bundle: &bundle, kind: JudgeKind::Native, env: &shell.env };
    let flips = why::flips(&asked, input, decision, &fired)?;
    let tone = match decision.verdict {
        Verdict::Allow => Tone::Good,
        Verdict::Review => Tone::Wait,
        Verdict::Deny => Tone::Bad,
    };
    printer.line(&format!(
        "{} {} → {}   advice under profile {}: no permit, nothing recorded",
        input.action.class,
        safe_text::line(&input.action.kind),
        printer.paint(tone, decision.verdict.as_str()),
        safe_text::line(&input.run.profile)
    ));
    for line in reasons::lines(&fired, &flips, reasons::most(args.trace)) {
        printer.line(&line);
    }
    let measured = input.facts.as_ref().map(|facts| policy.risk.assess(facts));
    if let Some(measured) = measured.filter(|measured| *measured != input.risk) {
        printer.line(&format!(
            "note: the document says risk {} ({}); the host would make {} ({}) of these facts",
            input.risk.score,
            safe_text::line(&input.risk.band),
            measured.score,
            measured.band
        ));
    }
    if args.trace {
        let text = serde_json::to_string_pretty(input).map_err(|error| Failure::of("AB0124", error))?;
        printer.line(&safe_text::block(&text));
    }
    let (rules, flips) = reasons::data(&fired, &flips);
    printer.data(&json!({
        "advice": true, "permit": null, "verdict": decision.verdict.as_str(), "rules": rules, "flips": flips,
        "decision": decision, "input": input,
    }));
    Ok(())
}
