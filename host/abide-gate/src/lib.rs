//! Judges actions and mints permits: the only place where a [`Permit`] is born.
//!
//! Trusted base: small enough to read in an afternoon. Read `gate` first (decide, record, mint), then `permit`.

mod gate;
mod permit;
mod ports;

pub use gate::{Admission, AdmitError, Ask, Gate, Judge};
pub use permit::{Permit, Redeemed, Stale};
pub use ports::{Clock, DecisionLog, DecisionRecord, Halt, HaltState, PortError};
