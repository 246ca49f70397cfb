//! Modules joined into one answer as they do one by one, also rule by rule, and what cannot be joined is judged as it was written.

use std::collections::BTreeMap;

use abide_core::decision::Decision;
use serde_json::json;

use super::answers::input;
use crate::engine::link::{self, Asked};
use crate::engine::{Bundle, Memo, NativeJudge};
use crate::gate::Judge;
use crate::question::Question;
use crate::source;

fn bundle(modules: &[&str]) -> Bundle {
    let modules =
        modules.iter().enumerate().map(|(n, text)| (format!("m{n}.rego"), (*text).to_owned())).collect();
    Bundle::load(modules, json!({"limits": {"by_name": {"a": 1}, "list": [1, 2]}})).unwrap()
}

/// What both ways of judging say.
fn both(bundle: &Bundle) -> Decision {
    let question = Question::new(input()).unwrap();
    if bundle.not_joined().is_none() {
        let answerer = bundle.answerer(&Asked::of(question.input()));
        assert_eq!(answerer.entrypoint, link::entrypoint(), "the joined module could not be prepared");
    }
    let decision = NativeJudge::over(bundle.clone()).decide(&question);
    assert_eq!(decision, NativeJudge::as_written(bundle.clone()).decide(&question));
    let memo = Memo::over(vec![bundle.clone()]);
    let parts = memo.parts(question.input()).unwrap();
    for opinion in memo.opinions(0, vec![parts, parts]) {
        let said = (opinion.verdict, &opinion.fault, &opinion.findings);
        assert_eq!(said, (decision.verdict, &decision.fault, &decision.findings), "rule by rule");
    }
    decision
}

fn messages(decision: &Decision) -> Vec<&str> {
    decision.findings.iter().map(|finding| finding.msg.as_str()).collect()
}

/// Answers with what `data.abide.other.said` is.
const SAYS: &str = r#"package abide
decision := {"verdict": "deny", "findings": [{"rule": "r", "level": "deny", "msg": msg} | some msg in data.abide.other.said]}"#;

#[test]
fn the_shipped_policies_are_joined_with_and_without_layers() {
    both(&source::assemble(&super::policies()).unwrap());
    let shipped = source::assemble(&super::policies()).unwrap();
    let mut modules = shipped.modules().clone();
    let layer = "package abide.layers.one\nfindings contains {\"rule\": \"mine\", \"level\": \"deny\", \"msg\": \"m\"}";
    modules.insert("layers/one.rego".to_owned(), layer.to_owned());
    let said = both(&Bundle::load(modules, shipped.data().clone()).unwrap());
    assert!(said.findings.iter().any(|finding| finding.rule == "mine"));
}

#[test]
fn references_of_all_kinds_mean_the_same() {
    let other = r#"package abide.other
import rego.v1
import data.abide.helpers
import data.abide.helpers.table.inner as deep
import data.limits.by_name
import input.action as asked

said contains sprintf("%v %v %v", [helpers.double(4), helpers.table.inner.x, deep.x])
said contains sprintf("%v %v", [by_name.a, data.limits.list[1]])
said contains sprintf("%v", [asked.class])
said contains sprintf("%v", [local("x")])
said contains concat(",", {name | some name, value in data.limits.by_name; value == 1})
said contains sprintf("%v", [keyed.one])
said contains sprintf("%v", [keyed["two"]])
said contains "chain" if chain == 2
local(said_to) := upper(said_to)
keyed["one"] := 1
keyed[name] := 2 if name := "two"
chain := 1 if { input.action.class == "MERGE" } else := 2 if { input.action.class == "PLAN" } else := 3
"#;
    let helpers = "package abide.helpers\ndouble(x) := x * 2\ntable := {\"inner\": {\"x\": 7}}";
    let bundle = bundle(&[SAYS, other, helpers]);
    assert_eq!(bundle.not_joined(), None);
    let said = both(&bundle);
    assert_eq!(messages(&said), ["1", "1 2", "2", "8 7 7", "PLAN", "X", "a", "chain"]);
}

#[test]
fn names_that_look_alike_stay_apart() {
    let other = "package abide.other\nsaid contains sprintf(\"%v %v %v\", [data.abide.a.b.x, data.abide.a_b.x, data.abide.a.b_x])";
    let bundle = bundle(&[
        SAYS,
        other,
        "package abide.a.b\nx := 1",
        "package abide.a_b\nx := 2",
        "package abide.a\nb_x := 3",
    ]);
    assert_eq!(bundle.not_joined(), None);
    assert_eq!(messages(&both(&bundle)), ["1 2 3"]);
}

