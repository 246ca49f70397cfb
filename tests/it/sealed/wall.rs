//! The wall by itself: policies that hang, crash or eat a process, put into the module without the inspection that refuses most of them. Each costs a
//! denial with a code within a second or so, and nothing else.

use std::fs;
use std::sync::Arc;

use abide_core::decision::Decision;
use abide_gate::Judge as _;
use abide_sandbox::sealed::Door;
use abide_sandbox::{SealedError, SealedJudge, SealedModule};
use abide_tests::{gate, sealed};
use serde_json::{Value as Json, json};

use super::{none, question, soon, text};

/// The condition stands for the first attempt; the second is allowed at once.
fn policy(more: &str, condition: &str) -> String {
    format!(
        "package abide\n\nimport rego.v1\n\n{more}\n\ndecision := {{\"verdict\": \"allow\", \"findings\": []}} if input.run.attempt == 2\n\ndecision := {{\"verdict\": \"allow\", \"findings\": []}} if {{\n\tinput.run.attempt == 1\n\t{condition}\n}}\n"
    )
}

fn unchecked(module: &Arc<SealedModule>, rules: &str, data: Json) -> Result<SealedJudge, SealedError> {
    SealedJudge::load_by(module, text(rules, data), Door::DangerUnchecked)
}

fn attempt(judge: &SealedJudge, attempt: u32) -> Decision {
    judge.decide(&question(|input| input.run.attempt = attempt))
}

/// Asserts a denial with one of `codes`, and that the judge goes on.
#[track_caller]
fn denied(judge: &SealedJudge, codes: &[&str]) {
    let decision = soon(|| attempt(judge, 1));
    assert_eq!(decision.verdict.as_str(), "deny");
    let fault = decision.fault.as_deref().unwrap_or("none");
    assert!(codes.contains(&fault), "{fault}: {:?}", decision.findings);
    let next = soon(|| attempt(judge, 2));
    assert_eq!((next.verdict.as_str(), next.fault), ("allow", None), "the next question is answered");
    assert!(peak_bytes() < 1_200 << 20, "the process came to {} bytes", peak_bytes());
}

/// Memory that this process had at most. It compiles nothing here: the module comes from the cache.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

const DEADLINE: &str = "AB0113";
const PANIC: &str = "AB0114";
const MEMORY: &str = "AB0198";
const STACK: &str = "AB0199";

#[track_caller]
fn hostile(more: &str, condition: &str, data: Json, codes: &[&str]) {
    let Some(module) = sealed::module() else { return };
    let judge = unchecked(&module, &policy(more, condition), data).unwrap();
    denied(&judge, codes);
}

#[test]
fn a_range_of_two_hundred_million() {
    hostile("", "count(numbers.range(1, 200000000)) > 0", none(), &[MEMORY, DEADLINE, PANIC]);
}

#[test]
fn a_width_of_two_thousand_million() {
    hostile("", "sprintf(\"%2000000000d\", [1]) != \"\"", none(), &[MEMORY, DEADLINE, PANIC, "AB0111"]);
}

#[test]
fn the_count_of_nothing_in_a_text() {
    hostile("", "strings.count(input.subject.id, \"\") > 0", none(), &[DEADLINE, MEMORY, PANIC]);
}

#[test]
fn comprehensions_over_comprehensions() {
    let items: Vec<u32> = (0..2_000).collect();
    let condition =
        "count([1 | some a in data.items; some b in data.items; some c in data.items; a + b == c]) > 0";
    hostile("", condition, json!({ "items": items }), &[DEADLINE]);
}

#[test]
fn a_comprehension_that_keeps_all_of_it() {
    let items: Vec<u32> = (0..2_000).collect();
    let condition =
        "count({[a, b, c] | some a in data.items; some b in data.items; some c in data.items}) > 0";
    hostile("", condition, json!({ "items": items }), &[DEADLINE, MEMORY]);
}

/// Each of `times` rules doubles the one before.
fn doubling(step: &str, first: &str, times: usize) -> String {
    let steps = (0..times).map(|n| format!("x{} := {}\n", n + 1, step.replace('@', &format!("x{n}"))));
    format!("x0 := {first}\n{}", steps.collect::<String>())
}

#[test]
fn texts_that_double() {
    let more = doubling("concat(\"\", [@, @])", "\"ab\"", 40);
    hostile(&more, "count(x40) > 0", none(), &[MEMORY, DEADLINE]);
    let more = doubling("replace(@, \"a\", \"aa\")", "\"aaaa\"", 40);
    hostile(&more, "count(x40) > 0", none(), &[MEMORY, DEADLINE]);
}

