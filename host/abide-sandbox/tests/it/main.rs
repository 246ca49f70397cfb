//! The sandbox with real components, built from `guest-workers/` by `cargo xtask guests`.
//!
//! Without them the suites print `skipped` and pass, unless `ABIDE_REQUIRE_GUESTS=1` says that they must be there.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test stops where it fails")]

#[path = "../../../../tests/src/built.rs"]
#[expect(clippy::disallowed_methods, reason = "tests are told whether components must be there")]
mod built;
mod cache;
mod egress;
mod hostile;
mod http;
mod inspect;
mod jail;
mod languages;
mod load;
mod no_exec;
mod pool;
mod records;
mod runner;
mod sealed;
mod setup;
mod stubs;
mod workers;
mod worlds;
