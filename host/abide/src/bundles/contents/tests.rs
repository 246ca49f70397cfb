//! A policy goes into a bundle and comes back the same; whatever is not accounted for is refused.

use super::*;
use crate::bundles::active::Base;

/// The built-in policy as a bundle of version 3.
pub(crate) fn built_in() -> Vec<u8> {
    bundle(&Base::built_in().files, 3, None).unwrap()
}

/// The same with its files edited.
fn edited(edit: impl FnOnce(&mut Entries)) -> Result<Contents, ContentsError> {
    let mut entries = archive::read(&built_in()).unwrap();
    edit(&mut entries);
    Contents::read(&archive::write(&entries).unwrap())
}

fn code(edit: impl FnOnce(&mut Entries)) -> (&'static str, String) {
    let error = edited(edit).unwrap_err();
    (error.code(), error.to_string())
}

fn put(entries: &mut Entries, path: &str, text: &str) {
    entries.insert(path.to_owned(), text.as_bytes().to_vec());
}

/// The manifest with its digest made to fit, and `roots` over it.
fn manifest_of(entries: &mut Entries, roots: &[&str]) {
    let mut value: Value = serde_json::from_slice(&entries[manifest::NAME]).unwrap();
    if !roots.is_empty() {
        value["roots"] = serde_json::json!(roots);
    }
    let files = sort(
        entries
            .iter()
            .filter(|(path, _)| *path != manifest::NAME)
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect(),
        &Manifest::new(1, &Digest::of(b""), vec![String::new()], None),
    );
    if let Ok((parts, _, _)) = files.and_then(|files| Parts::of(&files)) {
        value["metadata"]["abide"]["bundle"] = parts.bundle.to_string().into();
    }
    entries.insert(manifest::NAME.to_owned(), value.to_string().into_bytes());
}

#[test]
fn the_same_policy_comes_back() {
    let files = Base::built_in().files;
    let contents = Contents::read(&built_in()).unwrap();
    assert_eq!(source::sort(&contents.policy.files).unwrap(), source::sort(&files).unwrap());
    let direct = source::assemble(&files).unwrap();
    assert_eq!(&contents.policy.bundle, direct.digest());
    assert_eq!(contents.policy.bytes, direct.to_bytes());
    assert_eq!(Parts::of(&files).unwrap().0.hard, contents.policy.hard, "YAML and JSON have the same parts");
    assert_eq!(built_in(), built_in());
    assert_eq!(
        built_in(),
        bundle(&contents.policy.files, 3, None).unwrap(),
        "a bundle of a bundle is the bundle"
    );
}

#[test]
fn no_rule_hides_behind_the_name_of_its_folder() {
    let mut files = Base::built_in().files;
    let hard = b"package abide.hard\nfindings contains 1 if false\n".to_vec();
    let hidden = ["data/x.rego", "schemas/x.rego", "x.md.rego", "data.json.rego"];
    files.extend(hidden.map(|path| (path.to_owned(), hard.clone())));
    files.insert("schemas/x.schema.json".to_owned(), b"{}".to_vec());
    files.insert("README.md".to_owned(), Vec::new());
    let found = Contents::read(&bundle(&files, 1, None).unwrap()).unwrap().policy;
    assert!(hidden.iter().all(|path| found.hard_files.contains(*path) && found.files.contains_key(*path)));
    assert!(!found.files.contains_key("README.md") && !found.files.contains_key("schemas/x.schema.json"));
}

#[test]
fn data_may_lie_at_the_top_as_opa_writes_it() {
    let found = edited(|entries| {
        let paths: Vec<String> = entries.keys().filter(|path| path.ends_with(DATA)).cloned().collect();
        let mut all = Map::new();
        for path in paths {
            let value = serde_json::from_slice(&entries.remove(&path).unwrap()).unwrap();
            all.insert(path.strip_suffix("/data.json").unwrap().to_owned(), value);
        }
        put(entries, DATA, &Value::Object(all).to_string());
    });
    assert_eq!(found.unwrap().policy.hard, Contents::read(&built_in()).unwrap().policy.hard);
}

