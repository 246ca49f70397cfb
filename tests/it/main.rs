//! One binary for every suite that crosses crates.

mod golden;
