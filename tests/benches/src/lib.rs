//! Measurements; see `cargo xtask bench`.
