//! Envelopes are opened by the key that made them and by no other; keys are spelled as other tools spell them.

use super::*;

const TYPE: &str = "application/vnd.example+json";

#[test]
fn a_signature_holds_for_its_key_its_payload_and_its_type() {
    let (key, other) = (SecretKey::from_seed(&[7; 32]), SecretKey::from_seed(&[8; 32]));
    let signed = key.sign(TYPE, b"{}");
    assert_eq!(key.public().verify(TYPE, b"{}", &signed), Ok(()));
    assert_eq!(other.public().verify(TYPE, b"{}", &signed), Err(DsseError::Signature));
    assert_eq!(key.public().verify(TYPE, b"[]", &signed), Err(DsseError::Signature));
    assert_eq!(key.public().verify("application/json", b"{}", &signed), Err(DsseError::Signature));
    let cut = Signed { sig: STANDARD.encode([1; 63]), ..signed };
    assert_eq!(key.public().verify(TYPE, b"{}", &cut), Err(DsseError::Shape));
}

#[test]
fn what_is_signed_is_the_encoding_of_the_specification() {
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
}

#[test]
fn keys_survive_being_written_and_show_no_secret() {
    let key = SecretKey::from_seed(&[7; 32]);
    assert_eq!(SecretKey::from_pem(&key.to_pem()).unwrap().public(), key.public());
    assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    assert!(!format!("{key:?}").contains(&STANDARD.encode([7; 32])));
    for text in ["", "AAAA", &STANDARD.encode([0; 31]), &STANDARD.encode([0; 32]), "not base64!"] {
        assert_eq!(text.parse::<PublicKey>(), Err(DsseError::Key), "{text}");
    }
    for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "x"] {
        assert!(SecretKey::from_pem(text).is_err(), "{text}");
    }
}

#[test]
fn the_key_of_rfc_8410() {
    // Section 10.3 of RFC 8410: a secret key, and its public half in section 10.1.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let key = SecretKey::from_pem(pem).unwrap();
    assert_eq!(key.to_pem(), pem);
    assert_eq!(key.public().to_string(), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
}
