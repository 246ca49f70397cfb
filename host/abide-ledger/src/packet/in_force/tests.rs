use super::*;

fn version(version: u64, keeps_serving: bool) -> Activated {
    Activated { version, repository: None, part: Some(base(version)), keeps_serving }
}

fn base(version: u64) -> Digest {
    Digest::of(version.to_string().as_bytes())
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

/// Which layers a decision at `seq` of a run that began at `began` could have; 0 is none.
fn layers(chain: &[(u64, Activated)], began: u64, seq: u64) -> Vec<u64> {
    could_hold(chain, began, seq).into_iter().map(|one| one.map_or(0, |one| one.version)).collect()
}

#[test]
fn a_layer_in_force_when_the_run_began_is_never_left_out() {
    let chain = [(10, version(1, true)), (20, version(2, true)), (30, version(3, true))];
    assert_eq!(layers(&[], 5, 9), [0]);
    assert_eq!(layers(&chain, 5, 10), [0], "it is in force after its own place");
    assert_eq!(layers(&chain, 5, 15), [1, 0], "the run began before it");
    assert_eq!(layers(&chain, 15, 16), [1]);
    assert_eq!(layers(&chain, 15, 31), [3, 2, 1]);
    assert_eq!(layers(&chain, 40, 41), [3], "nothing keeps serving in its place");
}
