//! Native and sealed, side by side. The decision matrix is compared in `golden.rs`.

use std::collections::BTreeMap;

use abide_core::facts::FileFacts;
use abide_core::input::{ApprovalInput, PolicyInput, RunMode, SafetyLevel, SafetyMode};
use abide_gate::{Bundle, BundleText, Judge as _, NativeJudge, Question};
use abide_sandbox::{SealedError, SealedJudge};
use abide_tests::{gate, sealed};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::{question, text};

/// The same cases in every run.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("docs/guide.md".to_owned()),
        Just("worker".to_owned()),
        "[a-z]{1,8}(/[a-z.]{1,8}){0,3}",
        "\\PC{0,12}",
        any::<String>(),
    ]
}

fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![4 => proptest::sample::select(names).prop_map(str::to_owned), 1 => word()]
}

prop_compose! {
    fn file()(
        path in word(), zones in prop::collection::vec(one_of(&["ci", "secrets", "governance", "infra"]), 0..3),
        categories in prop::collection::vec(one_of(&["docs", "tests", "code", "ci"]), 0..3),
        lines in prop_oneof![0..50_u64, any::<u32>().prop_map(u64::from)], flags in any::<[bool; 6]>(),
    ) -> FileFacts {
        let [binary, symlink, submodule, generated, lfs, made_executable] = flags;
        FileFacts {
            path, zones, categories, added: lines, binary, symlink, submodule, generated, lfs, made_executable,
            ..gate::file("x", &[], &[], lines)
        }
    }
}

prop_compose! {
    fn asked()(
        profile in one_of(&["prod-conservative", "staging-aggressive", "exploration", "manual"]),
        subject in word(), reason in word(), files in prop::collection::vec(file(), 0..12),
        approvals in prop::collection::vec((word(), one_of(&["maintainer", "security"]), any::<bool>()), 0..3),
        switches in any::<[bool; 6]>(), mode in 0..3_u8, numbers in (any::<u32>(), 0..=5_u8, 0..=100_u32, any::<u64>()),
        band in one_of(&["low", "medium", "high", "critical"]),
    ) -> Question {
        let [halted, frozen, plan, has_facts, protected, exhausted] = switches;
        question(|input: &mut PolicyInput| {
            input.run.profile = profile;
            (input.run.halted, input.run.frozen) = (halted, frozen);
            input.run.mode = if plan { RunMode::Plan } else { RunMode::Apply };
            input.run.safety_mode =
                [SafetyMode::DenyByDefault, SafetyMode::Warn, SafetyMode::Allow][usize::from(mode)];
            input.run.safety_level = [SafetyLevel::High, SafetyLevel::Medium, SafetyLevel::Low][usize::from(mode)];
            (input.run.attempt, input.run.host_level_max) = (numbers.0, numbers.1);
            (input.risk.score, input.now) = (numbers.2, numbers.3 >> 12);
            input.risk.band = band;
            input.subject.id = subject;
            input.action.reason = reason;
            input.action.target.protected = protected;
            input.budget.exhausted = exhausted;
            input.facts = has_facts.then(|| gate::facts(files));
            input.approvals = approvals
                .into_iter()
                .map(|(by, role, is_of_this)| ApprovalInput {
                    by,
                    role,
                    at: input.now,
                    action: if is_of_this { input.action.digest.clone() } else { gate::digest("other") },
                })
                .collect();
        })
    }
}

#[test]
fn any_question_to_the_shipped_policies() {
    let Some(module) = sealed::module() else { return };
    let bundle = gate::shipped();
    let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
    let native = NativeJudge::over(bundle);
    runner(400)
        .run(&asked(), |question| {
            sealed::assert_same(&native.decide(&question), sealed.decide(&question));
            Ok(())
        })
        .unwrap();
}

/// Without an executable page it decides the same.
#[test]
fn any_question_to_the_shipped_policies_interpreted() {
    let Some(module) = sealed::interpreted() else { return };
    let bundle = gate::shipped();
    let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
    let native = NativeJudge::over(bundle);
    runner(25)
        .run(&asked(), |question| {
            sealed::assert_same(&native.decide(&question), sealed.decide(&question));
            Ok(())
        })
        .unwrap();
}

