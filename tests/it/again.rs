//! `ab replay`: a run once more from what was recorded, and other components on the same tasks.

use std::fs;

use abide_core::event::{Body, TaskRan};
use abide_core::id::Timestamp;
use abide_ledger::{Blob, Draft, Leaf, Ledger, Opening, TRANSCRIPT};
use abide_sandbox::transcript::Reply;
use abide_sandbox::{RunResult, Transcript};
use abide_tests::world::{AB_YML, World};
use serde_json::Value as Json;

use crate::bundles::house::House;
use crate::worker::guest;

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
const TICKET: &str = "Repair broken links in docs/";

fn ledger(world: &World) -> Ledger {
    Ledger::open(&world.home().join("world/ledger"), &Opening::STANDARD).unwrap()
}

/// Writes the first task down once more, with another transcript.
fn forge(world: &World, change: impl FnOnce(&mut Transcript)) {
    let ledger = ledger(world);
    let record = ledger.store().records_of_kinds(&["TaskRan"]).unwrap().remove(0);
    let mut ran: TaskRan = serde_json::from_value(Json::Object(record.leaf.data())).unwrap();
    let blob = ledger.store().blob(&ran.transcript).unwrap().unwrap();
    let mut transcript = Transcript::unpack(blob.bytes()).unwrap();
    change(&mut transcript);
    let packed = Blob::new(TRANSCRIPT, transcript.pack().unwrap());
    ran.transcript = packed.digest().clone();
    let (kind, data) = Body::TaskRan(Box::new(ran)).parts().unwrap();
    let leaf = Leaf::new(record.leaf.run().cloned(), &kind, Timestamp(1_790_000_000_000), data).unwrap();
    ledger.append(vec![Draft { leaf, blobs: vec![packed] }]).unwrap();
}

#[test]
fn a_run_comes_out_as_it_did_without_its_repository() {
    let world = World::new(FILES);
    world.ab(&["replay"]).exits(2).says("AB0032");
    world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    // What the worker read is not there any more.
    world.git(&["rm", "-rq", "docs"]);
    world.commit("No docs");
    let said = world.ab(&["--json", "replay"]).exits(0).json();
    assert_eq!(
        (&said["same"], &said["differ"], &said["skipped"]),
        (&6.into(), &0.into(), &0.into()),
        "{said}"
    );
    world.ab(&["replay"]).exits(0).says("1 tasks, 5 decisions: 6 the same");
    // Nothing of what it read leaves with the evidence.
    let out = world.beside("packet.abide");
    world.ab(&["packet", "--out", out.to_str().unwrap()]).exits(0);
    let packed = fs::read(&out).unwrap();
    let transcript = world.log().iter().find_map(|event| {
        Some(event["event"]["data"]["transcript"].as_str()?.trim_start_matches("sha256:").to_owned())
    });
    let name = format!("blobs/{}", transcript.unwrap());
    assert!(!packed.windows(name.len()).any(|part| part == name.as_bytes()));
    world.ab(&["verify", out.to_str().unwrap()]).exits(0).says("accepted");
}

#[test]
fn what_differs_is_named() {
    let world = World::new(FILES);
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    let is_bytes = |reply: &Reply| matches!(reply, Reply::Bytes(bytes) if bytes.starts_with(b"See"));
    // Another file than the one that was read: the patch no longer follows from it.
    forge(&world, |transcript| {
        let heard = transcript.heard.iter_mut().find(|heard| is_bytes(&heard.reply)).unwrap();
        heard.reply = Reply::Bytes(b"See [me](gone.md).\n".to_vec());
    });
    world
        .ab(&["replay"])
        .exits(8)
        .says("1 differ")
        .says("/result/detail/code was null and is \"AB0729\"")
        .says("AB0872");
    // An answer that was left out: the next question is another one.
    forge(&world, |transcript| drop(transcript.heard.remove(0)));
    world.ab(&["replay"]).exits(8).says("2 differ").says("after 0 questions that were the same it asked");
    forge(&world, |transcript| {
        let RunResult::Proposed(proposal) = &mut transcript.outcome.result else { panic!("no proposal") };
        proposal.rationale = "Something else.".to_owned();
    });
    world
        .ab(&["replay"])
        .exits(8)
        .says("3 differ")
        .says("/result/detail/rationale was \"Something else.\" and is");
    forge(&world, |transcript| transcript.complete = false);
    world.ab(&["replay"]).exits(8).says("1 not compared").says("more than is kept");
    // A component that nobody has.
    forge(&world, |transcript| transcript.schema = "abide.transcript/9".to_owned());
    world.ab(&["replay"]).exits(8).says("AB0873").says("abide.transcript/9");
}

#[test]
fn another_component_on_the_same_tasks() {
    let (Some(same), Some(other)) = (guest("codegen"), guest("testgen")) else { return };
    let world = World::new(FILES);
    let tried = |file: &std::path::Path| world.ab(&["replay", "--worker", file.to_str().unwrap()]);
    tried(&same).exits(2).says("AB0870");
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    let head = world.head("main");
    tried(&same).exits(0).says("1 same patch").says("Nothing was written");
    tried(&other).exits(0).says("no patch any more").says("then docs/index.md +1 −1").says("AB0811");
    let foreign = guest("hostile-import").unwrap();
    tried(&foreign).exits(0).says("no patch any more").says("AB0202");
    tried(&world.repo().join("ab.yml")).exits(2).says("AB0801");
    assert_eq!(
        (world.head("main"), world.kinds().iter().filter(|kind| *kind == "TaskRan").count()),
        (head, 1)
    );
}

/// A wall that no host has: nothing may run, neither in a run nor in a replay.
#[test]
fn walls_that_policy_demands() {
    let host = abide_tests::gate::shipped_files().remove("data/host.yaml").unwrap();
    let host = String::from_utf8(host).unwrap().replace("require_walls: []", "require_walls: [moat]");
    let house = House::new();
    house.world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    let bundle = house.bundle(1, &[("data/host.yaml", &host)]);
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.activate(&bundle).exits(0);
    house.world.edit("docs/index.md", None, "See [it](away.md).\n");
    house.world.ab(&["run", "--ticket", TICKET]).says("AB0216");
    house.world.ab(&["replay"]).exits(1).says("AB0216");
}
