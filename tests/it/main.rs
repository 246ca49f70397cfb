//! One binary for every suite that crosses crates.

mod approvals;
mod bad_input;
mod crash;
mod eval;
mod explain;
mod golden;
mod guide;
mod hooks;
mod in_force;
mod invariants;
mod policy;
mod reference;
mod replay;
mod schemas;
mod story;
mod tidy;
