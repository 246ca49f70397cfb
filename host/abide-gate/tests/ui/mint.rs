//! The mint is not open to the public.
use abide_core::action::AdoptPlan;

fn forge(action: AdoptPlan) -> abide_gate::Permit<AdoptPlan> {
    abide_gate::Permit::mint(action, todo!(), todo!(), todo!(), todo!(), todo!(), todo!(), todo!())
}

fn main() {}
