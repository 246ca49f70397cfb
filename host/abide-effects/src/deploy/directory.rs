//! The directory driver: a release is a read-only, filterless export of a commit's tree, and `current` says which one is served.
//!
//! Every step is a rename or a removal, so a crash leaves the old state or the new one, and asking again goes on from there.

use std::path::PathBuf;

use abide_core::action::{Deploy, Promote, Rollback, RollbackPlan, WayBack};
use abide_core::id::{Environment, Oid, ReleaseId, RepoPath};
use abide_gate::{Permit, Redeemed};
use serde::Serialize;

use super::layout::{DeployError, Layout, Link, Standing};
use crate::forge::{Repo, WorkspaceLimits, export_tree};
use crate::receipt::{Landing, Receipt};

/// Bounds on releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryLimits {
    /// Releases that are kept besides those that are served or needed for the way back.
    pub keep: usize,
    /// Bounds on one release.
    pub release: WorkspaceLimits,
}

/// Deploys by folders and links below `root/<environment>/`.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
    subfolder: Option<RepoPath>,
    limits: DirectoryLimits,
}

/// A release that went out as a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// The environment.
    pub environment: Environment,
    /// The release.
    pub release: ReleaseId,
    /// The commit that it was made from.
    pub commit: Oid,
    /// Where its files are.
    pub path: PathBuf,
}

/// A release that everybody is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Promoted {
    /// The environment.
    pub environment: Environment,
    /// The release.
    pub release: ReleaseId,
}

/// A release that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The environment.
    pub environment: Environment,
    /// The release that is gone.
    pub from: ReleaseId,
    /// The release that is served now, if any.
    pub to: Option<ReleaseId>,
}

impl Directory {
    /// A driver for the environments below `root`. A release holds the commit's tree, or only its `subfolder`.
    pub fn new(root: PathBuf, subfolder: Option<RepoPath>, limits: DirectoryLimits) -> Self {
        Self { root, subfolder, limits }
    }

    /// What `environment` serves now.
    pub fn standing(&self, environment: &Environment) -> Result<Standing, DeployError> {
        self.layout(environment).standing()
    }

    /// Where the files of `release` are.
    pub fn release_path(&self, environment: &Environment, release: &ReleaseId) -> PathBuf {
        self.layout(environment).release(release)
    }

    /// The plan that leads back to what `environment` serves now.
    pub fn way_back(&self, environment: &Environment, from: &ReleaseId) -> Result<RollbackPlan, DeployError> {
        let way = self.standing(environment)?.current.map_or(WayBack::Nothing, WayBack::Release);
        Ok(RollbackPlan { environment: environment.clone(), from: from.clone(), way })
    }

    /// Builds the release and lets `canary` lead to it.
    pub fn deploy(&self, permit: Permit<Deploy>, repo: &Repo) -> Result<Receipt<Deployed>, DeployError> {
        let redeemed = permit.redeem()?;
        let action = &redeemed.action;
        check_origin(action, repo)?;
        let layout = self.layout(&action.environment);
        let _held = layout.hold()?;
        if let Some(outcome) = self.probe_deploy(action)? {
            return Ok(Receipt::of(&redeemed, Landing::Already, outcome));
        }
        check_way_back(&action.rollback, &action.environment, &action.release, &layout.standing()?)?;
        let origin = self.origin(repo, action)?;
        if layout.origin(&action.release).as_ref() != Some(&origin) {
            self.build(&layout, repo, &action.release, &origin)?;
        }
        redeemed.still_stands()?;
        layout.switch(Link::Canary, Some(&action.release))?;
        self.tidy(&layout, &action.rollback);
        Ok(Receipt::of(&redeemed, Landing::Fresh, self.deployed(action)))
    }

