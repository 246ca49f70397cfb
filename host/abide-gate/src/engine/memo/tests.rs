//! What is said rule by rule is what is said about each question alone.

use std::collections::BTreeMap;

use abide_core::action::ActionClass;
use abide_core::facts::{Facts, FileFacts, SecretFact, TestFacts, Totals, WindowFacts};
use abide_core::id::Oid;
use abide_core::input::{ApprovalInput, CheckInput, PolicyInput, RunMode, SafetyLevel, SafetyMode};
use serde_json::json;

use super::*;
use crate::engine::tests::answers::input;
use crate::engine::tests::{load, policies};
use crate::source;

fn shipped() -> Bundle {
    source::assemble(&policies()).unwrap()
}

/// The same as one by one, for each.
fn agrees(bundle: &Bundle, inputs: &[PolicyInput]) -> Memo {
    let memo = Memo::over(vec![bundle.clone()]);
    let parts: Vec<Parts> = inputs.iter().map(|input| memo.parts(input).unwrap()).collect();
    let alone = bundle.opinions(inputs.to_vec());
    for ((input, alone), together) in inputs.iter().zip(&alone).zip(memo.opinions(0, parts)) {
        assert_eq!(*together, *alone, "{input:#?}");
    }
    memo
}

type Turn = fn(&mut PolicyInput, usize);

/// Ways to turn an input into another, each by a number.
const TURNS: [Turn; 14] = [
    |input, n| {
        let all = [
            ActionClass::Plan,
            ActionClass::Fetch,
            ActionClass::Generate,
            ActionClass::Execute,
            ActionClass::Write,
            ActionClass::Merge,
            ActionClass::Deploy,
            ActionClass::Rollback,
        ];
        input.action.class = all[n % all.len()];
    },
    |input, n| {
        input.run.profile = ["assisted", "manual", "unheard-of", "staging-aggressive"][n % 4].to_owned();
    },
    |input, n| {
        input.run.safety_mode = [SafetyMode::DenyByDefault, SafetyMode::Warn, SafetyMode::Allow][n % 3];
    },
    |input, n| input.run.safety_level = [SafetyLevel::High, SafetyLevel::Medium, SafetyLevel::Low][n % 3],
    |input, n| input.run.halted = n.is_multiple_of(5),
    |input, n| input.run.frozen = n.is_multiple_of(4),
    |input, n| input.run.mode = [RunMode::Apply, RunMode::Plan][n % 2],
    |input, n| input.run.host_level_max = u8::try_from(n % 6).unwrap(),
    |input, n| input.budget.exhausted = n.is_multiple_of(3),
    |input, n| input.rollback.kind = ["git-revert", "none", "release"][n % 3].to_owned(),
    |input, n| input.rollback.rehearsed = n.is_multiple_of(2),
    |input, n| input.risk.band = ["low", "medium", "high", "critical"][n % 4].to_owned(),
    |input, n| {
        let outcome = ["passed", "failed", "missing"][n % 3].to_owned();
        input.checks = vec![CheckInput {
            name: "unit".to_owned(),
            outcome,
            required: n.is_multiple_of(2),
            walls: Vec::new(),
        }];
    },
    |input, n| {
        let approval = |by: usize| ApprovalInput {
            by: format!("person-{by}@example.org"),
            role: ["reviewer", "maintainer", "visitor"][by % 3].to_owned(),
            action: input.action.digest.clone(),
            at: input.now,
        };
        input.approvals = (0..n % 4).map(approval).collect();
    },
];

/// Any inputs, and always the same: a linear congruential generator (Knuth, MMIX) turns each way by another number.
fn any(count: usize) -> Vec<PolicyInput> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 40).unwrap()
    };
    let mut one = || {
        let mut input = input();
        for turn in TURNS {
            turn(&mut input, next());
        }
        input.facts =
            (next().is_multiple_of(2)).then(|| facts(next(), [0, 900, 1_800, 2_700][next() % 4], next()));
        input
    };
    (0..count).map(|_| one()).collect()
}