#[test]
fn what_cannot_apply_is_left_out_and_nothing_else() {
    let other = r#"package abide.other
said contains "class" if input.action.class == "PLAN"
said contains "other class" if input.action.class == "MERGE"
said contains "among" if input.action.class in {"PLAN", "MERGE"}
said contains "not among" if not input.action.class in ["PLAN", "MERGE"]
said contains "unlike" if input.action.class != "MERGE"
said contains "halted" if input.run.halted
said contains "not halted" if not input.run.halted
said contains "halted is false" if input.run.halted == false
said contains "mode" if { input.run.mode == "APPLY"; input.action.kind == "adopt-plan" }
said contains "only" if only
only if input.action.class == "DEPLOY"
said contains "spent" if not input.budget.exhausted
said contains "a text is true" if input.action.kind
"#;
    let bundle = bundle(&[SAYS, other]);
    let said = both(&bundle);
    assert_eq!(
        messages(&said),
        ["a text is true", "among", "class", "halted is false", "mode", "not halted", "spent", "unlike"]
    );
}

#[test]
fn what_only_hands_on_is_what_it_hands_on_and_nothing_else() {
    let other = r#"package abide.other
import data.abide.far.shelf

said contains word if {
	input.action.class == "PLAN"
	some word in first
}
said contains word if {
	input.action.class == "MERGE"
	some word in data.limits.list
}
first contains word if some word in second
second contains word if some word in data.abide.far.shelf
second contains "merge" if input.action.class == "MERGE"
"#;
    let far = r#"package abide.far
shelf contains "a"
shelf contains sprintf("%v", [count(listed)])
shelf contains "kept" if "a" in picked
shelf contains concat(",", renamed)
listed contains number if some number in numbers
numbers := [3, 3, 4]
picked contains word if some word in ["a", "b"]
source contains "x"
renamed contains upper(word) if some word in source
keyed contains word if some _, word in source
"#;
    let bundle = bundle(&[SAYS, other, far]);
    assert_eq!(bundle.not_joined(), None);
    assert_eq!(messages(&both(&bundle)), ["2", "X", "a", "kept"]);
    let mut engine = bundle.answerer(&Asked::of(&input())).engine.clone();
    let text = engine.get_modules()[0].package.span.source.get_contents().clone();
    for gone in ["abide_0other_0said", "abide_0other_0first", "abide_0other_0second"] {
        assert!(!text.contains(gone), "{gone} is the same as what it hands on: {text}");
    }
    assert!(text.contains("some msg in abide_0far_0shelf"), "{text}");
}

#[test]
fn a_set_that_nothing_can_be_in_is_the_empty_set_and_nothing_else_is() {
    let other = r#"package abide.other
said contains "none" if count(never) == 0
said contains "not in" if not "x" in never
said contains "same" if never == set()
said contains "together" if (never | {"a"}) == {"a"}
said contains word if some word in never
said contains "taken" if taken
taken if { every word in chained { word == "y" } }
chained contains word if some word in never
never contains "x" if input.action.class == "MERGE"
said contains "by key" if not keyed["x"]
keyed contains "x" if input.action.class == "MERGE"
said contains "far" if count(data.abide.far.never) == 0
"#;
    let far = "package abide.far\nnever contains \"x\" if input.action.class == \"MERGE\"";
    let bundle = bundle(&[SAYS, other, far]);
    assert_eq!(bundle.not_joined(), None);
    assert_eq!(messages(&both(&bundle)), ["by key", "far", "none", "not in", "same", "taken", "together"]);
    let mut engine = bundle.answerer(&Asked::of(&input())).engine.clone();
    let text = engine.get_modules()[0].package.span.source.get_contents().clone();
    assert!(!text.contains("_0never") && !text.contains("_0chained"), "{text}");
    assert!(text.contains("abide_0other_0keyed[\"x\"]"), "{text}");
}

