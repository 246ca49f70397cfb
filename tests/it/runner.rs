//! Workers behind walls, as the product shows them.

use abide_tests::world::World;
use serde_json::Value as Json;

#[test]
fn doctor_tries_the_walls_around_a_worker() {
    let world = World::new(&[("README.md", "x\n")]);
    let said = world.ab(&["doctor"]).exits(0);
    said.says("seccomp").says("ways out were tried, and none is open");
    let told: Json = serde_json::from_str(&world.ab(&["doctor", "--json"]).exits(0).out).unwrap();
    let attempts = told["runner"]["attempts"].as_array().unwrap();
    assert!(attempts.len() >= 10 && attempts.iter().all(|attempt| attempt["refused"].is_string()), "{told}");
    assert!(
        told["runner"]["walls"].as_array().unwrap().iter().any(|wall| wall["name"] == "landlock"),
        "{told}"
    );
}

#[test]
fn doctor_tries_the_walls_around_a_check() {
    let world = World::new(&[("README.md", "x\n")]);
    let told: Json = serde_json::from_str(&world.ab(&["doctor", "--json"]).exits(0).out).unwrap();
    let attempts = told["jail"]["attempts"].as_array().unwrap();
    assert!(attempts.len() >= 16 && attempts.iter().all(|attempt| attempt["refused"].is_string()), "{told}");
    let walls = told["jail"]["walls"].as_array().unwrap();
    assert!(walls.len() == 6 && walls.iter().all(|wall| wall["stands"] == true), "{told}");
}

#[test]
fn a_program_that_is_asked_to_be_a_runner_without_a_socket_ends() {
    let world = World::bare_of_ab(&[("README.md", "x\n")]);
    let said = world.ab(&["runner-process"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
}