/// A change of one file.
fn facts(kind: usize, size: u64, found: usize) -> Facts {
    let zones = [&[][..], &["governance"], &["ci"], &["executes-on-build"]][kind % 4];
    let category = ["docs", "code", "tests", "deps", "governance"][kind % 5];
    let file = json!({
        "path": format!("in/{category}"), "status": "modified", "zones": zones, "categories": [category], "added": size, "removed": 0,
        "binary": kind.is_multiple_of(7), "bytes": 100, "bytes_before": 10, "old_mode": "100644", "new_mode": "100644",
        "symlink": kind.is_multiple_of(11), "submodule": false, "generated": false, "lfs": kind.is_multiple_of(13), "made_executable": false,
    });
    let files: Vec<FileFacts> = vec![serde_json::from_value(file).unwrap()];
    let totals = files.iter().fold(Totals::default(), Totals::and);
    let secret = || SecretFact { rule: "jwt".to_owned(), path: "in/a".to_owned(), line: 1 };
    let window = WindowFacts { hours: 24, ..WindowFacts::default() }.and_this(&totals, &BTreeMap::new());
    Facts {
        schema: Facts::SCHEMA.to_owned(),
        base_tree: Oid::zero(),
        tree: Oid::zero(),
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        categories: vec![category.to_owned()],
        files,
        totals,
        secrets: (found.is_multiple_of(5)).then(secret).into_iter().collect(),
        forbidden: Vec::new(),
        dependencies: Vec::new(),
        tests: TestFacts { removed: u64::from(found.is_multiple_of(6)), ..TestFacts::default() },
        destructive: Vec::new(),
        hazards: Vec::new(),
        collisions: Vec::new(),
        unmeasured: if found.is_multiple_of(7) { vec!["secrets".to_owned()] } else { Vec::new() },
        window,
    }
}

#[test]
fn the_shipped_policy_says_the_same_rule_by_rule() {
    let inputs = any(160);
    let memo = agrees(&shipped(), &inputs);
    let Effort { rules, whole } = memo.effort();
    assert_eq!(
        whole, 0,
        "every kind of question is taken apart, and nothing fails that a decision does not come to"
    );
    assert!(rules > 160, "{rules}");
    // What is known already is not evaluated again.
    drop(memo.opinions(0, inputs.iter().map(|input| memo.parts(input).unwrap()).collect()));
    assert_eq!(memo.effort().rules, rules);
}

#[test]
fn layers_say_the_same_and_share_what_they_do_not_touch() {
    let layer = "package abide.layers.mine\n\nfindings contains {\"rule\": \"mine\", \"level\": \"review\", \"msg\": input.run.profile} if input.facts.totals.added > 2";
    let plain = shipped();
    let mut modules = plain.modules().clone();
    modules.insert("layers/mine.rego".to_owned(), layer.to_owned());
    let layered = Bundle::load(modules, plain.data().clone()).unwrap();
    let inputs = any(50);
    let apart =
        agrees(&plain, &inputs).effort().rules.saturating_add(agrees(&layered, &inputs).effort().rules);
    let memo = Memo::over(vec![plain.clone(), layered.clone()]);
    let parts: Vec<Parts> = inputs.iter().map(|input| memo.parts(input).unwrap()).collect();
    for (place, bundle) in [&plain, &layered].into_iter().enumerate() {
        let together: Vec<Opinion> =
            memo.opinions(place, parts.clone()).iter().map(|opinion| (**opinion).clone()).collect();
        assert_eq!(together, bundle.opinions(inputs.clone()));
    }
    assert_eq!(memo.effort().whole, 0);
    assert!(memo.effort().rules * 3 < apart * 2, "{:?} of {apart}", memo.effort());
}

/// A policy that denies what `found` holds, and `rest` of its rules.
fn small(found: &str, rest: &str) -> Bundle {
    load(&format!(
        "package abide\n\ndecision := {{\"verdict\": \"deny\", \"findings\": [{{\"rule\": \"r\", \"level\": \"deny\", \"msg\": m}} | some m in said]}}\n\nsaid contains {found}\n\n{rest}"
    ))
    .unwrap()
}