#[test]
fn what_cannot_be_joined_is_judged_as_written() {
    let obstacles = [
        ("said contains name if { some name, _ in data.abide.third }\nthird_is := 1", "m1.rego:2:41"),
        ("said contains \"x\" if f(1) == 1\nf(kept) := kept\nkept := 3", "m1.rego:3:12"),
    ];
    for (text, place) in obstacles {
        let text = format!("package abide.other\n{text}");
        let bundle = bundle(&[SAYS, &text, "package abide.third\nx := 1"]);
        let (at, why) = bundle.not_joined().unwrap_or_else(|| panic!("{text}"));
        assert!(at.to_string() == place, "{at} {why}: {text}");
        both(&bundle);
    }
}

#[test]
fn a_name_brings_no_rules_of_its_own() {
    let quoted = "package abide.third[\"a\\ndecision := 1\"]\nx := 1";
    let other = "package abide.other\nsaid contains \"x\"";
    let modules = [("m0.rego", SAYS), ("m1.rego", other), ("m2.rego", quoted)];
    let modules = modules.map(|(path, text)| (path.to_owned(), text.to_owned())).into_iter().collect();
    match Bundle::load(modules, json!({})) {
        Ok(bundle) => {
            assert_eq!(bundle.not_joined().map(|(place, _)| place.path), Some("m2.rego".to_owned()));
            assert_eq!(messages(&both(&bundle)), ["x"]);
        }
        Err(error) => assert_eq!(error.code(), "AB0102", "{error}"),
    }
}

#[test]
fn a_fault_names_the_file_and_the_line() {
    let other = "package abide.other\n\nsaid contains \"x\" if {\n\tinput.action.class == \"PLAN\"\n\tto_number(\"many\") > 1\n}";
    let bundle = bundle(&[SAYS, "package abide.third\nx := 1", other]);
    let decision = NativeJudge::over(bundle).decide(&Question::new(input()).unwrap());
    assert_eq!(decision.fault.as_deref(), Some("AB0111"));
    assert!(decision.findings[0].msg.contains("m2.rego:5: "), "{}", decision.findings[0].msg);
}

#[test]
fn layers_that_say_more_than_findings_mean_the_same() {
    let layer = "package abide.layers.one\nfindings contains {\"rule\": \"mine\", \"level\": \"deny\", \"msg\": helper(1)}\nhelper(x) := sprintf(\"%v\", [x])\nnever := 1 if input.run.halted";
    let main = r#"package abide
decision := {"verdict": "deny", "findings": [f | some layer in data.abide.layers; some f in layer.findings]}"#;
    let modules = BTreeMap::from([
        ("main.rego".to_owned(), main.to_owned()),
        ("layers/one.rego".to_owned(), layer.to_owned()),
    ]);
    let bundle = Bundle::load(modules, json!({})).unwrap();
    assert_eq!(bundle.not_joined(), None);
    assert_eq!(messages(&both(&bundle)), ["1"]);
}

#[test]
fn layers_that_cannot_find_anything_are_not_asked() {
    let layers = [
        (
            "a",
            "findings contains {\"rule\": \"a\", \"level\": \"deny\", \"msg\": \"a\"} if input.action.class == \"PLAN\"",
        ),
        (
            "b",
            "findings contains {\"rule\": \"b\", \"level\": \"deny\", \"msg\": \"b\"} if input.action.class == \"MERGE\"",
        ),
        ("c", "findings := [{\"rule\": \"c\", \"level\": \"deny\", \"msg\": \"c\"}] if not input.run.halted"),
        (
            "d",
            "findings contains {\"rule\": \"d\", \"level\": \"deny\", \"msg\": \"never\"} if input.run.halted\nfindings contains {\"rule\": \"d\", \"level\": \"deny\", \"msg\": \"d\"} if { input.action.class in {\"PLAN\"}; count(input.run.profile) > 0 }",
        ),
    ];
    let main = r#"package abide
decision := {"verdict": "deny", "findings": array.concat([f | some f in data.abide.layers[_].findings], counted)}
counted := [{"rule": "n", "level": "warn", "msg": sprintf("%d layers", [count(data.abide.layers)])}]"#;
    let mut modules = BTreeMap::from([("main.rego".to_owned(), main.to_owned())]);
    for (name, rules) in layers {
        modules.insert(format!("layers/{name}.rego"), format!("package abide.layers.{name}\n{rules}"));
    }
    let bundle = Bundle::load(modules, json!({})).unwrap();
    assert_eq!(bundle.not_joined(), None);
    assert_eq!(messages(&both(&bundle)), ["a", "c", "d", "4 layers"]);
}

