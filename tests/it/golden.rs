//! The decision matrix: what the shipped policies answer for every class, level, safety mode, risk band and place.
//!
//! The tables under `tests/golden/` are made by the real gate. `ABIDE_BLESS=1` writes them anew; review the difference as you would a
//! change of law. A new action class has no rows and fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use abide_core::action::{
    ActionClass, AdoptPlan, CommitPatch, Deploy, OpenEgress, Rollback, RollbackPlan, RunChecks, RunWorker,
    WayBack,
};
use abide_core::decision::Decision;
use abide_core::facts::Facts;
use abide_core::input::{RiskInput, SafetyMode};
use abide_gate::Ask;
use abide_tests::gate::{
    Desk, ask, desk, digest, facts, file, merge, oid, repo, run_id, shipped, shipped_with,
};
use serde_json::json;

const MODES: [(&str, SafetyMode); 3] =
    [("deny", SafetyMode::DenyByDefault), ("warn", SafetyMode::Warn), ("allow", SafetyMode::Allow)];
const BANDS: [(&str, u32); 4] = [("low", 5), ("medium", 30), ("high", 60), ("critical", 90)];

/// Where a change lands: a name for the table and the facts of one such change.
fn places(class: ActionClass) -> Vec<(&'static str, Option<Facts>)> {
    match class {
        ActionClass::Plan
        | ActionClass::Fetch
        | ActionClass::Generate
        | ActionClass::Execute
        | ActionClass::Rollback => {
            vec![("-", None)]
        }
        ActionClass::Write | ActionClass::Merge | ActionClass::Deploy => vec![
            ("docs", Some(facts(vec![file("docs/guide.md", &[], &["docs"], 4)]))),
            ("tests", Some(facts(vec![file("tests/parse.rs", &[], &["code", "tests"], 4)]))),
            ("code", Some(tested(facts(vec![file("src/parse.rs", &[], &["code"], 4)])))),
            ("untested", Some(facts(vec![file("src/parse.rs", &[], &["code"], 4)]))),
            ("flags", Some(facts(vec![file("flags/new.yaml", &[], &["flags"], 1)]))),
            (
                "builds",
                Some(facts(vec![file("tests/conftest.py", &["executes-on-build"], &["code", "tests"], 4)])),
            ),
            ("governance", Some(facts(vec![file("AGENTS.md", &["governance"], &["docs", "governance"], 4)]))),
            ("ci", Some(facts(vec![file(".github/workflows/ci.yml", &["ci"], &["ci"], 4)]))),
            ("infra", Some(facts(vec![file("deploy/prod.tf", &["infra"], &["infra"], 4)]))),
            ("secrets", Some(facts(vec![file("config/.env", &["secrets"], &["other"], 1)]))),
        ],
    }
}

/// The same change with a test function in it, as Rust has them beside the code.
fn tested(mut facts: Facts) -> Facts {
    facts.tests.added = 1;
    facts
}

/// Puts one action of the class through the gate.
fn decide(desk: &Desk, class: ActionClass, mut ask: Ask) -> Decision {
    let environment = "production".parse().unwrap();
    let release = "r0123456789abcdef".parse().unwrap();
    let plan = RollbackPlan { environment, from: release, way: WayBack::Nothing };
    match class {
        ActionClass::Plan => {
            desk.decide(AdoptPlan { run: run_id(), plan: digest("plan"), base: oid('c') }, ask)
        }
        ActionClass::Fetch => {
            let origins = vec!["https://docs.example.org:443".to_owned()];
            ask.requests.clone_from(&origins);
            desk.decide(
                OpenEgress {
                    run: run_id(),
                    unit: "u1".to_owned(),
                    component: digest("component"),
                    origins,
                    manners: None,
                    source: None,
                },
                ask,
            )
        }
        ActionClass::Generate => {
            let requests = vec!["log".to_owned(), "workspace".to_owned()];
            ask.requests.clone_from(&requests);
            let (unit, component, task) = ("u1".to_owned(), digest("component"), digest("task"));
            desk.decide(RunWorker { run: run_id(), unit, component, task, base: oid('c'), requests }, ask)
        }
        ActionClass::Execute => {
            let (unit, checks, definitions) = ("u1".to_owned(), vec!["unit".to_owned()], digest("checks"));
            desk.decide(
                RunChecks {
                    repo: repo(),
                    run: run_id(),
                    unit,
                    commit: oid('d'),
                    checks,
                    definitions,
                    egress: Vec::new(),
                },
                ask,
            )
        }
        ActionClass::Write => {
            let commit = CommitPatch {
                repo: repo(),
                run: run_id(),
                unit: "u1".to_owned(),
                branch: "refs/heads/ab/u1".parse().unwrap(),
                expected: oid('0'),
                base: oid('c'),
                tree: oid('b'),
                patch: digest("patch"),
                component: digest("component"),
                title: "repair links".to_owned(),
            };
            desk.decide(commit, ask)
        }
        ActionClass::Merge => {
            ask.protected = true;
            desk.decide(merge(), ask)
        }
        ActionClass::Deploy => {
            let (environment, release) = (plan.environment.clone(), plan.from.clone());
            ask.rollback.kind = "nothing".to_owned();
            let (repo, run, commit, tree) = (repo(), run_id(), oid('d'), oid('b'));
            desk.decide(Deploy { repo, run, environment, release, commit, tree, rollback: plan }, ask)
        }
        ActionClass::Rollback => {
            ask.rollback.kind = "nothing".to_owned();
            desk.decide(Rollback { plan }, ask)
        }
    }
}

