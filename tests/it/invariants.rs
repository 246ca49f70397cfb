//! What holds whatever the mode, level, profile and approvals: hard rules, and that nothing gets better by getting worse.

use abide_core::decision::{Decision, FindingLevel, Verdict};
use abide_core::facts::{Collision, Facts, FileStatus, Hazard, SecretFact, Totals};
use abide_core::input::{ApprovalInput, RunMode, SafetyLevel, SafetyMode};
use abide_gate::Ask;
use abide_tests::gate::{Desk, NOW, ask, desk, facts, file, merge, shipped_with};
use serde_json::json;

const MODES: [SafetyMode; 3] = [SafetyMode::DenyByDefault, SafetyMode::Warn, SafetyMode::Allow];
const SAFETY: [SafetyLevel; 3] = [SafetyLevel::High, SafetyLevel::Medium, SafetyLevel::Low];

/// A gate over the shipped policies and a profile that is A5 everywhere: the widest that there can be.
fn widest() -> Desk {
    desk(shipped_with(|data| {
        data["profiles"]["widest"] = json!({
            "about": "for this test", "repositories": ["*"], "overrides": [],
            "vector": {"PLAN": 5, "FETCH": 5, "GENERATE": 5, "EXECUTE": 5, "WRITE": 5, "MERGE": 5, "DEPLOY": 5},
        });
    }))
}

fn decide(desk: &Desk, ask: Ask) -> Decision {
    desk.decide(merge(), ask)
}

/// A merge of a document that goes through by itself.
fn good() -> Ask {
    let mut good = ask("widest");
    good.protected = true;
    good.facts = Some(facts(vec![file("docs/guide.md", &[], &["docs"], 3)]));
    good
}

fn change(ask: &mut Ask) -> &mut Facts {
    ask.facts.as_mut().unwrap()
}

fn with_file(ask: &mut Ask, path: &str, zones: &[&str], categories: &[&str], binary: bool) {
    let mut one = file(path, zones, categories, 0);
    one.binary = binary;
    one.status = FileStatus::Added;
    ask.facts = Some(facts(vec![one]));
}

type Break = fn(&mut Ask);

/// Ways to break a hard rule, with the rule.
const BREAKS: &[(&str, Break)] = &[
    ("frozen", |ask| ask.run.frozen = true),
    ("plan-mode", |ask| ask.run.mode = RunMode::Plan),
    ("reason", |ask| ask.reason = "x".to_owned()),
    ("budget", |ask| ask.budget.exhausted = true),
    ("rollback-recipe", |ask| ask.rollback.kind = "none".to_owned()),
    ("secrets", |ask| {
        change(ask).secrets.push(SecretFact { rule: "jwt".to_owned(), path: "a".to_owned(), line: 1 })
    }),
    ("text-hazard", |ask| {
        change(ask).hazards.push(Hazard { kind: "bidi".to_owned(), path: "a".to_owned(), line: 1 })
    }),
    ("path-collision", |ask| {
        change(ask)
            .collisions
            .push(Collision { kind: "nfc".to_owned(), paths: vec!["a".to_owned(), "b".to_owned()] });
    }),
    ("never-touch", |ask| with_file(ask, "config/.env", &["secrets"], &["other"], false)),
    ("pipeline-edit", |ask| with_file(ask, ".github/workflows/ci.yml", &["ci"], &["ci"], false)),
    ("opaque-binary-in-tests", |ask| {
        with_file(ask, "tests/files/bad-3-corrupt_lzma2.xz", &[], &["tests"], true)
    }),
    ("cap-files", |ask| change(ask).totals.files = 1_000_000),
    ("cap-lines", |ask| change(ask).totals.added = 1_000_000),
    ("cap-bytes", |ask| change(ask).totals.bytes = 1 << 40),
    ("cap-binaries", |ask| change(ask).totals.binaries = 1_000_000),
    ("cap-file-bytes", |ask| {
        with_file(ask, "docs/huge.svg", &[], &["docs"], false);
        change(ask).files[0].bytes = 100 << 20;
        change(ask).totals.bytes = 100 << 20;
    }),
    ("cap-lines", |ask| change(ask).window.totals.removed = 1_000_000),
];