/// A policy with a rule for each builtin that policies may call on texts, and the questions are what they are called with.
#[test]
fn any_text_to_every_kind_of_builtin() {
    let Some(module) = sealed::module() else { return };
    let rules = r#"package abide

a := input.subject.id
b := input.action.reason

said contains upper(a)
said contains lower(b)
said contains trim_space(a)
said contains sprintf("%s|%v|%d", [a, b, count(a)])
said contains substring(a, 1, 3)
said contains replace(b, "a", a)
said contains concat("-", sort([a, b]))
said contains concat("", split(b, "/"))
said contains crypto.sha256(a)
said contains crypto.hmac.sha256(a, b)
said contains crypto.hmac.sha1(b, a)
said contains "starts" if startswith(a, b)
said contains "matches" if regex.match(`^[\p{L}\d./]+$`, b)
said contains "globs" if glob.match("docs/**", ["/"], a)
said contains "indexed" if indexof(a, "o") > 2
said contains "semver" if semver.is_valid(b)
said contains "cidr" if net.cidr_is_valid(a)
said contains concat("", [type_name(a), sprintf("%d", [sum([input.run.attempt, input.risk.score, count(b)])])])
said contains concat("x", [sprintf("%d", [n]) | some n in time.date(input.now * 1000000)])

decision := {"verdict": "review", "findings": [{"rule": "said", "level": "review", "msg": msg} | some msg in said]}
"#;
    let bundle = text(rules, json!({})).load().unwrap();
    let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
    let native = NativeJudge::over(bundle);
    runner(400)
        .run(&asked(), |question| {
            sealed::assert_same(&native.decide(&question), sealed.decide(&question));
            Ok(())
        })
        .unwrap();
}

/// Words have half as many bits inside: numbers beyond them are places, lengths and counts like any other.
#[test]
fn numbers_that_do_not_fit_into_the_words_inside() {
    let Some(module) = sealed::module() else { return };
    let numbers: Vec<u64> = [0_u32, 1, 7, 31, 32, 33, 52, 53, 62, 63]
        .iter()
        .flat_map(|bits| [0, 1, 2].map(|more| (1_u64 << bits) + more))
        .collect();
    let calls = [
        "substring(\"abcdef\", n, 2)",
        "substring(\"abcdef\", 1, n)",
        "array.slice([1, 2, 3, 4], n, 3)",
        "array.slice([1, 2, 3, 4], 1, n)",
        "{1: 2, 4294967297: 3}[n]",
        "object.get({1: 2}, n, 5)",
        "bits.and(n, 6)",
        "bits.or(n, 6)",
        "abs(0 - n)",
        "round(n)",
        "ceil(n / 3)",
        "n % 7",
        "n * n * n",
        "n - 1",
        "sum([n, n])",
        "max([n, 5])",
        "to_number(sprintf(\"%d\", [n]))",
        "time.date(n)",
        "time.weekday(n)",
        "time.clock([n, \"UTC\"])",
        "[n == 0, n < 4294967296, n > 2147483648]",
        "semver.compare(sprintf(\"%d.0.0\", [n]), \"2.0.0\")",
    ];
    for call in calls {
        // A list is told part by part, anything else as one.
        let rules = format!(
            "package abide\n\nimport rego.v1\n\nn := input.now\n\nfound := {call}\n\nparts := found if is_array(found)\n\nparts := [found] if not is_array(found)\n\ndecision := {{\"verdict\": \"review\", \"findings\": [{{\"rule\": \"a\", \"level\": \"review\", \"msg\": concat(\",\", [sprintf(\"%v\", [part]) | some part in parts])}}]}}\n"
        );
        let bundle = text(&rules, json!({ "list": [1, 2, 3] }))
            .load()
            .unwrap_or_else(|error| panic!("{call}: {error}"));
        let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
        let native = NativeJudge::over(bundle);
        for number in &numbers {
            let question = question(|input| input.now = *number);
            let decision = native.decide(&question);
            sealed::assert_same(&decision, sealed.decide(&question));
        }
    }
}

