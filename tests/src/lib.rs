//! Harness shared by the suites in `it/`.

mod built;
pub mod gate;
pub mod sealed;
pub mod world;
