//! A permit cannot be stored or sent.
use abide_core::action::AdoptPlan;

fn store(permit: abide_gate::Permit<AdoptPlan>) -> Vec<u8> {
    serde_json::to_vec(&permit).unwrap()
}

fn main() {}
