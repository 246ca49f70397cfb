//! What a worker is written with: the bindings of `wit/`, a view of the repository, and a builder that turns old and new
//! text into correct hunks.
//!
//! A worker is a type that implements [`Worker`] and one line: `worker_kit::export!("codegen", MyWorker);`. Its recipes are
//! plain functions over [`Files`], so that they are tested natively, over [`MemoryFiles`], without a host.
//!
//! Nothing here writes anything anywhere: there is no import that could.

mod bindings;
mod draft;
mod files;
mod hunks;
pub mod lex;
mod origin;
mod task;

pub use bindings::abide::worker::{browser, egress, log, progress, types, workspace};
pub use draft::{Change, Draft, DraftError, Notes, in_scope};
pub use files::{Files, HostFiles, MemoryFiles, explain, read_text};
pub use hunks::unified;
pub use origin::{is_generated, is_vendored};
pub use task::Parameters;
pub use types::{
    ExpectedOutcome, Failure, FailureKind, FileMode, FilePatch, FileStatus, Parameter, Patch, PatchFormat,
    Proposal, RollbackRecipe, Source, Task, TaskLimits,
};
pub use wit_bindgen;
pub use workspace::{Entry, EntryKind, SearchOptions, SearchResult, TextMatch, WorkspaceError};

/// A worker: one function from a task to a proposal.
pub trait Worker {
    /// Answers `task`. Called once per instance.
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure>;
}

/// Makes the crate a component of `$world` (a world of `wit/`) whose `propose` is `$worker`'s.
///
/// An interface that only this world has is named with its bindings, `"abide:worker/egress@0.1.0": ::worker_kit::egress`.
///
/// The crate is a `cdylib` two folders below the folder that holds `wit/`.
#[macro_export]
macro_rules! export {
    ($world:tt, $worker:ident $(, $interface:literal: $module:path)*) => {
        #[allow(missing_docs, clippy::all, clippy::pedantic)]
        mod component {
            $crate::wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                runtime_path: "::worker_kit::wit_bindgen::rt",
                with: {
                    "abide:worker/types@0.1.0": ::worker_kit::types,
                    "abide:worker/workspace@0.1.0": ::worker_kit::workspace,
                    "abide:worker/log@0.1.0": ::worker_kit::log,
                    "abide:worker/progress@0.1.0": ::worker_kit::progress,
                    $($interface: $module,)*
                },
            });
            struct Component;
            impl Guest for Component {
                fn propose(task: Task) -> Result<Proposal, Failure> {
                    $crate::report_panics();
                    <super::$worker as $crate::Worker>::propose(task, &$crate::HostFiles)
                }
            }
            export!(Component);
        }
    };
}

/// Sends the message of a panic to the log before the instance traps. Called by [`export!`].
#[doc(hidden)]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
}

/// Says how far the work is; natively, in tests, to nobody.
#[cfg_attr(not(target_arch = "wasm32"), expect(unused_variables, reason = "there is no host"))]
pub fn report(done: usize, total: usize, what: &str) {
    #[cfg(target_arch = "wasm32")]
    progress::report(u32::try_from(done).unwrap_or(u32::MAX), u32::try_from(total).unwrap_or(u32::MAX), what);
}

/// A failure of `kind`.
pub fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into() }
}
