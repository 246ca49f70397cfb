use super::*;
use crate::trial::{Sandpit, repo_id};

struct Bench {
    pit: Sandpit,
    known: Vec<RefMove>,
}

fn main() -> RefName {
    RefName::branch("main").unwrap()
}

impl Bench {
    /// Set up at the second commit of `main`; then one known merge.
    fn new() -> Self {
        let pit = Sandpit::seeded();
        let second = pit.commit("second");
        let third = pit.commit("third");
        let known = vec![
            RefMove { name: main(), old: Oid::zero(), new: second.clone() },
            RefMove { name: main(), old: second.clone(), new: third.clone() },
        ];
        Self { pit, known }
    }

    fn strays(&self) -> Vec<(Oid, Oid)> {
        let repo = Repo::open(&self.pit.work(), repo_id()).unwrap();
        let strays = reconcile(&repo, &[main()], &self.known).unwrap();
        strays.into_iter().map(|stray| (stray.old, stray.new)).collect()
    }
}

#[test]
fn a_branch_that_moved_only_as_known_has_no_strays() {
    assert_eq!(Bench::new().strays(), []);
}

#[test]
fn a_push_around_the_gate_is_a_stray_even_if_it_was_taken_back() {
    let bench = Bench::new();
    let third = bench.pit.oid("HEAD");
    let fourth = bench.pit.commit("fourth");
    assert_eq!(bench.strays(), [(third.clone(), fourth.clone())]);
    bench.pit.git(&["reset", "-q", "--hard", third.as_str()]);
    assert_eq!(bench.strays(), [(third.clone(), fourth.clone()), (fourth, third)]);
}

#[test]
fn an_edit_that_left_no_log_is_a_stray() {
    let mut bench = Bench::new();
    let (second, third) = (bench.pit.oid("HEAD~1"), bench.pit.oid("HEAD"));
    std::fs::write(bench.pit.work().join(".git/refs/heads/main"), format!("{second}\n")).unwrap();
    assert_eq!(bench.strays(), [(third.clone(), second.clone())]);
    std::fs::remove_file(bench.pit.work().join(".git/logs/refs/heads/main")).unwrap();
    let done = bench.known.last().unwrap().clone();
    bench.known.push(done);
    assert_eq!(
        bench.strays(),
        [(third.clone(), second)],
        "without a log, a receipt still says where it should be"
    );
    bench.pit.git(&["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(bench.strays(), [(third.clone(), Oid::zero())]);
    bench.pit.git(&["symbolic-ref", "refs/heads/main", "refs/heads/evil"]);
    assert_eq!(bench.strays(), [(third, Oid::zero())]);
}

#[test]
fn a_move_that_was_recorded_may_not_have_landed_but_one_that_was_done_has() {
    let mut bench = Bench::new();
    let third = bench.pit.oid("HEAD");
    let lost: Oid = "1111111111111111111111111111111111111111".parse().unwrap();
    bench.known.push(RefMove { name: main(), old: third.clone(), new: lost.clone() });
    assert_eq!(bench.strays(), [], "its transaction was given up");
    bench.known.push(RefMove { name: main(), old: third.clone(), new: lost.clone() });
    assert_eq!(bench.strays(), [(lost, third)], "there is a receipt for it");
}

#[test]
fn an_edit_back_to_where_the_last_move_began_shows_in_the_log() {
    let bench = Bench::new();
    let (second, third) = (bench.pit.oid("HEAD~1"), bench.pit.oid("HEAD"));
    std::fs::write(bench.pit.work().join(".git/refs/heads/main"), format!("{second}\n")).unwrap();
    assert_eq!(bench.strays(), [(third, second)]);
}

#[test]
fn a_branch_that_was_never_met_is_named_not_judged() {
    let bench = Bench::new();
    let protected = [main(), RefName::branch("release").unwrap()];
    let repo = Repo::open(&bench.pit.work(), repo_id()).unwrap();
    assert_eq!(reconcile(&repo, &protected, &bench.known).unwrap(), []);
    assert_eq!(unaudited(&protected, &bench.known), [&protected[1]]);
    let accepted = RefMove { name: protected[1].clone(), old: Oid::zero(), new: bench.pit.oid("HEAD") };
    let known: Vec<RefMove> = bench.known.iter().cloned().chain([accepted]).collect();
    assert_eq!(unaudited(&protected, &known), Vec::<&RefName>::new());
    assert_eq!(reconcile(&repo, &protected, &known).unwrap().len(), 1, "it was met, and is gone");
}

#[test]
fn a_stray_says_who_and_when() {
    let bench = Bench::new();
    bench.pit.commit("fourth");
    let repo = Repo::open(&bench.pit.work(), repo_id()).unwrap();
    let strays = reconcile(&repo, &[main()], &bench.known).unwrap();
    assert_eq!(strays[0].log.as_deref(), Some("alice <alice@example.org>: commit: fourth"));
    assert_eq!(strays[0].time_s, Some(1_700_000_000));
}
