//! `ab worker add`: a component is handed in, and waits for another person.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use abide_core::event::{Body, Count, PolicySignature, WorkerOffered};
use abide_core::id::Digest;
use abide_core::safe_text;
use abide_gate::source::Files;
use abide_ledger::{Blob, Guard};
use abide_sandbox::inspect::Inspection;
use clap::Args as ClapArgs;
use serde_json::json;

use super::Law;
use super::inspect::{look, outlook, size, told};
use crate::bundles::active::Generations;
use crate::bundles::signers::Signers;
use crate::cli::Shell;
use crate::cli::args::AtRepo;
use crate::cli::policy::bundle;
use crate::cli::printer::{Printer, Tone};
use crate::home::Home;
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;
use crate::workers::{self, Kept, Registry, Standing, signatures};

const AFTER: &str = "\
Signatures are looked for in FILE.dsse and must be of people whom signers.yaml trusts for the role `worker`.
A newer file under the same name takes its place once it is approved; until then the old one stays in use.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    at: AtRepo,
    /// A .wasm file, or the folder of an OCI image layout.
    file: PathBuf,
    /// What to call it; the file's name without its ending if not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the signatures are; FILE.dsse if not given.
    #[arg(long, value_name = "FILE", conflicts_with = "unsigned")]
    signature: Option<PathBuf>,
    /// Hand it in though nobody stands for it. This is recorded, and shown wherever the worker is.
    #[arg(long)]
    unsigned: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Who stands for a component, with what that rests on.
#[derive(Default)]
struct Signed {
    people: Vec<PolicySignature>,
    blobs: Vec<Blob>,
    signatures: Option<Digest>,
    signers: Option<Digest>,
}

pub(super) fn run(shell: &Shell, args: &AddArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.at.repo.as_deref())?;
    let name = name(args)?;
    let ledger = wiring::ledger(&known.state)?;
    let config = known.config()?;
    let policy = Policy::in_force(&ledger, &known.policies(&config)?, &config, &Files::new())?;
    let law = Law {
        policy,
        files: Generations::of(&ledger)?.current()?.files,
        of_repository: true,
        state: Some(known.state.clone()),
    };
    let (bytes, found) = look(&law, &args.file)?;
    let outlook = outlook(&law, &found);
    if let Some(objection) = found.objections(|name| outlook.stubs.contains(name)).first() {
        return Err(Failure::new(objection.code, objection.what.clone())
            .help(format!(
                "nothing was handed in; {}; ab worker inspect {} shows all of it",
                objection.next,
                args.file.display()
            ))
            .exit(Exit::Evidence));
    }
    let registry = Registry::of(&ledger)?;
    let again = registry.of_name(&name).rfind(|entry| entry.offer.component == found.digest);
    if let Some(entry) = again.filter(|entry| !matches!(entry.standing, Standing::Revoked { .. })) {
        // The bytes may have been lost: they are put back where they are missing.
        Kept::of(&known.state).put(&bytes)?;
        shell.printer.line(&format!(
            "`{name}` is handed in already: {} {}",
            entry.item(),
            entry.standing.word()
        ));
        shell.printer.data(&json!({ "item": entry.item(), "name": name, "component": found.digest, "standing": entry.standing.word() }));
        return Ok(Exit::Done);
    }
    let signed = if args.unsigned { Signed::default() } else { signed(shell, args, &found.digest)? };
    let replaces = registry.admitted(&name).map(|entry| entry.offer.clone());
    told(&shell.printer, &found, &outlook);
    super::inspect::grants(&shell.printer, &law, &outlook, &found);
    people(&shell.printer, &signed);
    let compared = replaces.as_ref().map(|old| compare(&shell.printer, old, &found));
    Kept::of(&known.state).put(&bytes)?;
    let body = Body::WorkerOffered(Box::new(WorkerOffered {
        name: name.clone(),
        component: found.digest.clone(),
        bytes: Count(found.bytes),
        imports: found.imports.iter().map(|import| import.name.clone()).collect(),
        memory_bytes: Count(found.parts.memory_bytes()),
        replaces: replaces.map(|old| old.component),
        signed: signed.people.clone(),
        signatures: signed.signatures,
        signers: signed.signers,
        by: shell.env.actor.clone(),
        reason: args.reason.clone(),
    }));
    let seq = wiring::record(&ledger, None, &body, signed.blobs, Guard::Free)?;
    shell.printer.line(&format!(
        "handed in   {name} as w{seq}; it waits for somebody other than {}",
        safe_text::line(&shell.env.actor)
    ));
    shell
        .printer
        .line(&format!("next: ab approve w{seq} --as NAME · ab deny w{seq} --reason WHY · ab worker list"));
    shell.printer.data(&json!({
        "item": format!("w{seq}"), "name": name, "component": found.digest, "signed": signed.people, "unsigned": signed.people.is_empty(),
        "outlook": outlook, "against": compared, "standing": "waits",
    }));
    Ok(Exit::Waiting)
}

