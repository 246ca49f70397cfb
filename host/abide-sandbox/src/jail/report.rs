//! What a jail says when it is over. It comes from the process that held the check, not from the check.

use serde::{Deserialize, Serialize};

use crate::runner::{Attempt, Wall};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// By itself, with this status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

/// Which cap was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Over {
    /// Bytes of memory over all processes.
    Memory,
    /// Processes and threads.
    Processes,
}

/// A program that was in the jail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// What it tried in order to get out, each once, in words.
    pub tried: Vec<String>,
    /// What it asked for and may ask for, but is not there: a port of its own loopback where nobody listens.
    pub missed: Vec<String>,
    /// The cap that ended it.
    pub over: Option<Over>,
}

/// What a jail says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The walls, in the order of [`super::WALLS`].
    pub walls: Vec<Wall>,
    /// What came of the program, or why it was not started.
    pub ended: Result<Ended, String>,
    /// What the jail tried itself, if it was asked to.
    pub attempts: Vec<Attempt>,
}
