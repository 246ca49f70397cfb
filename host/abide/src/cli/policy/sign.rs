//! `ab policy sign`: a person stands for a bundle.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use super::Shell;
use super::bundle;
use crate::bundles::Role;
use crate::bundles::signatures::{BYTES_MAX, Signatures, SignaturesError};
use crate::home::Home;
use crate::keys::{KeyName, Keys};
use crate::report::{Exit, Failure};

const AFTER: &str = "\
Look at what you sign first: ab policy verify FILE.
The signatures lie beside the bundle in FILE.sigs.json; send both on, and each person adds one.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct SignArgs {
    /// The bundle.
    file: PathBuf,
    /// The key: ROLE/NAME, as `ab keys list` has it.
    #[arg(long, value_name = "ROLE/NAME")]
    key: KeyName,
    /// For which part; the role that the key is named after if not given.
    #[arg(long, value_name = "ROLE", value_enum)]
    as_role: Option<Role>,
    /// Where the signatures are; FILE.sigs.json if not given.
    #[arg(long, value_name = "FILE")]
    signatures: Option<PathBuf>,
}

pub(crate) fn run(shell: &Shell, args: &SignArgs) -> Result<Exit, Failure> {
    let (_, contents) = bundle::open(&args.file)?;
    let keys = Keys::of(&Home::of(&shell.env)?);
    let key = keys.open(&args.key)?;
    let role = args.as_role.unwrap_or(args.key.role);
    let file = args.signatures.clone().unwrap_or_else(|| bundle::signatures_of(&args.file));
    let mut signatures =
        if file.exists() { parse(&bundle::read(&file, BYTES_MAX)?)? } else { Signatures::empty() };
    signatures.add(&contents, role, &key).map_err(refused)?;
    let bytes = signatures.to_bytes().map_err(|error| Failure::of("AB0124", error))?;
    bundle::write(&file, &bytes)?;
    let (version, id) = (contents.manifest.version(), key.public().id());
    shell
        .printer
        .line(&format!("signed   version {version} ({}) for `{role}`", bundle::brief(&contents.archive)));
    shell.printer.line(&format!("key      {} {}", args.key, crate::bundles::judgement::short(&id)));
    shell.printer.line(&format!("wrote    {}", file.display()));
    shell.printer.line(&format!("next: ab policy verify {}", args.file.display()));
    shell.printer.data(&json!({
        "file": args.file, "signatures": file, "digest": contents.archive, "version": version, "role": role, "key": id,
    }));
    Ok(Exit::Done)
}

/// Signatures as they lie beside a bundle.
pub(super) fn parse(bytes: &[u8]) -> Result<Signatures, Failure> {
    Signatures::parse(bytes).map_err(refused)
}

fn refused(error: SignaturesError) -> Failure {
    Failure::of(error.code(), error).exit(Exit::Evidence)
}
