//! Wires, drives, serves.
