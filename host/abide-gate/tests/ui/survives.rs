//! An action cannot be wrapped in something that outlives the kill switch.
use abide_core::action::{Action, ActionClass, Merge};

#[derive(Debug, serde::Serialize)]
struct Wrapped(Merge);

impl Action for Wrapped {
    const CLASS: ActionClass = ActionClass::Rollback;
    const KIND: &'static str = "rollback";
    const SURVIVES_HALT: bool = true;
}

fn main() {}
