//! The native judge: Rego on regorus, interpreted, inspected at load, supervised while it decides.
//!
//! Not the gate: nothing here records or mints. Read `bundle` (what a generation is), then `judge` (how it answers), then
//! `inspect` (what a policy may not say). `docs/guides/policy.md` is the same for those who write rules.

mod anatomy;
mod answer;
mod builtins;
mod bundle;
pub mod conformance;
mod document;
mod floor;
mod generations;
mod inspect;
mod invariants;
mod judge;
mod layer;
mod limits;
mod link;
mod loader;
mod memo;
mod opinion;
mod reader;
mod schema;
pub mod sealed;
#[cfg(not(target_family = "wasm"))]
mod supervisor;
#[cfg(target_family = "wasm")]
#[path = "engine/inline.rs"]
mod supervisor;
mod survey;
mod testing;
mod text;

pub use anatomy::{Anatomy, anatomy};
pub use bundle::{Bundle, ENTRYPOINT};
pub(crate) use document::read_plain as read_json;
pub use generations::Generations;
pub use inspect::meaning::Doubt;
pub use invariants::{Cases, Invariant, Invariants, Name, Violation};
pub use judge::{LevelLabel, NativeJudge, RecomputeError, level_label, recompute};
pub use layer::{LAYERS, Layer};
pub use limits::{JudgeLimits, SourceLimits};
pub use loader::{BundleError, Place};
pub use memo::{Effort, FIELDS, Memo, NotAnInput, Parts};
pub use opinion::Opinion;
pub use reader::{ReadError, Reader};
pub use schema::{INPUT_SCHEMA, near_input_path};
pub use survey::{Survey, survey};
pub use testing::{
    Coverage, FileCoverage, RegoTest, TestOutcome, TestPlan, TestRun, run_tests, run_tests_apart,
};
pub use text::BundleText;

#[cfg(test)]
mod tests;
