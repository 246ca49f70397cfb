use abide_core::decision::Verdict;
use abide_core::id::{Digest, Epoch, Timestamp};
use serde_json::json;

use super::*;
use crate::store::RefMoveRefusal;
use crate::testing::{claim, event, ledger, merge, oid, record, run, started};

fn log(ledger: &Ledger, old: char, new: char, verdict: Verdict, at: u64) -> Seq {
    let epoch = ledger.store().halt(&run(1)).unwrap().epoch.0;
    DecisionLog::append(ledger, &record(&run(1), &merge(old, new), verdict, at, epoch)).unwrap()
}

fn ask(ledger: &Ledger, old: char, new: char, now: u64) -> Result<Seq, RefMoveRefusal> {
    ledger.consume_ref_move(&claim(old, new), Timestamp(now)).unwrap()
}

fn switch(ledger: &Ledger, kind: &str, of: Option<RunId>) {
    let mut data = json!({ "by": "alice@example.org", "reason": "test" });
    if let Some(of) = &of {
        data["run"] = json!(of.as_str());
    }
    ledger.append(vec![event(of, kind, 5, data)]).unwrap();
}

#[test]
fn a_decision_is_durable_with_all_that_it_cites() {
    let (home, ledger) = ledger();
    let record = record(&run(1), &merge('a', 'b'), Verdict::Allow, 10_000, 0);
    let seq = DecisionLog::append(&ledger, &record).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&home.path().join("state"), &crate::Opening::STANDARD).unwrap();
    let row = ledger.store().decision(seq).unwrap().unwrap();
    assert_eq!(
        (row.judged.verdict, row.judged.kind.as_str(), row.expires, row.epoch),
        (Verdict::Allow, "merge", Timestamp(70_000), Epoch(0))
    );
    assert_eq!((row.repo.unwrap().as_str(), row.old, row.new), ("demo", Some(oid('a')), Some(oid('b'))));
    for (digest, bytes) in [
        (&record.digest, &record.decision_bytes),
        (&record.decision.input, &record.input_bytes),
        (&record.decision.action, &record.action_bytes),
    ] {
        assert_eq!(ledger.store().blob(digest).unwrap().unwrap().bytes(), bytes);
    }
    let data = ledger.read(seq.0..seq.0 + 1).unwrap()[0].leaf.data();
    assert_eq!(data["action"]["action"]["commit"], oid('b').as_str());
    assert_eq!(data["action_digest"], record.decision.action.as_str());
}

#[test]
fn one_decision_moves_one_reference_once() {
    let (home, ledger) = ledger();
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Err(RefMoveRefusal::NoDecision));
    let seq = log(&ledger, 'a', 'b', Verdict::Allow, 10_000);
    assert_eq!(ask(&ledger, 'a', 'c', 10_001), Err(RefMoveRefusal::NoDecision));
    assert_eq!(
        ask(&ledger, 'b', 'a', 10_001),
        Err(RefMoveRefusal::NoDecision),
        "a rewind is a move of its own"
    );
    let size = ledger.size().unwrap();
    let peek = || ledger.peek_ref_move(&claim('a', 'b'), Timestamp(10_001)).unwrap();
    assert_eq!((peek(), peek()), (Ok(seq), Ok(seq)), "looking spends nothing");
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Ok(seq));
    assert!(matches!(peek(), Err(RefMoveRefusal::AlreadyUsed { .. })));
    assert_eq!(ask(&ledger, 'a', 'b', 10_002), Err(RefMoveRefusal::AlreadyUsed { seq, by: Seq(size) }));
    let other = Ledger::open(&home.path().join("state"), &crate::Opening::STANDARD).unwrap();
    assert_eq!(ask(&other, 'a', 'b', 10_003), Err(RefMoveRefusal::AlreadyUsed { seq, by: Seq(size) }));
    assert_eq!(ledger.size().unwrap(), size + 1, "a refusal writes nothing");
    let (older, newer) =
        (log(&ledger, 'a', 'b', Verdict::Allow, 10_004), log(&ledger, 'a', 'b', Verdict::Allow, 10_005));
    assert_eq!(ask(&other, 'a', 'b', 10_006), Ok(newer), "the newest is the one that was just given");
    assert_eq!(ask(&other, 'a', 'b', 10_006), Ok(older));
}

