//! A table of cases says what it means, or nothing at all.

use serde_json::json;

use super::{merge, read};
use crate::engine::tests::policies;
use crate::engine::{TestOutcome, TestPlan, run_tests};
use crate::source;

fn outcomes(table: &str) -> Vec<(String, TestOutcome)> {
    let mut files = policies();
    files.retain(|path, _| !path.ends_with("_test.rego") || path.contains("fixture"));
    files.insert("merge_cases.yaml".to_owned(), table.as_bytes().to_vec());
    let run = run_tests(&source::sort(&files).unwrap(), TestPlan { wanted: "merge_cases", coverage: false })
        .unwrap();
    run.tests.into_iter().map(|test| (test.rule, test.outcome)).collect()
}

#[test]
fn a_case_is_a_difference_to_a_fixture() {
    let found = outcomes(
        "fixture: data.abide.fixture.merge\ncases:\n\
        - {name: halted, input: {run: {halted: true}}, verdict: deny, rules: [kill-switch], without: [safety-mode]}\n\
        - {name: as it is, verdict: deny, rules: [kill-switch], without: [nothing]}\n\
        - {name: found, input: {run: {halted: true}}, without: [kill-switch]}\n\
        - {name: nowhere, fixture: data.abide.fixture.nowhere, verdict: allow}\n",
    );
    assert_eq!(found[0], ("halted".to_owned(), TestOutcome::Passed), "{found:?}");
    let TestOutcome::Differs(why) = &found[1].1 else { panic!("{found:?}") };
    assert_eq!(why[0], "verdict: expected `deny`, is `allow`");
    assert_eq!(why[1], "rule `kill-switch`: expected, found nothing");
    let TestOutcome::Differs(why) = &found[2].1 else { panic!("{found:?}") };
    assert_eq!(why[0], "rule `kill-switch`: expected not, and it found something");
    assert!(why[1].contains("hard kill-switch"), "{why:?}");
    assert!(matches!(&found[3].1, TestOutcome::Broken(why) if why.contains("fixture.nowhere")), "{found:?}");
}

#[test]
fn what_is_not_understood_is_refused() {
    let why = |text: &str| read("a_cases.yaml", text).unwrap_err().to_string();
    let case = |case: &str| why(&format!("fixture: data.f\ncases:\n- {case}\n"));
    assert!(case("{name: a}").contains("expects nothing"));
    assert!(case("{name: a, verdict: perhaps}").contains("perhaps"));
    assert!(case("{name: a, verdict: deny, input: {rnu: {}}}").contains("did you mean `input.run`?"));
    assert!(
        case("{name: a, verdict: deny, input: {facts: {files: [{pth: a}]}}}")
            .contains("`input.facts.files.pth`")
    );
    assert!(case("{name: a, verdict: deny, vedict: deny}").contains("vedict"));
    assert!(case("{name: a, verdict: deny, verdict: deny}").contains("duplicate"));
    assert!(case("{name: a, verdict: deny}\n- {name: a, verdict: deny}").contains("two cases"));
    assert!(why("cases: [{name: a, verdict: deny}]").contains("names no `fixture`"));
    let bomb =
        "fixture: data.f\ncases:\n- {name: a, verdict: deny, input: {run: &a {mode: x}, action: *a}}\n";
    assert!(why(bomb).to_lowercase().contains("budget"), "{}", why(bomb));
    assert!(why(&"a".repeat(300_000)).contains("bytes"));
    assert!(read("a_cases.yaml", &format!("fixture: {}1{}", "[".repeat(100), "]".repeat(100))).is_err());
}

#[test]
fn objects_are_merged_and_lists_replaced() {
    let mut under = json!({"a": {"b": 1, "c": [1]}, "d": 1}).as_object().unwrap().clone();
    merge(&mut under, json!({"a": {"c": [2], "e": 3}, "d": {"f": 1}}).as_object().unwrap());
    assert_eq!(json!(under), json!({"a": {"b": 1, "c": [2], "e": 3}, "d": {"f": 1}}));
}
