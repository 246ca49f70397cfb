//! What several tests of this crate share. Not compiled into the library.

use std::path::{Path, PathBuf};

use abide_core::action::{
    Action, AdoptPlan, CommitPatch, Deploy, Merge, Rollback, RollbackPlan, RunWorker, WayBack,
};
use abide_core::canonical;
use abide_core::decision::{Decision, Grants, Verdict};
use abide_core::id::{Digest, Environment, Epoch, Oid, RefName, ReleaseId, RepoId, RunId, Seq, Timestamp};
use abide_gate::DecisionRecord;
use serde_json::{Value, json};

use crate::leaf::{Draft, Leaf};
use crate::ledger::{Ledger, Opening};
use crate::ports::draft as recorded_draft;
use crate::store::RefMove;

/// A file of the shared corpus, or `None` after saying that it is absent.
#[expect(clippy::disallowed_methods, reason = "a test may be told where the corpus is")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ABIDE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap().join("shared"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no corpus");
    None
}

/// Unpacks a compressed archive with the system's `tar`.
#[expect(clippy::disallowed_methods, reason = "tests unpack a corpus")]
pub(crate) fn untar(archive: &Path, into: &Path) {
    let status =
        std::process::Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(into).status().unwrap();
    assert!(status.success());
}

/// A run that tests use; `n` tells several apart.
pub(crate) fn run(n: u32) -> RunId {
    format!("01JC{n:022}").parse().unwrap()
}

/// An object id out of one digit.
pub(crate) fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().unwrap()
}

/// An event of the system, or of a run.
pub(crate) fn event(run: Option<RunId>, kind: &str, at: u64, data: Value) -> Draft {
    Leaf::new(run, kind, Timestamp(at), data).unwrap().into()
}

/// The first event of a run.
pub(crate) fn started(run: &RunId, at: u64) -> Draft {
    let data = json!({
        "repo": "demo", "target": "refs/heads/main", "base": oid('a').as_str(), "profile": "prod-conservative", "mode": "APPLY",
        "safety_mode": "deny-by-default", "safety_level": "high", "ticket": "T-1", "goal": Digest::of(b"goal").as_str(),
        "sponsor": "alice@example.org", "budget": { "tokens": "200000", "usd_micro": "50250000" },
    });
    event(Some(run.clone()), "RunStarted", at, data)
}

/// What the gate would record of `action`, allowed at `at` for a minute in `epoch`.
pub(crate) fn record<A: Action>(
    run: &RunId,
    action: &A,
    verdict: Verdict,
    at: u64,
    epoch: u64,
) -> DecisionRecord {
    let action_bytes = action.canonical().unwrap();
    let place = action.place();
    let input = json!({
        "schema": "abide.input/1", "now": at,
        "run": { "id": run.as_str(), "halted": false },
        "action": {
            "class": A::CLASS.as_str(), "kind": A::KIND, "digest": Digest::of(&action_bytes).as_str(),
            "target": { "repo": place.repo.map(RepoId::as_str), "branch": place.branch.map(RefName::as_str), "environment": place.environment.map(Environment::as_str) },
        },
        "approvals": [],
    });
    let input_bytes = canonical::jcs(&input).unwrap();
    let decision = Decision {
        schema: Decision::SCHEMA.to_owned(),
        verdict,
        fault: None,
        findings: Vec::new(),
        obligations: Vec::new(),
        grants: Grants::default(),
        waived: Vec::new(),
        risk: 0,
        action: Digest::of(&action_bytes),
        input: Digest::of(&input_bytes),
        bundle: Digest::of(BUNDLE),
        engine: "test 1".to_owned(),
    };
    let decision_bytes = canonical::jcs(&decision).unwrap();
    DecisionRecord {
        run: run.clone(),
        unit: Some("u1".to_owned()),
        class: A::CLASS,
        kind: A::KIND,
        digest: Digest::of(&decision_bytes),
        action_bytes,
        input_bytes,
        decision_bytes,
        decision,
        at: Timestamp(at),
        expires: Timestamp(at + 60_000),
        epoch: Epoch(epoch),
    }
}

/// The event of a decision, without going through a gate.
pub(crate) fn recorded(record: &DecisionRecord) -> Draft {
    recorded_draft(record).unwrap()
}

/// What stands for a policy bundle in tests.
pub(crate) const BUNDLE: &[u8] = b"bundle of one rule";

/// A merge of `new` onto the main branch of the repository `demo`, which stands at `old`.
pub(crate) fn merge(old: char, new: char) -> Merge {
    Merge {
        repo: "demo".parse().unwrap(),
        target: RefName::branch("main").unwrap(),
        expected: oid(old),
        commit: oid(new),
        tree: oid('e'),
    }
}

/// The same move as a hook would ask for it.
pub(crate) fn claim(old: char, new: char) -> RefMove {
    RefMove {
        repo: "demo".parse().unwrap(),
        reference: RefName::branch("main").unwrap(),
        old: oid(old),
        new: oid(new),
    }
}

/// A fresh ledger in a folder of its own.
pub(crate) fn ledger() -> (tempfile::TempDir, Ledger) {
    let home = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(
        &home.path().join("state"),
        &[7; 32],
        "example.org/log",
        Timestamp(1_000),
        &Opening::STANDARD,
    )
    .unwrap();
    (home, ledger)
}

