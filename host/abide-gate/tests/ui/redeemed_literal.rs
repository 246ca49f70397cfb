//! What a permit yields cannot be written down either.
use abide_core::action::AdoptPlan;

fn forge(action: AdoptPlan) -> abide_gate::Redeemed<AdoptPlan> {
    abide_gate::Redeemed { action, terms: todo!() }
}

fn main() {}