/// KNOWN DIFFERENCE: the interpreter cuts the place in a list to a word. A place beyond 2^32 is nothing natively and something inside, and no builtin of
/// the gate can stand in for a bracket. When this test fails the engine was mended: then places belong into the test above, and the paragraph out of
/// docs/decisions/0009-sealed-judge.md.
#[test]
fn a_place_in_a_list_beyond_two_to_the_32_is_known_to_differ() {
    let Some(module) = sealed::module() else { return };
    let rules = "package abide\n\nimport rego.v1\n\nn := input.now\n\nlist := [1, 2, 3]\n\ndecision := {\"verdict\": \"review\", \"findings\": [{\"rule\": \"a\", \"level\": \"review\", \"msg\": concat(\",\", [sprintf(\"%v\", [part]) | part := list[n]])}]}\n";
    let bundle = text(rules, json!({})).load().unwrap();
    let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
    let native = NativeJudge::over(bundle);
    let both = |now: u64| {
        let question = question(|input| input.now = now);
        [native.decide(&question), sealed.decide(&question)].map(|decision| decision.findings[0].msg.clone())
    };
    for now in [0, 2, 3, u64::from(u32::MAX)] {
        let [native, sealed] = both(now);
        assert_eq!(native, sealed, "{now}");
    }
    assert_eq!(both(1 << 32), ["", "1"]);
}

/// Patterns and globs at the edge of what can be compiled: natively a step takes twice the bytes that it takes inside.
#[test]
fn patterns_as_large_as_they_may_be() {
    let Some(module) = sealed::module() else { return };
    for size in [100_u32, 1_000, 2_000, 3_000, 4_000, 6_000, 9_000, 15_000, 19_900, 20_100, 40_000] {
        for pattern in [
            format!("^a{{{size}}}$"),
            format!("^[ab0-9]{{{}}}$", size / 8),
            format!("^\\pL{{{}}}$", size / 1_400),
        ] {
            let rules = "package abide\n\nimport rego.v1\n\ndecision := {\"verdict\": \"review\", \"findings\": []} if regex.match(data.pattern, input.subject.id)\n\ndecision := {\"verdict\": \"deny\", \"findings\": []} if not regex.match(data.pattern, input.subject.id)\n";
            let bundle = text(rules, json!({ "pattern": pattern })).load().unwrap();
            let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
            let question = question(|input| input.subject.id = "a".repeat(1_000));
            sealed::assert_same(&NativeJudge::over(bundle).decide(&question), sealed.decide(&question));
        }
    }
}

/// Policies that somebody's slip of the hand made: both judges refuse them with the same words, or decide the same by them.
#[test]
fn any_policy_that_was_nearly_the_shipped_one() {
    let Some(module) = sealed::module() else { return };
    let shipped = gate::shipped();
    let paths: Vec<String> = shipped.modules().keys().cloned().collect();
    let slip = (proptest::sample::select(paths), any::<prop::sample::Index>(), 0..8_usize);
    let plain = question(|_| ());
    let loaded = std::cell::Cell::new(0_u32);
    runner(60)
        .run(&slip, |(path, at, kind)| {
            let mut modules = shipped.modules().clone();
            let changed = slipped(&modules[&path], at, kind);
            modules.insert(path, changed);
            let Ok(text) = BundleText::new(modules, shipped.data().clone()) else { return Ok(()) };
            loaded.set(loaded.get() + u32::from(compare(&module, &text, &plain)));
            Ok(())
        })
        .unwrap();
    let loaded = loaded.get();
    assert!(loaded > 5, "only {loaded} of the changed policies could be loaded: nothing was compared");
}

/// Whether both loaded it.
fn compare(
    module: &std::sync::Arc<abide_sandbox::SealedModule>,
    text: &BundleText,
    question: &Question,
) -> bool {
    match (text.load(), SealedJudge::load(module, text.clone())) {
        (Ok(bundle), Ok(sealed)) => {
            sealed::assert_same(&NativeJudge::over(bundle).decide(question), sealed.decide(question));
            true
        }
        (Err(native), Err(SealedError::Refused(refusal))) => {
            assert_eq!(
                (native.code(), native.place()),
                (refusal.code(), refusal.place()),
                "{native} / {refusal}"
            );
            false
        }
        (native, sealed) => panic!("natively {native:?}, sealed {sealed:?}"),
    }
}

