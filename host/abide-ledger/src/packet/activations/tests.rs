use super::*;

fn version(version: u64, keeps_serving: bool) -> Activated {
    Activated { version, repository: None, base: base(version), keeps_serving }
}

fn base(version: u64) -> Digest {
    Digest::of(version.to_string().as_bytes())
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
    fn base(&self, bundle: &[u8]) -> Result<Digest, Fault> {
        Ok(Digest::of(bundle))
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
        chain(&recorded, &Plain).map(|chain| chain.len())
    };
    assert_eq!(of(&[b"1", b"2", b"7"]), Ok(3));
    assert!(of(&[b"1", b"1"]).is_err() && of(&[b"2", b"1"]).is_err() && of(&[b"x"]).is_err());
}

/// Which versions could decide at `seq` of a run that began at `began`; 0 is what is built in.
fn possible(chain: &[(u64, Activated)], began: u64, seq: u64) -> Vec<u64> {
    (0..=9)
        .filter(|number| {
            let built_in = (*number == 0).then_some(false);
            could_serve(chain, began, seq)
                .into_iter()
                .any(|(one, fell_back)| serves(one, &base(*number), built_in, fell_back))
        })
        .collect()
}

#[test]
fn a_run_keeps_what_it_began_with_or_takes_what_came_later() {
    let chain = [(10, version(1, false)), (20, version(2, false)), (30, version(3, false))];
    assert_eq!(possible(&[], 5, 9), [0]);
    assert_eq!(possible(&chain, 5, 9), [0]);
    assert_eq!(possible(&chain, 5, 15), [0, 1]);
    assert_eq!(possible(&chain, 15, 16), [1], "what came before is over");
    assert_eq!(possible(&chain, 15, 35), [1, 2, 3]);
    assert_eq!(possible(&chain, 40, 41), [3]);
    let falls = [(10, version(1, true)), (20, version(2, false))];
    assert_eq!(possible(&falls, 25, 26), [1, 2], "the one before says that it keeps serving");
    assert_eq!(possible(&falls[..1], 25, 26), [1], "what is built in does not");
}
