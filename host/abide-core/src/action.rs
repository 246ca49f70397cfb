//! What the engine may be permitted to do to the world. The set is closed: `Action` cannot be implemented elsewhere.
//!
//! An action holds digests and object ids, never names whose meaning can move between the judgement and the deed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::id::{Digest, Environment, IdError, Oid, RefName, ReleaseId, RepoId, RunId};
use crate::source::{self, SourceCase};

mod manners;

pub use manners::{Manners, Robots};

mod sealed {
    pub trait Sealed {}
}

/// The dial that governs an action. The first seven are the classes of the autonomy vector; `Rollback` has none, it is the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ActionClass {
    /// Adopt a plan for a run.
    Plan,
    /// Open a lease for outgoing requests.
    Fetch,
    /// Run a worker on a task.
    Generate,
    /// Run the named checks on a proposed commit.
    Execute,
    /// Commit a patch to a work branch.
    Write,
    /// Move a protected branch.
    Merge,
    /// Put a release in front of users.
    Deploy,
    /// Take the way back.
    Rollback,
}

impl ActionClass {
    /// Every class, in the order of a run.
    pub const ALL: [Self; 8] = [
        Self::Plan,
        Self::Fetch,
        Self::Generate,
        Self::Execute,
        Self::Write,
        Self::Merge,
        Self::Deploy,
        Self::Rollback,
    ];

    /// The spelling in policies, data and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "PLAN",
            Self::Fetch => "FETCH",
            Self::Generate => "GENERATE",
            Self::Execute => "EXECUTE",
            Self::Write => "WRITE",
            Self::Merge => "MERGE",
            Self::Deploy => "DEPLOY",
            Self::Rollback => "ROLLBACK",
        }
    }
}

impl fmt::Display for ActionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ActionClass {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| IdError {
            what: "action class",
            text: text.chars().take(80).collect(),
            why: "PLAN, FETCH, GENERATE, EXECUTE, WRITE, MERGE, DEPLOY or ROLLBACK is expected",
        })
    }
}

/// Where an action lands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The repository, if one is touched.
    pub repo: Option<&'a RepoId>,
    /// The reference that moves.
    pub branch: Option<&'a RefName>,
    /// The environment that changes.
    pub environment: Option<&'a Environment>,
}

/// Something the engine may be permitted to do to the world.
pub trait Action: sealed::Sealed + Serialize + fmt::Debug + Send + Sync + 'static {
    /// Which autonomy dial governs it.
    const CLASS: ActionClass;
    /// What it is within its class, in kebab case.
    const KIND: &'static str;
    /// Whether a permit outlives the kill switch. Only the way back may say yes.
    const SURVIVES_HALT: bool = false;

    /// Where it lands, so that what a policy is told about the target cannot differ from what the action does.
    fn place(&self) -> Place<'_> {
        Place::default()
    }

    /// The tree that it would put somewhere: facts of exactly this tree must accompany it.
    fn tree(&self) -> Option<&Oid> {
        None
    }

    /// Capabilities or origins that it would hand out: what a policy is told must be exactly these.
    fn requests(&self) -> &[String] {
        &[]
    }

    /// How it would behave towards those whose pages it reads, if it browses.
    fn manners(&self) -> Option<&Manners> {
        None
    }

    /// The source that it is about, if it is about one.
    fn source(&self) -> Option<&SourceCase> {
        None
    }

    /// The canonical bytes that are digested into the decision: class, kind and every field.
    fn canonical(&self) -> Result<Vec<u8>, CanonicalError>
    where
        Self: Sized,
    {
        #[derive(Serialize)]
        struct Named<'a, A> {
            class: ActionClass,
            kind: &'static str,
            action: &'a A,
        }
        canonical::jcs(&Named { class: Self::CLASS, kind: Self::KIND, action: self })
    }

    /// The digest that an approval, a decision and a receipt all cite.
    fn digest(&self) -> Result<Digest, CanonicalError>
    where
        Self: Sized,
    {
        Ok(Digest::of(&self.canonical()?))
    }
}