fn name(args: &AddArgs) -> Result<String, Failure> {
    let of_file =
        || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(of_file);
    workers::check_name(&name)?;
    Ok(name)
}

/// The signatures that count, or why they do not suffice.
fn signed(shell: &Shell, args: &AddArgs, component: &Digest) -> Result<Signed, Failure> {
    let file = args.signature.clone().unwrap_or_else(|| signatures::beside(&args.file));
    if !Path::new(&file).exists() {
        return Err(Failure::new("AB0844", format!("nobody stands for it: there is no {}", file.display()))
            .help("have its author sign it: ab worker sign FILE --key worker/NAME. --unsigned takes it as it is, on record")
            .exit(Exit::Evidence));
    }
    let bytes = bundle::read(&file, signatures::BYTES_MAX)?;
    let signers = Signers::open(&Home::of(&shell.env)?.signers())
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let people = signatures::count(&bytes, component, &signers, wiring::now()).map_err(|error| {
        Failure::of(error.code(), error)
            .help("nothing was handed in. ab keys list shows who is trusted; --unsigned takes it as it is, on record")
            .exit(Exit::Evidence)
    })?;
    let trusted = signers.kept(None, None).map_err(|error| Failure::of("AB0124", error))?;
    let blobs = vec![Blob::new("worker-signatures", bytes), Blob::new("policy-signers", trusted)];
    let digest = |at: usize| blobs.get(at).map(|blob| blob.digest().clone());
    Ok(Signed { people, signatures: digest(0), signers: digest(1), blobs })
}

fn people(printer: &Printer, signed: &Signed) {
    if signed.people.is_empty() {
        printer.line(&format!("signed      {}", printer.paint(Tone::Bad, "by nobody; this stays on record")));
    } else {
        let people: Vec<&str> = signed.people.iter().map(|one| one.person.as_str()).collect();
        printer.line(&format!("signed      by {}", people.join(", ")));
    }
}

/// What is different from the one that has the name now.
#[derive(serde::Serialize)]
struct Compared {
    component: Digest,
    more: Vec<String>,
    fewer: Vec<String>,
    memory_bytes: (u64, u64),
    bytes: (u64, u64),
}

fn compare(printer: &Printer, old: &WorkerOffered, new: &Inspection) -> Compared {
    let before: BTreeSet<&str> = old.imports.iter().map(String::as_str).collect();
    let now: BTreeSet<&str> = new.imports.iter().map(|import| import.name.as_str()).collect();
    let named = |names: Vec<&&str>| names.into_iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let compared = Compared {
        component: old.component.clone(),
        more: named(now.difference(&before).collect()),
        fewer: named(before.difference(&now).collect()),
        memory_bytes: (old.memory_bytes.0, new.parts.memory_bytes()),
        bytes: (old.bytes.0, new.bytes),
    };
    printer.line(&format!(
        "takes over  from {} ({} → {})",
        old.component.short(),
        size(old.bytes.0),
        size(new.bytes)
    ));
    for name in &compared.more {
        printer.line(&format!("            {} {name}", printer.paint(Tone::Bad, "+ asks for more:")));
    }
    for name in &compared.fewer {
        printer.line(&format!("            - asks no more for {name}"));
    }
    let (was, is) = compared.memory_bytes;
    if is > was {
        printer.line(&format!(
            "            {} {} → {}",
            printer.paint(Tone::Wait, "+ more memory at the start:"),
            size(was),
            size(is)
        ));
    }
    if compared.more.is_empty() {
        printer.line(
            "            It asks for no more; the bytes are others, so it needs approval all the same.",
        );
    }
    compared
}
