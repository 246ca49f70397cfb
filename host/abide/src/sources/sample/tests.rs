use super::*;

fn measured(before: Option<&str>, after: &str, key: &[&str]) -> SourceSampled {
    let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
    let came = Came::To { path: "data/goods.jsonl", bytes: after.as_bytes(), is_new: true };
    measure(&About::default(), &Digest::of(b"d"), &came, before.map(str::as_bytes), &key).unwrap()
}

#[test]
fn records_are_compared_by_what_tells_one_from_another() {
    let before = "{\"name\":\"a\",\"price\":1}\n{\"name\":\"b\",\"price\":2}\n{\"name\":\"c\",\"price\":3}\n{\"name\":\"d\",\"price\":4}\n";
    let after =
        "{\"name\":\"a\",\"price\":1}\n{\"name\":\"b\",\"price\":9}\n{\"name\":\"e\",\"price\":null}\n";
    let sample = measured(Some(before), after, &["name"]);
    let numbers = [sample.count, sample.added, sample.changed, sample.vanished, sample.vanished_permille];
    assert_eq!(numbers.map(|count| count.0), [3, 1, 1, 2, 500]);
    // Five of six fields hold something.
    assert_eq!((sample.outcome.as_str(), sample.filled_permille.0), ("records", 833));
    let whole = measured(Some(before), after, &[]);
    assert_eq!([whole.added, whole.changed, whole.vanished].map(|count| count.0), [2, 0, 3]);
}

#[test]
fn the_shape_is_names_and_types() {
    let shape = |text: &str| measured(None, text, &[]).shape.unwrap();
    let usual = shape("{\"name\":\"a\",\"price\":1}\n");
    assert_eq!(usual, shape("{\"price\":7,\"name\":\"b\"}\n{\"name\":\"c\"}\n"));
    assert_ne!(usual, shape("{\"name\":\"a\",\"price\":\"1\"}\n"));
    assert_ne!(usual, shape("{\"name\":\"a\",\"cost\":1}\n"));
    assert_ne!(usual, shape("{\"name\":\"a\",\"price\":null}\n"));
}

#[test]
fn what_holds_no_records_failed() {
    for (text, wanted) in
        [("", "holds no records"), ("\n", "holds no records"), ("[1]\n", "invalid type"), ("{", "EOF")]
    {
        let sample = measured(None, text, &[]);
        assert_eq!((sample.outcome.as_str(), sample.code.as_deref()), ("failed", Some("AB0887")), "{text}");
        assert!(sample.why.as_ref().unwrap().contains(wanted), "{sample:?}");
        assert!(sample.records.is_none());
    }
    let came = Came::Nothing { code: "AB0813".to_owned(), why: "it was\u{1b}[31m stopped".to_owned() };
    let about = About { wall_ms: 7, refused: 2, forbidden: 1, ..About::default() };
    let sample = measure(&about, &Digest::of(b"d"), &came, None, &[]).unwrap();
    assert!(!sample.why.as_ref().unwrap().contains('\u{1b}'));
    assert_eq!((sample.wall_ms.0, sample.refused.0, sample.forbidden.0), (7, 2, 1));
}

#[test]
fn one_array_is_a_file_of_records_too() {
    let records = Records::parse("a.json", b"[{\"a\":1},{\"a\":2}]").unwrap();
    assert_eq!(records.count(), 2);
    assert!(Records::parse("a.json", b"{\"a\":1}").is_err());
}

#[test]
fn hints_may_name_a_key() {
    assert_eq!(key_of(br#"{"key": ["a", "b"], "strategies": ["tables"]}"#), ["a", "b"]);
    assert!(key_of(b"").is_empty());
}
