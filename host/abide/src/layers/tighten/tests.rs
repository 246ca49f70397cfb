use super::*;

fn read(text: &str) -> Result<Tighten, String> {
    Tighten::of_yaml("layers/tighten.yaml", text.as_bytes())
        .map_err(|error| format!("{} {error}", error.code()))
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (text, says) in [
        ("levls: {MERGE: A2}", "levls"),
        ("levels: {MERGE: A6}", "A6"),
        ("levels: {MERG: A1}", "MERG"),
        ("levels: {ROLLBACK: A0}", "way back"),
        ("caps: {files: 3}", "files"),
        ("caps: {files_max: -1}", "invalid"),
        ("caps: {files_max: 3.5}", ""),
        ("caps: {files_max: 3}\ncaps: {files_max: 4}", "duplicate"),
        ("caps: {files_max: 3, files_max: 4}", "duplicate"),
        ("profiles: []", "empty"),
        ("safety_modes: [lenient]", "lenient"),
        ("never_touch: [\"/etc/**\"]", "glob"),
        ("never_touch: [\"a[\"]", "glob"),
        ("review: [\"\"]", "visible"),
        ("required_checks: [\"a\\nb\"]", "visible"),
        ("forbidden_patterns: [{id: a}]", ""),
        ("rollback_threshold_permille: 1001", "1000"),
        ("require_tests: maybe", ""),
        ("[1, 2]", ""),
        ("caps: &a {files_max: 1}\nthresholds: *a\nlevels: *b", ""),
    ] {
        let error = read(text).map(|_| ()).unwrap_err();
        assert!(error.starts_with("AB0180") && error.contains(says), "{text}: {error}");
    }
    let long = format!("review: [{}]", "\"a\",".repeat(300));
    assert!(read(&long).unwrap_err().contains("300 entries"));
    assert!(read(&format!("about: {}", "x".repeat(70_000))).unwrap_err().contains("bytes"));
    assert!(Tighten::of_yaml("x", &[0xff]).is_err());
}

#[test]
fn yaml_and_json_are_one_document() {
    let text = "levels: {MERGE: A2}\ncaps: {files_max: 3}\nprofiles: [b, a]\nforbidden_patterns: [x, {id: a, regex: b}]\nrequire_tests: true\n";
    let document = read(text).unwrap();
    let json = serde_json::to_vec(&document).unwrap();
    assert_eq!(Tighten::of_json("x", &json), Ok(document));
    assert_eq!(read("{}").unwrap(), Tighten::default());
    assert_eq!(serde_json::to_string(&Tighten::default()).unwrap(), "{}");
    for bad in ["{\"a\": 1}", "{\"about\": \"a\", \"about\": \"b\"}", "{} {}", "{\"levels\": {\"MERGE\": 2}}"]
    {
        assert!(Tighten::of_json("x", bad.as_bytes()).is_err(), "{bad}");
    }
}
