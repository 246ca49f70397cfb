//! A jail for programs that are not components: checks, which run the very code that is being judged.
//!
//! This program starts itself again, twice. The [`outer`] process leaves the host's namespaces, starts the [`inner`] one, ends everything when it is told
//! to or when whoever started it is gone, and clears what is left. The inner process is the first of the jail: it builds the [`view`] of files, gives
//! up its rights, raises Landlock and seccomp, and only then starts the check, which inherits all of it. While the check runs, the inner process answers for
//! the calls that would lead out ([`told`]) and watches memory and processes ([`watch`]).
//!
//! Each wall is tried by itself, and a report says which stand ([`Wall`]). Not here: what a check is, and whether its result counts.

mod attempts;
mod exit;
mod filter;
mod identity;
mod inner;
mod outer;
mod paths;
mod report;
mod start;
mod told;
mod view;
mod watch;

pub use outer::{serve, was_asked};
pub use paths::readable;
pub use report::{Ended, Ending, Over, Report};
pub use start::{Cell, CellLimits, Inmate, Jail, JailError, Task, WALLS};

/// What the program's first argument is when it is to be a jail.
pub const ARGUMENT: &str = "jail-process";
/// Its second argument in the process inside.
const INSIDE: &str = "inside";
/// The environment of both processes. The cap on what one may reserve holds for them too, and the allocator of `ab` would reserve 1 GiB at once.
const LIGHT: [(&str, &str); 1] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0")];
/// Bytes of a message between the two sides.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
