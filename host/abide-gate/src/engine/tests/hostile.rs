//! Policies that try to hang, crash or eat the process: refused while loading, or denied with a code, and the process goes on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::answers::{judged, question};
use super::{BundleError, load, load_over};
use crate::engine::limits::SourceLimits;
use crate::engine::{Generations, JudgeLimits, NativeJudge, loader};
use crate::gate::Judge;
use serde_json::json;

fn code(text: &str) -> &'static str {
    load(text).map_or_else(|error| error.code(), |_| "loaded")
}

fn nested(open: &str, inside: &str, close: &str, times: usize) -> String {
    format!("package abide\ndecision := 1\nx := {}{inside}{}\n", open.repeat(times), close.repeat(times))
}

#[test]
fn depth() {
    for times in [25, 1_000, 20_000] {
        assert_eq!(code(&nested("(", "1", ")", times)), "AB0101", "{times} parentheses");
        assert_eq!(code(&nested("[", "1", "]", times)), "AB0101", "{times} brackets");
        assert_eq!(code(&nested("{1: ", "1", "}", times)), "AB0101", "{times} braces");
        assert_eq!(code(&nested("abs(", "1", ")", times)), "AB0101", "{times} calls");
        assert_eq!(code(&nested("- ", "1", "", times)), "AB0101", "{times} signs");
        assert_eq!(code(&nested("input.checks[", "0", "]", times)), "AB0101", "{times} indices");
        assert_eq!(code(&nested("-\n", "1", "", times)), "AB0101", "{times} signs on lines of their own");
    }
}

#[test]
fn long_chains_of_operators() {
    for operator in ["+", "*", "|", "&", "-"] {
        for (times, separator) in [(100, " "), (15_000, "\n")] {
            let chain = vec!["1"; times].join(&format!(" {operator}{separator}"));
            let text = format!("package abide\ndecision := 1\nx := {chain}\n");
            assert!(
                matches!(code(&text), "AB0107" | "AB0101" | "AB0102"),
                "{times} × {operator}: {}",
                code(&text)
            );
        }
    }
    let text = format!("package abide\ndecision := 1\nx := input.checks{}\n", ".a".repeat(60_000));
    assert!(matches!(code(&text), "AB0101" | "AB0102" | "AB0107"), "{}", code(&text));
    let text = format!(
        "package abide\ndecision := 1\nx := y if {{ y := 1 }} {}\n",
        "else := 2 if { 1 == 2 }\n".repeat(4_000)
    );
    assert!(matches!(code(&text), "loaded" | "AB0102" | "AB0107"), "{}", code(&text));
}

#[test]
fn sizes() {
    assert_eq!(code(&format!("package abide\ndecision := 1\n# {}", "x".repeat(200_000))), "AB0101");
    let modules: BTreeMap<String, String> =
        (0..200).map(|n| (format!("m{n}.rego"), format!("package m{n}\nx := 1"))).collect();
    assert_eq!(super::Bundle::load(modules, json!({})).unwrap_err().code(), "AB0101");
}

#[test]
fn work_without_end_is_denied_in_time() {
    let items: Vec<u32> = (0..2_000).collect();
    let text = r#"package abide
decision := {"verdict": "allow", "findings": []} if {
    n := count([1 | some a in data.items; some b in data.items; some c in data.items; a + b == c])
    n > 0
}"#;
    let decision = judged(load_over(text, json!({"items": items})).unwrap());
    assert_eq!(decision.fault.as_deref(), Some("AB0113"));
    assert_eq!(decision.verdict.as_str(), "deny");
}

#[test]
fn circles_are_refused() {
    for text in [
        "decision := x\nx := decision",
        "decision := f(1)\nf(n) := f(n + 1)",
        "decision := f(1)\nf(n) := g(n)\ng(n) := f(n)",
        "decision := f(1)\nf(n) := x if n > 0\nx := f(2)",
        "decision := {\"verdict\": \"allow\", \"findings\": [x | some x in xs]}\nxs contains x if some x in ys\nys contains x if some x in xs",
        "decision := data.abide[\"decision\"]",
        "decision := data.abide[k] if k := \"decision\"",
    ] {
        let text = format!("package abide\n{text}\n");
        assert_eq!(code(&text), "AB0107", "{text}");
    }
}

