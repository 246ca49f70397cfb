//! The `ab` binary.

fn main() {}
