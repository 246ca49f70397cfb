use super::*;

#[test]
fn a_statement_is_canonical_as_it_is_written() {
    let files = [("attest.pub.pem", b"a".as_slice()), ("events/000000000000.json", b"b")];
    let made =
        statement(files.into_iter(), &json!({ "run": "01JC", "log": { "size": "7", "root": "AAA=" } }))
            .unwrap();
    let read: Value = serde_json::from_slice(&made).unwrap();
    assert_eq!(canonical::jcs(&read).unwrap(), made);
    assert_eq!(read.pointer("/subject/1/digest/sha256").unwrap(), Digest::of(b"b").hex());
}

#[test]
fn an_envelope_is_opened_by_its_key_alone() {
    let key = NoteKey::from_seed("example.org/log".parse().unwrap(), &[7; 32]);
    let public = key_from_text(&key_text(&key)).unwrap();
    let signed = sign(&key, b"{}").unwrap();
    assert_eq!(open(&public, &signed.envelope).unwrap().0, b"{}");
    let other = NoteKey::from_seed("example.org/log".parse().unwrap(), &[8; 32]);
    assert!(open(&key_from_text(&key_text(&other)).unwrap(), &signed.envelope).is_err());
    assert!(pem(&public).starts_with("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"));
}
