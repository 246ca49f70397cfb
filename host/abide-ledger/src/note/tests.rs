use super::*;

fn key() -> NoteKey {
    NoteKey::from_seed("example.org/log".parse().unwrap(), &[7; 32])
}

#[test]
fn keys_are_read_back_as_they_were_written() {
    let key = key();
    assert_eq!(key.vkey().to_string().parse(), Ok(key.vkey()));
    assert_eq!(NoteKey::from_secret(&key.to_secret()).unwrap().vkey(), key.vkey());
    assert!(!format!("{key:?}").contains("PRIVATE"));
    let vkey = key.vkey().to_string();
    for (at, _) in vkey.char_indices() {
        let mut bytes = vkey.clone().into_bytes();
        bytes[at] ^= 1;
        assert_ne!(String::from_utf8_lossy(&bytes).parse(), Ok(key.vkey()), "{at}");
    }
}

/// The key of the C2SP page on signed notes and of Go's `sumdb/note` tests.
#[test]
fn a_key_of_another_implementation_is_read() {
    let vkey: Vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert!(vkey.open(note).unwrap().ends_with("problem is.\n"));
}

#[test]
fn a_note_with_one_byte_flipped_is_refused() {
    let (key, text) = (key(), "example.org/log\n3\nAAAA\n");
    let note = key.sign(text);
    assert_eq!(key.vkey().open(&note), Ok(text));
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(key.vkey().open(&changed).is_err(), "byte {at}");
        }
    }
    assert_eq!(
        NoteKey::from_seed("example.org/log".parse().unwrap(), &[8; 32]).vkey().open(&note),
        Err(NoteError::Signer)
    );
}

#[test]
fn names_that_a_note_cannot_carry_are_refused() {
    for name in ["", "with space", "a+b", "ümlaut", "line\nbreak"] {
        assert_eq!(name.parse::<Origin>(), Err(NoteError::Name), "{name}");
    }
}
