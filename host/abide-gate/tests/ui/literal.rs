//! A permit cannot be written down.
use abide_core::action::AdoptPlan;

fn forge(action: AdoptPlan) -> abide_gate::Permit<AdoptPlan> {
    abide_gate::Permit { action, terms: todo!() }
}

fn main() {}
