//! A permit cannot be copied.
use abide_core::action::AdoptPlan;

fn two(permit: &abide_gate::Permit<AdoptPlan>) -> abide_gate::Permit<AdoptPlan> {
    <abide_gate::Permit<AdoptPlan> as Clone>::clone(permit)
}

fn main() {}
