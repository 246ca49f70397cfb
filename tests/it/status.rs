//! What a person sees first: `ab status`, `ab audit log`, where evidence goes, and what help says.

use std::fs;

use abide_tests::world::{AB_YML, World};
use serde_json::{Value as Json, json};

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];

#[test]
fn one_screen_says_what_stands_in_the_way() {
    let world = World::new(FILES);
    let said = world.ab(&["status"]).exits(0).says("built in").says("not pulled").says("none yet");
    assert!(
        said.out.lines().count() < 24 && said.out.lines().all(|line| line.chars().count() < 100),
        "{}",
        said.out
    );
    assert!(said.out.lines().last().unwrap().starts_with("next: ab run"), "{}", said.out);
    // What waits is named, with how to decide about it.
    let ticket = world.edit("src/a.rs", None, "fn main() {}\n");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let item = world.waiting().pop().unwrap();
    let said = world.ab(&["status"]).exits(0);
    said.says(&format!("{item} MERGE")).says(&format!("next: ab show {item} · ab approve {item}"));
    let data = world.ab(&["--json", "status"]).exits(0).json();
    assert_eq!(
        (&data["waiting"], &data["halted"], &data["frozen"]),
        (&json!([item]), &json!(false), &json!(false))
    );
    assert_eq!(data["running"].as_array().unwrap().len(), 1);
    // The switch, a freeze, and a policy that denies everything are all on it.
    world.ab(&["kill", "--reason", "smoke"]).exits(0);
    world.ab(&["status"]).exits(0).says("pulled").says("smoke").says("ab resume");
    world.ab(&["resume", "--reason", "clear"]).exits(0);
    world.git(&["commit", "--quiet", "--allow-empty", "--message", "around the gate"]);
    world.ab(&["audit", "reconcile"]).exits(8);
    world.ab(&["status"]).exits(0).says("frozen: ").says("ab audit reconcile");
    world.write("policies/torn.rego", b"package abide.layers.torn\nfindings contains {");
    world.commit("Broken");
    let said = world.ab(&["status"]).exits(0).says("everything is denied").says("AB0102");
    said.says("frozen: ");
    let data = world.ab(&["--json", "status"]).exits(0).json();
    assert_eq!((&data["policy"]["code"], &data["frozen"]), (&json!("AB0102"), &json!(true)));
}

#[test]
fn the_log_is_a_table_for_people_and_whole_for_programs() {
    let world = World::new(FILES);
    world.ab(&["run", "--ticket", "Repair links in docs/"]).exits(0);
    let said = world.ab(&["audit", "log"]).exits(0);
    let lines: Vec<&str> = said.out.lines().collect();
    let raw = world.ab(&["--json", "audit", "log"]).exits(0).out;
    let events: Vec<Json> = raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), events.len() + 2, "a head, a line for each, and what to type next");
    assert!(!said.out.contains('{'), "{}", said.out);
    for (line, event) in lines.iter().skip(1).zip(&events) {
        let kind = event["event"]["type"].as_str().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(
            line.starts_with("20")
                && words[2].parse::<u64>().ok() == event["seq"].as_u64()
                && words.contains(&kind),
            "{line}"
        );
        assert!(line.chars().count() < 160, "{line}");
    }
    said.says("MERGE merge → allow").says("prod-conservative · Repair links in docs/");
}

#[test]
fn evidence_does_not_land_in_the_work_tree() {
    let world = World::new(FILES);
    world.ab(&["run", "--ticket", "Repair links in docs/"]).exits(0);
    let said = world.ab(&["--json", "packet"]).exits(0).json();
    let packet = std::path::PathBuf::from(said["packet"].as_str().unwrap());
    assert!(packet.starts_with(world.home()) && packet.is_file(), "{packet:?}");
    let mode = |path: &std::path::Path| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    };
    assert_eq!((mode(&packet), mode(packet.parent().unwrap())), (0o600, 0o700));
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    world.ab(&["verify", packet.to_str().unwrap()]).exits(0).says("accepted");
    let out = world.beside("mine.abide");
    world.ab(&["packet", "--out", out.to_str().unwrap()]).exits(0);
    assert_eq!(fs::read(&out).unwrap(), fs::read(&packet).unwrap());
}

#[test]
fn small_things_that_people_type() {
    let world = World::new(FILES);
    assert_eq!(world.ab(&["help"]).exits(0).out, world.ab(&["--help"]).exits(0).out);
    let run = world.ab(&["help", "run"]).exits(0).out;
    assert_eq!(run, world.ab(&["run", "--help"]).exits(0).out);
    world.ab(&["help", "policy", "check"]).exits(0).says("Usage: ab policy check");
    world.ab(&["help", "nonsense"]).exits(2);
    // A ticket in `ticket.md` is one ticket.
    let file = world.beside("ticket.md");
    fs::rename(world.edit("docs/index.md", None, "Hello.\n"), &file).unwrap();
    world.ab(&["run", "--ticket", file.to_str().unwrap()]);
    let said = world.ab(&["show"]).exits(0).says("· ticket: Edit one file for the test");
    assert!(!said.out.contains("ticket ticket"), "{}", said.out);
    // Tests under the name that other tools want are no tests here.
    let test =
        "# METADATA\n# title: T\n# description: T.\npackage abide.layers.docs_test\n\ntest_nothing if true\n";
    world.write("policies/test_docs.rego", test.as_bytes());
    world.ab(&["policy", "check"]).says("AB0166").says("name it `docs_test.rego`");
    fs::rename(world.repo().join("policies/test_docs.rego"), world.repo().join("policies/docs_test.rego"))
        .unwrap();
    let said = world.ab(&["policy", "check"]);
    assert!(!said.out.contains("AB0166"), "{}", said.out);
}
