//! Harness shared by the suites in `it/`.

pub mod bare;
mod built;
pub mod documentation;
pub mod gate;
pub mod hostile;
pub mod namespace;
pub mod sealed;
pub mod site;
pub mod victim;
pub mod world;

/// The worker that a stock toolchain made (`js`, `qjs`, `python` or `c`), or `None` (after saying so) where it is not built and need not be.
pub fn stock(language: &str) -> Option<Vec<u8>> {
    built::stock(language)
}
