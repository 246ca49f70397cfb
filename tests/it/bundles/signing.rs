//! Who may sign, whose signature counts, and the keys.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use abide_core::id::Timestamp;
use abide_ledger::Leaf;

use super::evidence::ledger;
use super::house::{EXTRA, House, edited, text};

#[test]
fn hard_rules_change_by_two_people_only() {
    let house = House::new();
    let weaker = edited("data/hard.yaml", "  - secrets\n", "");
    let bundle = house.bundle(1, &[("data/hard.yaml", &weaker)]);
    house.refuses(&bundle, "AB0251");
    house.sign(&bundle, &["rules/alice"]);
    house.verify(&bundle).exits(8).says("data/hard.json  (hard)").says("0 of 2");
    house.sign(&bundle, &["hard/bob"]);
    house.refuses(&bundle, "AB0251");
    // A second key of the same person is the same person.
    let lines = ["hard/bob-phone", "hard/eve"].map(|name| house.key(name));
    let own = house.key("rules/other");
    let bob = fs::read_to_string(house.world.home().join("signers.yaml")).unwrap();
    let listed = |person: &str| bob.lines().find(|line| line.contains(person)).unwrap().trim().to_owned();
    let phone = lines[0].replace("bob-phone", "bob");
    house.trust(&[listed("alice"), own], &[listed("bob"), phone, listed("carol")]);
    house.sign(&bundle, &["hard/bob-phone"]);
    house.refuses(&bundle, "AB0256");
    // Nor does somebody count who is trusted for rules alone, or not at all.
    house.world.ab(&["policy", "sign", text(&bundle), "--key", "rules/other", "--as-role", "hard"]).exits(0);
    house.sign(&bundle, &["hard/eve"]);
    house.verify(&bundle).exits(8).says("AB0253").says("AB0254").says("1 of 2");
    house.sign(&bundle, &["hard/carol"]);
    house.activate(&bundle).exits(0).says("bob (hard), carol (hard)");
    assert_eq!(house.world.log()[1]["event"]["data"]["hard_changed"], Json::from(true));
}

#[test]
fn signatures_that_do_not_count() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    let beside = house.world.beside("policy-1.tar.gz.sigs.json");
    house.refuses(&bundle, "AB0251");
    // Wrong role, unknown key, key that is over.
    house.world.ab(&["policy", "sign", text(&bundle), "--key", "hard/bob", "--as-role", "rules"]).exits(0);
    house.refuses(&bundle, "AB0253");
    house.unsign(&bundle);
    house.key("rules/stranger");
    house.sign(&bundle, &["rules/stranger"]);
    house.refuses(&bundle, "AB0254");
    house.unsign(&bundle);
    house.sign(&bundle, &["rules/alice"]);
    let signers = house.world.home().join("signers.yaml");
    let good = fs::read_to_string(&signers).unwrap();
    let alice = good.lines().find(|line| line.contains("alice")).unwrap();
    let (before, _) = alice.split_once("not_after").unwrap();
    fs::write(&signers, good.replace(alice, &format!("{before}not_after: 2020-01-01}}"))).unwrap();
    house.refuses(&bundle, "AB0255");
    house.world.ab(&["keys", "list"]).exits(0).says("ended 2020-01-01");
    fs::write(&signers, good.replace("quorum: 2", "quorum: 1")).unwrap();
    house.refuses(&bundle, "AB0258");
    fs::write(&signers, &good).unwrap();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&signers, 0o666);
    house.refuses(&bundle, "AB0258");
    mode(&signers, 0o644);
    // Whoever may write into the folder may put another list in its place.
    let home = house.world.home();
    mode(&home, 0o775);
    house.refuses(&bundle, "AB0258");
    mode(&home, 0o700);
    fs::rename(&signers, home.join("elsewhere.yaml")).unwrap();
    std::os::unix::fs::symlink(home.join("elsewhere.yaml"), &signers).unwrap();
    house.refuses(&bundle, "AB0258");
    fs::remove_file(&signers).unwrap();
    house.refuses(&bundle, "AB0257");
    fs::write(&signers, &good).unwrap();
    // Stripped, torn, and of another bundle.
    let signed = fs::read_to_string(&beside).unwrap();
    let mut value: Json = serde_json::from_str(&signed).unwrap();
    value["envelopes"]["rules"]["signatures"] = Json::Array(vec![]);
    fs::write(&beside, value.to_string()).unwrap();
    house.refuses(&bundle, "AB0251");
    fs::write(&beside, &signed[..signed.len() / 2]).unwrap();
    house.refuses(&bundle, "AB0250");
    fs::write(&beside, &signed).unwrap();
    let other = house.bundle(2, &[EXTRA]);
    fs::write(house.world.beside("policy-2.tar.gz.sigs.json"), &signed).unwrap();
    house.refuses(&other, "AB0250");
    house.activate(&bundle).exits(0);
}

