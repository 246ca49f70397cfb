use serde_json::json;

use super::*;

fn run() -> RunId {
    "01JC000000000000000000007Q".parse().unwrap()
}

#[test]
fn an_event_has_one_spelling() {
    let leaf = Leaf::new(
        Some(run()),
        "RunStarted",
        Timestamp(1_700_000_000_000),
        json!({"b": "2", "a": {"z": "1"}}),
    )
    .unwrap();
    let text = r#"{"at":"1700000000000","data":{"a":{"z":"1"},"b":"2"},"run":"01JC000000000000000000007Q","schema":"abide.event/1","type":"RunStarted"}"#;
    assert_eq!(std::str::from_utf8(leaf.bytes()).unwrap(), text);
    assert_eq!(Leaf::parse(leaf.bytes().to_vec()).unwrap(), leaf);
    assert_eq!(leaf.data()["b"], "2");
}

#[test]
fn numbers_wrong_shapes_and_long_events_are_refused() {
    let at = Timestamp(1);
    for (data, code) in [
        (json!({"n": 1}), "number"),
        (json!({"deep": [{"n": 1.5}]}), "number"),
        (json!("text"), "object"),
        (json!({"long": "x".repeat(70_000)}), "longer"),
    ] {
        let error = Leaf::new(None, "Thing", at, data).unwrap_err().to_string();
        assert!(error.contains(code), "{error}");
    }
    for kind in ["", "lower", "Has Space", "Dash-ed", &"X".repeat(65)] {
        assert!(matches!(Leaf::new(None, kind, at, json!({})), Err(LeafError::Kind { .. })), "{kind}");
    }
}

#[test]
fn stored_bytes_that_are_no_event_are_refused() {
    for bytes in [
        "",
        "{}",
        r#"{"at":"01","data":{},"schema":"abide.event/1","type":"A"}"#,
        r#"{"at":"-1","data":{},"schema":"abide.event/1","type":"A"}"#,
        r#"{"at":"1","data":{"n":1},"schema":"abide.event/1","type":"A"}"#,
        r#"{"at":"1","data":{},"schema":"abide.event/2","type":"A"}"#,
        r#"{"at":"1","data":{},"schema":"abide.event/1","type":"A","more":"x"}"#,
    ] {
        assert!(Leaf::parse(bytes.as_bytes().to_vec()).is_err(), "{bytes}");
    }
}
