//! Decided, recorded, and only then minted; and what a permit is worth afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use abide_core::action::{AdoptPlan, CommitPatch, Rollback, RollbackPlan, RunWorker, WayBack};
use abide_core::facts::Facts;
use abide_core::id::{Epoch, Oid, RunId, Seq, Timestamp};
use abide_core::input::{RunMode, SafetyLevel, SafetyMode, SubjectKind};
use serde_json::json;

use super::*;
use crate::engine::{Bundle, NativeJudge};
use crate::permit::Stale;
use crate::ports::HaltState;

#[derive(Debug, Default)]
struct World {
    records: Mutex<Vec<DecisionRecord>>,
    broken: AtomicBool,
    now: AtomicU64,
    epoch: AtomicU64,
    halted: AtomicBool,
    unreadable: AtomicBool,
}

impl DecisionLog for World {
    fn append(&self, record: &DecisionRecord) -> Result<Seq, PortError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(PortError { port: "decision log", source: "disk full".into() });
        }
        let mut records = self.records.lock().unwrap();
        records.push(record.clone());
        Ok(Seq(u64::try_from(records.len()).unwrap()))
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }
}

impl Halt for World {
    fn state(&self, _: &RunId) -> Result<HaltState, PortError> {
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(PortError { port: "kill switch", source: "no such file".into() });
        }
        let epoch = Epoch(self.epoch.load(Ordering::Relaxed));
        Ok(HaltState { epoch, halted: self.halted.load(Ordering::Relaxed) })
    }
}

/// A gate whose policy answers `verdict` to everything.
fn gate(verdict: &str) -> (Gate, Arc<World>) {
    let text = format!("package abide\ndecision := {{\"verdict\": \"{verdict}\", \"findings\": []}}\n");
    gate_over(&text)
}

fn gate_over(text: &str) -> (Gate, Arc<World>) {
    let bundle = Bundle::load(BTreeMap::from([("one.rego".to_owned(), text.to_owned())]), json!({})).unwrap();
    let world = Arc::new(World::default());
    world.now.store(1_000_000, Ordering::Relaxed);
    let gate = Gate::new(Arc::new(NativeJudge::over(bundle)), world.clone(), world.clone(), world.clone());
    (gate, world)
}

fn run() -> RunId {
    "01JC0000000000000000000000".parse().unwrap()
}

fn oid(digit: &str) -> Oid {
    digit.repeat(40).parse().unwrap()
}

fn ask() -> Ask {
    Ask {
        run: RunInput {
            id: run(),
            goal: Digest::of(b"goal"),
            ticket: None,
            mode: RunMode::Apply,
            attempt: 1,
            profile: "assisted".to_owned(),
            halted: false,
            frozen: false,
            safety_mode: SafetyMode::DenyByDefault,
            safety_level: SafetyLevel::High,
            host_level_max: 5,
            jail_walls: Vec::new(),
        },
        unit: None,
        subject: Subject {
            kind: SubjectKind::Worker,
            id: "codegen".to_owned(),
            role: "worker".to_owned(),
            component: None,
            on_behalf_of: None,
            history: None,
        },
        reason: "a reason".to_owned(),
        repo: "acme-api".parse().unwrap(),
        protected: false,
        requests: Vec::new(),
        facts: None,
        checks: Vec::new(),
        approvals: Vec::new(),
        budget: BudgetInput::default(),
        risk: RiskInput::default(),
        rollback: RollbackInput { kind: "nothing".to_owned(), rehearsed: true, trusted: true },
        canary: CanaryInput::default(),
    }
}

fn plan() -> AdoptPlan {
    AdoptPlan { run: run(), plan: Digest::of(b"plan"), base: oid("c") }
}

fn rollback() -> Rollback {
    let (environment, from) = ("production".parse().unwrap(), "r0123456789abcdef".parse().unwrap());
    Rollback { plan: RollbackPlan { environment, from, way: WayBack::Nothing } }
}

