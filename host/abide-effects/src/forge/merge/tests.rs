use std::cell::RefCell;

use super::*;
use crate::trial::{Sandpit, Trial, repo_id};

fn main() -> RefName {
    RefName::branch("main").unwrap()
}

const AT: Timestamp = Timestamp(1_700_000_000_000);

struct Bench {
    pit: Sandpit,
    trial: Trial,
    repo: Repo,
    action: Merge,
}

impl Bench {
    /// `main` is checked out at the seed; `ab/x/u1` is one commit ahead of it.
    fn new() -> Self {
        let pit = Sandpit::seeded();
        let expected = pit.oid("HEAD");
        pit.git(&["checkout", "-q", "-b", "ab/x/u1"]);
        pit.write("docs/a.md", "one\n2\nthree\n");
        pit.write("docs/new/b.md", "new\n");
        std::fs::remove_file(pit.work().join("src/lib.rs")).unwrap();
        let commit = pit.commit("work");
        let tree = pit.tree("HEAD");
        pit.git(&["checkout", "-q", "main"]);
        let repo = pit.open();
        let action = Merge { repo: repo_id(), target: main(), expected, commit, tree };
        Self { pit, trial: Trial::new(), repo, action }
    }

    fn apply(&self, action: &Merge) -> Result<Receipt<Merged>, MergeError> {
        MergeHand::new(&self.repo).apply(self.trial.permit(action.clone()), AT, &|_| Ok(()))
    }

    fn at(&self) -> Oid {
        self.pit.oid("refs/heads/main")
    }
}

#[test]
fn a_merge_moves_the_branch_and_brings_a_clean_work_tree_along() {
    let bench = Bench::new();
    bench.pit.write("untracked.txt", "mine");
    bench.pit.write("docs/note.txt", "mine too");
    let receipt = bench.apply(&bench.action).unwrap();
    assert_eq!((receipt.landing, receipt.outcome.checkout), (Landing::Fresh, Checkout::Updated { paths: 3 }));
    assert_eq!(bench.at(), bench.action.commit);
    assert_eq!(bench.pit.git(&["status", "--porcelain"]), "?? docs/note.txt\n?? untracked.txt");
    assert_eq!(bench.pit.read("docs/a.md").as_deref(), Some("one\n2\nthree\n"));
    assert!(!bench.pit.work().join("src").exists(), "the empty folder is gone");
    let log = bench.pit.git(&["reflog", "show", "--format=%gs", "main"]);
    let first = log.lines().next().unwrap();
    assert_eq!(first, format!("ab merge: run {} decision {}", receipt.run, receipt.decision));
}

#[test]
fn the_second_apply_is_a_no_op_with_the_same_outcome() {
    let bench = Bench::new();
    assert_eq!(MergeHand::new(&bench.repo).probe(&bench.action).unwrap(), None);
    let first = bench.apply(&bench.action).unwrap();
    let second = bench.apply(&bench.action).unwrap();
    assert_eq!((first.landing, second.landing), (Landing::Fresh, Landing::Already));
    assert_eq!((first.outcome.old, first.outcome.new), (second.outcome.old, second.outcome.new));
    assert_eq!(bench.pit.git(&["status", "--porcelain"]), "");
    // It also counts as landed once the branch has gone on.
    bench.pit.write("later", "x");
    bench.pit.commit("later");
    assert!(MergeHand::new(&bench.repo).probe(&bench.action).unwrap().is_some());
}

