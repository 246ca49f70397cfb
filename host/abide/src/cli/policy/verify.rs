//! `ab policy verify`: what a bundle is, who stands for it, what it would change.

use std::path::{Path, PathBuf};

use abide_core::id::Digest;
use abide_gate::Clock as _;
use abide_ledger::audit::latest;
use clap::Args as ClapArgs;
use serde_json::{Value, json};

use super::bundle::{self, brief};
use super::{Files, Shell, Which, sign, with_log};
use crate::bundles::Contents;
use crate::bundles::active::Generations;
use crate::bundles::audience::Here;
use crate::bundles::judgement::{Difference, InForce, Judgement, Refusal, short};
use crate::bundles::signatures::{BYTES_MAX, Signatures, Standing};
use crate::bundles::signers::{Signers, SignersError};
use crate::cli::printer::Tone;
use crate::home::Home;
use crate::layers::organisation::Activations;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::sealed::JudgeKind;
use crate::wiring::SystemClock;

const AFTER: &str = "\
Exit code 0: it may be put in force as it is. 8: something speaks against it, and is named with its code.
Those who are trusted stand in signers.yaml in the state folder: ab keys list.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(super) given: Given,
}

/// A bundle, its signatures, and the repository that it is for.
#[derive(Debug, ClapArgs)]
pub(super) struct Given {
    /// The bundle.
    pub(super) file: PathBuf,
    /// Where the signatures are; FILE.sigs.json if not given.
    #[arg(long, value_name = "FILE")]
    signatures: Option<PathBuf>,
    /// The digest that it must have, from a place you trust.
    #[arg(long, value_name = "SHA256:…")]
    digest: Option<Digest>,
    /// The repository whose policy it would replace; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    pub(super) repo: Option<PathBuf>,
    /// Where it is loaded first. Nobody trusts it yet, so that is the sealed judge.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = JudgeKind::Sealed)]
    judge: JudgeKind,
}

/// A bundle with everything that was found about it.
pub(super) struct Looked {
    pub(super) packed: Vec<u8>,
    pub(super) contents: Contents,
    pub(super) signatures: Vec<u8>,
    pub(super) signers: Result<Signers, SignersError>,
    pub(super) in_force: InForce,
    pub(super) here: Here,
    pub(super) judgement: Judgement,
}

impl Looked {
    pub(super) fn at(shell: &Shell, given: &Given) -> Result<Self, Failure> {
        // Before it is loaded in this process, and a layer over what it would stand on.
        let files = opened(shell, given)?;
        given.judge.admits(&shell.env, &files.base, &files.composed(None)?.added).map_err(|failure| {
            // Where there is no judge nothing was found out about the bundle.
            let is_of_bundle = !["AB0193", "AB0194"].contains(&failure.code);
            if is_of_bundle { failure.exit(Exit::Evidence) } else { failure }
        })?;
        let (packed, contents) = bundle::open(&given.file)?;
        if let Some(wanted) = given.digest.as_ref().filter(|wanted| **wanted != contents.archive) {
            let what = format!("the bundle is {}, and not {wanted}", contents.archive);
            return Err(Failure::new("AB0265", what)
                .help("it is another file than the one that was meant")
                .exit(Exit::Evidence));
        }
        let beside = given.signatures.clone().unwrap_or_else(|| bundle::signatures_of(&given.file));
        let signatures = if given.signatures.is_none() && !beside.exists() {
            Vec::new()
        } else {
            bundle::read(&beside, BYTES_MAX)?
        };
        let parsed = if signatures.is_empty() { Signatures::empty() } else { sign::parse(&signatures)? };
        let signers = Signers::open(&Home::of(&shell.env)?.signers());
        let is_layer = contents.manifest.layer().is_some();
        let (in_force, here) = surroundings(shell, given.repo.as_deref(), is_layer)?;
        let mut judgement = Judgement::of(&contents, &parsed, signers.as_ref(), &in_force, &here);
        if is_layer {
            judgement.refusals.extend(unfit(shell, given)?);
        }
        Ok(Self { packed, contents, signatures, signers, in_force, here, judgement })
    }
}

/// What is in the bundle, read and not loaded.
fn opened(shell: &Shell, given: &Given) -> Result<Files, Failure> {
    Files::open(shell, &Which { repo: given.repo.clone(), dir: Some(given.file.clone()), layer: None })
}

