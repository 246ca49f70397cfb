//! Git: reading without side effects, candidate trees in a scratch store, and the hands that commit, merge and revert.
//!
//! Everything is filterless: no smudge, no hook, no submodule fetch, no `refs/replace`, so judged bytes are built bytes. libgit2 runs no
//! program for us. What git itself enforces against others is in `crate::hook`.

mod adopt;
mod checkout;
mod commit;
mod fault;
mod merge;
mod names;
mod read;
mod repo;
mod revert;
mod scratch;
mod sink;
mod transfer;
mod tree;
mod workspace;

pub use adopt::{Adopt, Intake, IntakeError};
pub use checkout::{Checkout, CheckoutError};
pub use commit::{Commit, CommitError, CommitText, Committed};
pub use fault::GitFault;
pub(crate) use fault::ours as our_oid;
pub use merge::{BeforeSink, MergeError, MergeHand, Merged};
pub use read::{Ancestry, CommitInfo, ListedEntry, ReadError, Walk};
pub use repo::{Note, Repo, RepoError};
pub use revert::{RevertError, RevertHand, Reverted};
pub use scratch::{Rehearsal, Scratch, ScratchError};
pub(crate) use workspace::export_tree;
pub use workspace::{Links, Workspace, WorkspaceError, WorkspaceLimits};