#[test]
fn lists_that_double() {
    let more = doubling("array.concat(@, @)", "[1, 2]", 40);
    hostile(&more, "count(x40) > 0", none(), &[MEMORY, DEADLINE]);
}

#[test]
fn numbers_that_double() {
    hostile(&doubling("@ * @", "12345678901234567890", 40), "x40 > 0", none(), &[DEADLINE, MEMORY]);
    hostile("", "bits.lsh(1, 100000000000) > 0", none(), &[DEADLINE, MEMORY, PANIC, "AB0110", "AB0111"]);
}

#[test]
fn trees_that_are_compared_leaf_by_leaf() {
    let twice = doubling("[@, @]", "[1]", 45);
    let more = format!("{twice}\n{}", twice.replace('x', "y"));
    hostile(&more, "x45 == y45", none(), &[DEADLINE]);
}

#[test]
fn trees_that_are_spelled_out() {
    hostile(
        &doubling("{\"a\": @, \"b\": @}", "{}", 40),
        "json.marshal(x40) != \"\"",
        none(),
        &[MEMORY, DEADLINE],
    );
}

#[test]
fn patterns_that_explode() {
    for pattern in
        ["(((a{100}){100}){100}){100}", "(a*)*(a*)*(a*)*b", "((a|b|c|.){1000}){1000}", "(?:x+x+)+y"]
    {
        let condition = format!("regex.match(`{pattern}`, data.long)");
        let Some(module) = sealed::module() else { return };
        let judge =
            unchecked(&module, &policy("", &condition), json!({ "long": "a".repeat(50_000) })).unwrap();
        // Some are refused, some do not match; none takes long.
        let decision = soon(|| attempt(&judge, 1));
        assert_eq!(decision.verdict.as_str(), "deny", "{pattern}");
        assert!(decision.fault.is_some(), "{pattern}");
        assert_eq!(soon(|| attempt(&judge, 2)).verdict.as_str(), "allow", "{pattern}");
    }
}

/// Rules that call each other in a row, deeper than any stack.
#[test]
fn rules_in_a_row() {
    let Some(module) = sealed::module() else { return };
    let more: String = (0..6_000).map(|n| format!("r{n} if r{}\n", n + 1)).collect();
    let rules = policy(&format!("{more}\nr6000 if input.run.attempt == 1\n"), "r0");
    match soon(|| unchecked(&module, &rules, none())) {
        Ok(judge) => {
            let decision = soon(|| attempt(&judge, 1));
            assert!(
                decision.fault.as_deref().is_none_or(|fault| [STACK, DEADLINE, "AB0111"].contains(&fault)),
                "{decision:?}"
            );
            assert_eq!(soon(|| attempt(&judge, 2)).verdict.as_str(), "allow");
        }
        Err(error) => assert!(["AB0108", "AB0109", STACK].contains(&error.code()), "{error}"),
    }
}

/// Text that the parser itself does not survive: the loader is behind the wall as well.
#[test]
fn texts_that_break_the_parser() {
    let Some(module) = sealed::module() else { return };
    let nested = |open: &str, close: &str, times: usize| {
        policy(&format!("x := {}1{}", open.repeat(times), close.repeat(times)), "x")
    };
    for (what, rules) in [
        ("15,000 terms", policy(&format!("x := {}", vec!["1"; 15_000].join(" +\n")), "x > 0")),
        ("parentheses", nested("(", ")", 20_000)),
        ("brackets", nested("[", "]", 20_000)),
        ("braces", nested("{1: ", "}", 10_000)),
        ("calls", nested("abs(", ")", 15_000)),
        ("signs", nested("- ", "", 50_000)),
        (
            "else",
            policy(&format!("x := 1 if {{ false }} {}", "else := 2 if { 1 == 2 }\n".repeat(4_000)), "x > 0"),
        ),
        ("references", policy(&format!("x := input.checks{}", ".a".repeat(50_000)), "x")),
    ] {
        match soon(|| unchecked(&module, &rules, none())) {
            Err(error) => {
                assert!(
                    ["AB0102", "AB0108", "AB0109", MEMORY, STACK].contains(&error.code()),
                    "{what}: {} {error}",
                    error.code()
                );
            }
            // What can be loaded can be judged, or is denied.
            Ok(judge) => drop(soon(|| attempt(&judge, 1))),
        }
        // The process and the module are as they were.
        let fine = unchecked(&module, &policy("", "true"), none()).unwrap();
        assert_eq!(attempt(&fine, 1).verdict.as_str(), "allow", "after {what}");
    }
}

