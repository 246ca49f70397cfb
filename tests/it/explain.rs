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
fn the_lowest_level_is_named_and_places_are_those_that_a_person_edits() {
    let world = World::new(&[
        ("ab.yml", "autonomy_profile: prod-conservative\nautonomy_max: A1\n"),
        ("README.md", "one\n"),
    ]);
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\"rule\": \"mine\", \"level\": \"warn\", \"msg\": \"m\"} if input.action.class == \"WRITE\"\n";
    world.write("policies/repository.rego", rule.as_bytes());
    let tip = world.commit("rules");
    let ticket = world.edit("README.md", Some("one"), "two");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let data = world.ab(&["policy", "explain", "--json"]).exits(0).json();
    let levels: Vec<String> =
        flips(&data, "allow").into_iter().filter(|what| what.contains("autonomy_max")).collect();
    assert_eq!(levels, ["if `autonomy_max` and the walls of the host allowed A2"]);
    let said = world.ab(&["policy", "explain"]).exits(0).says("policies/repository.rego:5");
    assert!(!said.out.contains("layers/repository"), "{}", said.out);
    let all = world.ab(&["policy", "explain", "--trace"]).exits(0);
    assert!(!all.out.contains("more places"), "{}", all.out);
    // Nothing was decided about the commit on which the change rests.
    for what in [&tip[..8], "main", "HEAD"] {
        world.ab(&["policy", "explain", what]).exits(2).says("AB0044");
    }
    // What a run lists as a decision is one.
    let listed = world.ab(&["show"]).exits(0).out;
    let decisions: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.starts_with('d') && word[1..].parse::<u64>().is_ok())
        .collect();
    assert!(!decisions.is_empty(), "{listed}");
    for decision in decisions {
        world.ab(&["policy", "explain", decision]).exits(0);
    }
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
