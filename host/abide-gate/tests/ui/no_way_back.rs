//! A deployment without a way back cannot be expressed.
use abide_core::action::Deploy;
use abide_core::id::{Environment, Oid, ReleaseId, RepoId, RunId};

fn deploy(repo: RepoId, run: RunId, environment: Environment, release: ReleaseId, commit: Oid, tree: Oid) -> Deploy {
    Deploy { repo, run, environment, release, commit, tree }
}

fn main() {}
