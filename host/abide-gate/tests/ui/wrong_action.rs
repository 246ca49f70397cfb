//! A permit for one action is not a permit for another.
use abide_core::action::{CommitPatch, Merge};

fn merge(_: abide_gate::Permit<Merge>) {}

fn mixed(permit: abide_gate::Permit<CommitPatch>) {
    merge(permit);
}

fn main() {}
