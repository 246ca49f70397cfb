//! A policy that cannot be loaded.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::serve::{Server, question};

use super::house::{EXTRA, House, TICKET, edited};

/// Changes one byte of `bytes` wherever they lie below `folder`.
pub(crate) fn damage(folder: &Path, bytes: &[u8]) {
    // Towards the end two archives that begin alike differ. What is stored is cut into pages, so not every piece lies there whole.
    let mut pieces = bytes.rchunks(40).take(20);
    assert!(pieces.any(|piece| changed(folder, piece) > 0), "the archive lies nowhere in the state");
}

/// How often `piece` was found and changed.
fn changed(folder: &Path, piece: &[u8]) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(mut contents) = fs::read(&path) else { continue };
        let lies = |(at, part): (usize, &[u8])| (part == piece).then_some(at);
        let places: Vec<usize> = contents.windows(piece.len()).enumerate().filter_map(lies).collect();
        for at in &places {
            contents[*at] ^= 1;
        }
        found += places.len();
        if !places.is_empty() {
            fs::write(&path, contents).unwrap();
        }
    }
    found
}

#[test]
fn a_damaged_archive_denies_everything_until_a_newer_one_is_in_force() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    damage(&house.world.home().join("world/ledger"), &fs::read(&bundle).unwrap());
    let before = house.world.kinds();
    house.world.ab(&["run", "--ticket", TICKET]).exits(6).says("AB0260").says("damaged");
    house.world.ab(&["doctor"]).exits(6).says("AB0260");
    assert_eq!(house.world.kinds(), before);
    // The record says what the hard part was, so a weaker one still takes two people; a newer version mends it.
    let weaker = edited("data/hard.yaml", "  - secrets\n", "");
    let weak = house.bundle(3, &[EXTRA, ("data/hard.yaml", &weaker)]);
    house.sign(&weak, &["rules/alice"]);
    house.activate(&weak).exits(8).says("AB0251");
    let next = house.bundle(2, &[EXTRA]);
    house.sign(&next, &["rules/alice"]);
    house.activate(&next).exits(0);
    house.world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
}

#[test]
fn a_broken_rule_denies_everything_unless_the_operator_chose_otherwise() {
    let house = House::new();
    let world = &house.world;
    let mine = |level: &str| {
        format!(
            "package abide.layers.mine\nfindings contains {{\"rule\": \"mine\", \"level\": \"{level}\", \"msg\": \"mine\"}} if input.action.class == \"MERGE\"\n"
        )
    };
    let question = question(world);
    world.write("policies/mine.rego", mine("review").as_bytes());
    world.commit("Merges wait");
    let ticket = world.edit("docs/index.md", None, "Hello.\n");
    world.ab(&["run", "--ticket", &ticket]).exits(4).says("1 queued");
    world.write("policies/mine.rego", b"package abide.layers.mine\nfindings contains {");
    world.commit("Broken");
    let ticket = world.edit("docs/index.md", None, "Hello again.\n");
    world.ab(&["run", "--ticket", &ticket]).exits(6).says("AB0102");
    // The operator chooses, in data that is signed for by two.
    world.write("policies/mine.rego", mine("review").as_bytes());
    world.commit("Mended");
    let chosen = edited("data/host.yaml", "on_broken_policy: deny", "on_broken_policy: previous");
    let bundle = house.bundle(1, &[("data/host.yaml", &chosen)]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(8).says("AB0251");
    house.sign(&bundle, &["hard/bob", "hard/dave"]);
    house.activate(&bundle).exits(0);
    world.write("policies/mine.rego", b"package abide.layers.mine\nfindings contains {");
    world.commit("Broken again");
    world.ab(&["run", "--ticket", &ticket]).exits(4).says("AB0262").says("1 queued").says("keep serving");
    world.ab(&["doctor"]).exits(0).says("AB0262");
    world.ab(&["verify"]).exits(0).says("accepted");
    // Advice says so too, in every answer, until it is mended.
    let server = Server::start(world, &["--listen", "127.0.0.1:0"]);
    let degraded = |body: &Json| body["abide"]["degraded"]["code"] == "AB0262";
    let (status, body) = server.get("/health");
    assert!(status == 200 && degraded(&body), "{status} {body}");
    let (status, body) = server.post("/v1/data/abide/main", &question);
    assert!(status == 200 && degraded(&body) && body["result"]["verdict"] == "review", "{status} {body}");
    world.write("policies/mine.rego", mine("deny").as_bytes());
    world.commit("Mended again");
    server.until("/health", |(status, body)| *status == 200 && !degraded(body));
    let (_, body) = server.post("/v1/data/abide/main", &question);
    assert!(!degraded(&body) && body["result"]["verdict"] == "deny", "{body}");
}

#[test]
fn the_policy_that_would_serve_says_whether_it_does() {
    let [deny, previous] = ["deny", "previous"];
    let chosen = |what: &str, word: &str| {
        let line = format!("on_broken_policy: {what}");
        edited("data/host.yaml", "on_broken_policy: deny", &format!("{line}\nextra: {word}"))
    };
    for (older, newer, serves) in [(deny, previous, false), (previous, deny, true)] {
        let house = House::new();
        for (version, choice) in [(1, older), (2, newer)] {
            let host = chosen(choice, &format!("v{version}"));
            let bundle = house.bundle(version, &[("data/host.yaml", &host)]);
            house.sign(&bundle, &["rules/alice", "hard/bob", "hard/dave"]);
            house.activate(&bundle).exits(0);
        }
        let newest = house.world.beside("policy-2.tar.gz");
        damage(&house.world.home().join("world/ledger"), &fs::read(&newest).unwrap());
        let said = house.world.ab(&["doctor"]);
        if serves {
            said.exits(0).says("AB0262").says("version 1 keeps serving");
        } else {
            said.exits(6).says("AB0260");
        }
    }
}

#[test]
fn the_version_before_serves_where_it_says_so() {
    let house = House::new();
    let chosen = edited("data/host.yaml", "on_broken_policy: deny", "on_broken_policy: previous");
    let first = house.bundle(1, &[("data/host.yaml", &chosen)]);
    house.sign(&first, &["rules/alice", "hard/bob", "hard/dave"]);
    house.activate(&first).exits(0);
    let second = house.bundle(2, &[("data/host.yaml", &chosen), EXTRA]);
    house.sign(&second, &["rules/alice"]);
    house.activate(&second).exits(0);
    damage(&house.world.home().join("world/ledger"), &fs::read(&second).unwrap());
    house.world.ab(&["run", "--ticket", TICKET]).exits(0).says("AB0262").says("version 1 keeps serving");
    let doctor = house.world.ab(&["--json", "doctor"]).exits(0).json();
    assert_eq!(doctor["policy_version"], Json::from(1));
    // The floor stays where it was: what serves is old, and nothing that is old is put in force.
    house.activate(&first).exits(8).says("AB0259");
}
