//! Keys of a document whose findings need a world of their own: a code change that merges by itself, a binary, and a canary that is not all good.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};

use abide_tests::world::{AB_YML, World};
use serde_json::Value as Json;

use super::{House, text, value};
use crate::bundles;

/// What is in force for `name`, and who says so.
fn in_force(world: &World, name: &str, more: &[&str]) -> (Json, String) {
    let args = [&["--json", "policy", "show", "--effective"], more].concat();
    let row = value(&world.ab(&args).exits(0).json(), name);
    (row["value"].clone(), row["from"].as_str().unwrap().to_owned())
}

#[test]
fn a_wall_of_binaries_is_the_organisations() {
    let house = House::new();
    let world = &house.0;
    let offer = |name: &str| {
        world.git(&["switch", "--quiet", "--create", name]);
        world.write(&format!("docs/{name}.png"), &[&b"\x89PNG\r\n\x1a\n\0"[..], name.as_bytes()].concat());
        world.commit("A picture");
        world.git(&["switch", "--quiet", "main"]);
        world.ab(&["propose", name, "--reason", "a picture says more"])
    };
    assert_eq!(in_force(world, "caps.binaries_max", &["--all"]), (20.into(), "built-in".to_owned()));
    let before = offer("first");
    assert!([0, 4].contains(&before.code), "{before:?}");
    house.put(1, &[("tighten.yaml", "caps: {binaries_max: 0}\n")]);
    assert_eq!(in_force(world, "caps.binaries_max", &[]), (0.into(), "organisation v1".to_owned()));
    offer("second").exits(3).says("cap-ceiling").says("binaries, 0 are allowed");
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn code_without_a_test_waits_where_the_repository_says_so() {
    let ab_yml =
        AB_YML.replace("A3", "A5").replace("prod-conservative", "exploration") + "safety: {level: low}\n";
    let world = World::bare_of_ab(&[("ab.yml", &ab_yml), ("src/lib.rs", "pub fn one() {}\n")]);
    world.ab(&["init", "--name", "scratch"]).exits(0);
    world.commit("Use Abide");
    let edit = |path: &str| world.ab(&["run", "--ticket", &world.edit(path, None, "pub fn two() {}\n")]);
    assert_eq!(in_force(&world, "require_tests", &["--all"]), (false.into(), "built-in".to_owned()));
    edit("src/two.rs").exits(0).says("1 merged");
    world.write("policies/tighten.yaml", b"require_tests: true\n");
    world.commit("Ask for tests");
    let (now, from) = in_force(&world, "require_tests", &[]);
    assert!(now == true && from.starts_with("repository"), "{now} from {from}");
    edit("src/three.rs").exits(4).says("require-tests");
    world.ab(&["verify"]).exits(0).says("accepted");
}

/// A service of which every twentieth answer is bad, the first one to begin with; its address.
fn answers() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let status = if number % 20 == 0 { "500 Internal Server Error" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    address
}

#[test]
fn a_canary_below_the_share_that_a_run_asks_for_is_not_promoted() {
    // Twenty answers in place of three: with three, one that is bad is too many already.
    let house = bundles::House::new();
    let world = &house.world;
    let bundle = house
        .bundle(1, &[("data/canary.yaml", &bundles::edited("data/canary.yaml", "steps: 3,", "steps: 20,"))]);
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.activate(&bundle).exits(0);
    // 19 of 20 are good, which is enough at level `low`.
    let address = answers();
    let deploy = format!(
        "deploy:\n  environment: web\n  driver: directory\n  directory: {}\n  source: docs\n  interval: 1ms\n  probe: {{url: \"http://{address}/\"}}\n",
        world.beside("site").display()
    );
    world.write("ab.yml", format!("{AB_YML}safety: {{level: low}}\n{deploy}").as_bytes());
    world.commit("Deploy the documents");
    let tighten = world.beside("mine.yaml");
    fs::write(&tighten, "rollback_threshold_permille: 980\n").unwrap();
    for (name, more) in [("first", &[][..]), ("second", &["--tighten", text(&tighten)])] {
        let ticket = world.edit(&format!("docs/{name}.md"), None, "more\n");
        let said = world.ab(&[&["run", "--ticket", &ticket], more].concat());
        said.exits(4).says("1 merged");
        let item = world.waiting().remove(0);
        let said = world.ab(&["approve", &item, "--as", "second"]);
        let log = world.log();
        let run = log.iter().rev().find_map(|one| one["event"]["run"].as_str()).unwrap().to_owned();
        let now = in_force(world, "rollback_threshold_permille", &["--all", "--run", &run]);
        if more.is_empty() {
            assert_eq!(now, (900.into(), "built-in".to_owned()));
            said.exits(0).says("promote  ✓ allow");
        } else {
            assert_eq!(now, (980.into(), "run".to_owned()));
            said.exits(1)
                .says("promote  ✗ deny")
                .says("Rolled back")
                .says("rollback-threshold")
                .says("19 of 20 answers were good; 980");
        }
    }
    world.ab(&["verify"]).exits(0).says("accepted");
}
