//! No action can be invented elsewhere.
use abide_core::action::{Action, ActionClass};

#[derive(Debug, serde::Serialize)]
struct Mine;

impl Action for Mine {
    const CLASS: ActionClass = ActionClass::Plan;
    const KIND: &'static str = "harmless";
}

fn main() {}
