//! A review is not a permit, however often it is looked at.
use abide_core::action::AdoptPlan;
use abide_gate::{Admission, Permit};

fn approve(admission: Admission<AdoptPlan>) -> Option<Permit<AdoptPlan>> {
    match admission {
        Admission::Allow { permit, .. } => Some(permit),
        Admission::Review { action, .. } => Some(action.into()),
        Admission::Deny { .. } => None,
    }
}

fn main() {}
