use super::forbidden;

#[test]
fn robots_are_counted_in_the_archive() {
    let archive =
        br#"{"log": {"entries": [{"_stopped": {"code": "AB0990"}}, {"_stopped": {"code": "AB0901"}}, {}]}}"#;
    assert_eq!(forbidden(archive), 1);
    assert_eq!(forbidden(b"{"), 0);
}
