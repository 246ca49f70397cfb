//! There is no permit by default.
use abide_core::action::AdoptPlan;

fn from_nothing() -> abide_gate::Permit<AdoptPlan> {
    Default::default()
}

fn main() {}