/// A policy of `main` that takes the findings of layers, and these modules.
fn with_layers(layers: &[(&str, &str)]) -> Bundle {
    let main = r#"package abide
decision := {"verdict": "deny", "findings": [f | some f in data.abide.layers[_].findings]}"#;
    let mut modules = BTreeMap::from([("main.rego".to_owned(), main.to_owned())]);
    modules.extend(layers.iter().map(|(path, text)| (format!("layers/{path}"), (*text).to_owned())));
    let bundle = Bundle::load(modules, json!({})).unwrap();
    assert_eq!(bundle.not_joined(), None);
    bundle
}

#[test]
fn a_set_below_a_name_is_there_though_nothing_adds_to_it() {
    let layer = r#"package abide.layers.acme
seen.signoffs contains c.name if { input.action.class == "MERGE"; some c in input.checks }
seen.keyed[c.name] := 1 if { input.action.class == "MERGE"; some c in input.checks }
seen.other := 1
findings contains {"rule": "signoff", "level": "deny", "msg": "no signoff"} if count(seen.signoffs) < 1
findings contains {"rule": "keyed", "level": "deny", "msg": "nothing"} if count(seen.keyed) < 1
"#;
    assert_eq!(messages(&both(&with_layers(&[("acme.rego", layer)]))), ["nothing", "no signoff"]);
}

#[test]
fn a_layer_in_two_files_is_one_layer() {
    let one = "package abide.layers.acme\nfindings contains {\"rule\": \"one\", \"level\": \"deny\", \"msg\": helper}";
    let two = "package abide.layers.acme\nhelper := \"helped\"\nfindings contains {\"rule\": \"two\", \"level\": \"deny\", \"msg\": \"two\"}";
    assert_eq!(messages(&both(&with_layers(&[("a.rego", one), ("b.rego", two)]))), ["helped", "two"]);
}

#[test]
fn a_fault_before_a_condition_is_a_fault_joined_too() {
    let layer = "package abide.layers.acme\nfindings contains {\"rule\": \"r\", \"level\": \"warn\", \"msg\": \"m\"} if { to_number(input.run.profile) > 1; input.action.class == \"MERGE\" }";
    assert_eq!(both(&with_layers(&[("acme.rego", layer)])).fault.as_deref(), Some("AB0111"));
}

#[test]
fn what_takes_from_an_empty_set_is_left_out_and_nothing_else() {
    let other = r#"package abide.other
import rego.v1
said contains "loud" if some _ in data.abide.layers[_].findings
said contains "none" if some _ in none
said contains "below" if some _ in below
said contains "far" if some _ in data.abide.far.none
said contains "one" if some _ in one
said contains "key" if some "x", _ in one
said contains "counted" if count(none) == 0
said contains "not in" if not "x" in none
said contains "list" if some _ in [1]
said contains "none later" if { true; some _ in none }
said contains "full" if data.full != []
said contains "bare" if data.bare != []
said contains "bare is" if data.bare == []
said contains "deep" if data.limits.bare == []
said contains "a map" if data.limits != []
none contains 1 if input.action.class == "MERGE"
below contains x if some x in none
below contains 2 if { some _ in data.abide.far.none }
one contains 1 if input.action.class == "MERGE"
one contains "x" if input.action.class == "PLAN"
"#;
    let far = "package abide.far\nimport rego.v1\nnone contains 1 if input.run.halted";
    let modules = [("m0.rego", SAYS), ("m1.rego", other), ("m2.rego", far)];
    let modules = modules.map(|(path, text)| (path.to_owned(), text.to_owned())).into_iter().collect();
    let data = json!({"full": [1], "bare": [], "limits": {"bare": []}});
    let bundle = Bundle::load(modules, data).unwrap();
    assert_eq!(bundle.not_joined(), None);
    assert_eq!(
        messages(&both(&bundle)),
        ["a map", "bare is", "counted", "deep", "full", "key", "list", "not in", "one"]
    );
}

#[test]
fn a_package_beside_data_of_its_name_is_no_constant() {
    let other = "package abide.other\nimport rego.v1\nsaid contains \"seen\" if data.bare.own != []\nsaid contains \"x\"";
    let beside = "package bare\nimport rego.v1\nown := [1] if input.action.class == \"PLAN\"";
    assert_eq!(messages(&both(&bundle(&[SAYS, other, beside]))), ["seen", "x"]);
}
