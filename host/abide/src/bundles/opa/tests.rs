//! A list of files that OPA signed is held against the bundle; it never says who may put it in force.

use super::*;

fn hs256(secret: &str, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    serde_json::json!({ "signatures": [format!("{signed}.{signature}")] }).to_string()
}

fn entries() -> Entries {
    Entries::from([
        ("a.rego".to_owned(), b"package a\n".to_vec()),
        ("b/data.json".to_owned(), b"{ \"z\": [1, \"\xe2\x80\xa8<&>\"],\n \"a\": null }".to_vec()),
    ])
}

/// What OPA lists for [`entries`]: bytes of a module, the contents of data.
fn list() -> String {
    let data = Digest::of(br#"{"a":null,"z":[1,"\u2028<&>"]}"#);
    let module = Digest::of(b"package a\n");
    let file = |name: &str, digest: &Digest| serde_json::json!({ "name": name, "hash": digest.hex(), "algorithm": "SHA-256" });
    serde_json::json!({ "files": [file("a.rego", &module), file("b/data.json", &data)], "scope": "write" })
        .to_string()
}

const HEADER: &str = r#"{"alg":"HS256","kid":"ours"}"#;

fn code(text: &str, entries: &Entries) -> (&'static str, String) {
    let error = Listed::read(text.as_bytes(), entries).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_list_that_fits() {
    let listed = Listed::read(hs256("secret", HEADER, &list()).as_bytes(), &entries()).unwrap();
    assert_eq!((listed.files, listed.key.as_deref(), listed.algorithm.as_str()), (2, Some("ours"), "HS256"));
    let with =
        |name: &str, secret: &str| listed.verify(&BTreeMap::from([(name.to_owned(), secret.to_owned())]));
    assert!(with("ours", "secret").unwrap());
    assert!(!with("theirs", "secret").unwrap(), "a key that nobody knows verifies nothing");
    assert_eq!(with("ours", "guess").unwrap_err().code(), "AB0249");
    let none =
        Listed::read(hs256("", r#"{"alg":"none","kid":"ours"}"#, &list()).as_bytes(), &entries()).unwrap();
    assert_eq!(
        none.verify(&BTreeMap::from([("ours".to_owned(), String::new())])).unwrap_err().code(),
        "AB0249"
    );
}

#[test]
fn the_bytes_that_opa_hashes() {
    assert!(hashed("data.json", br#"{"a":[1,2,3.5]}"#).is_err(), "policy data has no fractions");
    assert_eq!(hashed("x.rego", b"abc").unwrap(), Digest::of(b"abc"));
    assert_eq!(hashed("data.json", b" {\"b\":1,\n\"a\":{}} ").unwrap(), Digest::of(br#"{"a":{},"b":1}"#));
}

#[test]
fn what_was_added_taken_away_or_changed_since() {
    let text = hs256("secret", HEADER, &list());
    let mut more = entries();
    more.insert("c.rego".to_owned(), Vec::new());
    let (code_of, why) = code(&text, &more);
    assert!(code_of == "AB0248" && why.contains("`c.rego` is not among"), "{why}");
    let mut less = entries();
    less.remove("a.rego");
    assert!(code(&text, &less).1.contains("lists `a.rego`, which is not"));
    let mut other = entries();
    other.insert("a.rego".to_owned(), b"package b\n".to_vec());
    assert!(code(&text, &other).1.contains("hash differs"));
    let mut other = entries();
    other.insert("b/data.json".to_owned(), b"{\"a\":1}".to_vec());
    assert!(code(&text, &other).1.contains("hash differs"));
}

#[test]
fn what_is_no_such_file() {
    for text in [
        "",
        "{}",
        "{\"signatures\": []}",
        "{\"signatures\": [\"a.b.c\"]}",
        "{\"signatures\": [\"a.b\"]}",
        "{\"signatures\": [\"\", \"\"]}",
        &hs256("s", HEADER, "{}"),
        &hs256("s", "{}", &list()),
        &hs256("s", HEADER, &list().replace("SHA-256", "MD5")),
        &hs256("s", HEADER, &list().replace("b/data.json", "a.rego")),
    ] {
        assert_eq!(code(text, &entries()).0, "AB0248", "{text}");
    }
}