    /// Whether the release went out earlier: it is the canary, or was promoted since.
    pub fn probe_deploy(&self, action: &Deploy) -> Result<Option<Deployed>, DeployError> {
        let Standing { current, canary } = self.standing(&action.environment)?;
        let landed = [current, canary].into_iter().flatten().any(|release| release == action.release);
        Ok(landed.then(|| self.deployed(action)))
    }

    /// Lets `current` lead to the canary.
    pub fn promote(&self, permit: Permit<Promote>) -> Result<Receipt<Promoted>, DeployError> {
        let redeemed = permit.redeem()?;
        let action = &redeemed.action;
        let layout = self.layout(&action.environment);
        let _held = layout.hold()?;
        let standing = layout.standing()?;
        let landing = if standing.current.as_ref() == Some(&action.release) {
            Landing::Already
        } else {
            check_canary(action, &standing)?;
            check_way_back(&action.rollback, &action.environment, &action.release, &standing)?;
            redeemed.still_stands()?;
            layout.switch(Link::Current, Some(&action.release))?;
            Landing::Fresh
        };
        // A crash between the two leaves a canary that is current; the next attempt ends here.
        if standing.canary.as_ref() == Some(&action.release) {
            layout.switch(Link::Canary, None)?;
        }
        let (environment, release) = (action.environment.clone(), action.release.clone());
        Ok(Receipt::of(&redeemed, landing, Promoted { environment, release }))
    }

    /// Whether the promotion landed earlier: the release is served and is no canary any more.
    pub fn probe_promote(&self, action: &Promote) -> Result<Option<Promoted>, DeployError> {
        let standing = self.standing(&action.environment)?;
        let landed = standing.current.as_ref() == Some(&action.release)
            && standing.canary.as_ref() != Some(&action.release);
        let (environment, release) = (action.environment.clone(), action.release.clone());
        Ok(landed.then_some(Promoted { environment, release }))
    }

    /// Takes the way back. Works while the system is halted.
    pub fn roll_back(&self, permit: Permit<Rollback>) -> Result<Receipt<RolledBack>, DeployError> {
        let redeemed: Redeemed<Rollback> = permit.redeem()?;
        let plan = &redeemed.action.plan;
        let layout = self.layout(&plan.environment);
        let _held = layout.hold()?;
        let standing = layout.standing()?;
        if landed(plan, &standing) {
            return Ok(Receipt::of(&redeemed, Landing::Already, rolled_back(plan)));
        }
        let way = release_of(&plan.way);
        if standing.current.as_ref() != Some(&plan.from) && standing.current.as_ref() != way {
            return Err(way_back_error(plan, &standing));
        }
        redeemed.still_stands()?;
        if standing.current.as_ref() == Some(&plan.from) {
            layout.switch(Link::Current, way)?;
        }
        if standing.canary.as_ref() == Some(&plan.from) {
            layout.switch(Link::Canary, None)?;
        }
        Ok(Receipt::of(&redeemed, Landing::Fresh, rolled_back(plan)))
    }

    /// Whether the roll-back landed earlier: what it leads to is served, and the release is no canary.
    pub fn probe_roll_back(&self, action: &Rollback) -> Result<Option<RolledBack>, DeployError> {
        let standing = self.standing(&action.plan.environment)?;
        Ok(landed(&action.plan, &standing).then(|| rolled_back(&action.plan)))
    }

    fn layout(&self, environment: &Environment) -> Layout {
        Layout::new(&self.root, environment)
    }

    fn deployed(&self, action: &Deploy) -> Deployed {
        let (environment, release, commit) =
            (action.environment.clone(), action.release.clone(), action.commit.clone());
        let path = self.release_path(&environment, &release);
        Deployed { environment, release, commit, path }
    }

    /// The tree that a release of `action` holds.
    fn origin(&self, repo: &Repo, action: &Deploy) -> Result<Oid, DeployError> {
        let Some(folder) = &self.subfolder else { return Ok(action.tree.clone()) };
        let missing =
            || DeployError::NotThatRelease { release: action.release.clone(), commit: action.commit.clone() };
        repo.subtree_at(&action.commit, folder)?.ok_or_else(missing)
    }

