//! Which changes are decided apart: only those that cannot be in each other's window.

use abide_gate::NativeJudge;
use abide_gate::source::Added;

use super::*;

const HOUR: u64 = 3_600_000;

/// Changes of authors at hours, in this order.
fn past(changes: &[(&str, u64)]) -> Past {
    let files = crate::bundles::active::Base::built_in().files;
    let policy = Policy::over(&files, &Added::default(), None).unwrap();
    let example = example::input(ActionClass::Merge, "manual", &policy.meter, &policy.risk).unwrap();
    let change = |(author, hour): &(&str, u64)| Change {
        commit: Oid::zero(),
        at: hour * HOUR,
        author: (*author).to_owned(),
        title: String::new(),
        facts: example.facts.clone().unwrap(),
        reverted_by: None,
    };
    let repo = "api".parse().unwrap();
    let fixed = Fixed::Range(String::new());
    let changes = changes.iter().map(change).collect();
    Past { repo, origin: String::new(), changes, unread: Vec::new(), fixed }
}

#[test]
fn a_chain_ends_where_nothing_before_is_in_the_window() {
    let of = |changes: &[(&str, u64)]| chains(&past(changes), 24);
    assert_eq!(of(&[("a", 0), ("b", 1), ("a", 10), ("a", 34), ("b", 50)]), [vec![0, 2, 3], vec![1], vec![4]]);
    // The window reaches back to its first moment.
    assert_eq!(of(&[("a", 0), ("a", 24)]), [vec![0, 1]]);
    assert_eq!(of(&[("a", 0), ("a", 25)]), [vec![0], vec![1]]);
    // Commits are not always in the order of their times: what lies later is in the window, too.
    assert_eq!(of(&[("a", 100), ("a", 50), ("a", 60)]), [vec![0, 1, 2]]);
    assert_eq!(of(&[("a", 100), ("a", 50), ("a", 110)]), [vec![0, 1, 2]]);
    assert!(of(&[]).is_empty());
}

#[test]
fn what_merged_before_counts_in_the_window_of_its_author() {
    let files = crate::bundles::active::Base::built_in().files;
    let policy = Policy::over(&files, &Added::default(), None).unwrap();
    let asked = Asked {
        profile: "prod-conservative".to_owned(),
        mode: SafetyMode::DenyByDefault,
        level: SafetyLevel::High,
        level_max: 5,
        kept: vec!["0".to_owned()],
    };
    let past = past(&[("a", 0), ("a", 1), ("b", 1), ("a", 2), ("a", 40)]);
    let judge = NativeJudge::over(policy.bundle.clone());
    let outcomes = decide(&policy, &judge, &past, &asked).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Allow), "{outcomes:?}");
    let windows: Vec<u64> = outcomes
        .iter()
        .map(|outcome| outcome.kept.as_ref().unwrap().0.facts.as_ref().unwrap().window.changes)
        .collect();
    assert_eq!(windows, [1, 2, 1, 3, 1]);
    // An opinion says what the ordinary judge decides.
    for outcome in &outcomes {
        let (_, decision) = &**outcome.kept.as_ref().unwrap();
        assert_eq!((decision.verdict, &decision.findings), (outcome.verdict, &outcome.findings));
    }
}
