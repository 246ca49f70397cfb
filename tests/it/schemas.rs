//! The published schemas say what the engine says: data, inputs and decisions are checked against them.

use std::collections::BTreeMap;

use abide_core::action::AdoptPlan;
use abide_core::input::PolicyInput;
use abide_gate::source;
use abide_tests::gate::{ask, desk, digest, facts, file, oid, run_id, shipped, shipped_files};
use jsonschema::Validator;
use serde_json::{Value as Json, json};

fn schemas() -> BTreeMap<String, Validator> {
    let mut found = BTreeMap::new();
    for (path, bytes) in shipped_files() {
        let Some(name) = path.strip_prefix("schemas/").and_then(|rest| rest.strip_suffix(".schema.json"))
        else {
            continue;
        };
        let schema: Json = serde_json::from_slice(&bytes).unwrap();
        let validator =
            jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{path}: {error}"));
        found.insert(name.to_owned(), validator);
    }
    found
}

fn faults(schema: &Validator, value: &Json) -> Vec<String> {
    schema.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn every_data_file_has_a_schema_and_keeps_it() {
    let (schemas, sources) = (schemas(), source::sort(&shipped_files()).unwrap());
    for (name, value) in sources.data.as_object().unwrap() {
        let schema = schemas.get(name).unwrap_or_else(|| panic!("`data/{name}.yaml` has no schema"));
        assert_eq!(faults(schema, value), Vec::<String>::new(), "data/{name}.yaml");
    }
    for name in schemas.keys() {
        let known =
            sources.data.get(name).is_some() || ["input", "decision", "tighten"].contains(&name.as_str());
        assert!(known, "`schemas/{name}.schema.json` is about nothing");
    }
}

#[test]
fn data_schemas_are_closed() {
    let (schemas, sources) = (schemas(), source::sort(&shipped_files()).unwrap());
    for (name, value) in sources.data.as_object().unwrap() {
        if let Some(fields) =
            value.as_object().filter(|_| !["zones", "categories", "profiles"].contains(&name.as_str()))
        {
            let mut more = fields.clone();
            more.insert("unheard_of".to_owned(), json!(1));
            assert!(!schemas[name].is_valid(&Json::Object(more)), "data/{name}.yaml takes any key");
        }
    }
}

#[test]
fn an_input_with_everything_in_it_keeps_the_schema() {
    let desk = desk(shipped());
    let action = AdoptPlan { run: run_id(), plan: digest("plan"), base: oid('c') };
    let mut asked = ask("assisted");
    let mut measured = facts(vec![file("docs/guide.md", &["governance"], &["docs"], 3)]);
    measured.window.zones.insert("governance".to_owned(), 1);
    let lists = json!({
        "secrets": [{"rule": "jwt", "path": "a", "line": 1}],
        "forbidden": [{"pattern": "DROP TABLE", "path": "a", "line": 1}],
        "dependencies": [
            {"ecosystem": "npm", "path": "a", "locked": true, "name": "b", "change": "changed", "from": "1", "to": "2", "host": "h",
             "source": "registry", "integrity": "present"},
            {"ecosystem": "pypi", "path": "a", "locked": false, "name": "b", "change": "removed", "source": "unknown",
             "integrity": "not-applicable"}],
        "tests": {"added": 1, "removed": 1, "files_removed": ["a"], "weakened": [{"kind": "skipped", "path": "a", "line": 1}]},
        "destructive": [{"kind": "sql-drop", "path": "a", "line": 0}],
        "hazards": [{"kind": "bidi", "path": "a", "line": 1}],
        "collisions": [{"kind": "nfc", "paths": ["a", "b"]}],
        "unmeasured": ["secrets"],
    });
    let mut json = serde_json::to_value(&measured).unwrap();
    for (key, value) in lists.as_object().unwrap() {
        json[key] = value.clone();
    }
    asked.facts = Some(serde_json::from_value(json).unwrap());
    asked.checks =
        serde_json::from_value(json!([{"name": "unit", "outcome": "missing", "required": true}])).unwrap();
    asked.approvals =
        serde_json::from_value(json!([{"by": "a", "role": "reviewer", "action": digest("x"), "at": 1}]))
            .unwrap();
    asked.risk.parts.insert("files".to_owned(), 1);
    desk.gate.admit(action, asked).unwrap();
    let records = desk.log.records.lock().unwrap();
    let input: Json = serde_json::from_slice(&records[0].input_bytes).unwrap();
    assert_eq!(faults(&schemas()["input"], &input), Vec::<String>::new());
    let decision: Json = serde_json::from_slice(&records[0].decision_bytes).unwrap();
    assert_eq!(faults(&schemas()["decision"], &decision), Vec::<String>::new());
    same_keys(&input);
}

/// Whatever the schema requires or allows, the types know, and the other way round: every object is emptied and filled key by key.
fn same_keys(input: &Json) {
    let schema = &schemas()["input"];
    let mut pointers = vec![String::new()];
    while let Some(pointer) = pointers.pop() {
        let node = input.pointer(&pointer).unwrap();
        match node {
            Json::Object(fields) => {
                for (key, _) in fields {
                    pointers.push(format!("{pointer}/{key}"));
                    let mut less = input.clone();
                    less.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(key);
                    // Absent options (`null`) parse to the same value; the schema still wants them written down.
                    let lenient = pointer == "/budget" || (pointer == "/run" && key == "ticket");
                    let (by_schema, by_type) =
                        (schema.is_valid(&less), serde_json::from_value::<PolicyInput>(less.clone()).is_ok());
                    assert!(
                        by_schema == by_type || lenient,
                        "without `{pointer}/{key}`: schema {by_schema}, type {by_type}"
                    );
                }
                let is_map = ["/risk/parts", "/facts/window/zones"].contains(&pointer.as_str());
                let mut more = input.clone();
                more.pointer_mut(&pointer)
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .insert("unheard_of".to_owned(), json!(1));
                assert_eq!(schema.is_valid(&more), is_map, "schema with `{pointer}/unheard_of`");
                assert_eq!(
                    serde_json::from_value::<PolicyInput>(more).is_ok(),
                    is_map,
                    "type with `{pointer}/unheard_of`"
                );
            }
            Json::Array(items) => pointers.extend((0..items.len()).map(|index| format!("{pointer}/{index}"))),
            _ => {}
        }
    }
}