/// A run from its start to its end that leaves rows in every projection. `append` returns the place of the first of its drafts.
#[expect(clippy::too_many_lines, reason = "a story is told from its beginning to its end")]
pub(crate) fn story(append: &dyn Fn(Vec<Draft>) -> Seq) {
    let run = run(77);
    let own = |kind: &str, at: u64, data: Value| event(Some(run.clone()), kind, at, data);
    let decide = |action: &dyn Fn(u64) -> Draft, at: u64| append(vec![action(at)]).0.to_string();
    let (a, b, c) = (oid('a'), oid('b'), oid('c'));
    append(vec![started(&run, 10)]);
    let adopt = AdoptPlan { run: run.clone(), plan: Digest::of(b"plan"), base: a.clone() };
    let plan = decide(&|at| recorded(&record(&run, &adopt, Verdict::Allow, at, 0)), 11);
    let units = json!([{ "id": "u1", "recipe": "links", "component": Digest::of(b"c").as_str(), "title": "repair links" }, { "id": "u2", "recipe": "spdx", "component": Digest::of(b"c").as_str(), "title": "add headers" }]);
    append(vec![own(
        "PlanAdopted",
        12,
        json!({ "decision": plan, "plan": Digest::of(b"plan").as_str(), "units": units }),
    )]);
    append(vec![own(
        "BudgetReserved",
        13,
        json!({ "provider": "local", "tokens": "500", "usd_micro": "1500000", "reservation": "r1" }),
    )]);
    append(vec![own(
        "BudgetSettled",
        14,
        json!({ "provider": "local", "tokens": "400", "usd_micro": "1250000", "reservation": "r1" }),
    )]);
    let worker = RunWorker {
        run: run.clone(),
        unit: "u1".to_owned(),
        component: Digest::of(b"c"),
        task: Digest::of(b"t"),
        base: a.clone(),
        requests: Vec::new(),
    };
    let seq = decide(&|at| recorded(&record(&run, &worker, Verdict::Allow, at, 0)), 15);
    append(vec![own(
        "PatchProposed",
        15,
        json!({ "unit": "u1", "decision": seq, "base": a.as_str(), "component": Digest::of(b"c").as_str(), "patch": Digest::of(b"p").as_str(), "receipt": Digest::of(b"r").as_str() }),
    )]);
    append(vec![own(
        "WorkerFailed",
        15,
        json!({ "unit": "u2", "component": Digest::of(b"c").as_str(), "code": "AB0801", "why": "it trapped" }),
    )]);
    let write = CommitPatch {
        repo: "demo".parse().unwrap(),
        run: run.clone(),
        unit: "u1".to_owned(),
        branch: RefName::branch("ab/u1").unwrap(),
        expected: Oid::zero(),
        base: a.clone(),
        tree: oid('e'),
        patch: Digest::of(b"p"),
        component: Digest::of(b"c"),
        title: "repair links".to_owned(),
    };
    let seq = decide(&|at| recorded(&record(&run, &write, Verdict::Allow, at, 0)), 16);
    append(vec![own(
        "PatchCommitted",
        17,
        json!({ "unit": "u1", "decision": seq, "branch": "refs/heads/ab/u1", "commit": b.as_str(), "base": a.as_str(), "tree": oid('e').as_str(), "facts": Digest::of(b"f").as_str() }),
    )]);
    let review = decide(&|at| recorded(&record(&run, &merge('a', 'b'), Verdict::Review, at, 0)), 18);
    let action = merge('a', 'b').digest().unwrap();
    append(vec![own(
        "ReviewRequested",
        19,
        json!({ "item": "i1", "unit": "u1", "decision": review, "class": "MERGE", "action": action.as_str(), "expires": "99000", "why": "code-needs-review" }),
    )]);
    append(vec![own(
        "Approved",
        20,
        json!({ "item": "i1", "action": action.as_str(), "by": "bob@example.org", "role": "reviewer", "note": "fine" }),
    )]);
    let seq = decide(&|at| recorded(&record(&run, &merge('a', 'b'), Verdict::Allow, at, 0)), 21);
    let moved = json!({ "decision": seq, "repo": "demo", "ref": "refs/heads/main", "old": a.as_str(), "new": b.as_str() });
    append(vec![own("RefMoveAllowed", 22, moved)]);
    append(vec![own(
        "Merged",
        23,
        json!({ "unit": "u1", "decision": seq, "ref": "refs/heads/main", "old": a.as_str(), "new": b.as_str() }),
    )]);
    let plan = RollbackPlan {
        environment: "production".parse().unwrap(),
        from: ReleaseId::of(&b),
        way: WayBack::Nothing,
    };
    let deploy = Deploy {
        repo: "demo".parse().unwrap(),
        run: run.clone(),
        environment: "production".parse().unwrap(),
        release: ReleaseId::of(&b),
        commit: b.clone(),
        tree: oid('e'),
        rollback: plan.clone(),
    };
    let seq = decide(&|at| recorded(&record(&run, &deploy, Verdict::Allow, at, 0)), 24);
    append(vec![own(
        "CanaryStarted",
        25,
        json!({ "decision": seq, "environment": "production", "release": ReleaseId::of(&b).as_str(), "commit": b.as_str() }),
    )]);
    append(vec![own(
        "Killed",
        26,
        json!({ "run": run.as_str(), "by": "alice@example.org", "reason": "test" }),
    )]);
    let seq =
        decide(&|at| recorded(&record(&run, &Rollback { plan: plan.clone() }, Verdict::Allow, at, 1)), 27);
    append(vec![own(
        "RolledBack",
        28,
        json!({ "decision": seq, "environment": "production", "from": ReleaseId::of(&b).as_str() }),
    )]);
    append(vec![event(
        None,
        "Frozen",
        29,
        json!({ "repo": "other", "ref": "refs/heads/main", "found": c.as_str(), "why": "no record" }),
    )]);
    append(vec![own(
        "RunFinished",
        30,
        json!({ "outcome": "halted", "merged": "1", "queued": "0", "denied": "0" }),
    )]);
}