/// Interpreted, it has a stack of its own, which ends as well.
#[test]
fn texts_that_break_the_parser_where_it_is_interpreted() {
    let Some(module) = sealed::interpreted() else { return };
    let nested = format!("x := {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let Err(error) = unchecked(&module, &policy(&nested, "x"), none()) else { panic!("it was loaded") };
    assert!(["AB0102", "AB0108", MEMORY, STACK].contains(&error.code()), "{} {error}", error.code());
    let fine = unchecked(&module, &policy("", "true"), none()).unwrap();
    assert_eq!(attempt(&fine, 1).verdict.as_str(), "allow");
}

/// The same with the inspection in front, as an untrusted bundle meets it.
#[test]
fn with_the_inspection_they_are_refused_as_they_are_natively() {
    let Some(module) = sealed::module() else { return };
    for condition in [
        "count(numbers.range(1, 200000000)) > 0",
        "strings.count(input.subject.id, \"\") > 0",
        "http.send({\"url\": \"http://127.0.0.1\"}).status_code == 200",
        "rand.intn(\"a\", 2) == 1",
        "time.now_ns() > 0",
    ] {
        let text = text(&policy("", condition), none());
        let native = text.load().unwrap_err();
        let sealed = soon(|| SealedJudge::load(&module, text)).unwrap_err();
        assert_eq!((native.code(), native.to_string()), (sealed.code(), sealed.to_string()), "{condition}");
    }
    let deep = text(&policy(&format!("x := {}1{}", "(".repeat(20_000), ")".repeat(20_000)), "x"), none());
    assert_eq!(soon(|| SealedJudge::load(&module, deep)).unwrap_err().code(), "AB0101");
    // What the inspection lets through is still denied while judging.
    let items: Vec<u32> = (0..2_000).collect();
    let condition =
        "count([1 | some a in data.items; some b in data.items; some c in data.items; a + b == c]) > 0";
    let judge = SealedJudge::load(&module, text(&policy("", condition), json!({ "items": items }))).unwrap();
    denied(&judge, &[DEADLINE]);
    // The native sprintf of the gate knows no widths, and neither does the sealed one.
    let judge =
        SealedJudge::load(&module, text(&policy("", "sprintf(\"%2000000000d\", [1]) != \"\""), none()))
            .unwrap();
    denied(&judge, &["AB0111"]);
}

/// What has no entropy and no clock inside fails there, and says nothing about this machine.
#[test]
fn inside_is_no_clock_and_no_chance() {
    for condition in [
        "rand.intn(\"a\", 1000) >= 0",
        "time.now_ns() > 0",
        "opa.runtime().env != {}",
        "uuid.rfc4122(\"a\") != \"\"",
    ] {
        let Some(module) = sealed::module() else { return };
        match unchecked(&module, &policy("", condition), none()) {
            Ok(judge) => {
                let decision = attempt(&judge, 1);
                assert_eq!(decision.verdict.as_str(), "deny", "{condition}");
            }
            Err(error) => assert_eq!(error.code(), "AB0108", "{condition}: {error}"),
        }
    }
}

/// Others are judged while one policy runs into its deadline, over and over.
#[test]
fn a_hostile_policy_does_not_hold_up_the_others() {
    let Some(module) = sealed::module() else { return };
    let items: Vec<u32> = (0..2_000).collect();
    let condition =
        "count([1 | some a in data.items; some b in data.items; some c in data.items; a + b == c]) > 0";
    let hanging = unchecked(&module, &policy("", condition), json!({ "items": items })).unwrap();
    let good = SealedJudge::load(&module, gate::shipped().text()).unwrap();
    std::thread::scope(|scope| {
        let hang = scope.spawn(|| (0..3).map(|_| attempt(&hanging, 1).fault.unwrap()).collect::<Vec<_>>());
        let mut asked = 0_u32;
        while !hang.is_finished() {
            assert_eq!(soon(|| good.decide(&question(|_| ()))).fault, None);
            asked += 1;
        }
        let faults = hang.join().unwrap();
        assert_eq!(faults, [DEADLINE; 3]);
        assert!(asked > 20, "only {asked} decisions in the meantime");
    });
}
