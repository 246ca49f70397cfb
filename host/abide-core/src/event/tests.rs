use super::*;

#[test]
fn integers_are_text_and_an_event_reads_back_as_it_was_written() {
    let event = Event {
        schema: Event::SCHEMA.to_owned(),
        at: 9_007_199_254_740_993,
        run: Some("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap()),
        body: Body::Merged {
            unit: Some("u1".to_owned()),
            decision: Cites(7),
            name: RefName::branch("main").unwrap(),
            old: Oid::zero(),
            new: "da39a3ee5e6b4b0d3255bfef95601890afd80709".parse().unwrap(),
        },
    };
    let text = String::from_utf8(crate::canonical::jcs(&event).unwrap()).unwrap();
    assert_eq!(
        text,
        r#"{"at":"9007199254740993","data":{"decision":"7","new":"da39a3ee5e6b4b0d3255bfef95601890afd80709","old":"0000000000000000000000000000000000000000","ref":"refs/heads/main","unit":"u1"},"run":"01ARZ3NDEKTSV4RRFFQ69G5FAV","schema":"abide.event/1","type":"Merged"}"#
    );
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}

#[test]
fn an_integer_has_one_spelling() {
    for bad in [r#""07""#, r#""+7""#, "7", r#""-1""#, r#""18446744073709551616""#, r#""7.0""#] {
        assert!(serde_json::from_str::<Count>(bad).is_err(), "{bad}");
    }
}