#[test]
fn a_work_tree_left_behind_by_a_crash_is_brought_along_by_the_retry() {
    let bench = Bench::new();
    let said = "ab merge: run x decision y";
    bench.pit.git(&["update-ref", "-m", said, "refs/heads/main", bench.action.commit.as_str()]);
    assert_ne!(bench.pit.git(&["status", "--porcelain"]), "", "the crash left the work tree behind");
    let receipt = bench.apply(&bench.action).unwrap();
    assert_eq!(
        (receipt.landing, receipt.outcome.checkout),
        (Landing::Already, Checkout::Updated { paths: 3 })
    );
    assert_eq!(bench.pit.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_target_that_moved_is_refused_with_both_places() {
    let bench = Bench::new();
    bench.pit.write("other", "x");
    let moved = bench.pit.commit("someone else");
    let error = bench.apply(&bench.action).unwrap_err();
    let MergeError::TargetMoved { expected, found, .. } = error else { panic!("{error}") };
    assert_eq!((expected, found), (bench.action.expected.clone(), moved));
    let gone = Merge { target: RefName::branch("gone").unwrap(), ..bench.action.clone() };
    assert!(
        matches!(bench.apply(&gone).unwrap_err(), MergeError::TargetMoved { found, .. } if found.is_zero())
    );
}

#[test]
fn only_a_fast_forward_to_the_judged_tree_is_made() {
    let bench = Bench::new();
    let wrong = Merge { tree: bench.pit.tree("main"), ..bench.action.clone() };
    assert_eq!(bench.apply(&wrong).unwrap_err().code(), "AB0342");
    bench.pit.git(&["checkout", "-q", "--orphan", "elsewhere"]);
    let orphan = bench.pit.commit("unrelated");
    let tree = bench.pit.tree("HEAD");
    bench.pit.git(&["checkout", "-q", "main"]);
    let unrelated = Merge { commit: orphan, tree, ..bench.action.clone() };
    assert_eq!(bench.apply(&unrelated).unwrap_err().code(), "AB0341");
    let elsewhere = Merge { repo: "other".parse().unwrap(), ..bench.action.clone() };
    assert_eq!(bench.apply(&elsewhere).unwrap_err().code(), "AB0329");
    assert_eq!(bench.apply(&bench.action).unwrap().landing, Landing::Fresh);
    let rewind = Merge {
        expected: bench.action.commit.clone(),
        commit: bench.action.expected.clone(),
        tree: bench.pit.tree(bench.action.expected.as_str()),
        ..bench.action.clone()
    };
    assert_eq!(bench.apply(&rewind).unwrap_err().code(), "AB0341");
}

#[test]
fn a_dirty_work_tree_is_refused_before_anything_moves() {
    type Spoil = fn(&Sandpit);
    let dirty: [(&str, Spoil); 5] = [
        ("AB0343", |pit| pit.write("docs/a.md", "edited\n")),
        ("AB0343", |pit| {
            pit.write("README.md", "# Staged\n");
            pit.git(&["add", "README.md"]);
        }),
        ("AB0343", |pit| std::fs::remove_file(pit.work().join("run.sh")).unwrap()),
        ("AB0343", |pit| {
            std::fs::write(pit.work().join(".git/MERGE_HEAD"), format!("{}\n", pit.oid("ab/x/u1"))).unwrap();
        }),
        ("AB0347", |pit| drop(pit.git(&["sparse-checkout", "set", "docs"]))),
    ];
    for (code, spoil) in dirty {
        let bench = Bench::new();
        spoil(&bench.pit);
        assert_eq!(bench.apply(&bench.action).unwrap_err().code(), code);
        assert_eq!(bench.at(), bench.action.expected);
    }
}

#[test]
fn an_untracked_file_in_the_way_is_never_overwritten() {
    for (path, ignored) in [("docs/new/b.md", false), ("docs/new/b.md", true), ("docs/new", false)] {
        let bench = Bench::new();
        if ignored {
            std::fs::write(bench.pit.work().join(".git/info/exclude"), "b.md\n").unwrap();
        }
        bench.pit.write(path, "precious");
        assert_eq!(bench.apply(&bench.action).unwrap_err().code(), "AB0344", "{path}");
        assert_eq!(bench.at(), bench.action.expected);
        assert_eq!(bench.pit.read(path).as_deref(), Some("precious"));
    }
}

#[test]
fn linked_work_trees_are_brought_along_too() {
    let bench = Bench::new();
    bench.pit.git(&["checkout", "-q", "--detach"]);
    bench.pit.git(&["worktree", "add", "-q", "../linked", "main"]);
    let receipt = bench.apply(&bench.action).unwrap();
    assert_eq!(receipt.outcome.checkout, Checkout::Updated { paths: 3 });
    let status = bench.pit.git_in("linked", &["status", "--porcelain"]);
    assert_eq!((status.ok, status.out.as_str()), (true, ""));
    assert!(bench.pit.work().join("src/lib.rs").exists(), "the detached work tree is left alone");
}

#[test]
fn a_bare_repository_has_no_work_tree_but_a_log() {
    let bench = Bench::new();
    assert!(bench.pit.git_in(".", &["clone", "-q", "--bare", "work", "bare.git"]).ok);
    let bare = Repo::open(&bench.pit.root().join("bare.git"), repo_id()).unwrap();
    let permit = bench.trial.permit(bench.action.clone());
    let receipt = MergeHand::new(&bare).apply(permit, AT, &|_| Ok(())).unwrap();
    assert_eq!(receipt.outcome.checkout, Checkout::Untouched);
    let log = bench.pit.git_in("bare.git", &["reflog", "show", "main"]);
    assert!(log.out.contains("ab merge"), "{}{}", log.out, log.err);
}

#[test]
fn the_use_is_recorded_while_the_reference_is_locked_and_before_it_moves() {
    let bench = Bench::new();
    let seen = RefCell::new(Vec::new());
    let lock = bench.pit.work().join(".git/refs/heads/main.lock");
    let record = |redeemed: &Redeemed<Merge>| {
        seen.borrow_mut().push((redeemed.action.commit.clone(), lock.exists(), bench.at()));
        Ok(())
    };
    let receipt =
        MergeHand::new(&bench.repo).apply(bench.trial.permit(bench.action.clone()), AT, &record).unwrap();
    assert_eq!(receipt.seq.0, 0);
    assert_eq!(seen.into_inner(), [(bench.action.commit.clone(), true, bench.action.expected.clone())]);
}

#[test]
fn what_cannot_be_recorded_or_was_killed_meanwhile_does_not_happen() {
    let bench = Bench::new();
    let hand = MergeHand::new(&bench.repo);
    let error =
        hand.apply(bench.trial.permit(bench.action.clone()), AT, &|_| Err("disk full".into())).unwrap_err();
    assert_eq!((error.code(), bench.at()), ("AB0345", bench.action.expected.clone()));
    let kill = |_: &Redeemed<Merge>| {
        bench.trial.world.kill();
        Ok(())
    };
    let error = hand.apply(bench.trial.permit(bench.action.clone()), AT, &kill).unwrap_err();
    assert_eq!((error.code(), bench.at()), ("AB0121", bench.action.expected.clone()));
    assert!(!bench.pit.work().join(".git/refs/heads/main.lock").exists(), "the lock is gone");
    assert_eq!(bench.pit.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_branch_that_another_process_holds_is_waited_for_only_briefly() {
    let bench = Bench::new();
    std::fs::write(bench.pit.work().join(".git/refs/heads/main.lock"), "").unwrap();
    assert_eq!(bench.apply(&bench.action).unwrap_err().code(), "AB0332");
}

#[test]
fn packed_references_move_too() {
    let bench = Bench::new();
    bench.pit.git(&["pack-refs", "--all"]);
    assert_eq!(bench.apply(&bench.action).unwrap().landing, Landing::Fresh);
    assert_eq!(bench.at(), bench.action.commit);
}

#[test]
fn the_same_commit_brought_by_somebody_else_is_not_our_merge() {
    let bench = Bench::new();
    bench.pit.git(&["merge", "-q", "--ff-only", "ab/x/u1"]);
    assert_eq!(MergeHand::new(&bench.repo).probe(&bench.action).unwrap(), None);
    let error = bench.apply(&bench.action).unwrap_err();
    assert!(
        matches!(&error, MergeError::TargetMoved { found, .. } if *found == bench.action.commit),
        "{error}"
    );
}

#[test]
fn of_two_that_race_one_wins() {
    for _ in 0..10 {
        let bench = Bench::new();
        let other = {
            bench.pit.git(&["checkout", "-q", "--detach", "main"]);
            bench.pit.write("README.md", "# The other\n");
            let commit = bench.pit.commit("other");
            Merge { tree: bench.pit.tree("HEAD"), commit, ..bench.action.clone() }
        };
        let start = std::sync::Barrier::new(2);
        let race = |action: &Merge| {
            let (repo, permit) = (bench.pit.open(), bench.trial.permit(action.clone()));
            start.wait();
            MergeHand::new(&repo).apply(permit, AT, &|_| Ok(())).map(|receipt| receipt.outcome.new)
        };
        let (one, two) = std::thread::scope(|scope| {
            let one = scope.spawn(|| race(&bench.action));
            (race(&other), one.join().unwrap())
        });
        let winners: Vec<Oid> =
            [&one, &two].into_iter().filter_map(|end| end.as_ref().ok().cloned()).collect();
        assert_eq!(winners, [bench.at()], "{one:?} {two:?}");
        let lost = one.err().or(two.err()).unwrap();
        assert!(matches!(lost, MergeError::TargetMoved { .. }), "{lost}");
    }
}

#[test]
fn an_edit_made_while_the_branch_moves_is_kept() {
    let bench = Bench::new();
    let edit = |_: &Redeemed<Merge>| {
        bench.pit.write("docs/a.md", "typed on\n");
        Ok(())
    };
    let permit = bench.trial.permit(bench.action.clone());
    let receipt = MergeHand::new(&bench.repo).apply(permit, AT, &edit).unwrap();
    assert!(matches!(receipt.outcome.checkout, Checkout::Behind { .. }), "{:?}", receipt.outcome.checkout);
    assert_eq!(
        (bench.at(), bench.pit.read("docs/a.md").as_deref()),
        (bench.action.commit.clone(), Some("typed on\n"))
    );
}
