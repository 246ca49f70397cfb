//! One binary for every suite that crosses crates.

mod approvals;
mod bad_input;
mod bundles;
mod crash;
mod eval;
mod explain;
mod faults;
mod golden;
mod guide;
mod hooks;
mod in_force;
mod invariants;
mod layers;
mod policy;
mod prove;
mod reference;
mod replay;
mod scaffold;
mod schemas;
mod sealed;
mod serve;
mod shadow;
mod status;
mod story;
mod support;
mod tidy;
