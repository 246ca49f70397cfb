//! Policy bundles through the binary: made, signed, put in force, used, replaced; and everything that must be refused.

mod archives;
mod broken;
mod evidence;
pub(crate) mod house;
mod in_force;
mod proofs;
mod signing;

pub(crate) use broken::damage;
pub(crate) use evidence::{copy_run, ledger};
pub(crate) use house::{House, edited};
