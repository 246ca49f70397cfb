//! What a manifest may say.

use super::*;

fn digest() -> Digest {
    Digest::of(b"x")
}

fn text(edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let made = Manifest::new(7, &digest(), vec!["abide".to_owned(), "caps".to_owned()], None);
    let mut value = serde_json::to_value(made).unwrap();
    edit(&mut value);
    value.to_string().into_bytes()
}

#[test]
fn what_was_written_is_read() {
    let found = Manifest::parse(&text(|_| ())).unwrap();
    assert_eq!((found.version(), found.revision.as_str()), (7, format!("v7-{}", digest().short()).as_str()));
    assert!(found.is_of(&digest()) && !found.is_of(&Digest::of(b"y")));
    // Others may say more of their own.
    assert!(Manifest::parse(&text(|value| value["metadata"]["ci"] = "x".into())).is_ok());
}

#[test]
fn roots_cover_whole_parts_of_a_path() {
    let found = Manifest::parse(&text(|value| value["roots"] = serde_json::json!(["/a/b/", "c"]))).unwrap();
    for (path, owned) in
        [("a/b", true), ("a/b/c", true), ("a", false), ("a/bc", false), ("c", true), ("", false)]
    {
        assert_eq!(found.owns(path), owned, "{path}");
    }
    let all = Manifest::parse(&text(|value| drop(value.as_object_mut().unwrap().remove("roots")))).unwrap();
    assert!(all.owns("anything") && all.owns(""));
}

#[test]
fn what_says_nothing_or_too_much() {
    let refused = |bytes: &[u8]| Manifest::parse(bytes).unwrap_err();
    let edited = |edit: fn(&mut serde_json::Value)| refused(&text(edit));
    assert!(refused(b"{").contains("cannot be read"));
    assert!(refused(b"{\"revision\": \"a\", \"revision\": \"b\"}").contains("twice"));
    assert!(edited(|value| value["wasm"] = serde_json::json!([])).contains("wasm"));
    assert!(
        edited(|value| value["file_rego_versions"] = serde_json::json!({})).contains("file_rego_versions")
    );
    assert!(edited(|value| value["rego_version"] = 0.into()).contains("rego_version"));
    assert!(edited(|value| value["metadata"] = serde_json::json!({})).contains("old bundle"));
    assert!(edited(|value| value["metadata"]["abide"]["version"] = 0.into()).contains("no version"));
    assert!(edited(|value| value["metadata"]["abide"]["version"] = u64::MAX.into()).contains("no version"));
    assert!(edited(|value| value["metadata"]["abide"]["version"] = (-1).into()).contains("cannot be taken"));
    assert!(edited(|value| value["metadata"]["abide"]["schema"] = "x/2".into()).contains("schema"));
    assert!(edited(|value| value["roots"] = serde_json::json!(["a", "a/b"])).contains("overlap"));
    assert!(edited(|value| value["roots"] = serde_json::json!(["a", "a"])).contains("overlap"));
    assert!(edited(|value| value["roots"] = serde_json::json!(["", "a"])).contains("overlap"));
}
