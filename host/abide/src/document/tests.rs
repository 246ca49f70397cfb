use serde_json::json;

use super::*;

#[test]
fn a_fault_is_named_with_its_path_and_what_was_meant() {
    let told = faults(&json!({ "schema": "abide.input/1", "actoin": {}, "run": { "prfile": "x" } }));
    for wanted in [
        "`input.actoin` is not in the input schema; did you mean `input.action`?",
        "`input.run.prfile` is not in the input schema; did you mean `input.run.profile`?",
        "`input.run.halted` is missing",
        "`input.action` is missing",
    ] {
        assert!(told.iter().any(|line| line == wanted), "{wanted}: {told:#?}");
    }
    let told = faults(&json!({ "facts": { "files": [{ "pth": "a" }] }, "now": "x" }));
    let near =
        "`input.facts.files[0].pth` is not in the input schema; did you mean `input.facts.files[0].path`?";
    assert!(told.iter().any(|line| line == near), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("`input.now`: ")), "{told:#?}");
}

#[test]
fn the_input_is_found_in_what_holds_it() {
    let plain = json!({ "schema": "abide.input/1", "input": 1 });
    assert_eq!(inside(&plain, None).unwrap(), &plain);
    assert_eq!(inside(&json!({ "input": { "a": 1 } }), None).unwrap(), &json!({ "a": 1 }));
    // What `show` prints of an item has an action beside the input.
    let item = json!({ "action": {}, "decision": {}, "input": { "a": 2 } });
    assert_eq!(inside(&item, None).unwrap(), &json!({ "a": 2 }));
    let of = |profile: &str| json!({ "input": { "run": { "profile": profile } } });
    let shown = json!({ "shown": [of("a"), of("b")] });
    assert_eq!(inside(&shown, Some("b")).unwrap(), &shown["shown"][1]["input"]);
    assert_eq!(inside(&shown, None).unwrap_err().code, "AB0178");
    assert_eq!(inside(&shown, Some("c")).unwrap_err().code, "AB0178");
}

#[test]
fn a_hostile_document_is_an_error_and_no_more() {
    for text in [&b"{"[..], b"", b"\xff", b"[[[[", "[".repeat(100_000).as_bytes()] {
        assert_eq!(input(text, None).unwrap_err().code, "AB0176");
    }
    for text in
        ["1", "{}", "{\"input\": null}", "{\"shown\": [], \"a\": 1}", "{\"\\u001b[31m\": 1, \"schema\": 2}"]
    {
        let error = input(text.as_bytes(), None).unwrap_err();
        assert!(["AB0177", "AB0178"].contains(&error.code), "{text}");
        assert!(!error.what.contains('\u{1b}'), "{}", error.what);
    }
}