#[test]
fn what_is_outside_of_the_roots() {
    let (code_of, why) = code(|entries| put(entries, "extra.rego", "package elsewhere\nx := 1\n"));
    assert!(code_of == "AB0246" && why.contains("data.elsewhere"), "{why}");
    assert_eq!(code(|entries| put(entries, "extra_test.rego", "package elsewhere\nx := 1\n")).0, "AB0246");
    let (code_of, why) = code(|entries| put(entries, "extra/data.json", "{}"));
    assert!(code_of == "AB0246" && why.contains("data.extra"), "{why}");
    let (code_of, why) = code(|entries| put(entries, "data.json", "{\"extra\": 1}"));
    assert!(code_of == "AB0246" && why.contains("data.extra"), "{why}");
    // A root below a document covers no more than its part of it.
    let narrow = |text: &str| {
        let mut entries = archive::read(&built_in()).unwrap();
        let manifest = Manifest::new(1, &Digest::of(b""), vec!["caps/files_max".to_owned()], None);
        entries.retain(|_, _| false);
        put(&mut entries, "caps/data.json", text);
        sort(entries, &manifest).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(narrow("{\"files_max\": 1}"), Ok(()));
    assert_eq!(narrow("{\"files_max\": 1, \"lines_max\": 1}"), Err("AB0246"));
    assert_eq!(narrow("1"), Err("AB0246"));
}

#[test]
fn files_that_nobody_reads() {
    for path in
        ["README.md", "a.json", "x.wasm", "plan.json", "patch.json", "a/.manifest", "schemas/a.schema.json"]
    {
        assert_eq!(code(|entries| put(entries, path, "{}")).0, "AB0247", "{path}");
    }
    for path in ["caps/data.yaml", "extra/data.yml", "data.yaml"] {
        let (code, why) = code(|entries| put(entries, path, "a: 1"));
        assert!(code == "AB0247" && why.contains("YAML"), "{why}");
    }
    let layer = "package abide.layers.a\nfindings := {}\n";
    assert_eq!(code(|entries| put(entries, "layers/a.rego", layer)).0, "AB0247");
    let mut files = Base::built_in().files;
    files.insert("layers/a.rego".to_owned(), layer.as_bytes().to_vec());
    assert_eq!(bundle(&files, 1, None).unwrap_err().code(), "AB0247");
}

#[test]
fn data_that_is_given_twice_or_is_ambiguous() {
    assert_eq!(code(|entries| put(entries, "data.json", "{\"caps\": {}}")).0, "AB0244");
    assert_eq!(code(|entries| put(entries, "caps/more/data.json", "1")).0, "AB0245");
    assert_eq!(code(|entries| put(entries, "caps/files_max/data.json", "1")).0, "AB0244");
    assert_eq!(
        code(|entries| put(entries, "caps/data.json", "{\"files_max\": 1, \"files_max\": 9999}")).0,
        "AB0105"
    );
    assert_eq!(code(|entries| put(entries, "caps/data.json", "{\"files_max\": 1.5}")).0, "AB0105");
    assert_eq!(code(|entries| put(entries, "data.json", "[]")).0, "AB0246");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code(|entries| put(entries, "caps/data.json", &deep)).0, "AB0105");
}

#[test]
fn a_manifest_that_is_missing_or_does_not_fit() {
    assert_eq!(code(|entries| drop(entries.remove(manifest::NAME))).0, "AB0245");
    let (code, why) = code(|entries| put(entries, "caps/data.json", "{\"files_max\": 1}"));
    assert!(["AB0245", "AB0118"].contains(&code), "{why}");
    let quiet = edited(|entries| {
        let text = String::from_utf8(entries["main.rego"].clone()).unwrap();
        put(entries, "main.rego", &format!("{text}\n# another\n"));
    });
    let error = quiet.unwrap_err();
    assert!(error.code() == "AB0245" && error.to_string().contains("other files"), "{error}");
}

#[test]
fn every_fault_of_the_loader_is_one_here() {
    assert_eq!(code(|entries| put(entries, "main.rego", "package abide\ndecision := {")).0, "AB0102");
    assert_eq!(
        code(|entries| put(entries, "plan_test.rego", "package abide.plan_test\ntest_a if {")).0,
        "AB0102"
    );
    let deep = format!("package abide\ndecision := {}", "[".repeat(100_000));
    assert_eq!(code(|entries| put(entries, "main.rego", &deep)).0, "AB0101");
    assert_eq!(code(|entries| put(entries, "plan_test.rego", &deep)).0, "AB0101");
    assert_eq!(
        code(|entries| put(entries, "more.rego", "package abide.more\nx := http.send({})\n")).0,
        "AB0103"
    );
    assert_eq!(code(|entries| put(entries, "abide/data.json", "{}")).0, "AB0105");
    let mut files = Base::built_in().files;
    files.insert("data/caps.yaml".to_owned(), b"files_max: 1\nfiles_max: 9999\n".to_vec());
    assert_eq!(bundle(&files, 1, None).unwrap_err().code(), "AB0105");
}

#[test]
fn parts_change_by_themselves() {
    let parts = |edit: fn(&mut Entries)| {
        let found = edited(|entries| {
            edit(entries);
            manifest_of(entries, &[]);
        });
        found.unwrap().policy
    };
    let before = parts(|_| ());
    let rules = parts(|entries| {
        put(
            entries,
            "merge/data.json",
            &String::from_utf8(entries["merge/data.json"].clone()).unwrap().replace("low", "high"),
        );
    });
    assert!(
        rules.hard == before.hard && rules.bundle != before.bundle && rules.invariants == before.invariants
    );
    let hard = parts(|entries| {
        let text = String::from_utf8(entries["hard/data.json"].clone()).unwrap();
        put(entries, "hard/data.json", &text.replace("\"secrets\",", ""));
    });
    assert!(hard.hard != before.hard, "a hard rule that is switched off");
    let helper = parts(|entries| {
        let text = String::from_utf8(entries["lib/change.rego"].clone()).unwrap();
        put(entries, "lib/change.rego", &format!("{text}\n# helper of hard rules\n"));
    });
    assert_ne!(helper.hard, before.hard);
    let invariants = parts(|entries| put(entries, "invariants/a.rego", "package abide.invariants\nx := 1\n"));
    assert!(invariants.hard == before.hard && invariants.invariants != before.invariants);
}
