use serde_json::{Value, json};

use super::*;

fn manners(change: Value) -> Manners {
    let mut data = json!({
        "purpose": "keeps a list of ports", "contact": "https://example.org/bot", "robots": "obey",
        "host_per_second_max": 2, "host_concurrent_max": 1, "wait_ms_max": 10_000,
    });
    if let (Value::Object(data), Value::Object(change)) = (&mut data, change) {
        data.extend(change);
    }
    serde_json::from_value(data).unwrap()
}

#[test]
fn who_asks_and_why_is_in_the_user_agent() {
    let manners = manners(json!({}));
    assert_eq!(manners.check(), Ok(()));
    assert_eq!(manners.user_agent("1.2.3"), "abide/1.2.3 (keeps a list of ports; +https://example.org/bot)");
}

#[test]
fn what_cannot_stand_there_is_no_manners() {
    let long = "x".repeat(161);
    for change in [
        json!({"purpose": ""}),
        json!({"purpose": " padded"}),
        json!({"purpose": "breaks\r\nthe: line"}),
        json!({"purpose": "closes) the comment"}),
        json!({"purpose": long}),
        json!({"contact": "ops@example.org"}),
        json!({"contact": "http://example.org/"}),
        json!({"contact": "https://example.org/ and more"}),
        json!({"robots": "ignore"}),
        json!({"robots": "ignore", "reason": "  "}),
        json!({"robots": "obey", "reason": "our own site"}),
        json!({"terms": ""}),
        json!({"host_per_second_max": 0}),
        json!({"host_concurrent_max": 0}),
    ] {
        assert!(manners(change.clone()).check().is_err(), "{change}");
    }
    let ignored =
        manners(json!({"robots": "ignore", "reason": "our own site", "terms": "https://example.org/terms"}));
    assert_eq!(ignored.check(), Ok(()));
}

/// The log takes no numbers.
#[test]
fn in_an_action_numbers_are_texts() {
    let run = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    let action = crate::action::OpenEgress {
        run,
        unit: "u1".to_owned(),
        component: crate::id::Digest::of(b"x"),
        origins: Vec::new(),
        manners: Some(manners(json!({"reason": "ours", "robots": "ignore"}))),
        source: None,
    };
    let recorded = serde_json::to_value(&action).unwrap();
    assert!(recorded["manners"].as_object().unwrap().values().all(Value::is_string), "{recorded}");
    assert_eq!(recorded["manners"]["wait_ms_max"], "10000");
    assert_eq!(serde_json::from_value::<crate::action::OpenEgress>(recorded).unwrap(), action);
    let bare = crate::action::OpenEgress { manners: None, ..action };
    let recorded = serde_json::to_value(&bare).unwrap();
    assert!(recorded.get("manners").is_none());
    assert_eq!(serde_json::from_value::<crate::action::OpenEgress>(recorded).unwrap(), bare);
}
