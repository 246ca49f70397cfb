//! `ab policy activate`: a bundle comes into force by one record of the log, or not at all.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use abide_core::event::{Body, Count, LayerActivated, PolicyActivated};
use abide_core::id::Digest;
use abide_gate::source::{Added, Files};
use abide_ledger::{Blob, Guard, Ledger};
use clap::Args as ClapArgs;

use super::Shell;
use super::bundle::brief;
use super::prove::thousands;
use super::verify::{Given, Looked, data};
use crate::bundles::Contents;
use crate::bundles::active::Generations;
use crate::bundles::proof::{self, Proof, Proofs, Work};
use crate::home::{Home, State};
use crate::layers::organisation::Organisation;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository::{self, Known};
use crate::wiring;

const AFTER: &str = "\
The bundle's invariants are checked over every case of its model first, which takes about a minute; the same policy is not checked twice.
There is no way back to an older version: make a newer one of what was there before.
Back to the built-in policy: ab policy bundle --built-in --version N, have it signed, and put it in force.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct ActivateArgs {
    #[command(flatten)]
    given: Given,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Held from judging to recording. It is let go when it is dropped, or when the process ends.
fn alone(shell: &Shell, state: &State) -> Result<fs::File, Failure> {
    let path = state.folder.join("activate.lock");
    let fault = |error: std::io::Error| {
        Failure::of("AB0004", error)
            .help(format!("{} lets one activation go after the other", path.display()))
    };
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            shell.printer.talk("waiting for another activation to end");
            file.lock().map_err(fault)?;
        }
        Err(fs::TryLockError::Error(error)) => return Err(fault(error)),
    }
    Ok(file)
}