/// Why a layer does not load over the policy in force. A whole policy was loaded when it was read.
fn unfit(shell: &Shell, given: &Given) -> Result<Option<Refusal>, Failure> {
    let files = opened(shell, given)?;
    let why = |failure: Failure| Refusal { code: failure.code, why: failure.what.clone() };
    Ok(files.policy(None).err().map(why))
}

/// What stands where the bundle would (the whole policy, or the layer), and where and when the bundle is judged.
fn surroundings(shell: &Shell, repo: Option<&Path>, is_layer: bool) -> Result<(InForce, Here), Failure> {
    let clock = SystemClock.now();
    let found = with_log(shell, repo, |ledger| {
        let latest = latest(ledger).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        let in_force =
            if is_layer { Activations::of(ledger)?.in_force() } else { Generations::of(ledger)?.in_force() };
        Ok((in_force, latest))
    })?;
    let Some((in_force, latest)) = found else {
        let in_force = if is_layer { InForce::no_layer() } else { InForce::built_in() };
        return Ok((in_force, Here { now: clock, repository: None }));
    };
    if latest > clock {
        shell
            .printer
            .talk("the log has events of a later time than this clock's: keys are judged by that time");
    }
    let repository = repository::open(shell, repo)?.state.repository.id.to_string();
    Ok((in_force, Here { now: clock.max(latest), repository: Some(repository) }))
}

pub(crate) fn run(shell: &Shell, args: &VerifyArgs) -> Result<Exit, Failure> {
    let looked = Looked::at(shell, &args.given)?;
    tell(shell, &args.given.file, &looked);
    shell.printer.data(&data(&looked));
    let file = args.given.file.display();
    if looked.judgement.refusals.is_empty() {
        shell.printer.line(&shell.printer.paint(Tone::Good, "accepted"));
        shell.printer.line(&format!("next: ab policy activate {file} --reason WHY"));
        return Ok(Exit::Done);
    }
    for refusal in &looked.judgement.refusals {
        let mark = shell.printer.paint(Tone::Bad, "✗");
        shell.printer.line(&format!(
            "{mark} {} [{}]",
            abide_core::safe_text::line(&refusal.why),
            refusal.code
        ));
    }
    shell.printer.line(&shell.printer.paint(Tone::Bad, "REFUSED"));
    let code = looked.judgement.refusals.first().map_or("AB0251", |refusal| refusal.code);
    shell
        .printer
        .line(&format!("next: ab explain {code} · ab keys list · ab policy sign {file} --key ROLE/NAME"));
    Ok(Exit::Evidence)
}

fn tell(shell: &Shell, file: &Path, looked: &Looked) {
    let printer = &shell.printer;
    let (contents, judgement) = (&looked.contents, &looked.judgement);
    let row = |name: &str, text: &str| printer.line(&format!("{name:<10} {text}"));
    let files = contents.policy.files.len();
    row("bundle", &format!("{} ({} bytes, {files} files)", file.display(), looked.packed.len()));
    row("digest", contents.archive.as_str());
    if let Some(layer) = contents.manifest.layer() {
        row("layer", &format!("{layer}: it only tightens, and stands beside the whole policy"));
    }
    let before = match looked.in_force.version {
        0 if contents.manifest.layer().is_some() => "no layer".to_owned(),
        0 => "the built-in policy".to_owned(),
        version => format!("version {version}"),
    };
    row("version", &format!("{} (in force: {before})", contents.manifest.version()));
    if let Some(audience) = contents.manifest.audience() {
        row("for", &format!("`{audience}` and nobody else"));
    }
    row("roots", &first_of(&contents.manifest.roots));
    if let Some(opa) = &contents.opa {
        let signed = if judgement.opa_verified { "its token verifies" } else { "its token is not verified" };
        row("opa", &format!("{} files as .signatures.json lists them; {signed}; it never counts", opa.files));
    }
    for one in &judgement.counted {
        let tone = if one.standing == Standing::Counts { Tone::Good } else { Tone::Wait };
        let mark = printer.paint(tone, if one.standing == Standing::Counts { "✓" } else { "–" });
        let who = one.person.as_deref().unwrap_or("somebody");
        let code = one.standing.code().map(|code| format!(" [{code}]")).unwrap_or_default();
        let words = one.standing.words();
        row("signed", &format!("{mark} {:<10} {who} ({}): {words}{code}", one.role.name(), short(&one.key)));
    }
    for need in &judgement.needs {
        let mark =
            if need.is_met() { printer.paint(Tone::Good, "✓") } else { printer.paint(Tone::Bad, "✗") };
        row("quorum", &format!("{mark} {:<10} {} of {}", need.role.name(), need.people.len(), need.quorum));
    }
    changes(shell, looked);
}

