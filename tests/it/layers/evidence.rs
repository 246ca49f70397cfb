//! What `ab verify` and a packet say of an organisation's layer: who put it in force, and which decisions were made with it.

use abide_core::id::{Digest, Timestamp};
use abide_ledger::{Blob, Draft, Leaf};
use abide_tests::world::{Said, World};
use serde_json::Value as Json;

use super::{House, RULE, text};
use crate::bundles::{copy_run, damage, ledger};

const LOOKS: &[(&str, &str)] = &[("house.rego", RULE), ("tighten.yaml", "caps: {files_max: 50}\n")];

/// What is said of the packet of the newest run by a machine that has nothing else.
fn packet(world: &World) -> Said {
    let out = world.beside("packet.abide");
    world.ab(&["packet", "--out", text(&out)]).exits(0);
    world.ab(&["verify", text(&out)])
}

/// Refused for the whole log and for the packet of its newest run, with this code and these words.
#[track_caller]
fn refused(world: &World, code: &str, words: &str) {
    world.ab(&["verify"]).exits(8).says(code).says(words);
    packet(world).exits(8).says(code).says(words);
}

/// Writes an activation into the log as somebody would who has its key and not those of the signers: the newest one of this house, with
/// `archive` and `signatures` in their places, and `change` over it.
fn slip_in(
    house: &House,
    archive: &std::path::Path,
    signatures: &std::path::Path,
    change: &dyn Fn(&mut Json),
) {
    let ledger = ledger(&house.0);
    let honest = ledger.store().records_of_kinds(&["LayerActivated"]).unwrap().pop().unwrap();
    let mut data = Json::Object(honest.leaf.data());
    let [archive, signatures] = [("policy-archive", archive), ("policy-signatures", signatures)]
        .map(|(kind, file)| Blob::new(kind, std::fs::read(file).unwrap()));
    data["archive"] = archive.digest().as_str().into();
    data["signatures"] = signatures.digest().as_str().into();
    change(&mut data);
    let leaf = Leaf::new(None, "LayerActivated", Timestamp(1_790_000_000_000), data).unwrap();
    ledger.append(vec![Draft { leaf, blobs: vec![archive, signatures] }]).unwrap();
}

/// A layer that alice signed, and its signatures.
fn signed(house: &House, version: u64, key: &str) -> [std::path::PathBuf; 2] {
    let (bundle, said) = house.bundle(version, &[("tighten.yaml", "about: nothing holds any more\n")]);
    said.exits(0);
    house.0.ab(&["policy", "sign", text(&bundle), "--key", key]).exits(0);
    let signatures = house.0.beside(&format!("layer-{version}.tar.gz.sigs.json"));
    [bundle, signatures]
}

/// What `ab policy verify` says that its files digest to.
fn files_of(house: &House, bundle: &std::path::Path) -> Json {
    house.0.ab(&["--json", "policy", "verify", text(bundle)]).json()["bundle"].clone()
}

#[test]
fn a_packet_proves_who_put_its_layer_in_force_and_that_it_was_judged_with() {
    let house = House::new();
    let world = &house.0;
    house.run(&[]).exits(0);
    packet(world).exits(0).says("no layer of an organisation was put in force").says("none with a layer");
    house.put(1, LOOKS);
    house.put(2, &[("house.rego", RULE)]);
    house.edits("docs/new.md").exits(4);
    // The list of this host is not asked.
    std::fs::remove_file(world.home().join("signers.yaml")).unwrap();
    let said = packet(world).exits(0);
    said.says("2 layers of the organisation were put in force").says("each with the organisation's layer");
    world.ab(&["verify"]).exits(0).says("2 layers of the organisation").says("accepted");
}

#[test]
fn a_layer_of_the_wrong_people_is_found_although_the_log_says_otherwise() {
    let house = House::new();
    house.put(1, LOOKS);
    let [bundle, signatures] = signed(&house, 2, "hard/bob");
    house.activate(&bundle).exits(8).says("AB0251");
    let files = files_of(&house, &bundle);
    slip_in(&house, &bundle, &signatures, &|data| {
        data["version"] = "2".into();
        data["files"] = files.clone();
    });
    // It is in force, since the log says so; and the log is what gives it away.
    house.run(&[]).exits(0);
    refused(&house.0, "AB0453", "AB0251");
    house.0.ab(&["explain", "AB0453"]).exits(0);
}