#[test]
fn what_a_function_or_a_whole_object_reads_is_read() {
    let cases = [
        small("name(input.run)", "name(run) := sprintf(\"%v\", [run.profile])"),
        small("sprintf(\"%v\", [own])", "own := {k: v | some k, v in input.run}"),
        small(
            "via(1)",
            "via(_) := deep(2)\ndeep(_) := sprintf(\"%v %v\", [input.run.profile, input.run.halted])",
        ),
        small("sprintf(\"%v\", [input.run[part]]) if part := \"profile\"", ""),
        small("sprintf(\"%v\", [count(input.approvals)])", ""),
        small("sprintf(\"%v\", [all])", "all := input"),
        small("sprintf(\"%v\", [one]) if some one in input", ""),
        small("\"none\" if not input.facts", ""),
        small(
            "\"more\" if not set_is_empty",
            "found contains 1 if input.run.halted\nset_is_empty if found == set()",
        ),
        small(
            "table[input.run.profile]",
            "table[name] := \"known\" if { some name in [\"manual\", \"assisted\"]; input.run.mode == \"PLAN\" }",
        ),
        small(
            "level",
            "default level := \"low\"\nlevel := \"high\" if input.run.halted\nelse := \"middle\" if input.run.frozen",
        ),
    ];
    for bundle in cases {
        agrees(&bundle, &any(25));
    }
}

#[test]
fn what_fails_or_cannot_be_taken_apart_is_judged_as_a_whole() {
    // Nobody comes to `broken`, but where runs are halted.
    let bundle = small("broken if input.run.halted", "broken := to_number(input.run.profile)");
    let inputs = any(80);
    let effort = agrees(&bundle, &inputs).effort();
    let halted = inputs.iter().filter(|input| input.run.halted).count();
    assert_eq!(effort.whole, halted, "{effort:?}: where they are not, the rule is not even there");
    let later = small(
        "broken if { input.run.attempt == 2; input.run.profile == \"manual\" }",
        "broken := to_number(input.run.profile)",
    );
    assert_eq!(agrees(&later, &inputs).effort().whole, 80, "the first condition is not known before");
    let fault = |halted: bool| {
        let mut input = input();
        input.run.halted = halted;
        bundle.opinions(vec![input])[0].fault.clone()
    };
    assert_eq!((fault(true).as_deref(), fault(false)), (Some("AB0111"), None));
    let effort = agrees(&small("sprintf(\"%v\", [input])", ""), &inputs).effort();
    assert_eq!((effort.rules, effort.whole), (0, 80));
    // Rules over other data are other rules.
    let data = |text: &str| {
        crate::engine::tests::load_over("package abide\ndecision := {\"verdict\": \"deny\", \"findings\": [{\"rule\": \"r\", \"level\": \"deny\", \"msg\": data.said}]}", json!({"said": text})).unwrap()
    };
    let memo = Memo::over(vec![data("one"), data("other")]);
    let parts = memo.parts(&input()).unwrap();
    let said = |place: usize| memo.opinions(place, vec![parts])[0].findings[0].msg.clone();
    assert_eq!((said(0).as_str(), said(1).as_str()), ("one", "other"));
    assert_eq!(memo.effort().whole, 1);
}

#[test]
fn an_input_comes_out_as_it_went_in() {
    let memo = Memo::over(vec![shipped()]);
    for input in any(50) {
        assert_eq!(memo.input(&memo.parts(&input).unwrap()).unwrap(), input);
    }
    let (mut one, mut other) = (input(), input());
    one.run.halted = true;
    other.risk.score = 9;
    let mixed = memo.parts(&one).unwrap().with(7, &memo.parts(&other).unwrap());
    let mixed = memo.input(&mixed).unwrap();
    assert_eq!((mixed.run.halted, mixed.risk.score), (true, 9));
}
