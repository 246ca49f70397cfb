//! `ab worker`: components that others wrote: look at one, try it, sign it, hand it in, list them, take one back; and to begin one.

mod add;
mod inspect;
mod new;
mod pack;
mod run;
mod tighten;
mod verify;

use std::path::{Path, PathBuf};

use abide_core::event::{Body, WorkerApproved, WorkerRevoked};
use abide_core::id::Digest;
use abide_core::safe_text;
use abide_gate::source::Files;
use abide_ledger::Guard;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::Shell;
use super::args::AtRepo;
use super::policy::bundle;
use super::printer::Tone;
use crate::bundles::Role;
use crate::bundles::active::{Base, Generations};
use crate::embedded;
use crate::home::{Home, State};
use crate::keys::{KeyName, Keys};
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::wiring;
use crate::workers::{self, Registry, Standing, signatures};

const AFTER: &str = "\
From a file that somebody mailed to a worker that may be used:
  ab worker inspect FILE                look at it; nothing of it runs
  ab worker verify FILE                 try whether its grants and limits hold here
  ab worker sign FILE --key worker/ME   its author, or who vouches for it
  ab worker add FILE --reason WHY       hand it in
  ab approve w12 --as NAME              another person agrees
  ab run --ticket …                     where the ticket says `worker: NAME`; or --worker NAME in place of the shipped ones
To write one:
  ab worker new NAME --lang rust        a folder that builds as it is
  ab worker run FILE --recipe RECIPE    one task of it; nothing is written
docs/third-party-workers.md has the walk.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct WorkerArgs {
    #[command(subcommand)]
    verb: WorkerVerb,
}

#[derive(Debug, Subcommand)]
enum WorkerVerb {
    /// Begin a worker: a folder with sources, contract and build script that builds as it is.
    New(new::NewArgs),
    /// Make a component of a core module that was compiled with bindings of the contract.
    Pack(pack::PackArgs),
    /// Say what a component is and asks for, before anything of it is compiled.
    Inspect(inspect::InspectArgs),
    /// Try whether what policy grants a component, and what it withholds, holds on this host.
    Verify(verify::VerifyArgs),
    /// Run one task of a component to see what it does; nothing is written.
    Run(run::TrialArgs),
    /// Hand in a component; it waits for somebody other than you.
    Add(add::AddArgs),
    /// Sign a component with a key for workers.
    Sign(SignArgs),
    /// List the components that were handed in, and how each stands.
    List(AtRepo),
    /// Propose the least that would have done, from the receipts of what a worker did.
    Tighten(tighten::TightenArgs),
    /// Take a worker back: it is not used any more.
    Revoke(RevokeArgs),
}

