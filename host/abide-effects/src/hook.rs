//! Enforcement inside git itself: two hooks of a bare repository through which every reference must pass, and the audit of what passed.
//!
//! `reference-transaction` decides and is the only one that uses a record up: it sees pushes, fetches, `update-ref`, tags and symbolic
//! references alike, while they are locked. `update` refuses early what a push cannot get, so that a person reads the reason sooner.
//! Hooks stop clients, not the repository's owner: `docs/enforcement.md` says what follows from that, [`reconcile`] finds what got past.

mod install;
mod protocol;
mod reconcile;
mod verdict;

pub use install::{HookError, Installed, install, uninstall};
pub use protocol::{Phase, RefUpdate, Value};
pub use reconcile::{ReconcileError, Stray, reconcile, unaudited};
pub use verdict::{Allow, RefMove, Refusal, transaction, update};

#[cfg(test)]
mod trial;
