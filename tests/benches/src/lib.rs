//! Measurements; the benchmarks are in `benches/`. See `cargo xtask bench`.