/// The first few of a list.
fn first_of(list: &[String]) -> String {
    let shown = list.iter().take(ROOTS_MAX).map(|one| abide_core::safe_text::line(one));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match list.len().checked_sub(ROOTS_MAX).filter(|more| *more > 0) {
        Some(more) => format!("{shown}, and {more} more"),
        None => shown,
    }
}

/// Roots that are listed for people.
const ROOTS_MAX: usize = 5;
/// Changed files that are listed for people.
const LISTED_MAX: usize = 12;

fn changes(shell: &Shell, looked: &Looked) {
    let judgement = &looked.judgement;
    let row = |name: &str, text: &str| shell.printer.line(&format!("{name:<10} {text}"));
    if judgement.differences.is_empty() {
        row("changes", "nothing but the version");
    }
    for (path, difference) in judgement.differences.iter().take(LISTED_MAX) {
        let sign = match difference {
            Difference::Added => '+',
            Difference::Removed => '-',
            Difference::Changed => '~',
        };
        let part = if is_hard(looked, path) { "  (hard)" } else { "" };
        row("changes", &format!("{sign} {}{part}", abide_core::safe_text::line(path)));
    }
    if let Some(more) = judgement.differences.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
        row("changes", &format!("and {more} more; --json lists them"));
    }
    if judgement.hard_changed {
        row("hard", "the hard rules, or what they come from, change: different people must sign for `hard`");
    }
    if judgement.invariants_changed {
        row("invariants", "the invariants change: they are signed for apart from the rules");
    }
}

fn is_hard(looked: &Looked, path: &str) -> bool {
    let before = looked.in_force.policy.as_ref();
    looked.contents.policy.hard_files.contains(path)
        || before.is_some_and(|before| before.hard_files.contains(path))
}

/// Everything, for programs.
pub(super) fn data(looked: &Looked) -> Value {
    let (contents, judgement) = (&looked.contents, &looked.judgement);
    let files = contents.policy.files.iter();
    let signed = judgement.counted.iter().map(|one| {
        json!({
            "role": one.role, "person": one.person, "key": one.key, "counts": one.standing == Standing::Counts,
            "code": one.standing.code(), "why": one.standing.words(),
        })
    });
    let needs = judgement.needs.iter().map(|need| {
        json!({ "role": need.role, "quorum": need.quorum, "people": need.people, "met": need.is_met() })
    });
    let differences = judgement.differences.iter().map(|(path, difference)| {
        let how = match difference {
            Difference::Added => "added",
            Difference::Removed => "removed",
            Difference::Changed => "changed",
        };
        json!({ "path": path, "how": how, "hard": is_hard(looked, path) })
    });
    let opa = contents.opa.as_ref().map(|opa| {
        json!({
            "files": opa.files, "algorithm": opa.algorithm, "key": opa.key, "verified": judgement.opa_verified,
            "counts": false,
        })
    });
    let refusals = judgement.refusals.iter().map(|one| json!({ "code": one.code, "why": one.why }));
    json!({
        "accepted": judgement.refusals.is_empty(),
        "digest": contents.archive, "bytes": looked.packed.len(),
        "version": contents.manifest.version(), "revision": contents.manifest.revision,
        "roots": contents.manifest.roots, "audience": contents.manifest.audience(), "layer": contents.manifest.layer(), "bundle": contents.policy.bundle, "hard": contents.policy.hard,
        "files": files.map(|(path, bytes)| json!({ "path": path, "digest": Digest::of(bytes) })).collect::<Vec<_>>(),
        "in_force": { "version": looked.in_force.version, "digest": looked.in_force.archive },
        "signatures": signed.collect::<Vec<_>>(), "quorum": needs.collect::<Vec<_>>(), "opa": opa,
        "changes": differences.collect::<Vec<_>>(),
        "hard_changed": judgement.hard_changed, "invariants_changed": judgement.invariants_changed,
        "refusals": refusals.collect::<Vec<_>>(),
        "brief": brief(&contents.archive),
    })
}
