//! The sealed judge: the same decisions as the native one, and a wall that holds.

mod same;
mod wall;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use abide_core::action::{ActionClass, Merge};
use abide_core::input::{ActionInput, PolicyInput, Target};
use abide_gate::{BundleText, Question};
use abide_tests::gate;
use serde_json::{Value as Json, json};

/// A question about a merge of one documentation file, changed by `change`.
fn question(change: impl FnOnce(&mut PolicyInput)) -> Question {
    let ask = gate::ask("prod-conservative");
    let mut input = PolicyInput {
        schema: PolicyInput::SCHEMA.to_owned(),
        now: gate::NOW,
        run: ask.run,
        subject: ask.subject,
        action: ActionInput {
            class: ActionClass::Merge,
            kind: <Merge as abide_core::action::Action>::KIND.to_owned(),
            digest: gate::digest("action"),
            reason: ask.reason,
            target: Target {
                repo: ask.repo,
                branch: Some("refs/heads/main".parse().unwrap()),
                protected: true,
                environment: None,
            },
            requests: Vec::new(),
            manners: None,
            source: None,
        },
        facts: Some(gate::facts(vec![gate::file("docs/guide.md", &[], &["docs"], 4)])),
        checks: Vec::new(),
        approvals: Vec::new(),
        budget: ask.budget,
        risk: ask.risk,
        rollback: ask.rollback,
        canary: ask.canary,
    };
    change(&mut input);
    Question::new(input).unwrap()
}

/// A bundle of one module.
fn text(module: &str, data: Json) -> BundleText {
    let modules = BTreeMap::from([("one.rego".to_owned(), module.to_owned())]);
    BundleText::new(modules, data).unwrap()
}

/// No data.
fn none() -> Json {
    json!({})
}

/// Does something that must be over soon. The bound is generous: this machine may be doing other things.
#[track_caller]
fn soon<T>(what: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = what();
    let took = began.elapsed();
    assert!(took < Duration::from_millis(3_000), "it took {took:?}");
    done
}
