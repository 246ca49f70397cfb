//! Harness shared by the suites in `it/`.

pub mod gate;
pub mod sealed;
pub mod world;
