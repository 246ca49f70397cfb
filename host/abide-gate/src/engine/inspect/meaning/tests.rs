use std::collections::BTreeMap;

use super::*;
use crate::engine::{INPUT_SCHEMA, loader};
use crate::source;

fn found(body: &str) -> Vec<String> {
    let text = format!("package abide.layers.a\nimport rego.v1\n{body}\n");
    let mut engine = loader::bare().unwrap();
    engine.add_policy("a.rego".to_owned(), text).unwrap();
    let shown = |doubt: Doubt| {
        let meant = doubt.meant.map(|meant| format!(" ({meant}?)")).unwrap_or_default();
        format!("{}:{} {} {}{meant}", doubt.place.line, doubt.place.column, doubt.code, doubt.what)
    };
    doubts(engine.get_modules()).into_iter().map(shown).collect()
}

/// A rule with this body.
fn rule(body: &str) -> Vec<String> {
    found(&format!(
        "findings contains {{\"rule\": \"a\", \"level\": \"deny\", \"msg\": \"m\"}} if {{\n{body}\n}}"
    ))
}

#[test]
fn a_comparison_that_never_holds() {
    let merge = ["4:24 AB0155 `input.action.class` is never `merge` (MERGE?)"];
    assert_eq!(rule("input.action.class == \"merge\""), merge);
    assert_eq!(
        rule("\"merge\" == input.action.class"),
        ["4:2 AB0155 `input.action.class` is never `merge` (MERGE?)"]
    );
    assert_eq!(
        rule("input.action.class != \"PUSH\""),
        [
            "4:24 AB0155 `input.action.class` is never `PUSH`; it is one of PLAN, FETCH, GENERATE, EXECUTE, WRITE, MERGE, DEPLOY, ROLLBACK"
        ]
    );
    assert_eq!(
        rule("input.action.class in {\"MERGE\", \"WRIET\"}"),
        ["4:34 AB0155 `input.action.class` is never `WRIET` (WRITE?)"]
    );
    assert_eq!(rule("some file in input.facts.files\nfile.status == \"renamd\"").len(), 1);
    assert_eq!(rule("class := input.action.class\nclass == \"merge\"").len(), 1);
    assert_eq!(rule("every f in input.facts.files { f.status == \"gone\" }").len(), 1);
    assert_eq!(rule("count([1 | some f in input.facts.files; f.status == \"gone\"]) > 0").len(), 1);
    for fine in [
        "input.action.class == \"MERGE\"",
        "input.action.class in {\"MERGE\", \"WRITE\"}",
        "input.run.profile == \"anything\"",
        "some file in input.facts.files\nfile.path == \"MERGE\"",
        "some class in {\"MERGE\", \"x\"}\ninput.action.class == class",
    ] {
        assert_eq!(rule(fine), [""; 0], "{fine}");
    }
}

#[test]
fn a_field_that_a_loop_variable_has_not() {
    let path = ["5:1 AB0117 `file.pth` is not in the input schema (file.path?)"];
    assert_eq!(rule("some file in input.facts.files\nfile.pth == \"x\""), path);
    for looped in [
        "some i, f in input.facts.files\nf.pth == \"x\"\ni > 0",
        "f := input.facts.files[_]\nf.pth == \"x\"",
        "files := input.facts.files\nsome f in files\nf.pth == \"x\"",
        "every f in input.facts.files { f.pth == \"x\" }",
        "some f in input.facts.files\nf[\"pth\"] == \"x\"",
        "some f in input.facts.files\nnot startswith(f.pth, \"x\")",
        "\"x\" in {f.pth | some f in input.facts.files}",
    ] {
        let doubts = rule(looped);
        assert!(doubts.len() == 1 && doubts[0].contains("AB0117 `f.pth`"), "{looped}: {doubts:?}");
    }
    // A variable that may be several things, or something else, is not doubted.
    for fine in [
        "some f in input.facts.files\nf.path == \"x\"",
        "some f in [{\"pth\": 1}]\nf.pth == 1",
        "some f in array.concat(input.facts.files, [{\"pth\": 1}])\nf.pth == 1",
        "some f in input.facts.files\nx := [f.pth | some f in [{\"pth\": 1}]]\ncount(x) > 0",
        "some name, lines in input.facts.window.zones\nlines > 0\nname != \"\"",
    ] {
        assert_eq!(rule(fine), [""; 0], "{fine}");
    }
    assert_eq!(found("f(file) if file.pth == 1"), [""; 0]);
    assert_eq!(found("import input.facts.files\nx if { some f in files; f.pth == 1 }").len(), 1);
}

#[test]
fn a_finding_that_says_too_little() {
    let one = |fields: &str| found(&format!("findings contains {{{fields}}} if input.run.halted"));
    let fine = "\"rule\": \"a\", \"level\": \"deny\", \"msg\": sprintf(\"%s\", [input.run.id]), \"path\": \"x\", \"help\": \"h\"";
    assert_eq!(one(fine), [""; 0]);
    for (wrong, what) in [
        (fine.replace("deny", "denny"), "`denny` is no level: warn, review, deny, hard are (deny?)"),
        (fine.replace("deny", "default"), "`default` is no level"),
        (fine.replace("\"level\": \"deny\", ", ""), "the finding has no `level`"),
        (fine.replace("\"rule\": \"a\", ", ""), "the finding has no `rule`"),
        (fine.replace("\"rule\": \"a\"", "\"rule\": \"No Docs\""), "a rule's name is 1 to 64"),
        (
            fine.replace("\"help\"", "\"hlep\""),
            "a finding has no `hlep`: rule, level, msg, path, help are its fields (help?)",
        ),
    ] {
        let doubts = one(&wrong);
        assert!(
            doubts.len() == 1 && doubts[0].contains("AB0156") && doubts[0].contains(what),
            "{wrong}: {doubts:?}"
        );
    }
    assert_eq!(one(&fine.replace("\"msg\"", "\"mesage\"")).len(), 2, "a field too many and one too few");
    assert_eq!(found("findings contains \"a\" if input.run.halted").len(), 1);
    // What is put together elsewhere is not seen through.
    assert_eq!(found("findings contains x if { x := {}; input.run.halted }"), [""; 0]);
    assert_eq!(found("findings contains object.union({}, {}) if input.run.halted"), [""; 0]);
    assert_eq!(found("others contains {\"rule\": 1} if input.run.halted"), [""; 0]);
}

#[test]
fn what_ships_is_meant() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files = BTreeMap::new();
    for folder in [root.clone(), root.join("lib")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "rego") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let sources = source::sort(&files).unwrap();
    let mut engine = loader::bare().unwrap();
    for (path, text) in sources.modules {
        engine.add_policy(path, text).unwrap();
    }
    assert!(engine.get_modules().len() > 10);
    assert_eq!(doubts(engine.get_modules()), []);
    assert!(INPUT_SCHEMA.contains("abide.input/1"));
}
