//! One input document, judged for advice, through the binary.

use std::fs;

use abide_tests::world::{AB_YML, World};
use serde_json::Value;

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("src/lib.rs", "pub fn area() -> u32 {\n    1\n}\n"), ("docs/a.md", "a\n")];

#[test]
fn an_example_of_each_class_keeps_the_schema_and_is_judged() {
    let world = World::new(FILES);
    let schema: Value = serde_json::from_str(abide_gate::INPUT_SCHEMA).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for class in ["PLAN", "FETCH", "GENERATE", "EXECUTE", "WRITE", "MERGE", "DEPLOY", "rollback"] {
        let example = world.ab(&["policy", "eval", "--print-example", class]).exits(0).out;
        let input: Value = serde_json::from_str(&example).unwrap();
        let faults: Vec<_> = schema.iter_errors(&input).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{class}: {faults:?}");
        assert_eq!(input["action"]["class"], class.to_uppercase());
        let file = world.beside("input.json");
        fs::write(&file, &example).unwrap();
        let said = world.ab(&["policy", "eval", file.to_str().unwrap()]);
        let expected = if class == "FETCH" { 3 } else { 0 };
        let said = said.exits(expected).says("no permit, nothing recorded");
        assert!(!said.out.contains("note: the document says"), "{}", said.out);
    }
    assert_eq!(world.kinds(), ["LogCreated"], "nothing is recorded");
    world.ab(&["policy", "eval", "--print-example", "DANCE"]).exits(2);
    world.ab(&["policy", "eval"]).exits(2);
}

#[test]
fn what_other_verbs_print_is_judged_as_it_was() {
    let world = World::new(FILES);
    let ticket = world.edit("src/lib.rs", Some("area"), "surface");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let item = world.waiting().remove(0);
    let place = item.replace('q', "d");
    let head = world.head("main");
    let prints: [&[&str]; 4] = [
        &["policy", "explain", &item, "--json"],
        &["show", &item, "--json"],
        &["show", &place, "--json"],
        &["policy", "replay", "--show", &head, "--json"],
    ];
    let file = world.beside("document.json");
    let eval = |more: &[&str]| world.ab(&[&["policy", "eval", file.to_str().unwrap()], more].concat());
    for print in prints {
        let said = world.ab(print).exits(0);
        fs::write(&file, &said.out).unwrap();
        if print.contains(&"--show") {
            // A replay asks under each profile: one must be named.
            eval(&[]).exits(2).says("AB0178");
            let data = eval(&["--profile", "prod-conservative", "--json"]).exits(4).json();
            let shown = said.json()["shown"].clone();
            let shown = shown.as_array().unwrap();
            let same = shown.iter().find(|one| one["profile"] == "prod-conservative").unwrap();
            assert_eq!(data["decision"], same["decision"]);
            continue;
        }
        let data = eval(&["--json"]).exits(4).json();
        assert_eq!(data["verdict"], "review", "{print:?}");
        assert_eq!((&data["advice"], &data["permit"]), (&Value::Bool(true), &Value::Null));
        let explained = world.ab(&["policy", "explain", &item, "--json"]).exits(0).json();
        assert_eq!(data["rules"], explained["rules"], "{print:?}");
        assert_eq!(data["flips"], explained["flips"], "{print:?}");
    }
    eval(&["--profile", "bold"]).exits(2).says("AB0172");
    // The rules of the work tree judge, committed or not.
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\"rule\": \"no-code\", \"level\": \"deny\", \"msg\": \"m\"} if \"code\" in input.facts.categories\n";
    world.write("policies/repository.rego", rule.as_bytes());
    fs::write(&file, world.ab(&["show", &item, "--json"]).out).unwrap();
    eval(&[]).exits(3).says("no-code");
}

#[test]
fn a_document_that_does_not_fit_is_told_with_its_place() {
    let world = World::new(FILES);
    let example = world.ab(&["policy", "eval", "--print-example", "MERGE"]).exits(0).out;
    let file = world.beside("input.json");
    let eval = |text: &str| {
        fs::write(&file, text).unwrap();
        world.ab(&["--json", "policy", "eval", file.to_str().unwrap()]).exits(2)
    };
    let told = |text: &str| eval(text).json()["error"].clone();
    let typed = example.replacen("\"files\": [", "\"filez\": [", 1).replacen("\"kind\"", "\"kin\"", 1);
    assert_ne!(typed, example);
    let error = told(&typed);
    assert_eq!(error["code"], "AB0177");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`input.facts.filez` is not in the input schema; did you mean `input.facts.files`?"),
        "{message}"
    );
    assert!(message.contains("is missing"), "{message}");
    // A key twice: the last would win elsewhere.
    let twice = example.replacen("\"now\":", "\"now\": 1,\n  \"now\":", 1);
    assert!(told(&twice)["message"].as_str().unwrap().contains("duplicate field"), "{}", told(&twice));
    assert_eq!(told("{")["code"], "AB0176");
    let said = world.ab(&["policy", "eval", "/nowhere.json"]).exits(2);
    said.says("AB0176");
}
