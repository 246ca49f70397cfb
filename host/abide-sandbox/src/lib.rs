//! Runs a worker component and returns data.
//!
//! A component holds no authority but the imports that its grants name; none of them writes. What comes back is a [`RunOutcome`]: a
//! proposal that was checked for shape (not for truth: facts are measured from git trees elsewhere), or the reason why there is none, and
//! the receipt of what was requested, granted and used.
//!
//! It also runs the sealed judge ([`sealed`]): the gate's own code, compiled to WebAssembly, for policies that nobody trusts.
//!
//! And it runs native programs, the checks of a change, in a [`jail`].
//!
//! [`Processes`] runs components behind walls, in a process for each, and [`InProcess`] is what they run in there.
//!
//! Not here: policy (grants arrive decided), applying a patch (`abide-core`), git and the network (`abide-effects`).

mod bindings;
mod browser;
mod cache;
mod clock;
mod component;

pub mod egress;
mod engine;
mod host;
mod http;
pub mod inspect;
pub mod jail;
pub mod message;
mod meter;
mod pack;
mod proposal;
mod run;
pub mod runner;
pub mod sealed;
mod stub;
mod text;
pub mod transcript;
pub mod workspace;

pub use cache::{CacheKey, CompiledCache};
pub use component::{ComponentInfo, LoadError};
pub use egress::{Egress, EgressFailure, EgressRequest, EgressResponse, NoEgress};
pub use engine::{EngineError, EngineLimits, Execution};
pub use message::{
    Capability, CapabilityReceipt, Failure, FailureKind, FilePatch, Limits, LogLevel, LogLine, PatchDoc,
    Proposal, Refusal, Rejection, RunOutcome, RunRequest, RunResult, Spent, Task, Trap, TrapKind, Usage,
};
pub use pack::{PackError, pack};
pub use run::InProcess;
pub use runner::{Processes, Program, RunnerError};
pub use sealed::{SealedError, SealedJudge, SealedModule};
pub use transcript::{Recorded, Recording, Transcript, TranscriptError};
pub use workspace::{DirWorkspace, Workspace, WorkspaceError};
