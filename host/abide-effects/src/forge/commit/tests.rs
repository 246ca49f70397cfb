use abide_core::patch::{FileChange, FileMode};

use super::*;
use crate::trial::{RUN, Sandpit, Trial, digest, repo_id, run};

struct Bench {
    pit: Sandpit,
    trial: Trial,
    repo: Repo,
    scratch: Scratch,
}

impl Bench {
    fn new() -> Self {
        let pit = Sandpit::seeded();
        let repo = pit.open();
        let scratch = Scratch::new(&repo, &pit.spare()).unwrap();
        Self { pit, trial: Trial::new(), repo, scratch }
    }

    fn action(&self, text: &str) -> CommitPatch {
        let write = FileChange::Write {
            path: "docs/deep/new.md".parse().unwrap(),
            mode: FileMode::Plain,
            bytes: text.into(),
        };
        CommitPatch {
            repo: repo_id(),
            run: run(),
            unit: "u1".to_owned(),
            branch: format!("refs/heads/ab/{RUN}/u1").parse().unwrap(),
            expected: Oid::zero(),
            base: self.pit.oid("HEAD"),
            tree: self.scratch.edit(&self.pit.tree("HEAD"), &[write]).unwrap(),
            patch: digest("patch"),
            component: digest("component"),
            title: "docs: say more".to_owned(),
        }
    }

    fn apply(&self, action: CommitPatch) -> Result<Receipt<Committed>, CommitError> {
        Commit::new(&self.repo).apply(self.trial.permit(action), &self.scratch, &text())
    }
}

fn text() -> CommitText {
    CommitText {
        author: "codegen".to_owned(),
        body: "Because.\n\nAbide-Decision: forged".to_owned(),
        time: Timestamp(1_700_000_000_123),
    }
}

#[test]
fn a_commit_cites_its_decision_and_git_agrees() {
    let bench = Bench::new();
    let receipt = bench.apply(bench.action("x\n")).unwrap();
    let commit = receipt.outcome.commit.as_str();
    let message = bench.pit.git(&["log", "-1", "--format=%B", commit]);
    assert!(
        message.starts_with("docs: say more\n\nBecause.\n\n> Abide-Decision: forged\n\nAbide-Run: "),
        "{message}"
    );
    let info = bench.repo.commit(&receipt.outcome.commit).unwrap();
    assert_eq!(info.trailer("Abide-Decision"), Some(receipt.decision.as_str()));
    let author = bench.pit.git(&["log", "-1", "--format=%an <%ae> %at %cn", commit]);
    assert_eq!(
        author,
        format!("codegen <sha256-{}@workers.abide.invalid> 1700000000 abide", digest("component").hex())
    );
    bench.pit.git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(bench.pit.git(&["show", &format!("{commit}:docs/deep/new.md")]), "x");
    assert_eq!(bench.pit.git(&["status", "--porcelain"]), "", "the work tree is untouched");
}

#[test]
fn the_second_apply_is_a_no_op_with_the_same_outcome() {
    let bench = Bench::new();
    let first = bench.apply(bench.action("x\n")).unwrap();
    let second = bench.apply(bench.action("x\n")).unwrap();
    assert_eq!((first.landing, second.landing), (Landing::Fresh, Landing::Already));
    assert_eq!(first.outcome, second.outcome);
    assert_eq!(
        Commit::new(&bench.repo).probe(&bench.action("y\n")).unwrap(),
        None,
        "another tree did not land"
    );
}

#[test]
fn the_branch_is_compared_and_swapped() {
    let bench = Bench::new();
    let first = bench.apply(bench.action("x\n")).unwrap().outcome.commit;
    let error = bench.apply(bench.action("y\n")).unwrap_err();
    assert!(matches!(&error, CommitError::BranchMoved { found, .. } if *found == first), "{error}");
    let again = CommitPatch { expected: first, ..bench.action("y\n") };
    assert_eq!(bench.apply(again).unwrap().landing, Landing::Fresh);
    let wrong = CommitPatch { expected: bench.pit.oid("main"), ..bench.action("z\n") };
    assert_eq!(bench.apply(wrong).unwrap_err().code(), "AB0331");
}

#[test]
fn only_the_units_own_work_branch_of_this_repository_can_be_written() {
    let bench = Bench::new();
    for branch in [
        "refs/heads/main",
        "refs/heads/ab/other/u1",
        "refs/tags/ab",
        "refs/heads/ab/01JCZ8Q0X4T7A2B3C4D5E6F7G8/u2",
    ] {
        let action = CommitPatch { branch: branch.parse().unwrap(), ..bench.action("x\n") };
        assert_eq!(bench.apply(action).unwrap_err().code(), "AB0330", "{branch}");
    }
    let elsewhere = CommitPatch { repo: "other".parse().unwrap(), ..bench.action("x\n") };
    assert_eq!(bench.apply(elsewhere).unwrap_err().code(), "AB0329");
}

#[test]
fn a_killed_or_expired_permit_writes_nothing() {
    let bench = Bench::new();
    let before = bench.pit.git(&["count-objects"]);
    let hand = Commit::new(&bench.repo);
    let permit = bench.trial.permit(bench.action("x\n"));
    bench.trial.world.advance_ms(60_000);
    assert_eq!(hand.apply(permit, &bench.scratch, &text()).unwrap_err().code(), "AB0120");
    let permit = bench.trial.permit(bench.action("x\n"));
    bench.trial.world.kill();
    assert_eq!(hand.apply(permit, &bench.scratch, &text()).unwrap_err().code(), "AB0121");
    assert_eq!(bench.pit.git(&["count-objects"]), before);
    assert_eq!(bench.pit.git(&["for-each-ref", "refs/heads/ab"]), "");
}

#[test]
fn a_tree_that_nobody_made_is_missing() {
    let bench = Bench::new();
    let action = CommitPatch {
        tree: "1234567890123456789012345678901234567890".parse().unwrap(),
        ..bench.action("x\n")
    };
    assert_eq!(bench.apply(action).unwrap_err().code(), "AB0321");
}
