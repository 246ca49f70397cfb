//! The shipped policies load, their tests pass, and hostile policies are refused or denied.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{Bundle, BundleError, TestOutcome, TestPlan, run_tests};
use crate::source;

pub(in crate::engine) mod answers;
mod hostile;
mod joined;
mod layers;
mod refused;

/// The files of the policies that ship.
pub(super) fn policies() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files);
    files
}

fn collect(root: &Path, folder: &PathBuf, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Loads one module called `m.rego`, over data with a little of everything.
pub(in crate::engine) fn load(text: &str) -> Result<Bundle, BundleError> {
    load_over(text, json!({"list": [1, 2, 3], "names": {"a": 1}}))
}

pub(in crate::engine) fn load_over(text: &str, data: Json) -> Result<Bundle, BundleError> {
    Bundle::load(BTreeMap::from([("m.rego".to_owned(), text.to_owned())]), data)
}

#[test]
fn the_shipped_policies_load() {
    let bundle = source::assemble(&policies()).unwrap_or_else(|error| panic!("{} {error}", error.code()));
    assert_eq!(bundle.digest(), Bundle::from_bytes(bundle.to_bytes()).unwrap().digest());
    assert_eq!(bundle.not_joined(), None, "the shipped policies are judged joined into one");
}

#[test]
fn every_shipped_test_passes() {
    let sources = source::sort(&policies()).unwrap();
    let results = run_tests(&sources, TestPlan::default())
        .unwrap_or_else(|error| panic!("{} {error}", error.code()))
        .tests;
    let failed: Vec<_> = results.iter().filter(|result| result.outcome != TestOutcome::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    for path in sources.tests.keys() {
        assert!(results.iter().any(|result| result.path == *path), "`{path}` has no test");
    }
}

#[test]
fn every_module_has_tests_and_the_first_one_denies() {
    let sources = source::sort(&policies()).unwrap();
    for path in sources.modules.keys() {
        let beside = path.replace(".rego", "_test.rego");
        let tests = sources.tests.get(&beside).unwrap_or_else(|| panic!("`{path}` has no `{beside}`"));
        let first = tests.lines().find(|line| line.starts_with("test_")).unwrap_or_default();
        assert!(first.starts_with("test_deny_"), "`{beside}` starts with `{first}`, not with what is denied");
    }
}

#[test]
fn a_test_that_fails_is_seen() {
    let files = [
        ("a.rego", "package abide\nx := 1\nunread if {\n\tx == 2\n\tx == 3\n}\n"),
        ("a_test.rego", include_str!("tests/failing_test.rego")),
        ("b.rego", "package elsewhere\ny := 1 if {\n\tinput.now == 1\n}\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let run =
        run_tests(&source::sort(&BTreeMap::from(files)).unwrap(), TestPlan { wanted: "", coverage: true })
            .unwrap();
    let shown: Vec<String> = run
        .tests
        .iter()
        .map(|test| format!("{} {:?}", test.rule.replace("data.abide_test.test_", ""), test.outcome))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    deny_a Failed { line: Some(5) }
    b Passed
    c Broken("a_test.rego:9:22: could not parse string as number")
    middle Failed { line: Some(14) }
    last Failed { line: Some(24) }
    first Failed { line: Some(28) }
    with Failed { line: Some(39) }
    "#);
    assert_eq!(run.todo, [("a_test.rego".to_owned(), "data.abide_test.todo_test_later".to_owned())]);
    let covered = |path: &str| run.coverage.0[path].covered.iter().copied().collect::<Vec<_>>();
    let missed = |path: &str| run.coverage.0[path].missed.iter().copied().collect::<Vec<_>>();
    assert_eq!((covered("a.rego"), missed("a.rego")), (vec![2, 4], vec![5]));
    assert_eq!((covered("b.rego"), missed("b.rego")), (vec![], vec![3]), "no test comes to it");
    assert!(!run.coverage.0.contains_key("a_test.rego"));
}

#[test]
fn the_folder_is_closed() {
    let refused = |path: &str, text: &str| {
        let files = BTreeMap::from([(path.to_owned(), text.as_bytes().to_vec())]);
        source::sort(&files).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused("rules.rego.bak", ""), @"`rules.rego.bak`: only `*.rego`, `*_cases.yaml`, `data/*.yaml`, `data/*.json`, `invariants/model.yaml`, `schemas/*.json` and `*.md` belong here");
    insta::assert_snapshot!(refused("data/abide.yaml", "a: 1"), @"`data/abide.yaml`: `data.abide` is where the rules live");
    insta::assert_snapshot!(refused("data/Caps.yaml", "a: 1"), @"`data/Caps.yaml`: a data file is named in lower-case letters and `_`");
    assert!(
        refused("data/caps.yaml", "files_max: 1\nfiles_max: 2").contains("duplicate"),
        "a key that is there twice"
    );
    assert!(refused("data/caps.yaml", "files_max: [1").starts_with("`data/caps.yaml`:"));
}

#[test]
fn data_is_integers() {
    let files = BTreeMap::from([
        ("m.rego".to_owned(), b"package abide\ndecision := 1".to_vec()),
        ("data/caps.yaml".to_owned(), b"share: 0.95".to_vec()),
    ]);
    let error = source::assemble(&files).unwrap_err();
    assert_eq!(error.to_string(), "policy data: `0.95` is not an integer: write shares in thousandths");
}
