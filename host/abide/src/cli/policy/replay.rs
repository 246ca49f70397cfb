//! `ab policy replay`: what a policy would have decided about past changes.

use clap::Args as ClapArgs;

use super::{Files, Which};
use crate::cli::Shell;
use crate::report::{Exit, Failure};

/// `ab policy replay`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(shell: &Shell, args: &ReplayArgs) -> Result<Exit, Failure> {
    let files = Files::open(shell, &args.which)?;
    files.bundle()?;
    Ok(Exit::Done)
}
