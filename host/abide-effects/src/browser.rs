//! Reading pages: with manners, decoded, and, where there is no browser, still.
//!
//! Nothing here opens a socket: every request goes through a lease in use ([`crate::egress::Session`]).

mod blot;
mod cdp;
mod chromium;
mod clock;
pub mod decode;
pub mod manners;
pub mod places;
mod requests;
mod seen;
pub mod start;
pub mod still;
mod tab;

pub use chromium::{BrowserLimits, Chromium};
pub use seen::{Album, Kept, Sight, Vain};