    fn build(
        &self,
        layout: &Layout,
        repo: &Repo,
        release: &ReleaseId,
        tree: &Oid,
    ) -> Result<(), DeployError> {
        let to = layout.release(release);
        if std::fs::symlink_metadata(&to).is_ok() {
            return Err(DeployError::Foreign { path: to, why: "it is not the release of this commit" });
        }
        let disk = |source| DeployError::Disk { path: layout.releases(), doing: "written", source };
        let folder =
            tempfile::Builder::new().prefix(".build-").tempdir_in(layout.releases()).map_err(disk)?;
        export_tree(repo, tree, folder.path(), self.limits.release)?;
        layout.seal(release, tree, folder)
    }

    /// Old releases are a matter of space, not of the deployment: failing to remove them is only said.
    fn tidy(&self, layout: &Layout, plan: &RollbackPlan) {
        let needed: Vec<&ReleaseId> =
            [Some(&plan.from), release_of(&plan.way)].into_iter().flatten().collect();
        match layout.prune(self.limits.keep, &needed) {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => {
                tracing::info!(environment = %plan.environment, releases = ?gone, "old releases were removed");
            }
            Err(error) => {
                tracing::warn!(environment = %plan.environment, %error, "old releases could not be removed");
            }
        }
    }
}

fn release_of(way: &WayBack) -> Option<&ReleaseId> {
    match way {
        WayBack::Release(release) => Some(release),
        WayBack::Nothing => None,
    }
}

fn check_origin(action: &Deploy, repo: &Repo) -> Result<(), DeployError> {
    if action.repo != *repo.id() {
        return Err(DeployError::WrongRepository {
            permitted: action.repo.clone(),
            found: repo.id().clone(),
        });
    }
    if action.release != ReleaseId::of(&action.commit) || repo.commit(&action.commit)?.tree != action.tree {
        return Err(DeployError::NotThatRelease {
            release: action.release.clone(),
            commit: action.commit.clone(),
        });
    }
    Ok(())
}

/// A way back that leads elsewhere than to what is served now would not undo this deployment.
fn check_way_back(
    plan: &RollbackPlan,
    environment: &Environment,
    release: &ReleaseId,
    standing: &Standing,
) -> Result<(), DeployError> {
    let same = plan.environment == *environment
        && plan.from == *release
        && release_of(&plan.way) == standing.current.as_ref();
    if same { Ok(()) } else { Err(way_back_error(plan, standing)) }
}

fn way_back_error(plan: &RollbackPlan, standing: &Standing) -> DeployError {
    let planned = format!("{} from `{}`", shown(release_of(&plan.way)), plan.from);
    DeployError::WayBack {
        environment: plan.environment.clone(),
        planned,
        found: shown(standing.current.as_ref()),
    }
}

fn check_canary(action: &Promote, standing: &Standing) -> Result<(), DeployError> {
    if standing.canary.as_ref() == Some(&action.release) {
        return Ok(());
    }
    let (environment, release) = (action.environment.clone(), action.release.clone());
    Err(DeployError::NotCanary { environment, release, found: shown(standing.canary.as_ref()) })
}

fn shown(release: Option<&ReleaseId>) -> String {
    release.map_or_else(|| "nothing".to_owned(), |release| format!("`{release}`"))
}

fn landed(plan: &RollbackPlan, standing: &Standing) -> bool {
    standing.current.as_ref() == release_of(&plan.way) && standing.canary.as_ref() != Some(&plan.from)
}

fn rolled_back(plan: &RollbackPlan) -> RolledBack {
    let (environment, from) = (plan.environment.clone(), plan.from.clone());
    RolledBack { environment, from, to: release_of(&plan.way).cloned() }
}

#[cfg(test)]
mod tests;
