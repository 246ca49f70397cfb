//! The short writer and the general one agree.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::jcs;

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_.-]{0,8}", any::<String>(), "[\u{0}-\u{20}\"\\\\/\u{7f}-\u{a0}]{0,6}"]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..1 << 54).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((texts(), inner), 0..6)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn as_the_general_writer(value in values()) {
        prop_assert_eq!(jcs(&value).unwrap(), serde_jcs::to_vec(&value).unwrap());
    }
}

#[test]
fn some_spellings() {
    let spelled = |value: Value| String::from_utf8(jcs(&value).unwrap()).unwrap();
    assert_eq!(
        spelled(json!({"b": [], "a": {}, "": [1, null, true]})),
        r#"{"":[1,null,true],"a":{},"b":[]}"#
    );
    assert_eq!(spelled(json!("\u{1f}\n\u{7f}é\u{2028}")), "\"\\u001f\\n\u{7f}é\u{2028}\"");
    assert_eq!(spelled(json!({"é": 1, "z": -2})), r#"{"z":-2,"é":1}"#);
}
