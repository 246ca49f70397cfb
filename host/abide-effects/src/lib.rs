//! Changes the world, given a permit: git, checks and deployments. Each hand's `apply` redeems a `Permit<A>` first and cites its decision.
//!
//! Nothing here decides whether something may happen. Reading (`forge::Repo`, `forge::Scratch`, every `probe`) needs no permit, because it
//! leaves the repository as it was. Read `forge` first, then one hand: `forge::MergeHand` shows the shape of all of them.

pub mod browser;
pub mod checks;
pub mod deploy;
pub mod egress;
pub mod forge;
pub mod hook;
pub mod process;
mod receipt;
mod temporary;

pub use receipt::{Landing, Receipt};

#[cfg(test)]
mod codes;
#[cfg(test)]
mod trial;