fn commit(tree: Oid) -> CommitPatch {
    CommitPatch {
        repo: "acme-api".parse().unwrap(),
        run: run(),
        unit: "u1".to_owned(),
        branch: "refs/heads/ab/u1".parse().unwrap(),
        expected: Oid::zero(),
        base: oid("c"),
        tree,
        patch: Digest::of(b"patch"),
        component: Digest::of(b"component"),
        title: "a title".to_owned(),
    }
}

fn facts(tree: Oid) -> Facts {
    Facts::of_files(oid("a"), tree, Vec::new(), 0)
}

fn permit<A: Action>(gate: &Gate, action: A, ask: Ask) -> Permit<A> {
    match gate.admit(action, ask).unwrap() {
        Admission::Allow { permit, .. } => permit,
        other @ (Admission::Review { .. } | Admission::Deny { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn recorded_and_then_minted() {
    let (gate, world) = gate("allow");
    let permit = permit(&gate, plan(), ask());
    let records = world.records.lock().unwrap();
    let record = records.first().unwrap();
    assert_eq!(Digest::of(&record.decision_bytes), record.digest);
    assert_eq!(Digest::of(&record.input_bytes), record.decision.input);
    assert_eq!(Digest::of(&record.action_bytes), record.decision.action);
    assert_eq!(permit.action(), &plan());
    let redeemed = permit.redeem().unwrap();
    assert_eq!((redeemed.seq(), redeemed.decision(), redeemed.run()), (Seq(1), &record.digest, &run()));
}

#[test]
fn no_record_no_permit() {
    let (gate, world) = gate("allow");
    world.broken.store(true, Ordering::Relaxed);
    assert_eq!(gate.admit(plan(), ask()).unwrap_err().code(), "AB0123");
}

#[test]
fn a_denial_and_a_review_are_recorded_and_give_no_permit() {
    for verdict in ["deny", "review"] {
        let (gate, world) = gate(verdict);
        let admission = gate.admit(plan(), ask()).unwrap();
        assert!(!matches!(admission, Admission::Allow { .. }), "{verdict}");
        assert_eq!(world.records.lock().unwrap().len(), 1);
    }
}

#[test]
fn no_clean_answer_no_permit() {
    for text in [
        "package abide\ndecision := true",
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []} if input.run.halted",
    ] {
        let (gate, world) = gate_over(text);
        assert!(matches!(gate.admit(plan(), ask()).unwrap(), Admission::Deny { .. }));
        assert!(world.records.lock().unwrap().first().unwrap().decision.fault.is_some());
    }
}

#[test]
fn an_unreadable_switch_is_a_pulled_switch() {
    let (gate, world) = gate("allow");
    let permit = permit(&gate, plan(), ask());
    world.unreadable.store(true, Ordering::Relaxed);
    assert_eq!(permit.redeem().unwrap_err(), Stale::Unreadable);
    assert_eq!(gate.admit(plan(), ask()).unwrap_err().code(), "AB0123");
    assert!(gate.admit(rollback(), ask()).is_ok(), "but the way back stays open");
}

#[test]
fn the_kill_switch_voids_a_permit_in_flight() {
    let (gate, world) = gate("allow");
    let permit_before = permit(&gate, plan(), ask());
    let redeemed = permit(&gate, plan(), ask()).redeem().unwrap();
    world.halted.store(true, Ordering::Relaxed);
    world.epoch.store(1, Ordering::Relaxed);
    assert_eq!(permit_before.redeem().unwrap_err(), Stale::Halted);
    assert_eq!(redeemed.still_stands().unwrap_err(), Stale::Halted, "at the sink, too");
}

#[test]
fn a_permit_does_not_outlive_a_kill_that_was_lifted() {
    let (gate, world) = gate("allow");
    let permit = permit(&gate, plan(), ask());
    world.epoch.store(2, Ordering::Relaxed);
    assert_eq!(permit.redeem().unwrap_err(), Stale::Halted);
}

#[test]
fn nothing_but_the_way_back_while_halted() {
    let (gate, world) = gate("allow");
    world.halted.store(true, Ordering::Relaxed);
    let Admission::Deny { decision, .. } = gate.admit(plan(), ask()).unwrap() else {
        panic!("allowed while halted")
    };
    assert_eq!(decision.lead().unwrap().rule, "kill-switch");
    permit(&gate, rollback(), ask()).redeem().unwrap().still_stands().unwrap();
}

#[test]
fn the_way_back_survives_a_kill() {
    let (gate, world) = gate("allow");
    let permit = permit(&gate, rollback(), ask());
    world.halted.store(true, Ordering::Relaxed);
    world.epoch.store(1, Ordering::Relaxed);
    assert!(permit.redeem().is_ok());
}

#[test]
fn a_permit_expires() {
    let (gate, world) = gate("allow");
    let (first, second) = (permit(&gate, plan(), ask()), permit(&gate, rollback(), ask()));
    world.now.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(first.redeem().unwrap_err(), Stale::Expired);
    assert_eq!(second.redeem().unwrap_err(), Stale::Expired, "the way back, too: ask again");
}

#[test]
fn an_obligation_shortens_a_permit() {
    let text = "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": [], \"obligations\": [{\"kind\": \"expire\", \"ttl_ms\": 100}]}";
    let (gate, world) = gate_over(text);
    let permit = permit(&gate, plan(), ask());
    world.now.fetch_add(100, Ordering::Relaxed);
    assert_eq!(permit.redeem().unwrap_err(), Stale::Expired);
}

#[test]
fn facts_belong_to_the_tree() {
    let (gate, world) = gate("allow");
    let with = |facts: Option<Facts>| Ask { facts, ..ask() };
    assert_eq!(gate.admit(commit(oid("b")), with(None)).unwrap_err().code(), "AB0125");
    assert_eq!(gate.admit(commit(oid("b")), with(Some(facts(oid("d"))))).unwrap_err().code(), "AB0125");
    assert!(world.records.lock().unwrap().is_empty(), "nothing was decided");
    assert!(matches!(
        gate.admit(commit(oid("b")), with(Some(facts(oid("b"))))).unwrap(),
        Admission::Allow { .. }
    ));
}

#[test]
fn an_answer_to_another_question_is_none() {
    #[derive(Debug)]
    struct Parrot(Decision);
    impl Judge for Parrot {
        fn decide(&self, _: &Question) -> Decision {
            self.0.clone()
        }
    }
    let (gate, world) = gate("allow");
    let Admission::Allow { decision, .. } = gate.admit(plan(), ask()).unwrap() else { panic!("not allowed") };
    let parrot = Gate::new(Arc::new(Parrot(decision)), world.clone(), world.clone(), world.clone());
    assert!(parrot.admit(plan(), ask()).is_ok(), "the same question");
    let other = AdoptPlan { plan: Digest::of(b"another plan"), ..plan() };
    assert_eq!(parrot.admit(other, ask()).unwrap_err().code(), "AB0128");
    assert_eq!(world.records.lock().unwrap().len(), 2);
}

#[test]
fn requests_are_those_of_the_action() {
    let (gate, world) = gate("allow");
    let worker = || RunWorker {
        run: run(),
        unit: "u1".to_owned(),
        component: Digest::of(b"component"),
        task: Digest::of(b"task"),
        base: oid("c"),
        requests: vec!["egress".to_owned(), "workspace".to_owned()],
    };
    let less = Ask { requests: vec!["workspace".to_owned()], ..ask() };
    assert_eq!(gate.admit(worker(), less).unwrap_err().code(), "AB0127");
    assert!(world.records.lock().unwrap().is_empty());
    let all = Ask { requests: worker().requests, ..ask() };
    assert!(matches!(gate.admit(worker(), all).unwrap(), Admission::Allow { .. }));
}

#[test]
fn the_place_is_that_of_the_action() {
    let text = "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []} if input.action.target.branch == \"refs/heads/ab/u1\"";
    let (gate, world) = gate_over(text);
    let asked = Ask { repo: "somewhere-else".parse().unwrap(), facts: Some(facts(oid("b"))), ..ask() };
    assert!(matches!(gate.admit(commit(oid("b")), asked).unwrap(), Admission::Allow { .. }));
    let bytes = world.records.lock().unwrap().first().unwrap().input_bytes.clone();
    let input: PolicyInput = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(input.action.target.repo.as_str(), "acme-api");
    assert_eq!(input.now, 1_000_000, "time is the gate's");
}
