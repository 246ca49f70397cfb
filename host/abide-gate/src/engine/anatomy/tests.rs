//! The hard part holds everything that a hard finding comes from, and no more than whole files.

use std::collections::BTreeMap;

use super::{Anatomy, anatomy};
use crate::engine::BundleError;
use crate::engine::tests::policies;
use crate::source;

fn of(files: &[(&str, &str)]) -> Result<Anatomy, BundleError> {
    let files: BTreeMap<String, Vec<u8>> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    anatomy(&source::sort(&files).unwrap())
}

fn names(set: &std::collections::BTreeSet<String>) -> Vec<&str> {
    set.iter().map(String::as_str).collect()
}

#[test]
fn of_the_shipped_policies() {
    let found = anatomy(&source::sort(&policies()).unwrap()).unwrap();
    assert_eq!(
        names(&found.hard_modules),
        ["hard.rego", "hard_change.rego", "lib/change.rego", "lib/levels.rego", "main.rego"]
    );
    assert_eq!(
        names(&found.hard_data),
        ["caps", "categories", "generated", "hard", "host", "measure", "safety", "secrets", "text", "zones"]
    );
    assert_eq!(found.packages["lib/levels.rego"], ["abide", "levels"]);
    assert_eq!(found.packages["main_test.rego"], ["abide_test"]);
}

#[test]
fn through_helpers_imports_and_names_that_are_not_constant() {
    let main = ("main.rego", "package abide\ndecision := data.abide.hard.findings\n");
    let hard = (
        "hard.rego",
        "package abide.hard\nimport data.lists.allowed\nfindings contains 1 if data.helper.f(allowed)\n",
    );
    let helper = ("helper.rego", "package helper\nf(x) := data.other[x]\n");
    let apart = ("apart.rego", "package apart\ny := data.unread\n");
    let data =
        [("data/lists.json", "{\"allowed\": []}"), ("data/other.yaml", "[]"), ("data/unread.yaml", "1")];
    let files: Vec<_> = [main, hard, helper, apart].into_iter().chain(data).collect();
    let found = of(&files).unwrap();
    assert_eq!(names(&found.hard_modules), ["hard.rego", "helper.rego", "main.rego"]);
    assert_eq!(names(&found.hard_data), ["lists", "other"]);
    let any =
        ("hard.rego", "package abide.hard\nfindings contains x if {\n\tsome name\n\tx := data[name]\n}\n");
    let files: Vec<_> = [main, any, helper, apart].into_iter().chain(data).collect();
    assert_eq!(names(&of(&files).unwrap().hard_data), ["lists", "other", "unread"]);
    let nested = ("more.rego", "package abide\nhard_more.findings contains 1 if data.apart.y\n");
    let files: Vec<_> = [main, hard, helper, apart, nested].into_iter().chain(data).collect();
    let found = of(&files).unwrap();
    assert!(found.hard_modules.contains("apart.rego") && found.hard_data.contains("unread"), "{found:?}");
    let second = ("more.rego", "package abide.hard_more\nx := 1\n");
    assert!(of(&[main, second]).unwrap().hard_modules.contains("more.rego"));
}

#[test]
fn what_does_not_parse_has_no_anatomy() {
    let broken = of(&[("main.rego", "package abide\ndecision := 1\n"), ("a_test.rego", "package a\nx if {")]);
    assert_eq!(broken.unwrap_err().code(), "AB0102");
    let deep = format!("package abide\ndecision := {}", "[".repeat(100_000));
    assert_eq!(of(&[("main.rego", &deep)]).unwrap_err().code(), "AB0101");
}