/// Little text that makes much: each step doubles what it is given.
#[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
fn doubling(step: &str, first: &str, times: usize) -> String {
    let mut text = format!("package abide\nx0 := {first}\n");
    for n in 0..times {
        writeln!(text, "x{} := {}", n + 1, step.replace('@', &format!("x{n}"))).unwrap();
    }
    let finding = format!("{{\"rule\": \"a\", \"level\": \"warn\", \"msg\": x{times}}}");
    writeln!(text, "decision := {{\"verdict\": \"allow\", \"findings\": [{finding}]}}").unwrap();
    text
}

#[test]
fn much_out_of_little_is_denied() {
    for (step, first) in [
        (r#"concat("", [@, @])"#, r#""ab""#),
        (r#"sprintf("%s%s", [@, @])"#, r#""ab""#),
        (r#"replace(@, "a", "aa")"#, r#""aaaa""#),
        ("array.concat(@, @)", "[1, 2]"),
        ("@ * @", "12345678901234567890"),
        ("[@, @]", "[1]"),
        (r#"{"a": @, "b": @}"#, "{}"),
    ] {
        let bundle = load(&doubling(step, first, 40)).unwrap_or_else(|error| panic!("{step}: {error}"));
        let decision = judged(bundle);
        assert_eq!(decision.verdict.as_str(), "deny", "{step}");
        assert!(decision.fault.is_some(), "{step}");
    }
}

#[test]
fn those_that_overrun_are_counted_and_then_everything_is_denied() {
    // Comparing two deep shared trees is one step for the interpreter, and does not end.
    let mut text = "package abide\nx0 := [1]\ny0 := [1]\n".to_owned();
    for n in 0..45 {
        let next = n + 1;
        writeln!(text, "x{next} := [x{n}, x{n}]\ny{next} := [y{n}, y{n}]").unwrap();
    }
    text.push_str("decision := {\"verdict\": \"allow\", \"findings\": []} if x45 == y45\n");
    let limits = JudgeLimits { deadline_ms: 50, abandoned_max: 2, ..JudgeLimits::SHIPPED };
    let judge = NativeJudge::new(Arc::new(Generations::new(load(&text).unwrap())), limits);
    let faults: Vec<_> = (0..3).map(|_| judge.decide(&question()).fault.unwrap()).collect();
    assert_eq!(faults, ["AB0113", "AB0113", "AB0115"]);
}

#[test]
fn an_engine_that_panics_denies_and_goes_on() {
    let text =
        "package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []} if faulty.panic(input.now)\n";
    let judge = NativeJudge::over(load(text).unwrap());
    for _ in 0..6 {
        let decision = judge.decide(&question());
        assert_eq!((decision.verdict.as_str(), decision.fault.as_deref()), ("deny", Some("AB0114")));
        assert_eq!(decision.findings[0].rule, "no-clean-decision");
    }
}

#[test]
fn loading_that_does_not_end_or_panics_is_an_error() {
    let short = SourceLimits { load_ms_max: 20, ..SourceLimits::SHIPPED };
    let late = || -> Result<(), BundleError> {
        std::thread::sleep(std::time::Duration::from_mins(1));
        Ok(())
    };
    let late = loader::on_a_thread(short, late).unwrap_err();
    assert_eq!((late.code(), late.to_string().contains("deadline")), ("AB0109", true), "{late}");
    let panics = || -> Result<(), BundleError> { panic!("a fault of the engine, for a test") };
    let died = loader::on_a_thread(SourceLimits::SHIPPED, panics).unwrap_err();
    assert_eq!((died.code(), died.to_string().contains("panicked")), ("AB0109", true), "{died}");
    // And a panic in a constant: the engine computes nothing while it loads, so this is found when it is asked.
    assert!(load("package abide\ndecision := x if { x := faulty.panic(1) }\n").is_ok());
}
