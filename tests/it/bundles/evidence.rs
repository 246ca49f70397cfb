//! What `ab verify` and a packet say of a policy that came into force: it is judged again, from stored bytes, wherever it is read.

use std::path::PathBuf;

use abide_core::id::Timestamp;
use abide_ledger::{Blob, Draft, Leaf, Ledger, Opening};
use abide_tests::world::World;
use serde_json::Value as Json;

use super::house::{EXTRA, House, TICKET, edited, text};

/// The log of a world, opened by somebody who has its key: the operator, or who broke in.
pub(crate) fn ledger(world: &World) -> Ledger {
    Ledger::open(&world.home().join("world/ledger"), &Opening::STANDARD).unwrap()
}

/// A packet of the newest run, and what `ab verify` says of it on a machine that has nothing else.
fn packet(house: &House) -> PathBuf {
    let out = house.world.beside("packet.abide");
    house.world.ab(&["packet", "--out", text(&out)]).exits(0);
    out
}

#[test]
fn a_packet_proves_who_put_its_policy_in_force() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    house.world.ab(&["run", "--ticket", TICKET]).exits(0);
    let packet = packet(&house);
    // The list of this host is not asked.
    std::fs::remove_file(house.world.home().join("signers.yaml")).unwrap();
    let said = house.world.ab(&["verify", text(&packet)]).exits(0);
    said.says("1 policy was put in force").says("each by a policy that was in force");
    house.world.ab(&["verify"]).exits(0).says("1 policy was put in force");
}

/// Writes an activation of `bundle` into the log as if everything had been in order, `change` over it.
pub(super) fn slip_in(house: &House, bundle: &std::path::Path, change: &dyn Fn(&mut Json)) {
    let verified = house.world.ab(&["--json", "policy", "verify", text(bundle)]).json();
    let signatures = std::fs::read(format!("{}.sigs.json", text(bundle))).unwrap();
    let donor = House::new();
    let honest = donor.bundle(1, &[]);
    donor.sign(&honest, &["rules/alice"]);
    donor.activate(&honest).exits(0);
    // The list of the trusted is this house's, taken from an activation that it refused to make.
    let lines = std::fs::read_to_string(house.world.home().join("signers.yaml")).unwrap();
    std::fs::write(donor.world.home().join("signers.yaml"), lines).unwrap();
    let next = donor.bundle(2, &[EXTRA]);
    house.sign(&next, &["rules/alice"]);
    donor.activate(&next).exits(0);
    let record = ledger(&donor.world).store().records_of_kinds(&["PolicyActivated"]).unwrap().pop().unwrap();
    let mut data = Json::Object(record.leaf.data());
    let listed = data["signers"].as_str().unwrap().parse().unwrap();
    let listed = ledger(&donor.world).store().blob(&listed).unwrap().unwrap();
    for (field, from) in [("archive", "digest"), ("bundle", "bundle"), ("hard", "hard")] {
        data[field] = verified[from].clone();
    }
    data["version"] = verified["version"].to_string().into();
    let signatures = Blob::new("policy-signatures", signatures);
    data["signatures"] = signatures.digest().as_str().into();
    change(&mut data);
    let archive = Blob::new("policy-archive", std::fs::read(bundle).unwrap());
    let leaf = Leaf::new(None, "PolicyActivated", Timestamp(1_790_000_000_000), data).unwrap();
    ledger(&house.world).append(vec![Draft { leaf, blobs: vec![archive, signatures, listed] }]).unwrap();
}

#[test]
fn a_policy_that_too_few_signed_for_is_found_although_the_log_says_otherwise() {
    let house = House::new();
    let weaker = edited("data/hard.yaml", "  - secrets\n", "");
    let bundle = house.bundle(1, &[("data/hard.yaml", &weaker)]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(8).says("AB0251");
    slip_in(&house, &bundle, &|_| ());
    // It is in force, since the log says so; and the log is what gives it away.
    house.world.ab(&["run", "--ticket", TICKET]).exits(0);
    house.world.ab(&["verify"]).exits(8).says("AB0444").says("AB0251");
    house
        .world
        .ab(&["verify", text(&packet(&house))])
        .exits(8)
        .says("AB0444")
        .says("asks for 2 different people");
    house.world.ab(&["explain", "AB0444"]).exits(0);
}

/// Copies the newest run of `there`, with everything that it cites, into the log of `here`.
pub(crate) fn copy_run(there: &World, here: &World) {
    let (from, to) = (ledger(there), ledger(here));
    let run = from.store().runs().unwrap().pop().unwrap().id;
    for record in from.events_of(&run).unwrap() {
        let mut blobs = Vec::new();
        blobs_of(&from, &Json::Object(record.leaf.data()), &mut blobs);
        to.append(vec![Draft { leaf: record.leaf, blobs }]).unwrap();
    }
}

/// Everything in `value` that is the digest of stored bytes.
fn blobs_of(ledger: &Ledger, value: &Json, found: &mut Vec<Blob>) {
    match value {
        Json::String(text) => {
            let blob = text.parse().ok().and_then(|digest| ledger.store().blob(&digest).unwrap());
            found.extend(blob);
        }
        Json::Array(items) => items.iter().for_each(|item| blobs_of(ledger, item, found)),
        Json::Object(fields) => fields.values().for_each(|field| blobs_of(ledger, field, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// A house whose policy, version 1, has a datum more, and a run under it.
fn house_with_extra() -> (House, PathBuf) {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    house.world.ab(&["run", "--ticket", TICKET]).exits(0);
    (house, bundle)
}

#[test]
fn a_decision_by_a_policy_that_nobody_put_in_force_is_refused() {
    let (there, _) = house_with_extra();
    there.world.ab(&["verify"]).exits(0);
    let here = House::new();
    let plain = here.bundle(1, &[]);
    here.sign(&plain, &["rules/alice"]);
    here.activate(&plain).exits(0);
    // Its policy was in force there, and never here.
    copy_run(&there.world, &here.world);
    here.world.ab(&["verify"]).exits(8).says("AB0445").says("nobody put that in force");
    here.world.ab(&["verify", text(&packet(&here))]).exits(8).says("AB0445");
}

#[test]
fn the_policy_of_another_release_needs_the_readers_word() {
    let (there, bundle) = house_with_extra();
    // A log of another release: nobody put a policy in force, and decisions were made by one that is not built in here.
    let here = House::new();
    let elsewhere = serde_json::json!({
        "repo": "elsewhere", "ref": "refs/heads/main", "found": "a".repeat(40), "why": "takes the place of the activation",
    });
    let leaf = Leaf::new(None, "Frozen", Timestamp(1_790_000_000_000), elsewhere).unwrap();
    ledger(&here.world).append(vec![leaf.into()]).unwrap();
    copy_run(&there.world, &here.world);
    let packet = packet(&here);
    here.world.ab(&["verify", text(&packet)]).exits(8).says("AB0445");
    here.world.ab(&["verify", text(&packet), "--built-in", text(&bundle)]).exits(0).says("accepted");
    std::fs::write(&bundle, b"no bundle").unwrap();
    here.world.ab(&["verify", text(&packet), "--built-in", text(&bundle)]).exits(8).says("AB0240");
}