#[derive(Debug, ClapArgs)]
struct SignArgs {
    /// The component.
    file: PathBuf,
    /// The key, for example worker/alice; `ab keys init --name worker/alice` makes one.
    #[arg(long, value_name = "worker/NAME")]
    key: KeyName,
    /// Where the signatures are; FILE.dsse if not given.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
struct RevokeArgs {
    #[command(flatten)]
    at: AtRepo,
    /// Its name, or the digest of its file.
    #[arg(value_name = "NAME|DIGEST")]
    what: String,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(shell: &Shell, args: &WorkerArgs) -> Result<Exit, Failure> {
    match &args.verb {
        WorkerVerb::New(args) => new::run(shell, args),
        WorkerVerb::Pack(args) => pack::run(shell, args),
        WorkerVerb::Run(args) => run::run(shell, args),
        WorkerVerb::Inspect(args) => inspect::run(shell, args),
        WorkerVerb::Verify(args) => verify::run(shell, args),
        WorkerVerb::Add(args) => add::run(shell, args),
        WorkerVerb::Sign(args) => sign(shell, args),
        WorkerVerb::List(args) => list(shell, args),
        WorkerVerb::Tighten(args) => tighten::run(shell, args),
        WorkerVerb::Revoke(args) => revoke(shell, args),
    }
}

/// The policy that a component would meet, with the files of its base.
struct Law {
    policy: Policy,
    files: Files,
    /// Whether it is the one of a repository, or the one that ships.
    of_repository: bool,
    /// The state of that repository.
    state: Option<State>,
}

impl Law {
    /// Of the repository at `path` or around the current folder; the shipped one outside of any that `ab` knows.
    fn around(shell: &Shell, path: Option<&Path>) -> Result<Self, Failure> {
        match repository::open(shell, path) {
            Ok(known) => {
                let (config, ledger) = (known.config()?, wiring::ledger(&known.state)?);
                let policy = Policy::in_force(&ledger, &known.policies(&config)?, &config, &Files::new())?;
                let files = Generations::of(&ledger)?.current()?.files;
                Ok(Self { policy, files, of_repository: true, state: Some(known.state) })
            }
            Err(failure) if path.is_none() && matches!(failure.code, "AB0002" | "AB0005" | "AB0300") => {
                let files = Base::built_in().files;
                let policy = Policy::over(&files, &abide_gate::source::Added::default(), None)?;
                Ok(Self { policy, files, of_repository: false, state: None })
            }
            Err(failure) => Err(failure),
        }
    }
}

/// The bytes of the component at `path`: a file, or an OCI image layout.
fn bytes_at(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    if path.is_dir() { workers::layout::read(path, most) } else { workers::read_file(path, most) }
}

fn sign(shell: &Shell, args: &SignArgs) -> Result<Exit, Failure> {
    if args.key.role != Role::Worker {
        return Err(Failure::new("AB0844", format!("`{}` is no key for workers", args.key))
            .help("ab keys init --name worker/NAME makes one")
            .exit(Exit::Usage));
    }
    let bytes = bytes_at(&args.file, workers::BYTES_MAX)?;
    let found = abide_sandbox::inspect::inspect(&bytes, workers::BYTES_MAX)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let key = Keys::of(&Home::of(&shell.env)?).open(&args.key)?;
    let file = args.signature.clone().unwrap_or_else(|| signatures::beside(&args.file));
    let old = if file.exists() { Some(bundle::read(&file, signatures::BYTES_MAX)?) } else { None };
    let signed = signatures::add(old.as_deref(), &found.digest, &key)
        .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    bundle::write(&file, &signed)?;
    shell.printer.line(&format!("signed   {}", found.digest));
    shell.printer.line(&format!(
        "key      {} {}",
        args.key,
        crate::bundles::judgement::short(&key.public().id())
    ));
    shell.printer.line(&format!("wrote    {}", file.display()));
    shell.printer.line(&format!("next: send both on · ab worker add {} --reason WHY", args.file.display()));
    shell.printer.data(&json!({ "file": args.file, "signatures": file, "component": found.digest, "key": key.public().id() }));
    Ok(Exit::Done)
}

fn list(shell: &Shell, at: &AtRepo) -> Result<Exit, Failure> {
    let known = repository::open(shell, at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let registry = Registry::of(&ledger)?;
    let mut rows = Vec::new();
    let head = format!(
        "{:<5}  {:<16}  {:<9}  {:<12}  {:<14}  handed in by",
        "item", "name", "stands", "component", "signed"
    );
    if registry.entries().next().is_some() {
        shell.printer.line(&shell.printer.paint(Tone::Faint, &head));
    } else {
        shell.printer.line("no worker was handed in; the shipped ones need nobody's consent");
        shell.printer.line("next: ab worker inspect FILE · ab worker add FILE --reason WHY");
    }
    for entry in registry.entries() {
        let offer = &entry.offer;
        let used = registry.admitted(&offer.name).is_some_and(|one| one.seq == entry.seq);
        let (tone, word) = match &entry.standing {
            Standing::Waits => (Tone::Wait, "waits"),
            Standing::Admitted { .. } if used => (Tone::Good, "in use"),
            Standing::Admitted { .. } => (Tone::Faint, "replaced"),
            Standing::Revoked { .. } => (Tone::Bad, "revoked"),
        };
        let people: Vec<&str> = offer.signed.iter().map(|one| one.person.as_str()).collect();
        let signed = if people.is_empty() { "UNSIGNED".to_owned() } else { people.join(", ") };
        shell.printer.line(&format!(
            "{:<5}  {:<16}  {}  {:<12}  {signed:<14}  {}",
            entry.item(),
            offer.name,
            shell.printer.paint(tone, &format!("{word:<9}")),
            offer.component.short(),
            safe_text::line(&offer.by)
        ));
        let (by, why) = match &entry.standing {
            Standing::Waits => (None, None),
            Standing::Admitted { by } => (Some(by), None),
            Standing::Revoked { by, reason } => (Some(by), Some(reason)),
        };
        rows.push(json!({
            "item": entry.item(), "name": offer.name, "component": offer.component, "standing": word, "signed": offer.signed, "unsigned": offer.signed.is_empty(),
            "imports": offer.imports, "bytes": offer.bytes.0, "offered_by": offer.by, "reason": offer.reason, "decided_by": by, "why": why,
        }));
    }
    // What a policy grants them goes by the digest of their file.
    let shipped: Vec<(&str, Digest)> = embedded::WORKERS
        .iter()
        .map(|(file, bytes)| (file.trim_end_matches(".wasm"), Digest::of(bytes)))
        .collect();
    for (name, component) in &shipped {
        shell.printer.line(&shell.printer.paint(Tone::Faint, &format!("shipped  {name:<13}  {component}")));
    }
    let waits = registry.entries().find(|entry| entry.standing == Standing::Waits);
    if let Some(entry) = waits {
        shell
            .printer
            .line(&format!("next: ab approve {0} --as NAME · ab deny {0} --reason WHY", entry.item()));
    }
    let shipped: Vec<_> =
        shipped.iter().map(|(name, component)| json!({ "name": name, "component": component })).collect();
    shell.printer.data(&json!({ "workers": rows, "shipped": shipped }));
    Ok(Exit::Done)
}

fn revoke(shell: &Shell, args: &RevokeArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let registry = Registry::of(&ledger)?;
    let digest: Option<Digest> = args.what.parse().ok();
    let meant = |name: &str, component: &Digest| {
        digest.as_ref().map_or(name == args.what, |digest| digest == component)
    };
    let mut found: Vec<(String, Digest)> = registry
        .entries()
        .filter(|entry| meant(&entry.offer.name, &entry.offer.component))
        .filter(|entry| !matches!(entry.standing, Standing::Revoked { .. }))
        .map(|entry| (entry.offer.name.clone(), entry.offer.component.clone()))
        .collect();
    found.dedup();
    if found.is_empty() {
        let what = format!("no worker `{}` is in use or waits", safe_text::line(&args.what));
        return Err(Failure::new("AB0849", what)
            .help("ab worker list shows names and digests; a digest is written sha256:…")
            .exit(Exit::Usage));
    }
    let mut done = Vec::new();
    for (name, component) in found {
        let (by, reason) = (shell.env.actor.clone(), args.reason.clone());
        let body = Body::WorkerRevoked(Box::new(WorkerRevoked {
            name: name.clone(),
            component: component.clone(),
            by,
            reason,
        }));
        wiring::record(&ledger, None, &body, vec![], Guard::Free)?;
        shell.printer.line(&format!("revoked  {name} ({})", component.short()));
        done.push(json!({ "name": name, "component": component }));
    }
    shell.printer.line("next: ab worker list · ab run takes it no more");
    shell.printer.data(&json!({ "revoked": done }));
    Ok(Exit::Done)
}

/// `ab approve w12`: a person other than who handed it in agrees.
pub(super) fn approve(
    shell: &Shell,
    at: &AtRepo,
    item: &str,
    (by, role, note): (&str, &str, Option<&str>),
) -> Result<Exit, Failure> {
    let known = repository::open(shell, at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let registry = Registry::of(&ledger)?;
    let entry = registry.waiting(item)?;
    let offer = &entry.offer;
    if offer.by == by {
        let what = format!("`{}` handed in `{item}`, and somebody else must look", safe_text::line(by));
        return Err(Failure::new("AB0851", what)
            .help("nothing was recorded. Say who you are with --as NAME --role ROLE")
            .exit(Exit::Denied));
    }
    // What is agreed to is there, to the byte.
    workers::Kept::of(&known.state).read(&offer.component)?;
    let body = Body::WorkerApproved(Box::new(WorkerApproved {
        offer: entry.seq.into(),
        name: offer.name.clone(),
        component: offer.component.clone(),
        by: by.to_owned(),
        role: role.to_owned(),
        note: note.map(str::to_owned),
    }));
    wiring::record(&ledger, None, &body, vec![], Guard::Free)?;
    let unsigned = if offer.signed.is_empty() { " · UNSIGNED" } else { "" };
    shell.printer.line(&format!(
        "approved {item} by {by} as {role} · worker {} ({}){unsigned}",
        offer.name,
        offer.component.short()
    ));
    shell.printer.line(&format!(
        "next: `worker: {0}` in a ticket, and ab run --ticket … · ab worker revoke {0} --reason WHY",
        offer.name
    ));
    shell.printer.data(&json!({ "approved": item, "name": offer.name, "component": offer.component }));
    Ok(Exit::Done)
}

/// `ab deny w12`: it is not wanted.
pub(super) fn deny(
    shell: &Shell,
    at: &AtRepo,
    item: &str,
    (by, reason): (&str, &str),
) -> Result<Exit, Failure> {
    let known = repository::open(shell, at.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let registry = Registry::of(&ledger)?;
    let entry = registry.waiting(item)?;
    let (name, component) = (entry.offer.name.clone(), entry.offer.component.clone());
    let body = WorkerRevoked {
        name: name.clone(),
        component: component.clone(),
        by: by.to_owned(),
        reason: reason.to_owned(),
    };
    wiring::record(&ledger, None, &Body::WorkerRevoked(Box::new(body)), vec![], Guard::Free)?;
    shell.printer.line(&format!("refused {item} by {by}: {}", safe_text::line(reason)));
    shell.printer.data(&json!({ "refused": item, "name": name, "component": component }));
    Ok(Exit::Done)
}