/// Verdict and leading rule, for example `review needs-human`.
fn outcome(decision: &Decision) -> String {
    assert_eq!(decision.fault, None, "{decision:#?}");
    let lead = decision
        .lead()
        .filter(|finding| finding.level.floor() == decision.verdict && finding.rule != "safety-mode");
    let lead = lead.filter(|_| decision.verdict.as_str() != "allow");
    lead.map_or_else(
        || decision.verdict.as_str().to_owned(),
        |lead| format!("{} {}", decision.verdict.as_str(), lead.rule),
    )
}

/// Joins neighbours with the same value: `low-high: allow, critical: review needs-human`.
fn spans(cells: &[(&str, String)]) -> String {
    let mut spans: Vec<(&str, &str, &str)> = Vec::new();
    for (name, value) in cells {
        match spans.last_mut() {
            Some((_, last, known)) if *known == value => *last = name,
            _ => spans.push((name, name, value)),
        }
    }
    let shown = spans.iter().map(|(first, last, value)| match (first == last, spans.len()) {
        (_, 1) => (*value).to_owned(),
        (true, _) => format!("{first}: {value}"),
        (false, _) => format!("{first}-{last}: {value}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Compares with a table in `tests/golden`, or writes it.
fn check(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("ABIDE_BLESS").is_some() {
        fs::write(&path, table).unwrap();
        return;
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let differing: Vec<String> = table
        .lines()
        .zip(known.lines().chain(std::iter::repeat("(no row)")))
        .filter(|(now, before)| now != before)
        .take(10)
        .map(|(now, before)| format!("was  {before}\nnow  {now}"))
        .collect();
    let same = table == known;
    assert!(same, "{name} differs; review, then ABIDE_BLESS=1:\n{}", differing.join("\n"));
}

#[test]
fn decisions() {
    let levels = shipped_with(|data| {
        for level in 0..=5 {
            let vector: BTreeMap<&str, u32> = ActionClass::ALL
                .iter()
                .filter(|class| **class != ActionClass::Rollback)
                .map(|class| (class.as_str(), level))
                .collect();
            data["profiles"][format!("level-{level}")] =
                json!({"about": "for this test", "vector": vector, "repositories": ["*"], "overrides": []});
        }
        data["egress"]["origins"] = json!(["https://docs.example.org:443"]);
    });
    let desk = desk(levels.clone()).and_sealed(&levels);
    let mut table = String::from(
        "# class level place: verdict and leading rule, by risk band; by safety mode where it matters. Made by the real gate.\n",
    );
    for class in ActionClass::ALL {
        for level in 0..=5 {
            for (place, measured) in places(class) {
                let mut by_mode = Vec::new();
                for (mode, safety_mode) in MODES {
                    let mut by_band = Vec::new();
                    for (band, score) in BANDS {
                        let mut ask = ask(&format!("level-{level}"));
                        ask.facts.clone_from(&measured);
                        ask.run.safety_mode = safety_mode;
                        ask.risk = RiskInput { score, band: band.to_owned(), parts: BTreeMap::new() };
                        ask.checks.push(abide_core::input::CheckInput {
                            name: "unit".to_owned(),
                            outcome: "passed".to_owned(),
                            required: true,
                            walls: Vec::new(),
                        });
                        by_band.push((band, outcome(&decide(&desk, class, ask))));
                    }
                    by_mode.push((mode, spans(&by_band)));
                }
                let by_mode: Vec<(&str, String)> = if by_mode.windows(2).all(|pair| pair[0].1 == pair[1].1) {
                    by_mode.into_iter().take(1).map(|(_, cells)| ("", cells)).collect()
                } else {
                    by_mode
                };
                for (mode, cells) in by_mode {
                    let head = format!("{:<9} A{level} {place:<10} {mode:<5}", class.as_str());
                    writeln!(table, "{} {cells}", head).unwrap();
                }
            }
        }
    }
    check("decisions.txt", &table);
}

#[test]
fn profiles() {
    let bundle = shipped();
    let mut table = String::from(
        "# profile, level by class, label and how far overrides raise it. Made from the shipped policies.\n",
    );
    let names: Vec<String> = bundle.data()["profiles"].as_object().unwrap().keys().cloned().collect();
    for name in names {
        let vector = &bundle.data()["profiles"][&name]["vector"];
        let cells: Vec<String> = ActionClass::ALL
            .iter()
            .filter_map(|class| {
                vector[class.as_str()].as_u64().map(|level| format!("{} A{level}", class.as_str()))
            })
            .collect();
        let label = abide_gate::level_label(&bundle, &name).unwrap();
        writeln!(
            table,
            "{name}: {} = {}, up to {} ({})",
            cells.join(" "),
            label.label,
            label.upto,
            label.reason
        )
        .unwrap();
    }
    check("profiles.txt", &table);
}