#[test]
fn a_race_for_one_decision_has_one_winner() {
    let (home, ledger) = ledger();
    let other = Ledger::open(&home.path().join("state"), &crate::Opening::STANDARD).unwrap();
    log(&ledger, 'a', 'b', Verdict::Allow, 10_000);
    let won: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|n| {
                let ledger = if n % 2 == 0 { &ledger } else { &other };
                scope.spawn(move || ask(ledger, 'a', 'b', 10_001).is_ok())
            })
            .collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn every_refusal_has_its_reason() {
    let (_home, ledger) = ledger();
    let seq = log(&ledger, 'a', 'b', Verdict::Allow, 10_000);
    assert_eq!(ask(&ledger, 'a', 'b', 70_000), Err(RefMoveRefusal::Expired { seq }));
    let review = log(&ledger, 'a', 'c', Verdict::Review, 10_000);
    assert_eq!(
        ask(&ledger, 'a', 'c', 10_001),
        Err(RefMoveRefusal::NotAllowed { seq: review, verdict: Verdict::Review })
    );
    switch(&ledger, "Killed", None);
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Err(RefMoveRefusal::Halted));
    assert_eq!(ask(&ledger, 'a', 'd', 10_001), Err(RefMoveRefusal::Halted));
    switch(&ledger, "Resumed", None);
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Err(RefMoveRefusal::WrongEpoch { seq }));
    let seq = log(&ledger, 'a', 'b', Verdict::Allow, 10_000);
    switch(&ledger, "Killed", Some(run(2)));
    let freeze = ledger
        .append(vec![event(
            None,
            "Frozen",
            5,
            json!({ "repo": "demo", "ref": "refs/heads/x", "found": oid('f').as_str(), "why": "stray" }),
        )])
        .unwrap()[0];
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Err(RefMoveRefusal::Frozen { since: freeze }));
    ledger
        .append(vec![event(
            None,
            "Unfrozen",
            6,
            json!({ "repo": "demo", "by": "alice@example.org", "reason": "looked" }),
        )])
        .unwrap();
    switch(&ledger, "Killed", Some(run(1)));
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Err(RefMoveRefusal::Halted));
    switch(&ledger, "Resumed", Some(run(1)));
    assert_eq!(ask(&ledger, 'a', 'b', 10_001), Err(RefMoveRefusal::WrongEpoch { seq }));
}

#[test]
fn a_decision_to_write_is_not_one_to_merge() {
    let (_home, ledger) = ledger();
    ledger.append(vec![started(&run(1), 5)]).unwrap();
    let write = abide_core::action::CommitPatch {
        repo: "demo".parse().unwrap(),
        run: run(1),
        unit: "u1".to_owned(),
        branch: "refs/heads/ab/u1".parse().unwrap(),
        expected: abide_core::id::Oid::zero(),
        base: oid('a'),
        tree: oid('e'),
        patch: Digest::of(b"p"),
        component: Digest::of(b"c"),
        title: "t".to_owned(),
    };
    let seq = DecisionLog::append(&ledger, &record(&run(1), &write, Verdict::Allow, 10_000, 0)).unwrap();
    let claim = crate::RefMove {
        reference: "refs/heads/ab/u1".parse().unwrap(),
        old: abide_core::id::Oid::zero(),
        ..claim('a', 'b')
    };
    assert_eq!(
        ledger.consume_ref_move(&claim, Timestamp(10_001)).unwrap(),
        Err(RefMoveRefusal::OnlyWrite { seq })
    );
}

#[test]
fn a_kill_in_another_process_is_seen_at_once() {
    let (home, ledger) = ledger();
    let other = Ledger::open(&home.path().join("state"), &crate::Opening::STANDARD).unwrap();
    assert!(!Halt::state(&ledger, &run(1)).unwrap().halted);
    switch(&other, "Killed", None);
    let state = Halt::state(&ledger, &run(1)).unwrap();
    assert!(state.halted && state.epoch == Epoch(1));
}
