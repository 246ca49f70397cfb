//! `ab secret`: what the broker puts into requests, and nobody else sees.

use std::io::Read as _;

use abide_core::safe_text;
use abide_effects::egress::vault::Secret;
use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::Shell;
use super::args::AtRepo;
use super::printer::Tone;
use crate::report::{Exit, Failure};
use crate::repository;
use crate::vault::{FileVault, Place, SECRET_BYTES_MAX};

const AFTER: &str = "\
A lease in policies/data/egress.yaml names a secret as vault:NAME. The broker puts it into the request that its rule is about; the worker never sees
it. Values come from standard input, and no verb prints one:

  ab secret set hook-token < token.txt
  ab secret set ci-token --env CI_TOKEN
  ab secret set deploy-token -- /usr/local/bin/mint --role deploy

docs/guides/egress.md shows a rule that uses one.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    verb: SecretVerb,
}

#[derive(Debug, Subcommand)]
enum SecretVerb {
    /// Keep a secret under a name. Its value is read from standard input; one line feed at its end is left out.
    Set {
        #[command(flatten)]
        at: AtRepo,
        /// What leases call it: a-z, 0-9, `-` and `.`.
        name: String,
        /// Leave the value in this variable of the environment, and keep only the variable's name.
        #[arg(long, value_name = "VARIABLE")]
        env: Option<String>,
        /// Ask this program each time a lease needs it, and keep only the program's name. It reads one line of JSON that says what for, and prints the secret.
        #[arg(last = true, value_name = "PROGRAM", conflicts_with = "env")]
        helper: Vec<String>,
    },
    /// List the names, and where each secret is.
    List {
        #[command(flatten)]
        at: AtRepo,
    },
    /// Forget a secret.
    Remove {
        #[command(flatten)]
        at: AtRepo,
        /// Which.
        name: String,
    },
}

pub(crate) fn run(shell: &Shell, args: &SecretArgs) -> Result<Exit, Failure> {
    match &args.verb {
        SecretVerb::Set { at, name, env, helper } => set(shell, at, name, env.as_deref(), helper),
        SecretVerb::List { at } => list(shell, at),
        SecretVerb::Remove { at, name } => {
            vault(shell, at)?.remove(name)?;
            shell.printer.line(&format!("{} forgot       {name}", shell.printer.paint(Tone::Good, "✓")));
            shell.printer.data(&json!({"removed": name}));
            Ok(Exit::Done)
        }
    }
}

fn set(
    shell: &Shell,
    at: &AtRepo,
    name: &str,
    variable: Option<&str>,
    helper: &[String],
) -> Result<Exit, Failure> {
    let vault = vault(shell, at)?;
    let replaced = match variable {
        Some(variable) => vault.set_variable(name, variable)?,
        None if !helper.is_empty() => vault.set_helper(name, helper)?,
        None => vault.set(name, &from_stdin()?)?,
    };
    let what = if replaced { "replaced" } else { "kept" };
    shell.printer.line(&format!("{} {what:<12} {name}", shell.printer.paint(Tone::Good, "✓")));
    shell.printer.line(&format!(
        "next: `secret: vault:{name}` in a rule of policies/data/egress.yaml · ab explain egress"
    ));
    shell.printer.data(&json!({"name": name, "replaced": replaced}));
    Ok(Exit::Done)
}

fn list(shell: &Shell, at: &AtRepo) -> Result<Exit, Failure> {
    let secrets = vault(shell, at)?.list()?;
    if secrets.is_empty() {
        shell.printer.line("no secrets");
        shell.printer.line("next: ab secret set NAME < FILE");
    }
    let told = |place: &Place| match place {
        Place::File => "sealed in the state folder".to_owned(),
        Place::Environment(variable) => format!("in the variable {variable}"),
        Place::Helper(argv) => format!("asked of {}", safe_text::line(&argv.join(" "))),
    };
    for (name, place) in &secrets {
        shell.printer.line(&format!("{name:<24} {}", told(place)));
    }
    let rows: Vec<_> = secrets.iter().map(|(name, place)| json!({"name": name, "in": told(place)})).collect();
    shell.printer.data(&json!({"secrets": rows}));
    Ok(Exit::Done)
}

fn from_stdin() -> Result<Secret, Failure> {
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let mut bytes = Vec::new();
    std::io::stdin().take(limit).read_to_end(&mut bytes).map_err(|error| Failure::of("AB0920", error))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(Secret::new(bytes))
}

fn vault(shell: &Shell, at: &AtRepo) -> Result<FileVault, Failure> {
    Ok(FileVault::of(&repository::open(shell, at.repo.as_deref())?.state))
}