#[test]
fn the_schema_of_signers_says_what_is_taken() {
    let house = House::new();
    let file = house.world.home().join("signers.yaml");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/signers.schema.json");
    let schema: Json = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let key = |person: &str| {
        let line = house.key(&format!("rules/{person}"));
        let public = line.split('"').nth(1).unwrap().to_owned();
        serde_json::json!({ "person": person, "public": public, "not_after": "2030-12-31" })
    };
    let good = serde_json::json!({
        "audience": "acme",
        "roles": {
            "rules": { "quorum": 1, "keys": [key("one")] },
            "hard": { "quorum": 2, "keys": [key("two"), key("three")] },
            "invariants": { "quorum": 1, "keys": [key("four")] },
        },
        "opa": { "ours": { "algorithm": "HS256", "key": "x" } },
    });
    // JSON is YAML. Both take it, or both refuse it.
    let agree = |value: &Json, taken: bool| {
        fs::write(&file, value.to_string()).unwrap();
        assert_eq!(schema.is_valid(value), taken, "the schema: {value}");
        house.world.ab(&["keys", "list"]).exits(if taken { 0 } else { 8 });
    };
    agree(&good, true);
    // A list of those who sign workers may stand alone; any word about policy needs those who sign policy.
    let workers = serde_json::json!({ "quorum": 1, "keys": [key("five")] });
    agree(&serde_json::json!({ "roles": { "worker": workers } }), true);
    let (mut both, mut half) = (good.clone(), serde_json::json!({ "roles": { "worker": workers } }));
    both["roles"]["worker"] = workers;
    agree(&both, true);
    half["roles"]["rules"] = good["roles"]["rules"].clone();
    agree(&half, false);
    agree(&serde_json::json!({ "roles": {} }), false);
    let edits: &[(&str, Json)] = &[
        ("/audience", "acme/api".into()),
        ("/audience", "Acme".into()),
        ("/roles/hard/quorum", 1.into()),
        ("/roles/rules/quorum", 0.into()),
        ("/roles/rules/keys", Json::Array(vec![])),
        ("/roles/rules/keys/0/person", "Alice".into()),
        ("/roles/rules/keys/0/public", "AAAA".into()),
        ("/roles/rules/keys/0/not_after", "tomorrow".into()),
        ("/roles/rules/keys/0", serde_json::json!({ "person": "one" })),
        ("/roles", serde_json::json!({ "rules": good["roles"]["rules"] })),
        ("/opa/ours/algorithm", "none".into()),
        ("/opa/ours", serde_json::json!({ "algorithm": "HS256", "key": "x", "more": 1 })),
    ];
    for (place, value) in edits {
        let mut edited = good.clone();
        *edited.pointer_mut(place).unwrap() = value.clone();
        agree(&edited, false);
    }
}

#[test]
fn keys_are_made_once_and_for_one_person() {
    let house = House::new();
    let world = &house.world;
    world.ab(&["keys", "init", "--name", "rules/alice"]).exits(1).says("AB0261").says("never written over");
    for name in ["alice", "rules/Alice", "rulers/alice", "rules/../alice", "rules/"] {
        world.ab(&["keys", "init", "--name", name]).exits(2);
    }
    let file = world.home().join("keys/rules/alice.pem");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let bundle = house.bundle(1, &[]);
    world.ab(&["policy", "sign", text(&bundle), "--key", "rules/alice"]).exits(1).says("AB0261");
    world.ab(&["policy", "sign", text(&bundle), "--key", "rules/nobody"]).exits(2).says("AB0261");
    // What ab itself uses is no name of a repository.
    for name in ["keys", "signers.yaml"] {
        world.ab(&["init", "--name", name]).exits(2).says("AB0003");
    }
}

#[test]
fn a_list_of_somebody_else_is_no_list() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    let home = house.world.home();
    let nobody = Some(65_534);
    // Only root can give files away; what is decided is tested beside the code, too.
    if std::os::unix::fs::chown(home.join("signers.yaml"), nobody, None).is_err() {
        eprintln!("skipped: this user cannot give a file away");
        return;
    }
    house.refuses(&bundle, "AB0258");
    house.verify(&bundle).says("belongs to another user");
    std::os::unix::fs::chown(home.join("signers.yaml"), Some(0), None).unwrap();
    std::os::unix::fs::chown(&home, nobody, None).unwrap();
    house.refuses(&bundle, "AB0258");
    std::os::unix::fs::chown(&home, Some(0), None).unwrap();
    house.activate(&bundle).exits(0);
}

#[test]
fn a_clock_that_is_set_back_makes_no_key_valid_again() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    // The log has seen the year 2033; keys made today end before.
    let late = serde_json::json!({ "repo": "elsewhere", "ref": "refs/heads/main", "found": "a".repeat(40), "why": "late" });
    let late = Leaf::new(None, "Frozen", Timestamp(2_000_000_000_000), late).unwrap();
    ledger(&house.world).append(vec![late.into()]).unwrap();
    house.refuses(&bundle, "AB0255");
    house.verify(&bundle).says("later time than this clock's");
}

#[test]
fn a_bundle_for_others_stays_outside_whoever_signed_it() {
    let house = House::new();
    let folder = house.bundle(1, &[EXTRA]).with_file_name("rules-1");
    let made = |version: &str, audience: &str| {
        let out = house.world.beside(&format!("for-{version}.tar.gz"));
        let to = ["--audience", audience];
        let args = ["policy", "bundle", "--dir", text(&folder), "-o", text(&out), "--version", version];
        house.world.ab(&[&args[..], if audience.is_empty() { &[] } else { &to }].concat()).exits(0);
        house.sign(&out, &["rules/alice", "invariants/dora"]);
        out
    };
    let (plain, all, own, other) =
        (made("2", ""), made("3", "acme"), made("4", "acme/world"), made("5", "acme/docs"));
    // Nobody said who this is, so what is for somebody is for somebody else.
    house.refuses(&all, "AB0268");
    let file = house.world.home().join("signers.yaml");
    let list = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("audience: acme\n{list}")).unwrap();
    house.refuses(&plain, "AB0268");
    house.refuses(&other, "AB0268");
    house.verify(&own).exits(0).says("`acme/world` and nobody else");
    house.activate(&all).exits(0);
    house.activate(&own).exits(0);
    house.world.ab(&["verify"]).exits(0);
    house
        .world
        .ab(&[
            "policy",
            "bundle",
            "--built-in",
            "-o",
            text(&plain),
            "--version",
            "1",
            "--audience",
            "Not A Name",
        ])
        .exits(2);
}
