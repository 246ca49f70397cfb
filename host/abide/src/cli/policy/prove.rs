//! `ab policy prove`: holds a policy against what must never happen, over every case of a finite model.

use std::fs;
use std::path::{Path, PathBuf};

use abide_core::action::ActionClass;
use abide_core::safe_text;
use abide_gate::Invariants;
use clap::Args as ClapArgs;
use serde_json::{Value as Json, json};

use super::{Files, Which};
use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::policy::Policy;
use crate::prove::block::Case;
use crate::prove::model::Model;
use crate::prove::{Bundles, Counterexample, Held, Proof, check};
use crate::report::{Exit, Failure};
use crate::{example, repository, wiring};

/// `ab policy prove`.
///
/// Invariants are Rego of their own (`invariants/*.rego` in a policy folder, package `abide.invariants`); the model is
/// `invariants/model.yaml` of the shipped policy. A repository may add invariants. It is a check of every case of the model, not a proof
/// about what is outside it.
#[derive(Debug, ClapArgs)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    which: Which,
    /// A folder in which to write each counterexample as a question that can be put again.
    #[arg(long, value_name = "FOLDER")]
    counterexamples: Option<PathBuf>,
    /// Points to take from anywhere in the product of all axes, besides the products of the model; always the same ones.
    #[arg(long, value_name = "N", default_value_t = 300)]
    points: usize,
}

pub(crate) fn run(shell: &Shell, args: &ProveArgs) -> Result<Exit, Failure> {
    let files = Files::open(shell, &args.which)?;
    let sources = files.sources()?;
    let config =
        repository::open(shell, args.which.repo.as_deref()).ok().and_then(|known| known.config().ok());
    let policy = Policy::over(&files.base, &files.added, config.as_ref())?;
    let invariants = Invariants::load(&sources.invariants).map_err(|error| files.refused(&error))?;
    let text = sources.model.as_deref().ok_or_else(|| {
        Failure::new("AB0195", "the policy has no `invariants/model.yaml`".to_owned())
            .help("copy the one that ships, or leave out --dir")
            .exit(Exit::Gate)
    })?;
    let example = example::input(ActionClass::Merge, "prod-conservative", &policy.meter, &policy.risk)?;
    let model = Model::read(text, policy.bundle.data(), example)
        .map_err(|error| Failure::new("AB0195", safe_text::line(&error.to_string())).exit(Exit::Gate))?;
    let bundles = Bundles::prepare(&policy.bundle, &model)?;
    let started = wiring::monotonic();
    let proof = {
        let total = model.products.iter().map(crate::prove::model::Product::count).sum();
        let bar = shell.printer.bar("checking", total);
        check(&model, &bundles, &invariants, args.points, &|done| bar.add(done))?
    };
    let seconds = started.elapsed();
    for held in &proof.invariants {
        tell(shell, held);
    }
    let rate = rate(proof.cases, seconds);
    let count = thousands(proof.cases);
    shell.printer.line("");
    let says = if proof.holds() { "all hold" } else { "not all hold" };
    shell.printer.line(&format!("{says}: checked {count} cases of the finite model, {rate} (no theorem: it says nothing about what is outside)"));
    let evaluations = thousands(proof.effort.rules.saturating_add(proof.effort.whole));
    let twice = thousands(proof.judged_twice);
    shell.printer.line(&format!("a rule was evaluated once for all cases that it cannot tell apart, {evaluations} evaluations; {twice} of the cases were judged again by themselves and came out the same"));
    shell.printer.data(&data(&proof, &policy));
    if let Some(folder) = &args.counterexamples {
        write(folder, &proof)?;
    } else if !proof.holds() {
        shell.printer.talk("--counterexamples FOLDER writes each as a question that can be put again");
    }
    Ok(if proof.holds() { Exit::Done } else { Exit::Fault })
}

fn rate(cases: usize, took: std::time::Duration) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let millis = usize::try_from(took.as_millis()).unwrap_or(usize::MAX).max(1);
    let per_second =
        cases.saturating_mul(1_000).checked_div(millis.saturating_mul(cores)).unwrap_or_default();
    format!("{} a second on each of {cores} cores", thousands(per_second))
}

