use abide_core::id::RefName;

use super::*;
use crate::trial::{RUN, Sandpit, Trial, at_most, repo_id, run};

struct Bench {
    pit: Sandpit,
    trial: Trial,
    repo: Repo,
}

impl Bench {
    /// A repository, and a clone of it with two commits more.
    fn new() -> Self {
        let pit = Sandpit::seeded();
        assert!(pit.git_in(".", &["clone", "-q", "work", "clone"]).ok);
        std::fs::write(pit.root().join("clone/docs/a.md"), "two commits\n").unwrap();
        assert!(pit.git_in("clone", &["commit", "-q", "-am", "first"]).ok);
        std::fs::write(pit.root().join("clone/docs/a.md"), "two commits more\n").unwrap();
        assert!(pit.git_in("clone", &["commit", "-q", "-am", "second"]).ok);
        let repo = pit.open();
        Self { pit, trial: Trial::new(), repo }
    }

    fn incoming(&self) -> PathBuf {
        self.pit.root().join("incoming/run.git")
    }

    fn take(&self, revision: &str) -> Result<Oid, IntakeError> {
        Intake::take(&self.repo, &self.pit.root().join("clone"), revision, &self.incoming())
    }

    fn scratch(&self) -> Scratch {
        Scratch::with_incoming(&self.repo, &self.pit.spare(), &self.incoming()).unwrap()
    }

    fn action(&self, commit: Oid) -> AdoptCommit {
        let tree = self.scratch().commit(&commit).unwrap().tree;
        let branch: RefName = format!("refs/heads/ab/{RUN}/u1").parse().unwrap();
        let (repo, run, unit, base) = (repo_id(), run(), "u1".to_owned(), self.pit.oid("main"));
        AdoptCommit { repo, run, unit, branch, expected: Oid::zero(), base, commit, tree }
    }

    fn apply(&self, action: AdoptCommit) -> Result<Receipt<Committed>, CommitError> {
        Adopt::new(&self.repo).apply(self.trial.permit(action), &self.scratch(), Timestamp(0))
    }
}

#[test]
fn an_offered_commit_lies_beside_the_repository_until_it_is_permitted() {
    let bench = Bench::new();
    let before = bench.pit.git(&["count-objects", "-v"]);
    let commit = bench.take("HEAD").unwrap();
    assert_eq!(bench.pit.git(&["count-objects", "-v"]), before);
    let delta = bench
        .scratch()
        .delta(&bench.pit.tree("main"), &bench.action(commit.clone()).tree, &at_most(1 << 20))
        .unwrap();
    assert_eq!(delta.entries().len(), 1);
    let first = bench.apply(bench.action(commit.clone())).unwrap();
    assert_eq!((first.landing, &first.outcome.commit), (Landing::Fresh, &commit));
    assert_eq!(bench.pit.git(&["log", "--format=%s", first.outcome.branch.as_str()]), "second\nfirst\nseed");
    bench.pit.git(&["fsck", "--strict", "--no-dangling"]);
    let second = bench.apply(bench.action(commit)).unwrap();
    assert_eq!((second.landing, second.outcome), (Landing::Already, first.outcome));
}

#[test]
fn only_a_change_to_the_target_with_the_judged_tree_is_adopted() {
    let bench = Bench::new();
    let commit = bench.take("HEAD~1").unwrap();
    let wrong = AdoptCommit { tree: bench.pit.tree("main"), ..bench.action(commit.clone()) };
    assert_eq!(bench.apply(wrong).unwrap_err().code(), "AB0342");
    let main = AdoptCommit { branch: RefName::branch("main").unwrap(), ..bench.action(commit.clone()) };
    assert_eq!(bench.apply(main).unwrap_err().code(), "AB0330");
    bench.pit.write("README.md", "moved on");
    bench.pit.commit("the target moved on");
    assert_eq!(bench.apply(bench.action(commit)).unwrap_err().code(), "AB0334");
}

#[test]
fn a_work_branch_from_an_earlier_attempt_excuses_nothing() {
    let bench = Bench::new();
    let commit = bench.take("HEAD").unwrap();
    let first = bench.apply(bench.action(commit.clone())).unwrap();
    assert_eq!(first.landing, Landing::Fresh);
    bench.pit.write("README.md", "moved on");
    bench.pit.commit("the target moved on");
    let again = AdoptCommit { expected: commit.clone(), ..bench.action(commit) };
    assert_eq!(bench.apply(again).unwrap_err().code(), "AB0334");
}

#[test]
fn what_is_not_a_commit_is_not_taken() {
    let bench = Bench::new();
    for revision in ["gone", "HEAD:docs/a.md", "", "--all", "HEAD^{tree}"] {
        assert_eq!(bench.take(revision).unwrap_err().code(), "AB0333", "{revision}");
    }
    let nowhere = Intake::take(&bench.repo, Path::new("/nonexistent"), "HEAD", &bench.incoming());
    assert_eq!(nowhere.unwrap_err().code(), "AB0311");
}
