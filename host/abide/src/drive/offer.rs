//! Whether a commit that someone offers is a change on top of where the target stands.

use abide_core::id::{Oid, RefName};
use abide_effects::forge::{Ancestry, Scratch};

use crate::report::Failure;

/// How an offered commit stands to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The target can be fast-forwarded to it.
    OnTop,
    /// The target stands at it, or beyond.
    Contained,
    /// It lacks commits of the target.
    Aside,
}

/// Why a commit cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) code: &'static str,
    pub(crate) what: String,
    pub(crate) next: String,
}

/// How `commit` stands to the target's `head`. Both are read from `scratch`.
pub(crate) fn standing(scratch: &Scratch, head: &Oid, commit: &Oid) -> Result<Standing, Failure> {
    let ancestry =
        |older, newer| scratch.ancestry(older, newer).map_err(|error| Failure::of(error.code(), error));
    Ok(match ancestry(head, commit)? {
        Ancestry::Ancestor => Standing::OnTop,
        Ancestry::Same => Standing::Contained,
        Ancestry::Unrelated => match ancestry(commit, head)? {
            Ancestry::Ancestor => Standing::Contained,
            Ancestry::Same | Ancestry::Unrelated => Standing::Aside,
        },
    })
}

impl Standing {
    /// Whether the commit can be taken for `target`, which stands at `head`.
    pub(crate) fn fits(self, target: &RefName, commit: &Oid, head: &Oid) -> Result<(), Unfit> {
        let (target, short, head) = (target.short(), commit.short(), head.short());
        match self {
            Self::OnTop => Ok(()),
            Self::Contained => Err(Unfit {
                code: "AB0026",
                what: format!("commit {short} is in {target} already, so it changes nothing"),
                next: "name a commit that is not merged yet, for example a branch: ab propose BRANCH"
                    .to_owned(),
            }),
            Self::Aside => Err(Unfit {
                code: "AB0334",
                what: format!("commit {short} is not based on where {target} stands ({head})"),
                next: format!("git rebase {target} on its branch, then ab propose it again"),
            }),
        }
    }
}
