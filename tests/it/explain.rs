//! Why a decision came out as it did, through the binary.

use abide_tests::world::{AB_YML, World};

const FILES: &[(&str, &str)] = &[
    ("ab.yml", AB_YML),
    ("src/lib.rs", "pub fn area() -> u32 {\n    1\n}\n"),
    (".github/workflows/ci.yml", "on: push\n"),
];

fn flips(data: &serde_json::Value, verdict: &str) -> Vec<String> {
    let flips = data["flips"].as_array().unwrap().iter();
    let wanted = flips.filter(|flip| flip["verdict"] == verdict);
    wanted.map(|flip| flip["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_would_have_to_change_is_tried_and_true() {
    let world = World::new(FILES);
    let ticket = world.edit("src/lib.rs", Some("area"), "surface");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let said = world.ab(&["policy", "explain"]).exits(0).says("MERGE merge → review").says("needs-human");
    said.says("merge.rego:").says("another verdict by one change");
    let data = world.ab(&["policy", "explain", "--json"]).exits(0).json();
    let allowed = flips(&data, "allow");
    assert!(allowed.iter().any(|what| what.starts_with("with 1 approval")), "{allowed:?}");
    assert!(!flips(&data, "deny").is_empty(), "{data}");
    // One of them is carried out, and comes out as it was told.
    let item = format!("q{}", data["seq"]);
    world.ab(&["approve", &item, "--as", "reviewer"]).exits(0);
    let commit = world.head("main");
    world.ab(&["policy", "explain", &commit[..8]]).exits(0).says("→ allow");
}

#[test]
fn a_rule_is_shown_with_its_place_and_its_data() {
    let world = World::new(FILES);
    let ticket = world.edit(".github/workflows/ci.yml", Some("push"), "pull_request");
    world.ab(&["run", "--ticket", &ticket]).exits(3);
    let said = world.ab(&["policy", "explain"]).exits(0).says("pipeline-edit").says("hard_change.rego:");
    let said = said.says("data.hard.pipeline = [");
    assert!(!said.out.contains("data.hard.enabled ="), "{}", said.out);
    world.ab(&["policy", "explain", "--trace"]).exits(0).says("\"class\": \"WRITE\"");
    world.ab(&["policy", "explain", "d9999"]).exits(2).says("AB0044");
}

#[test]
fn what_the_log_decided_is_decided_anew() {
    let world = World::new(FILES);
    let ticket = world.edit("src/lib.rs", Some("area"), "surface");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let replay = ["policy", "replay", "--ledger", "all"];
    world.ab(&replay).exits(0).says("no verdict differs");
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\"rule\": \"no-code\", \"level\": \"deny\", \"msg\": \"m\"} if \"code\" in input.facts.categories\n";
    world.write("policies/repository.rego", rule.as_bytes());
    world.ab(&replay).exits(0).says("queue → deny").says("now: no-code");
    let tomorrow = ["policy", "replay", "--ledger", "2999-01-01"];
    world.ab(&tomorrow).exits(0).says("0 recorded decisions");
    world.ab(&["policy", "replay", "--ledger", "yesterday"]).exits(2).says("AB0174");
}
