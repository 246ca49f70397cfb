//! `ab worker pack`: a component of a core module, for those who have no other tool that makes one.

use std::fs;
use std::path::PathBuf;

use abide_core::id::Digest;
use clap::Args as ClapArgs;
use serde_json::json;

use super::inspect::size;
use crate::cli::Shell;
use crate::report::{Exit, Failure};
use crate::workers::{BYTES_MAX, read_file};

#[derive(Debug, ClapArgs)]
pub(crate) struct PackArgs {
    /// The core module, as a compiler leaves it.
    module: PathBuf,
    /// Where the component goes.
    #[arg(long, value_name = "FILE", default_value = "worker.wasm")]
    out: PathBuf,
}

pub(super) fn run(shell: &Shell, args: &PackArgs) -> Result<Exit, Failure> {
    let module = read_file(&args.module, BYTES_MAX)?;
    let component = abide_sandbox::pack(&module).map_err(|error| {
        Failure::of(error.code(), error)
            .help(
                "a module that was built with bindings of wit/ has its types in it: ab worker new begins one",
            )
            .exit(Exit::Evidence)
    })?;
    fs::write(&args.out, &component).map_err(|error| {
        Failure::of("AB0004", error).help(format!("{} could not be written", args.out.display()))
    })?;
    let (out, digest) = (args.out.display(), Digest::of(&component));
    let bytes = u64::try_from(component.len()).unwrap_or(u64::MAX);
    shell.printer.line(&format!("wrote {out} ({}) {digest}", size(bytes)));
    shell.printer.line(&format!("next: ab worker inspect {out} · ab worker verify {out}"));
    shell.printer.data(&json!({ "file": args.out, "component": digest, "bytes": bytes }));
    Ok(Exit::Done)
}
