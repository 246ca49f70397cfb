//! Everything is found in one go, and nothing that follows from a file which could not be read.

use std::collections::BTreeMap;

use super::{Survey, survey};
use crate::engine::tests::policies;
use crate::source;

fn look(files: &[(&str, &str)]) -> Survey {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let (sources, broken) = source::gather(&files);
    survey(&sources, broken)
}

fn told(found: &Survey) -> Vec<String> {
    found.faults.iter().map(|error| format!("{} {error}", error.code())).collect()
}

const MAIN: &str = "package abide\ndecision := 1\n";

#[test]
fn every_fault_of_every_file() {
    let found = look(&[
        ("main.rego", MAIN),
        (
            "a.rego",
            "package abide.a\nx if {\n\tinput.actoin == 1\n\tinput.rnu.mode == 2\n\tnope(1)\n\thttp.send({})\n}\n",
        ),
        ("b.rego", "package abide.b\nx if {\n"),
        ("c.rego", "package abide.c\nx if data.nothing.here\ny if data.abide.b.x\nz if data.abide.b.f(1)\n"),
        ("c_test.rego", "package abide.c_test\ntest_a if input.actoin\n"),
        ("d.txt", ""),
        ("data/e.yaml", "a: 1\na: 2\n"),
        ("f.rego", "package abide.f\nx if data.e.a == 1\n"),
    ]);
    insta::assert_snapshot!(told(&found).join("\n"), @r#"
    AB0105 `d.txt`: only `*.rego`, `*_cases.yaml`, `data/*.yaml`, `data/*.json`, `invariants/model.yaml`, `schemas/*.json` and `*.md` belong here
    AB0105 `data/e.yaml`: error: line 2 column 1: duplicate mapping key: a, set DuplicateKeyPolicy in Options if acceptable  --> <input>:2:1   | 1 | a: 1
    AB0102 b.rego:3:1: expecting expression
    AB0103 a.rego:6:2: `http.send` is refused: a policy cannot reach the network
    AB0104 a.rego:5:2: there is no `nope` here
    AB0117 a.rego:4:2: `input.rnu` is not in the input schema; did you mean `input.run`?
    AB0117 a.rego:3:2: `input.actoin` is not in the input schema; did you mean `input.action`?
    AB0118 c.rego:2:6: no rule and no data provides `data.nothing.here`
    AB0117 c_test.rego:2:11: `input.actoin` is not in the input schema; did you mean `input.action`?
    "#);
    assert_eq!(found.unreached, [], "where a file is missing nobody knows what reaches a rule");
}

#[test]
fn what_no_decision_comes_to() {
    let found = look(&[
        (
            "main.rego",
            "package abide\nimport data.abide.a\ndecision := {\"x\": a.f(1), \"y\": [l.findings | some l in data.abide.layers]}\n",
        ),
        ("a.rego", "package abide.a\nf(n) := g(n)\ng(n) := n\nh(n) := i\ni := 1\n"),
        (
            "layers/r.rego",
            "package abide.layers.r\nfindings contains x if x := used\nused := 1\nunused := 2\n",
        ),
    ]);
    assert_eq!(told(&found), Vec::<String>::new());
    let names: Vec<&str> = found.unreached.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["abide.a.h", "abide.a.i", "abide.layers.r.unused"]);
}

#[test]
fn names_that_hide_another() {
    let hides = "package abide\ndecision := f(1) + f(2)\nf(kept) := kept\ng(kept) := kept\nkept := 3\n";
    let found = look(&[("main.rego", hides)]);
    assert_eq!(told(&found), Vec::<String>::new());
    let places: Vec<String> = found.unjoined.iter().map(|(place, _)| place.to_string()).collect();
    assert_eq!(places, ["main.rego:3:12", "main.rego:3:3", "main.rego:4:12", "main.rego:4:3"]);
}

#[test]
fn it_loads_if_and_only_if_nothing_is_found() {
    let shipped = survey(&source::sort(&policies()).unwrap(), Vec::new());
    assert_eq!(told(&shipped), Vec::<String>::new());
    assert_eq!(shipped.unjoined, []);
    // Only preparing finds this out.
    let found = look(&[(
        "main.rego",
        "package abide\nlist := [1]\ndecision := count([list | some list in [1, 2]])\n",
    )]);
    assert_eq!(found.faults.len(), 1, "{found:?}");
    assert_eq!(found.faults[0].code(), "AB0108");
    let too_many: BTreeMap<String, Vec<u8>> =
        (0..200).map(|n| (format!("m{n}.rego"), MAIN.as_bytes().to_vec())).collect();
    let (sources, broken) = source::gather(&too_many);
    assert_eq!(survey(&sources, broken).faults[0].code(), "AB0101");
}
