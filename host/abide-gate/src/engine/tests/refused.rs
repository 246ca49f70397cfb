//! What a policy may not say is refused while loading, with the place.

use serde_json::json;

use super::{load, load_over};
use crate::engine::Bundle;

/// The code and message with which a module is refused. The body is in a rule that nothing reaches.
fn refused(body: &str) -> String {
    let text = format!(
        "package abide\n\ndecision := {{\"verdict\": \"allow\", \"findings\": []}}\n\nunreached if {{\n\t{body}\n}}\n"
    );
    load(&text).map_or_else(|error| format!("{} {error}", error.code()), |_| "loaded".to_owned())
}

#[test]
fn builtins_that_read_the_world() {
    insta::assert_snapshot!(refused(r#"http.send({"method": "get", "url": "http://example.org"})"#), @"AB0103 m.rego:6:2: `http.send` is refused: a policy cannot reach the network");
    insta::assert_snapshot!(refused("time.now_ns() > 0"), @"AB0103 m.rego:6:2: `time.now_ns` is refused: a decision must come out the same in a year: use `input.now` (milliseconds)");
    insta::assert_snapshot!(refused(r#"rand.intn("a", 3) == 1"#), @"AB0103 m.rego:6:2: `rand.intn` is refused: a decision must come out the same every time");
    insta::assert_snapshot!(refused(r#"uuid.rfc4122("a") == "b""#), @"AB0103 m.rego:6:2: `uuid.rfc4122` is refused: a decision must come out the same every time");
    insta::assert_snapshot!(refused(r#"opa.runtime().env.HOME == "/root""#), @"AB0103 m.rego:6:2: `opa.runtime` is refused: a policy does not see the machine it runs on");
    insta::assert_snapshot!(refused(r#"print("hello")"#), @"AB0103 m.rego:6:2: `print` is refused: a policy says what it has to say in its findings");
    insta::assert_snapshot!(refused(r#"trace("hello")"#), @"AB0103 m.rego:6:2: `trace` is refused: a policy says what it has to say in its findings");
}

#[test]
fn builtins_without_a_bound() {
    for body in [
        "count(numbers.range(1, 200000000)) > 0",
        "count(numbers.range_step(1, 200000000, 1)) > 0",
        r#"strings.count("aaa", "") > 0"#,
        "some path, value; walk(input, [path, value])",
        r#"json.marshal({"a": "b"}) == "c""#,
        "bits.lsh(1, 1000000000) > 0",
        "product([2, 3]) > 0",
        r#"regex.replace("a", "a", "b") == "b""#,
    ] {
        let said = refused(body);
        assert!(said.starts_with("AB0103 "), "{body}: {said}");
    }
}

#[test]
fn refused_however_it_is_spelled() {
    for body in [
        r#"http["send"]({"method": "get"})"#,
        r"x := [y | y := http.send({})]; count(x) > 0",
        r"every x in [1] { time.now_ns() > x }",
        r"not http.send({})",
        r"some x in http.send({})",
        r"input.checks[count(numbers.range(1, 3))]",
        r#"{"a": time.now_ns()}.a > 1"#,
    ] {
        let said = refused(body);
        assert!(said.starts_with("AB0103 "), "{body}: {said}");
    }
    insta::assert_snapshot!(refused("abs(1) == 1 with abs as time.now_ns"), @"AB0107 m.rego:6:14: `with` is for tests: a live rule judges what it is given");
}

#[test]
fn functions_that_do_not_exist() {
    insta::assert_snapshot!(refused("cuont(input.checks) > 0"), @"AB0104 m.rego:6:2: there is no `cuont` here");
    insta::assert_snapshot!(refused("data.abide.helper(1)"), @"AB0104 m.rego:6:2: there is no `data.abide.helper` here");
}

#[test]
fn names_that_do_not_exist() {
    insta::assert_snapshot!(refused("x := input.checks; y.outcome == \"passed\""), @"AB0104 m.rego:6:21: there is no `y` here");
    insta::assert_snapshot!(refused("lvl == 3"), @"AB0104 m.rego:6:2: there is no `lvl` here");
    insta::assert_snapshot!(refused("input.checks[i].required"), @"AB0104 m.rego:6:15: there is no `i` here");
    for body in [
        "some i; input.checks[i].required",
        "some check in input.checks; check.required",
        "some i, check in input.checks; check.required; i > 0",
        "every check in input.checks { check.required }",
        "[a, {\"b\": b}] := [1, {\"b\": 2}]; a < b",
        "x = 1; x == 1",
        "unreached_too(1)",
    ] {
        let text =
            format!("package abide\ndecision := 1\nunreached_too(n) if n > 0\nunreached if {{ {body} }}\n");
        assert!(load(&text).is_ok(), "{body}: {}", load(&text).unwrap_err());
    }
}

#[test]
fn paths_that_do_not_exist() {
    insta::assert_snapshot!(refused(r#"input.actoin.class == "MERGE""#), @"AB0117 m.rego:6:2: `input.actoin` is not in the input schema; did you mean `input.action`?");
    insta::assert_snapshot!(refused(r#"input.action.target.brunch == "main""#), @"AB0117 m.rego:6:2: `input.action.target.brunch` is not in the input schema; did you mean `input.action.target.branch`?");
    insta::assert_snapshot!(refused(r#"some i; input.facts.files[i].pth == "a""#), @"AB0117 m.rego:6:10: `input.facts.files.pth` is not in the input schema; did you mean `input.facts.files.path`?");
    insta::assert_snapshot!(refused(r#"input["facts"]["secretz"]"#), @"AB0117 m.rego:6:2: `input.facts.secretz` is not in the input schema; did you mean `input.facts.secrets`?");
    insta::assert_snapshot!(refused("data.nmaes.a == 1"), @"AB0118 m.rego:6:2: no rule and no data provides `data.nmaes.a`");
    assert_eq!(refused("data.names.a == 1"), "loaded");
    assert_eq!(refused("input.risk.parts.anything == 1"), "loaded");
    assert_eq!(refused("input.facts.window.zones.ci == 1"), "loaded");
}

#[test]
fn imports_are_followed() {
    let text = |import: &str, body: &str| {
        let text = format!("package abide\n{import}\ndecision := 1\nunreached if {body}\n");
        load(&text).map_or_else(|error| format!("{} {error}", error.code()), |_| "loaded".to_owned())
    };
    insta::assert_snapshot!(text("import input.facts", "facts.secretz"), @"AB0117 m.rego:4:14: `input.facts.secretz` is not in the input schema; did you mean `input.facts.secrets`?");
    insta::assert_snapshot!(text("import data.names as n", "n.b"), @"AB0118 m.rego:4:14: no rule and no data provides `data.names.b`");
    insta::assert_snapshot!(text("import data.elsewhere", "elsewhere.f(1)"), @"AB0104 m.rego:4:14: there is no `elsewhere.f` here");
}

#[test]
fn text_that_does_not_parse() {
    let error = load("package abide\n\ndecision := {\n\t\"verdict\" \"allow\"\n}\n").unwrap_err();
    assert_eq!(error.code(), "AB0102");
    let place = error.place().unwrap();
    assert_eq!((place.path.as_str(), place.line), ("m.rego", 4));
}

#[test]
fn modules_that_do_not_fit() {
    let code = |text: &str| load(text).unwrap_err().code();
    assert_eq!(code("package other\nx := 1"), "AB0100");
}

#[test]
fn data_that_is_too_deep_or_too_large() {
    let text = "package abide\ndecision := 1";
    let mut deep = json!(1);
    for _ in 0..20 {
        deep = json!([deep]);
    }
    assert_eq!(load_over(text, json!({"deep": deep})).unwrap_err().code(), "AB0105");
    assert_eq!(load_over(text, json!({"large": "x".repeat(12 << 20)})).unwrap_err().code(), "AB0101");
}

#[test]
fn bytes_that_are_no_bundle() {
    for bytes in [
        &b""[..],
        b"{}",
        b"null",
        br#"{"schema":"abide.bundle/2","modules":{},"data":{}}"#,
        br#"{"schema":"abide.bundle/1","modules":{},"data":{},"more":1}"#,
    ] {
        assert_eq!(Bundle::from_bytes(bytes).unwrap_err().code(), "AB0106");
    }
}
