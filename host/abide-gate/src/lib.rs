//! Judges actions and mints permits: the only place where a [`Permit`] is born.
//!
//! Trusted base: small enough to read in an afternoon. Read `gate` first (decide, record, mint), then `permit`, then
//! `engine` (how a policy answers) and `source` (how a policy folder becomes a bundle).

mod engine;
mod gate;
mod permit;
mod ports;
mod question;
pub mod source;

pub use engine::{
    Anatomy, Bundle, BundleError, BundleText, Cases, Coverage, Doubt, ENTRYPOINT, Effort, FIELDS,
    FileCoverage, Generations, INPUT_SCHEMA, Invariant, Invariants, JudgeLimits, LevelLabel, Memo, Name,
    NativeJudge, NotAnInput, Opinion, Parts, Place, ReadError, Reader, RecomputeError, RegoTest,
    SourceLimits, Survey, TestOutcome, TestPlan, TestRun, Violation, anatomy, level_label, near_input_path,
    recompute, run_tests, run_tests_apart, survey,
};
pub use engine::{conformance, sealed};
pub use gate::{Admission, AdmitError, Ask, Gate, Judge};
pub use permit::{Permit, Redeemed, Stale};
pub use ports::{Clock, DecisionLog, DecisionRecord, Halt, HaltState, PortError};
pub use question::{Question, QuestionError};
