use proptest::prelude::*;
use serde_json::{Value, json};

use super::Checker;

/// What the crate `jsonschema` says, with formats asserted.
fn reference(schema: &Value, value: &Value) -> bool {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
        .is_valid(value)
}

fn check(schema: &Value, value: &Value) {
    let faults = Checker::new(schema).unwrap().faults(value);
    assert_eq!(faults.is_empty(), reference(schema, value), "{schema}\n{value}\n{faults:?}");
}

#[test]
fn it_says_what_the_reference_says() {
    let schema = json!({"type": "object", "required": ["a"], "additionalProperties": false, "properties": {
        "a": {"$ref": "#/$defs/a"}, "b": {"type": ["array", "null"], "items": {"type": "string", "minLength": 2}, "uniqueItems": true}},
        "$defs": {"a": {"type": "number", "multipleOf": 0.1, "exclusiveMaximum": 10}}});
    for value in [
        json!({"a": 0.3}),
        json!({"a": 10}),
        json!({"a": 9.95}),
        json!({"a": 1, "b": ["xx", "yy"]}),
        json!({"a": 1, "b": ["xx", "xx"]}),
        json!({"a": 1, "b": ["x"]}),
        json!({"a": 1, "c": 1}),
        json!({}),
        json!([]),
        json!({"a": 1, "b": null}),
        json!({"a": "1"}),
        json!({"a": 1e300}),
        json!({"a": -0.0}),
    ] {
        check(&schema, &value);
    }
    let texts = [
        "2026-02-28",
        "2026-02-29",
        "2024-02-29",
        "2026-1-1",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+02:00",
        "2026-13-01T00:00:00Z",
        "a@b.example",
        "a@",
        "@b",
        "ab",
        "https://a.example/x y",
        "https://a.example/%20",
        "//a",
        "a b",
        "",
    ];
    for format in super::check::FORMATS {
        for text in texts {
            check(&json!({"format": format}), &json!(text));
        }
    }
    for branches in [
        json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}),
        json!({"not": {"const": 1.0}}),
        json!({"anyOf": [{"enum": [1, "a"]}, {"pattern": "^b+$"}]}),
        json!({"allOf": [{"type": "integer"}, true]}),
    ] {
        for value in
            [json!(1), json!(1.0), json!(2), json!(2.5), json!("a"), json!("bb"), json!("c"), json!(null)]
        {
            check(&branches, &value);
        }
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-20_i64..20).prop_map(Value::from),
        (-20_i64..20).prop_map(|tenths| json!(f64::from(i32::try_from(tenths).unwrap()) / 10.0)),
        "[ab1]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn schemas() -> impl Strategy<Value = Value> {
    let kind =
        prop::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"]);
    let leaf = prop_oneof![
        kind.prop_map(|kind| json!({"type": kind})),
        (-3_i32..3).prop_map(|n| json!({"minimum": n, "exclusiveMaximum": f64::from(n) + 1.5})),
        prop::sample::select(vec![0.1, 0.5, 1.0, 2.0, 3.0]).prop_map(|unit| json!({"multipleOf": unit})),
        (0_u32..3)
            .prop_map(|n| json!({"minLength": n, "maxLength": n + 1, "minItems": n, "maxProperties": n + 1})),
        prop::sample::select(vec!["^a", "b$", "[ab]+1", "^(a|b1){2}$"])
            .prop_map(|regex| json!({"pattern": regex})),
        values().prop_map(|value| json!({"enum": [value, 1, "a"]})),
        Just(json!({"uniqueItems": true, "required": ["a"]})),
    ];
    leaf.prop_recursive(3, 20, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"allOf": all})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"anyOf": any})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|one| json!({"oneOf": one})),
            inner.clone().prop_map(|not| json!({"not": not})),
            inner.clone().prop_map(|items| json!({"items": items})),
            (inner.clone(), inner)
                .prop_map(|(a, rest)| json!({"properties": {"a": a}, "additionalProperties": rest})),
        ]
    })
}

proptest! {
    #[test]
    fn it_says_what_the_reference_says_of_anything(schema in schemas(), value in values()) {
        check(&schema, &value);
    }
}
