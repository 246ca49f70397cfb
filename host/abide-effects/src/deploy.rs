//! Putting releases in front of users, watching them, and taking the way back.
//!
//! The one driver so far is [`Directory`]: releases are folders, and what is served is a symbolic link that is switched atomically.
//! Whether a canary did well enough is judged in the core; here is only what was seen.

mod directory;
mod health;
mod layout;

pub use directory::{Deployed, Directory, DirectoryLimits, Promoted, RolledBack};
pub use health::{Health, HealthProbe, observe};
pub use layout::{DeployError, Standing};
