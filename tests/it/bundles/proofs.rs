//! A bundle comes into force only if it keeps its invariants in every case of its model.

use std::fs;

use super::house::{EXTRA, House, MODEL, edited, text};

/// What keeps a frozen repository from being merged into, taken out.
fn forgetful() -> String {
    edited("hard.rego", "input.run.frozen\n", "false\n")
}

#[test]
fn what_breaks_an_invariant_does_not_come_into_force_whoever_signed() {
    let house = House::new();
    let rules = forgetful();
    let bundle = house.bundle(1, &[("hard.rego", &rules)]);
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.verify(&bundle).exits(0);
    house.activate(&bundle).exits(8).says("AB0267").says("frozen-never-merges").says("ab policy prove --dir");
    assert_eq!(house.world.kinds(), ["LogCreated"]);
    assert!(!house.world.home().join("proofs").exists(), "only what holds is kept");
    house.world.ab(&["policy", "prove", "--dir", text(&bundle), "--points", "0"]).exits(1);
}

#[test]
fn one_policy_is_checked_once_and_the_log_has_what_was_found() {
    let house = House::new();
    let [one, two] = [1, 2].map(|version| house.bundle(version, &[EXTRA]));
    for bundle in [&one, &two] {
        house.sign(bundle, &["rules/alice"]);
    }
    house.activate(&one).exits(0).says("checking the invariants over 8 cases").says("hold in");
    let proofs = house.world.home().join("proofs");
    let kept: Vec<_> = fs::read_dir(&proofs).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    // What others could have written counts for nothing, and neither does what is about something else.
    let mode =
        |mode| fs::set_permissions(&kept[0], std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(0o666);
    house.activate(&two).exits(0).says("checking the invariants");
    mode(0o600);
    let three = house.bundle(3, &[EXTRA]);
    house.sign(&three, &["rules/alice"]);
    let said = house.activate(&three).exits(0).says("checked before");
    assert!(!said.err.contains("checking the invariants"), "{said:?}");
    let text_of = fs::read_to_string(&kept[0]).unwrap();
    fs::write(&kept[0], text_of.replacen("\"policy\":\"sha256:", "\"policy\":\"sha256:0", 1)).unwrap();
    let four = house.bundle(4, &[EXTRA]);
    house.sign(&four, &["rules/alice"]);
    house.activate(&four).exits(0).says("checking the invariants");
    house.world.ab(&["verify"]).exits(0).says("4 policies");
}

#[test]
fn invariants_without_a_model_are_not_passed_over() {
    let house = House::new();
    let none = MODEL.replace(
        "products:\n  - about: a few\n    over: [{axis: profile}, {axis: class}, {axis: switch}, {axis: change}]\n",
        "products: []\n",
    );
    let bundle = house.bundle(1, &[("invariants/model.yaml", &none)]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(8).says("no case");
}
