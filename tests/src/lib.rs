//! Harness shared by the suites in `it/`.