/// Declares an action: its class, its kind and, for the way back alone, that it survives a halt.
macro_rules! action {
    ($name:ident, $class:ident, $kind:literal $(, survives_halt = $survives:literal)?, |$this:ident| $place:expr $(, tree = $tree:ident)? $(, requests = $requests:ident)? $(, manners = $manners:ident)? $(, source = $source:ident)?) => {
        impl sealed::Sealed for $name {}
        impl Action for $name {
            const CLASS: ActionClass = ActionClass::$class;
            const KIND: &'static str = $kind;
            $(const SURVIVES_HALT: bool = $survives;)?
            fn place(&self) -> Place<'_> {
                let $this = self;
                $place
            }
            $(fn tree(&self) -> Option<&Oid> {
                Some(&self.$tree)
            })?
            $(fn requests(&self) -> &[String] {
                &self.$requests
            })?
            $(fn manners(&self) -> Option<&Manners> {
                self.$manners.as_ref()
            })?
            $(fn source(&self) -> Option<&SourceCase> {
                self.$source.as_ref()
            })?
        }
    };
}

/// Adopt a plan: the units of work that the run will attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptPlan {
    /// The run that plans.
    pub run: RunId,
    /// Digest of the plan document.
    pub plan: Digest,
    /// Commit that the plan was made for.
    pub base: Oid,
}
action!(AdoptPlan, Plan, "adopt-plan", |_this| Place::default());

/// Open a lease for outgoing requests of one task; the broker judges each request by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenEgress {
    /// The run that asks.
    pub run: RunId,
    /// The unit that asks.
    pub unit: String,
    /// Component that would send the requests.
    pub component: Digest,
    /// Origins asked for, as `scheme://host:port`.
    pub origins: Vec<String>,
    /// The lease's manners, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "manners::recorded")]
    pub manners: Option<Manners>,
    /// The source that would be read, if the task names one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "source::recorded")]
    pub source: Option<SourceCase>,
}
action!(
    OpenEgress,
    Fetch,
    "open-egress",
    |_this| Place::default(),
    requests = origins,
    manners = manners,
    source = source
);

/// Let a source be in a state: the next one, or the one that it is in. What it has shown stands in the action, so an answer is about exactly that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldSource {
    /// The run that asks.
    pub run: RunId,
    /// The source, with what it has shown and where it would be.
    #[serde(with = "source::recorded")]
    pub source: Option<SourceCase>,
}
action!(HoldSource, Fetch, "hold-source", |_this| Place::default(), source = source);

/// Run a worker component on a task and take its proposal as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunWorker {
    /// The run that asks.
    pub run: RunId,
    /// The unit of work.
    pub unit: String,
    /// The component, by digest of its file.
    pub component: Digest,
    /// Digest of the task handed to it.
    pub task: Digest,
    /// Commit at which it may look at the repository.
    pub base: Oid,
    /// Capabilities that it imports, sorted.
    pub requests: Vec<String>,
}
action!(RunWorker, Generate, "run-worker", |_this| Place::default(), requests = requests);

/// Run the named checks of the target branch on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunChecks {
    /// The repository.
    pub repo: RepoId,
    /// The run that asks.
    pub run: RunId,
    /// The unit of work.
    pub unit: String,
    /// The commit that is checked.
    pub commit: Oid,
    /// Names of the checks, in order.
    pub checks: Vec<String>,
    /// Digest of the check definitions, read from the target branch.
    pub definitions: Digest,
    /// Names of the leases that they ask for, sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
}
action!(
    RunChecks,
    Execute,
    "run-checks",
    |this| Place { repo: Some(&this.repo), ..Place::default() },
    requests = egress
);

