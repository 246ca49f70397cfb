use super::*;
use crate::trial::{Sandpit, Trial, repo_id};

const AT: Timestamp = Timestamp(1_700_000_000_000);

#[test]
fn a_merged_commit_is_undone_once() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    pit.write("docs/a.md", "one\n2\nthree\n");
    pit.write("docs/b.md", "new\n");
    let undoes = pit.commit("second");
    let (trial, repo) = (Trial::new(), pit.open());
    let scratch = Scratch::new(&repo, &pit.spare()).unwrap();
    let target = RefName::branch("main").unwrap();
    let action =
        Revert { repo: repo_id(), target, expected: undoes.clone(), undoes: undoes.clone(), tree: before };
    let hand = RevertHand::new(&repo);
    assert_eq!(hand.probe(&action).unwrap(), None);
    let first = hand.apply(trial.permit(action.clone()), &scratch, AT, &|_| Ok(())).unwrap();
    assert_eq!((first.landing, &first.outcome.checkout), (Landing::Fresh, &Checkout::Updated { paths: 2 }));
    assert_eq!(pit.tree("HEAD"), pit.tree("HEAD~2"));
    assert_eq!(pit.git(&["status", "--porcelain"]), "");
    assert!(
        pit.git(&["log", "-1", "--format=%B"])
            .starts_with(&format!("Revert \"second\"\n\nThis reverts commit {undoes}."))
    );
    let second =
        hand.apply(trial.permit(action.clone()), &scratch, AT, &|_| panic!("recorded twice")).unwrap();
    assert_eq!((second.landing, second.outcome.new), (Landing::Already, first.outcome.new));
}

#[test]
fn a_revert_that_gives_another_tree_than_judged_is_refused() {
    let pit = Sandpit::seeded();
    pit.write("docs/a.md", "one\n2\nthree\n");
    let undoes = pit.commit("second");
    pit.write("docs/a.md", "one\nII\nthree\n");
    let expected = pit.commit("third");
    let (trial, repo) = (Trial::new(), pit.open());
    let scratch = Scratch::new(&repo, &pit.spare()).unwrap();
    let target = RefName::branch("main").unwrap();
    for (undoes, why) in [(undoes, "a conflict in docs/a.md"), (expected.clone(), "")] {
        let action = Revert {
            repo: repo_id(),
            target: target.clone(),
            expected: expected.clone(),
            undoes,
            tree: pit.tree("HEAD~2"),
        };
        let error =
            RevertHand::new(&repo).apply(trial.permit(action), &scratch, AT, &|_| Ok(())).unwrap_err();
        assert_eq!(error.code(), "AB0328");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(pit.oid("main"), expected);
    }
}