/// The text with one of its words or signs taken out, doubled or exchanged.
fn slipped(text: &str, at: prop::sample::Index, kind: usize) -> String {
    let words: Vec<&str> = text.split_inclusive([' ', '\n', '.', '(', ')', '"', ',']).collect();
    let place = at.index(words.len());
    let (before, after) = words.split_at(place);
    let (word, after) = after.split_first().unwrap();
    let word = match kind {
        0 => String::new(),
        1 => format!("{word}{word}"),
        2 => word.replace("==", "!="),
        3 => word.replace("in ", "not "),
        4 => format!("{word}# "),
        5 => word.chars().rev().collect(),
        6 => word.replace(|letter: char| letter.is_ascii_digit(), "7"),
        _ => word.replace("deny", "allow").replace("review", "warn"),
    };
    format!("{}{word}{}", before.concat(), after.concat())
}

/// The answer does not depend on what was asked before, nor on how often.
#[test]
fn a_decision_leaves_nothing_behind() {
    let Some(module) = sealed::module() else { return };
    let bundle = gate::shipped();
    let used = SealedJudge::load(&module, bundle.text()).unwrap();
    let questions: Vec<Question> = (0..40_u32)
        .map(|n| {
            question(|input| {
                input.run.attempt = n;
                input.run.halted = n % 7 == 3;
                input.run.frozen = n % 5 == 2;
                input.subject.id = "x".repeat(usize::try_from(n * 500).unwrap());
            })
        })
        .collect();
    let first: Vec<_> = questions.iter().map(|question| used.decide(question)).collect();
    let mut again: Vec<_> = questions.iter().rev().map(|question| used.decide(question)).collect();
    again.reverse();
    assert_eq!(first, again);
    for (question, known) in questions.iter().zip(&first).step_by(13) {
        let fresh = SealedJudge::load(&module, bundle.text()).unwrap();
        assert_eq!(fresh.decide(question), *known);
    }
}

/// Several threads at once, more than there are instances.
#[test]
fn many_at_once() {
    let Some(module) = sealed::module() else { return };
    let bundle = gate::shipped();
    let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
    let native = NativeJudge::over(bundle);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (sealed, native) = (&sealed, &native);
            scope.spawn(move || {
                for n in 0..10 {
                    let question = question(|input| input.run.attempt = thread * 100 + n);
                    sealed::assert_same(&native.decide(&question), sealed.decide(&question));
                }
            });
        }
    });
}

/// What tokens and digests say is the same in both, real signatures included.
#[test]
fn tokens_are_verified_alike() {
    let Some(module) = sealed::module() else { return };
    // RFC 7515, A.2 and A.3.
    let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let ec = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let rules = format!(
        "package abide\n\ntoken := `{es256}`\n\nkey := `{ec}`\n\ndecision := {{\"verdict\": \"review\", \"findings\": [{{\"rule\": \"token\", \"level\": \"review\", \"msg\": sprintf(\"%v %v %s\", [io.jwt.verify_es256(token, key), io.jwt.verify_es256(concat(\"\", [token, \"A\"]), key), payload.iss])}}]}} if [_, payload, _] := io.jwt.decode(token)\n"
    );
    let bundle = text(&rules, json!({})).load().unwrap();
    let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
    let native = NativeJudge::over(bundle).decide(&question(|_| ()));
    assert_eq!(native.findings[0].msg, "true false joe");
    sealed::assert_same(&native, sealed.decide(&question(|_| ())));
}

/// Bundles of data alone, and of many modules.
#[test]
fn bundles_of_every_size() {
    let Some(module) = sealed::module() else { return };
    let rule =
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []} if count(data.many) > 5\n";
    let many: BTreeMap<String, u32> = (0..40_000).map(|n| (format!("key-{n:07}"), n)).collect();
    let mut modules = gate::shipped().modules().clone();
    for n in 0..100 {
        let layer = format!(
            "package abide.layers.l{n}\nfindings contains {{\"rule\": \"r{n}\", \"level\": \"warn\", \"msg\": \"m\"}} if input.run.attempt == 1\n"
        );
        modules.insert(format!("layers/l{n}.rego"), layer);
    }
    let layered = Bundle::load(modules, gate::shipped().data().clone()).unwrap();
    for bundle in [text(rule, json!({ "many": many })).load().unwrap(), layered] {
        let sealed = SealedJudge::load(&module, bundle.text()).unwrap();
        let native = NativeJudge::over(bundle);
        sealed::assert_same(&native.decide(&question(|_| ())), sealed.decide(&question(|_| ())));
    }
}