/// Commit a judged tree to a branch that the engine owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitPatch {
    /// The repository.
    pub repo: RepoId,
    /// The run that asks.
    pub run: RunId,
    /// The unit of work.
    pub unit: String,
    /// The work branch, under `refs/heads/ab/`.
    pub branch: RefName,
    /// What the branch must hold before: zero if it must not exist.
    pub expected: Oid,
    /// Parent of the new commit.
    pub base: Oid,
    /// The tree that was measured and judged.
    pub tree: Oid,
    /// Digest of the patch document that the worker returned.
    pub patch: Digest,
    /// The component that wrote it.
    pub component: Digest,
    /// First line of the message, at most 72 characters.
    pub title: String,
}
action!(
    CommitPatch,
    Write,
    "commit-patch",
    |this| Place { repo: Some(&this.repo), branch: Some(&this.branch), environment: None },
    tree = tree
);

/// Take a commit that someone else made into the repository, on a branch that the engine owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptCommit {
    /// The repository.
    pub repo: RepoId,
    /// The run that asks.
    pub run: RunId,
    /// The unit of work.
    pub unit: String,
    /// The work branch, under `refs/heads/ab/`.
    pub branch: RefName,
    /// What the branch must hold before: zero if it must not exist.
    pub expected: Oid,
    /// Where the target branch stands.
    pub base: Oid,
    /// The commit; it descends from `base`.
    pub commit: Oid,
    /// Its tree, which was measured and judged.
    pub tree: Oid,
}
action!(
    AdoptCommit,
    Write,
    "adopt-commit",
    |this| Place { repo: Some(&this.repo), branch: Some(&this.branch), environment: None },
    tree = tree
);

/// Move a protected branch to an exact commit, if it still stands where it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The repository.
    pub repo: RepoId,
    /// The branch.
    pub target: RefName,
    /// Where the branch must stand.
    pub expected: Oid,
    /// Where it will stand.
    pub commit: Oid,
    /// Tree of `commit`.
    pub tree: Oid,
}
action!(
    Merge,
    Merge,
    "merge",
    |this| Place { repo: Some(&this.repo), branch: Some(&this.target), environment: None },
    tree = tree
);

/// Undo a merged commit by a new commit that restores the tree before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revert {
    /// The repository.
    pub repo: RepoId,
    /// The branch.
    pub target: RefName,
    /// Where the branch must stand.
    pub expected: Oid,
    /// The commit that is undone.
    pub undoes: Oid,
    /// The tree that undoing it gives.
    pub tree: Oid,
}
action!(
    Revert,
    Merge,
    "revert",
    |this| Place { repo: Some(&this.repo), branch: Some(&this.target), environment: None },
    tree = tree
);

/// Where a roll-back leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to", content = "release")]
pub enum WayBack {
    /// To a release that was promoted before.
    Release(ReleaseId),
    /// To nothing: this is the environment's first release.
    Nothing,
}

/// How to undo a deployment. A deployment cannot be expressed without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackPlan {
    /// The environment.
    pub environment: Environment,
    /// The release that would be taken away.
    pub from: ReleaseId,
    /// Where it leads.
    pub way: WayBack,
}

/// Put a release in front of users as a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// The repository.
    pub repo: RepoId,
    /// The run that asks.
    pub run: RunId,
    /// The environment.
    pub environment: Environment,
    /// The release.
    pub release: ReleaseId,
    /// Commit that the release is made from.
    pub commit: Oid,
    /// Tree of `commit`.
    pub tree: Oid,
    /// The way back.
    pub rollback: RollbackPlan,
}
action!(
    Deploy,
    Deploy,
    "deploy",
    |this| Place { repo: Some(&this.repo), branch: None, environment: Some(&this.environment) },
    tree = tree
);

/// Make a canary that did well the release of its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// The run that asks.
    pub run: RunId,
    /// The environment.
    pub environment: Environment,
    /// The release.
    pub release: ReleaseId,
    /// Digest of the observations that speak for it.
    pub evidence: Digest,
    /// The way back.
    pub rollback: RollbackPlan,
}
action!(Promote, Deploy, "promote", |this| Place {
    environment: Some(&this.environment),
    ..Place::default()
});

/// Take the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The plan named when the deployment was judged.
    pub plan: RollbackPlan,
}
action!(Rollback, Rollback, "rollback", survives_halt = true, |this| Place {
    environment: Some(&this.plan.environment),
    ..Place::default()
});

#[cfg(test)]
mod tests;