/// A number with a comma after every three digits.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(at);
        if at > 0 && left.is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn tell(shell: &Shell, held: &Held) {
    let printer = &shell.printer;
    let (name, says) = (safe_text::line(&held.name), safe_text::line(&held.says));
    if held.violations == 0 {
        return printer.line(&format!("{} {name}: {says}", printer.paint(Tone::Good, "✓")));
    }
    let times = thousands(held.violations);
    printer.line(&format!("{} {name}: {says}", printer.paint(Tone::Bad, "✗")));
    printer.line(&format!("  does not hold in {times} cases, for example"));
    for example in &held.examples {
        for line in lines(example) {
            printer.line(&format!("  {line}"));
        }
    }
}

/// A counterexample in words: what the case is, and how it differs from the one it is compared with.
fn lines(example: &Counterexample) -> Vec<String> {
    let place = |case: &Case| {
        let values: Vec<String> = case.values.iter().map(|(axis, value)| format!("{axis} {value}")).collect();
        safe_text::line(&values.join(" · "))
    };
    let Some(before) = &example.before else {
        return vec![format!("- {}", place(&example.case)), format!("    {}", says(&example.case))];
    };
    let changed = before.values.iter().zip(&example.case.values).find(|(one, other)| one != other);
    let turned = changed.map_or_else(String::new, |((axis, from), (_, to))| {
        safe_text::line(&format!("{axis} {from} → {to}"))
    });
    vec![
        format!("- {}", place(before)),
        format!("    {}", says(before)),
        format!("    {turned}: {}", says(&example.case)),
    ]
}

fn says(case: &Case) -> String {
    let mut rules: Vec<&str> = Vec::new();
    for finding in case.opinion.findings.iter().rev() {
        if finding.level > abide_core::decision::FindingLevel::Warn && !rules.contains(&finding.rule.as_str())
        {
            rules.push(&finding.rule);
        }
    }
    let fault = case.opinion.fault.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let by = if rules.is_empty() { String::new() } else { format!(" by {}", rules.join(", ")) };
    safe_text::line(&format!("{}{fault}{by}", case.opinion.verdict.as_str()))
}

fn object(case: &Case) -> Json {
    let values: serde_json::Map<String, Json> =
        case.values.iter().map(|(axis, value)| (axis.clone(), Json::from(value.as_str()))).collect();
    json!({
        "case": values,
        "verdict": case.opinion.verdict.as_str(),
        "fault": case.opinion.fault,
        "layer": case.layer,
        "input": case.input,
    })
}

fn data(proof: &Proof, policy: &Policy) -> Json {
    let invariant = |held: &Held| {
        let example = |one: &Counterexample| json!({"case": object(&one.case), "before": one.before.as_ref().map(object)});
        json!({
            "name": held.name, "says": held.says, "violations": held.violations,
            "counterexamples": held.examples.iter().map(example).collect::<Vec<_>>(),
        })
    };
    json!({
        "holds": proof.holds(),
        "cases": proof.cases,
        "evaluations": {"rules": proof.effort.rules, "whole": proof.effort.whole},
        "judged_twice": proof.judged_twice,
        "bundle": policy.bundle.digest(),
        "products": proof.products.iter().map(|(about, cases)| json!({"about": about, "cases": cases})).collect::<Vec<_>>(),
        "invariants": proof.invariants.iter().map(invariant).collect::<Vec<_>>(),
    })
}

/// Writes `NAME-1.json` and, where two cases are compared, `NAME-1-before.json`.
fn write(folder: &Path, proof: &Proof) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new("AB0197", format!("`{}` cannot be written: {error}", folder.display())).exit(Exit::Fault)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    for held in &proof.invariants {
        for (number, example) in held.examples.iter().enumerate() {
            let name: String =
                held.name.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
            let number = number.saturating_add(1);
            let cases = [(Some(&example.case), ""), (example.before.as_ref(), "-before")];
            for (case, which) in cases.into_iter().filter_map(|(case, which)| Some((case?, which))) {
                let text = serde_json::to_string_pretty(&case.input)
                    .map_err(|error| Failure::of("AB0124", error))?;
                fs::write(folder.join(format!("{name}-{number}{which}.json")), text + "\n")
                    .map_err(failed)?;
            }
        }
    }
    Ok(())
}