#[test]
fn no_mode_level_or_approval_softens_a_hard_rule() {
    let desk = widest();
    assert_eq!(decide(&desk, good()).verdict, Verdict::Allow, "the change itself is good");
    let approved = abide_core::action::Action::digest(&merge()).unwrap();
    for (rule, apply) in BREAKS {
        for mode in MODES {
            for level in SAFETY {
                for approvals in [0, 3] {
                    let mut bad = good();
                    apply(&mut bad);
                    (bad.run.safety_mode, bad.run.safety_level) = (mode, level);
                    bad.approvals = (0..approvals)
                        .map(|n| ApprovalInput {
                            by: format!("reviewer-{n}@example.org"),
                            role: "maintainer".to_owned(),
                            action: approved.clone(),
                            at: NOW,
                        })
                        .collect();
                    let decision = decide(&desk, bad);
                    let hard = decision
                        .findings
                        .iter()
                        .any(|one| one.rule == *rule && one.level == FindingLevel::Hard);
                    let told = || format!("{rule} {mode:?} {level:?} {approvals} approvals: {decision:#?}");
                    assert!(
                        decision.verdict == Verdict::Deny && hard && decision.fault.is_none(),
                        "{}",
                        told()
                    );
                }
            }
        }
    }
}

/// Ways to make a change worse without breaking a hard rule.
const WORSE: &[Break] = &[
    |ask| ask.run.host_level_max = 2,
    |ask| ask.rollback.rehearsed = false,
    |ask| ask.risk.band = "critical".to_owned(),
    |ask| change(ask).unmeasured.push("secrets".to_owned()),
    |ask| change(ask).totals.added += 2_000,
    |ask| change(ask).window.totals.added += 2_000,
    |ask| {
        ask.checks.push(
            serde_json::from_value(json!({"name": "a", "outcome": "failed", "required": true})).unwrap(),
        )
    },
    |ask| {
        let known = change(ask).clone();
        let mut files = known.files.clone();
        files.push(file("tests/conftest.py", &["executes-on-build"], &["code", "tests"], 1));
        let more = facts(files);
        ask.facts = Some(Facts {
            files: more.files,
            totals: sum(&known.totals, 1),
            zones: more.zones,
            categories: more.categories,
            ..known
        });
    },
];

fn sum(totals: &Totals, lines: u64) -> Totals {
    Totals {
        files: totals.files + 1,
        added: totals.added + lines,
        removed: totals.removed + lines,
        ..totals.clone()
    }
}

#[test]
fn nothing_gets_better_by_getting_worse() {
    let desk = widest();
    for mode in MODES {
        for first in WORSE {
            let mut once = good();
            once.run.safety_mode = mode;
            first(&mut once);
            let verdict = decide(&desk, once.clone()).verdict;
            assert_ne!(verdict, Verdict::Allow, "each of them matters");
            for second in WORSE {
                let mut twice = once.clone();
                second(&mut twice);
                assert!(decide(&desk, twice).verdict >= verdict);
            }
        }
    }
}

#[test]
fn splitting_a_change_does_not_improve_its_verdict() {
    let desk = widest();
    let judged = |lines: u64, window: u64| {
        let mut asked = good();
        change(&mut asked).totals.added = lines;
        change(&mut asked).window.totals.added = window;
        decide(&desk, asked).verdict
    };
    for (whole, parts) in [(150, 3), (400, 8), (12_000, 200), (40_000, 400)] {
        let part = whole / parts;
        let last = judged(part, whole);
        assert!(last >= judged(whole, whole), "{whole} lines in {parts} parts: the last part is {last:?}");
    }
}
