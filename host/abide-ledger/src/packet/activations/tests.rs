use super::*;

fn version(version: u64, keeps_serving: bool) -> Activated {
    Activated { version, repository: None, part: None, keeps_serving }
}

/// Says what the first number of the "event" says: its version.
struct Plain;

impl Judges for Plain {
    fn decision(&self, _: &[u8], _: &[u8], _: &str) -> Result<Vec<u8>, Fault> {
        Ok(Vec::new())
    }
    fn activation(&self, one: &Activation<'_>, _: Option<&Activation<'_>>) -> Result<Activated, Fault> {
        Ok(version(std::str::from_utf8(one.event)?.parse()?, false))
    }
    fn signed_parts(&self, bundle: &[u8]) -> Result<SignedParts, Fault> {
        Ok(SignedParts { base: Digest::of(bundle), layer: None })
    }
    fn built_in(&self, _: &Digest) -> Option<bool> {
        None
    }
}

#[test]
fn versions_go_up_whatever_the_reader_says() {
    let none = |_: &Digest| None;
    let of = |events: &[&'static [u8]]| {
        let recorded: Vec<Activation<'_>> =
            events.iter().map(|event| Activation { seq: 1, at: Timestamp(1), event, cited: &none }).collect();
        LINES[0].judged(&recorded, &Plain).map(|chain| chain.len())
    };
    assert_eq!(of(&[b"1", b"2", b"7"]), Ok(3));
    assert!(of(&[b"1", b"1"]).is_err() && of(&[b"2", b"1"]).is_err() && of(&[b"x"]).is_err());
}
