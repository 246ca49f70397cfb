//! Decides what to want. Pure: no I/O, no clock, no async, no randomness; every function here is a value of its arguments.
//!
//! Read `spine` first: it is the table of contents of a run. The five nouns (`Event`, `Intent`, `Decision`, `Permit`, `Receipt`)
//! are explained in `docs/architecture.md`; `Permit` lives in `abide-gate`, because only the gate may make one.

pub mod action;
pub mod canary;
pub mod canonical;
pub mod decision;
pub mod event;
pub mod facts;
pub mod id;
pub mod input;
pub mod page;
pub mod patch;
pub mod plan;
pub mod risk;
pub mod safe_text;
pub mod source;
pub mod spine;
