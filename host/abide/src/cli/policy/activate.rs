//! `ab policy activate`: a bundle comes into force by one record of the log, or not at all.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;

use abide_core::event::{Body, Count, LayerActivated, PolicyActivated};
use abide_core::id::Digest;
use abide_gate::source::{Added, Files};
use abide_ledger::{Blob, Guard, Ledger};
use clap::Args as ClapArgs;

use super::Shell;
use super::bundle::brief;
use super::verify::{Given, Looked, data};
use crate::bundles::active::Generations;
use crate::home::State;
use crate::layers::organisation::Organisation;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository::{self, Known};
use crate::wiring;

const AFTER: &str = "\
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
fn alone(state: &State) -> Result<fs::File, Failure> {
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
    file.lock().map_err(fault)?;
    Ok(file)
}

pub(crate) fn run(shell: &Shell, args: &ActivateArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.given.repo.as_deref())?;
    // What is judged against the policy in force must be recorded while it still is: one activation after the other.
    let _alone = alone(&known.state)?;
    let looked = Looked::at(shell, &args.given)?;
    let file = args.given.file.display();
    if let Some(refusal) = looked.judgement.refusals.first() {
        let more = looked.judgement.refusals.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        return Err(Failure::new(
            refusal.code,
            format!("{}{more}", abide_core::safe_text::line(&refusal.why)),
        )
        .help(format!("ab policy verify {file} shows everything that speaks against it"))
        .exit(Exit::Evidence));
    }
    let version = looked.contents.manifest.version();
    if looked.in_force.archive.as_ref() == Some(&looked.contents.archive) {
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
    let trusted = signers.kept().map_err(|error| Failure::of("AB0124", error))?;
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