fn number(count: u64) -> String {
    thousands(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Holds the bundle against its invariants, or finds that this was done. None if it has no invariants, which people signed for.
fn proved(shell: &Shell, file: &Path, contents: &Contents) -> Result<Option<Proof>, Failure> {
    if !proof::is_owed(&contents.policy) {
        shell.printer.line("invariants  none: those who sign for invariants signed that there are none");
        return Ok(None);
    }
    let proofs = Proofs::of(Home::of(&shell.env)?.proofs())?;
    if let Some(known) = proofs.kept(&contents.policy)? {
        shell.printer.line(&format!(
            "invariants  {} hold in {} cases, checked before by this program",
            known.held,
            number(known.cases)
        ));
        return Ok(Some(known));
    }
    let work = Work::of(&contents.policy)?;
    shell.printer.talk(&format!(
        "checking the invariants over {} cases of the model, once for each policy",
        thousands(work.cases())
    ));
    let found = {
        let bar = shell.printer.bar("checking invariants", work.cases());
        proofs.check(&contents.policy, &work, wiring::now(), &|done| bar.add(done))
    };
    let found = found.map_err(|failure| {
        let all = format!("ab policy prove --dir {} shows each case", file.display());
        if failure.code == "AB0267" { failure.help(all) } else { failure }
    })?;
    shell.printer.line(&format!("invariants  {} hold in {} cases", found.held, number(found.cases)));
    if let Err(failure) = proofs.keep(&contents.policy, &found) {
        shell.printer.talk(&format!("the next one has to check again: {failure}"));
    }
    Ok(Some(found))
}

/// Refuses what speaks against it.
fn accepted(looked: &Looked, file: &Path) -> Result<(), Failure> {
    let Some(refusal) = looked.judgement.refusals.first() else { return Ok(()) };
    let more = looked.judgement.refusals.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    let what = format!("{}{more}", abide_core::safe_text::line(&refusal.why));
    Err(Failure::new(refusal.code, what)
        .help(format!("ab policy verify {} shows everything that speaks against it", file.display()))
        .exit(Exit::Evidence))
}

pub(crate) fn run(shell: &Shell, args: &ActivateArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.given.repo.as_deref())?;
    // What is judged against the policy in force must be recorded while it still is: one activation after the other.
    let _alone = alone(shell, &known.state)?;
    let looked = Looked::at(shell, &args.given)?;
    accepted(&looked, &args.given.file)?;
    let contents = &looked.contents;
    let version = contents.manifest.version();
    if looked.in_force.archive.as_ref() == Some(&contents.archive) {
        shell.printer.line(&format!("version {version} is in force already"));
        shell.printer.data(&data(&looked));
        return Ok(Exit::Done);
    }
    let ledger = wiring::ledger(&known.state)?;
    loads(&known, &ledger, &looked)?;
    put_in_force(shell, &ledger, &looked, args)
}

/// With the layers that stand here it must load, or else it would deny everything from here on.
fn loads(known: &Known, ledger: &Ledger, looked: &Looked) -> Result<(), Failure> {
    let contents = &looked.contents;
    let config = known.config()?;
    let repository = known.policies(&config)?;
    let files = contents.policy.files.clone();
    let (base, organisation) = if contents.manifest.layer().is_some() {
        (Generations::of(ledger)?.current()?.files, files)
    } else {
        (files, Organisation::of(ledger)?.files)
    };
    let added = Added { organisation, repository, run: Files::new() };
    Policy::over(&base, &added, Some(&config)).map(drop).map_err(|failure| {
        Failure::new(failure.code, format!("with this repository's own rules it does not load: {failure}"))
            .help("nothing was changed; mend the rules on the target branch, or the bundle")
            .exit(Exit::Gate)
    })
}

fn put_in_force(
    shell: &Shell,
    ledger: &Ledger,
    looked: &Looked,
    args: &ActivateArgs,
) -> Result<Exit, Failure> {
    let contents = &looked.contents;
    let version = contents.manifest.version();
    let Ok(signers) = looked.signers.as_ref() else {
        return Err(Failure::new("AB0257", "nobody is trusted to sign policy").exit(Exit::Evidence));
    };
    // A layer adds findings: whatever holds below it holds with it.
    let proof = match contents.manifest.layer() {
        Some(_) => None,
        None => proved(shell, &args.given.file, contents)?,
    };
    let trusted = signers
        .kept(looked.here.repository.as_deref(), proof.as_ref())
        .map_err(|error| Failure::of("AB0124", error))?;
    let trusted = Blob::new("policy-signers", trusted);
    let listed = trusted.digest().clone();
    let blobs = vec![
        trusted,
        Blob::new("policy-archive", looked.packed.clone()),
        Blob::new("policy-signatures", looked.signatures.clone()),
        Blob::new("bundle", contents.policy.bytes.clone()),
    ];
    let body = body(shell, looked, args, listed);
    let seq = wiring::record(ledger, None, &body, blobs, Guard::Free)?;
    if let Err(error) = ledger.checkpoint() {
        shell.printer.talk(&format!("the log could not be signed: {error} [{}]", error.code()));
    }
    let signed = looked.judgement.record();
    let people: Vec<String> = signed.iter().map(|one| format!("{} ({})", one.person, one.role)).collect();
    let whose = contents.manifest.layer().map_or_else(String::new, |layer| format!("layer `{layer}`, "));
    shell.printer.line(&format!(
        "{whose}version {version} ({}) is in force since log place {seq}, signed by {}",
        brief(&contents.archive),
        people.join(", ")
    ));
    shell.printer.line("next: ab policy show --effective · ab policy replay");
    shell.printer.data(&data(looked));
    Ok(Exit::Done)
}

/// The record.
fn body(shell: &Shell, looked: &Looked, args: &ActivateArgs, signers: Digest) -> Body {
    let contents = &looked.contents;
    let (version, archive) = (Count(contents.manifest.version()), contents.archive.clone());
    let signatures = Digest::of(&looked.signatures);
    let (signed, by, reason) = (looked.judgement.record(), shell.env.actor.clone(), args.reason.clone());
    let policy = &contents.policy;
    match contents.manifest.layer() {
        Some(layer) => Body::LayerActivated(Box::new(LayerActivated {
            layer: layer.to_owned(),
            version,
            archive,
            signatures,
            signers,
            files: policy.bundle.clone(),
            signed,
            by,
            reason,
        })),
        None => Body::PolicyActivated(Box::new(PolicyActivated {
            version,
            archive,
            signatures,
            signers,
            bundle: policy.bundle.clone(),
            hard: policy.hard.clone(),
            invariants: policy.invariants.clone(),
            hard_changed: looked.judgement.hard_changed,
            signed,
            by,
            reason,
        })),
    }
}
