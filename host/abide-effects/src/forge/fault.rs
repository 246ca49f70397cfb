//! A failure inside libgit2, with what was being done, and the mapping between its object ids and ours.

use abide_core::id::Oid;

/// libgit2 failed for a reason that is not one of the expected ones.
#[derive(Debug, thiserror::Error)]
#[error("git could not {doing}: {}", .source.message())]
pub struct GitFault {
    /// What was being done, as a verb phrase.
    pub doing: &'static str,
    /// What libgit2 said.
    #[source]
    pub source: git2::Error,
}

impl GitFault {
    /// The code for `ab explain`.
    pub const CODE: &'static str = "AB0310";

    /// `fault` unless libgit2 simply did not find what was asked for, which is `missing`.
    pub(crate) fn or<E: From<Self>>(doing: &'static str, missing: E) -> impl FnOnce(git2::Error) -> E {
        move |source| if absent(&source) { missing } else { Self { doing, source }.into() }
    }

    pub(crate) fn of(doing: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self { doing, source }
    }
}

/// Whether libgit2 did not find what was asked for.
pub(crate) fn absent(error: &git2::Error) -> bool {
    error.code() == git2::ErrorCode::NotFound
}

/// Our id of a libgit2 object.
pub(crate) fn ours(oid: git2::Oid) -> Oid {
    // INVARIANT: libgit2 is built without SHA-256, so its ids print as 40 lower-case hex digits; zero matches no object should that change.
    oid.to_string().parse().unwrap_or_else(|_| Oid::zero())
}

/// libgit2's id of one of ours.
pub(crate) fn theirs(oid: &Oid) -> Result<git2::Oid, GitFault> {
    git2::Oid::from_str(oid.as_str()).map_err(GitFault::of("parse an object id"))
}
