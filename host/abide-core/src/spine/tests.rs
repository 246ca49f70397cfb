use proptest::prelude::*;

use super::*;
use crate::event::{Caps, Cites, Count};
use crate::id::{RefName, Timestamp};
use crate::input::{SafetyLevel, SafetyMode};

const RUN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn oid(digit: char) -> Oid {
    std::iter::repeat_n(digit, 40).collect::<String>().parse().unwrap()
}

fn event(body: Body) -> Event {
    Event { schema: Event::SCHEMA.to_owned(), at: 1, run: Some(RUN.parse().unwrap()), body }
}

fn started(deploys: bool) -> Event {
    event(Body::RunStarted(RunStarted {
        repo: "api".parse().unwrap(),
        target: RefName::branch("main").unwrap(),
        base: oid('a'),
        profile: "prod-conservative".to_owned(),
        mode: RunMode::Apply,
        safety_mode: SafetyMode::DenyByDefault,
        safety_level: SafetyLevel::High,
        ticket: None,
        goal: Digest::of(b"goal"),
        sponsor: "alice".to_owned(),
        reason: "ticket".to_owned(),
        budget: Caps::default(),
        deploys_to: deploys.then(|| "production".parse().unwrap()),
        tighten: None,
    }))
}

fn adopted(units: u32) -> Event {
    let units = (1..=units)
        .map(|n| PlannedUnit {
            id: format!("u{n}"),
            recipe: "rename".to_owned(),
            component: Some(Digest::of(b"c")),
            title: "t".to_owned(),
        })
        .collect();
    event(Body::PlanAdopted { decision: Cites(1), plan: Digest::of(b"p"), units })
}

fn proposed(unit: &str) -> Event {
    let (patch, component, receipt) = (Digest::of(b"p"), Digest::of(b"c"), Digest::of(b"r"));
    event(Body::PatchProposed {
        unit: unit.to_owned(),
        decision: Cites(2),
        base: oid('a'),
        component,
        patch,
        receipt,
    })
}

fn committed(unit: &str) -> Event {
    let branch = RefName::branch("ab/x").unwrap();
    let (commit, base, tree, facts) = (oid('b'), oid('a'), oid('c'), Digest::of(b"f"));
    event(Body::PatchCommitted {
        unit: unit.to_owned(),
        decision: Cites(3),
        branch,
        commit,
        base,
        tree,
        facts,
    })
}

fn checked(unit: &str) -> Event {
    event(Body::ChecksFinished {
        unit: unit.to_owned(),
        decision: Cites(4),
        commit: oid('b'),
        passed: true,
        results: vec![],
    })
}

fn rehearsed(unit: &str) -> Event {
    event(Body::RollbackRehearsed { unit: unit.to_owned(), commit: oid('b'), clean: true })
}

fn merged(unit: &str) -> Event {
    let name = RefName::branch("main").unwrap();
    event(Body::Merged {
        unit: Some(unit.to_owned()),
        decision: Cites(5),
        name,
        old: oid('a'),
        new: oid('b'),
    })
}

fn review(unit: &str) -> Event {
    let why = "needs-human".to_owned();
    let (item, decision, action) = ("q5".to_owned(), Cites(5), Digest::of(b"merge"));
    event(Body::ReviewRequested {
        item,
        unit: Some(unit.to_owned()),
        decision,
        class: ActionClass::Merge,
        action,
        expires: 9,
        why,
    })
}

fn canary() -> Event {
    event(Body::CanaryStarted {
        decision: Cites(6),
        environment: "production".parse().unwrap(),
        release: ReleaseId::of(&oid('b')),
        commit: oid('b'),
        previous: None,
        steps: Count(2),
        success_permille: Count(950),
        deadline: 100,
    })
}

fn observed(outcome: &str) -> Event {
    let release = ReleaseId::of(&oid('b'));
    event(Body::CanaryObserved {
        environment: "production".parse().unwrap(),
        release,
        outcome: outcome.to_owned(),
        detail: String::new(),
    })
}

fn wants(events: &[Event]) -> Vec<Intent> {
    Run::fold(&RUN.parse().unwrap(), events).unwrap().wants()
}

#[test]
fn a_change_goes_from_plan_to_promotion() {
    let u = || "u1".to_owned();
    let story = [
        (started(true), Intent::Plan),
        (adopted(1), Intent::Generate(u())),
        (proposed("u1"), Intent::Write(u())),
        (committed("u1"), Intent::Check(u())),
        (checked("u1"), Intent::Rehearse(u())),
        (rehearsed("u1"), Intent::Merge(u())),
        (merged("u1"), Intent::Deploy),
        (canary(), Intent::Observe),
        (observed("good"), Intent::Observe),
        (observed("no-data"), Intent::Observe),
        (observed("good"), Intent::Promote),
    ];
    let mut events = Vec::new();
    for (event, intent) in story {
        events.push(event);
        assert_eq!(wants(&events), vec![intent], "after {:?}", events.last());
    }
}

