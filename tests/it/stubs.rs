//! A worker that a stock toolchain of JavaScript made, which imports WASI: refused as shipped, and in use where policy has it find nothing behind that.

use std::fs;

use serde_json::Value as Json;

use crate::bundles::{House, edited, ledger};

const STUBS: &str = "stubs: [wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random]";

#[test]
fn a_stock_worker_changes_a_file_with_nothing_behind_it() {
    let Some(bytes) = abide_tests::stock("qjs") else { return };
    let house = House::new();
    let world = &house.world;
    let file = world.beside("worker.wasm");
    fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    world.write("docs/words.md", b"one\ntwo\n");
    world.commit("Say two words");
    let ticket = world.edit("docs/words.md", Some("two"), "three");
    let worker = format!("codegen={file}");
    let run = ["run", "--ticket", &ticket, "--worker", &worker];

    // As shipped: refused, wherever it is looked at.
    world
        .ab(&["worker", "inspect", file])
        .exits(8)
        .says("AB0202")
        .says("in `stubs` of policies/data/grants.yaml");
    world.ab(&["worker", "add", file, "--unsigned", "--reason", "r"]).exits(8).says("AB0202");
    world.ab(&run).says("not-grantable");
    assert!(!world.kinds().contains(&"PatchProposed".to_owned()), "{:?}", world.kinds());

    let listed = edited("data/grants.yaml", "stubs: []", STUBS);
    let bundle = house.bundle(1, &[("data/grants.yaml", &listed)]);
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.activate(&bundle).exits(0);
    world.ab(&["worker", "inspect", file]).exits(0).says("gets nothing behind it").says("knows no time");
    world.ab(&run).exits(0);
    assert!(world.kinds().iter().any(|kind| kind.contains("Merge")), "{:?}", world.kinds());
    let proposed = world.log().into_iter().rfind(|event| event["event"]["type"] == "PatchProposed").unwrap();
    let digest = proposed["event"]["data"]["receipt"].as_str().unwrap().parse().unwrap();
    let blob = ledger(world).store().blob(&digest).unwrap().unwrap();
    let receipt: Json = serde_json::from_slice(blob.bytes()).unwrap();
    assert_eq!(receipt["receipt"]["stubs"]["wasi:clocks/wall-clock@0.2.12"]["calls"], 1, "{receipt}");
    world.ab(&["verify"]).exits(0);
}
