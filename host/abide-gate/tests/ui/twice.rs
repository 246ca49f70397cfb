//! A permit is spent once.
use abide_core::action::AdoptPlan;

fn twice(permit: abide_gate::Permit<AdoptPlan>) {
    let _first = permit.redeem();
    let _second = permit.redeem();
}

fn main() {}