#[test]
fn an_older_layer_and_one_that_its_record_does_not_follow_from_are_refused() {
    let house = House::new();
    house.put(3, LOOKS);
    let [bundle, signatures] = signed(&house, 2, "rules/alice");
    let files = files_of(&house, &bundle);
    slip_in(&house, &bundle, &signatures, &|data| {
        data["version"] = "2".into();
        data["files"] = files.clone();
    });
    house.run(&[]).exits(4).says("house");
    refused(&house.0, "AB0453", "AB0259");

    let house = House::new();
    house.put(3, LOOKS);
    // The record calls it newer than those who signed did.
    let [bundle, signatures] = signed(&house, 2, "rules/alice");
    slip_in(&house, &bundle, &signatures, &|data| data["version"] = "4".into());
    house.run(&[]).exits(0);
    refused(&house.0, "AB0453", "AB0259");

    let house = House::new();
    house.put(3, LOOKS);
    let [bundle, signatures] = signed(&house, 4, "rules/alice");
    slip_in(&house, &bundle, &signatures, &|data| {
        data["version"] = "4".into();
        data["files"] = Digest::of(b"other files").as_str().into();
    });
    house.run(&[]).exits(0);
    refused(&house.0, "AB0453", "`files` does not follow");
}

#[test]
fn altered_bytes_of_a_layer_are_refused() {
    let house = House::new();
    house.put(1, LOOKS);
    house.0.ab(&["verify"]).exits(0);
    damage(&house.0.home().join("world/ledger"), &std::fs::read(house.0.beside("layer-1.tar.gz")).unwrap());
    house.0.ab(&["verify"]).exits(8).says("AB0453").says("archive").says("AB0404");
}

/// Takes the place of an activation: a run that is copied keeps the places of its events.
fn fill(house: &House) {
    let data = serde_json::json!({"repo": "elsewhere", "by": "operator", "reason": "takes a place"});
    let leaf = Leaf::new(None, "Unfrozen", Timestamp(1_790_000_000_000), data).unwrap();
    ledger(&house.0).append(vec![leaf.into()]).unwrap();
}

const FIFTY: &[(&str, &str)] = &[("tighten.yaml", "caps: {files_max: 50}\n")];
const FORTY: &[(&str, &str)] = &[("tighten.yaml", "caps: {files_max: 40}\n")];

#[test]
fn a_decision_without_its_layer_is_refused() {
    let there = House::new();
    fill(&there);
    there.run(&[]).exits(0);
    there.0.ab(&["verify"]).exits(0);
    let here = House::new();
    here.put(1, LOOKS);
    // It was right there, and left the layer out here.
    copy_run(&there.0, &here.0);
    refused(&here.0, "AB0454", "without a layer of an organisation, and version 1 was in force");
    here.0.ab(&["explain", "AB0454"]).exits(0);
}

#[test]
fn a_decision_with_another_layer_than_the_newest_before_it_is_refused() {
    let there = House::new();
    there.put(1, FIFTY);
    fill(&there);
    there.run(&[]).exits(0);
    there.0.ab(&["verify"]).exits(0);
    let here = House::new();
    here.put(1, FIFTY);
    here.put(2, FORTY);
    copy_run(&there.0, &here.0);
    refused(&here.0, "AB0454", "version 2 was in force");
    // And with one that nobody put in force.
    let here = House::new();
    fill(&here);
    fill(&here);
    copy_run(&there.0, &here.0);
    refused(&here.0, "AB0454", "and none was in force");
}

#[test]
fn a_run_that_waited_goes_on_with_the_newer_layer_and_both_are_told() {
    let house = House::new();
    house.put(1, LOOKS);
    house.run(&[]).exits(4);
    let item = house.0.waiting().remove(0);
    house.put(2, &[("house.rego", RULE), ("tighten.yaml", "caps: {files_max: 40}\n")]);
    house.0.ab(&["approve", &item, "--as", "second"]);
    packet(&house.0).exits(0).says("each with the organisation's layer that was in force");
    house.0.ab(&["verify"]).exits(0);
}