#[test]
fn a_bad_canary_is_taken_back() {
    let events = [
        started(true),
        adopted(1),
        proposed("u1"),
        committed("u1"),
        checked("u1"),
        rehearsed("u1"),
        merged("u1"),
        canary(),
        observed("bad"),
    ];
    assert_eq!(wants(&events), vec![Intent::RollBack]);
}

#[test]
fn a_run_waits_for_its_person_and_goes_on_with_the_same_intent() {
    let mut events = vec![
        started(false),
        adopted(2),
        proposed("u1"),
        committed("u1"),
        checked("u1"),
        rehearsed("u1"),
        review("u1"),
    ];
    assert_eq!(wants(&events), vec![Intent::Generate("u2".to_owned())]);
    let failed = Body::WorkerFailed {
        unit: "u2".to_owned(),
        component: Digest::of(b"c"),
        code: "AB0801".to_owned(),
        why: "trap".to_owned(),
    };
    events.push(event(failed));
    assert_eq!(wants(&events), vec![]);
    let other = Body::Approved {
        item: "q5".to_owned(),
        action: Digest::of(b"other"),
        by: "bob".to_owned(),
        role: "reviewer".to_owned(),
        note: None,
    };
    events.push(event(other));
    assert_eq!(wants(&events), vec![], "an approval of another digest does not count");
    let approved = Body::Approved {
        item: "q5".to_owned(),
        action: Digest::of(b"merge"),
        by: "bob".to_owned(),
        role: "reviewer".to_owned(),
        note: None,
    };
    events.push(event(approved));
    assert_eq!(wants(&events), vec![Intent::Merge("u1".to_owned())]);
}

#[test]
fn a_moved_target_starts_the_unit_again_a_few_times() {
    let mut events = vec![started(false), adopted(1)];
    for attempt in 1..=ATTEMPTS_MAX {
        assert_eq!(wants(&events), vec![Intent::Generate("u1".to_owned())], "attempt {attempt}");
        events.extend([proposed("u1"), committed("u1")]);
        events.push(event(Body::TargetMoved { unit: "u1".to_owned(), expected: oid('a'), found: oid('d') }));
    }
    assert_eq!(wants(&events), vec![Intent::Finish]);
}

#[test]
fn after_a_kill_only_the_way_back_is_wanted() {
    let killed =
        || Event { run: None, ..event(Body::Killed { by: "alice".to_owned(), reason: "stop".to_owned() }) };
    let mut events = vec![started(true), adopted(2), proposed("u1")];
    events.push(killed());
    assert_eq!(wants(&events), vec![]);
    let events = [
        started(true),
        adopted(1),
        proposed("u1"),
        committed("u1"),
        checked("u1"),
        rehearsed("u1"),
        merged("u1"),
        canary(),
        killed(),
    ];
    assert_eq!(wants(&events), vec![Intent::RollBack]);
}

fn any_event() -> impl Strategy<Value = Event> {
    let unit = prop_oneof![Just("u1"), Just("u2"), Just("u9")];
    (0..12_u8, unit).prop_map(|(kind, unit)| match kind {
        0 => started(true),
        1 => adopted(2),
        2 => proposed(unit),
        3 => committed(unit),
        4 => checked(unit),
        5 => rehearsed(unit),
        6 => merged(unit),
        7 => review(unit),
        8 => canary(),
        9 => observed("bad"),
        10 => event(Body::Killed { by: "a".to_owned(), reason: "r".to_owned() }),
        _ => event(Body::TargetMoved { unit: unit.to_owned(), expected: oid('a'), found: oid('d') }),
    })
}

proptest! {
    #[test]
    fn folding_is_deterministic_and_total(events in proptest::collection::vec(any_event(), 0..40)) {
        let id: RunId = RUN.parse().unwrap();
        let mut all = vec![started(true)];
        all.extend(events);
        let run = Run::fold(&id, &all).unwrap();
        prop_assert_eq!(Run::fold(&id, &all).unwrap(), run.clone());
        let stepwise = all.iter().skip(1).fold(Run::begin(&all[0]).unwrap(), |run, event| step(&run, event).0);
        prop_assert_eq!(stepwise, run.clone());
        if run.halted {
            prop_assert!(run.wants().iter().all(|intent| *intent == Intent::RollBack));
        }
        prop_assert!(run.wants().len() <= 1);
        let _ = Timestamp(0);
    }
}
