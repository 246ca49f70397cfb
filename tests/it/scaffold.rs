//! A rule to begin with, through the binary.

use std::fs;

use abide_tests::world::{AB_YML, World};

const CLASSES: [&str; 8] = ["PLAN", "FETCH", "GENERATE", "EXECUTE", "WRITE", "MERGE", "DEPLOY", "rollback"];
const LEVELS: [&str; 4] = ["warn", "review", "deny", "hard"];

#[test]
fn a_new_rule_of_any_class_and_level_is_checked_and_tested_at_once() {
    let world = World::new(&[("ab.yml", AB_YML)]);
    let before = world.ab(&["policy", "test", "--json"]).exits(0).json();
    let mut tests = Vec::new();
    for (class, level) in CLASSES.iter().flat_map(|class| LEVELS.map(|level| (class, level))) {
        let rule = format!("{}-is-{level}", class.to_lowercase());
        let said = world.ab(&["policy", "new", &rule, "--class", class, "--level", level]).exits(0);
        let name = rule.replace('-', "_");
        said.says(&format!("policies/{name}.rego and policies/{name}_test.rego"));
        let text = fs::read_to_string(world.repo().join(format!("policies/{name}.rego"))).unwrap();
        for wanted in [
            "# title: ",
            "# description: ",
            &format!("\"rule\": \"{rule}\""),
            &format!("\"level\": \"{level}\""),
            "\"help\": ",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(!text.contains("RULE_") && text.contains(&class.to_uppercase()), "{text}");
        tests.push(name);
    }
    let checked = world.ab(&["policy", "check"]).exits(0);
    assert!(checked.out.contains("0 errors, 0 warnings"), "{}", checked.out);
    let after = world.ab(&["policy", "test", "--json"]).exits(0).json();
    // Three tests and two examples for each rule.
    let count = |data: &serde_json::Value| data["tests"].as_array().unwrap().len();
    assert_eq!(count(&after), count(&before) + 5 * tests.len());
}

#[test]
fn the_rule_counts_once_it_says_something() {
    let world = World::new(&[("ab.yml", AB_YML), ("docs/a.md", "a\n")]);
    world
        .ab(&["policy", "new", "handbook-by-hand", "--level", "deny"])
        .exits(0)
        .says("ab policy test --run handbook_by_hand");
    let example = world.ab(&["policy", "eval", "--print-example", "MERGE"]).exits(0).out;
    let file = world.beside("input.json");
    fs::write(&file, example).unwrap();
    let eval = ["policy", "eval", file.to_str().unwrap()];
    world.ab(&eval).exits(0);
    let path = world.repo().join("policies/handbook_by_hand.rego");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("path/of/yours/", "docs/")).unwrap();
    world.ab(&eval).exits(3).says("handbook-by-hand");
    // Its tests hold the old words against it.
    world.ab(&["policy", "test", "--run", "handbook"]).exits(1);
}

#[test]
fn nothing_is_overwritten_and_no_id_is_given_twice() {
    let world = World::new(&[("ab.yml", AB_YML)]);
    world.ab(&["policy", "new", "a-rule"]).exits(0);
    let path = world.repo().join("policies/a_rule.rego");
    fs::write(&path, "precious").unwrap();
    world.ab(&["policy", "new", "a-rule"]).exits(2).says("AB0179");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    // Its test alone is in the way, too, and then neither is written.
    world.ab(&["policy", "new", "a-rule"]).exits(2).says("a_rule_test.rego");
    assert!(!path.exists());
    for taken in ["kill-switch", "license-needs-a-person"] {
        world.ab(&["policy", "new", taken]).exits(2).says("there is a rule");
    }
    for odd in ["Rule", "a--b", "-a", "a-", "../x", "a b", "1a", "default", "with", "ä", "", &"a".repeat(60)]
    {
        assert_eq!(world.ab(&["policy", "new", "--", odd]).code, 2, "{odd}");
    }
    world.ab(&["policy", "new", "b-rule", "--class", "DANCE"]).exits(2);
    world.ab(&["policy", "new", "b-rule", "--level", "huge"]).exits(2);
    let names = fs::read_dir(world.repo().join("policies")).unwrap().count();
    assert_eq!(names, 3, "two of `ab init`, one that was left");
}

#[test]
fn the_policy_that_ships_becomes_a_folder_that_means_the_same() {
    let world = World::new(&[("ab.yml", AB_YML)]);
    let folder = world.beside("rules");
    let rules = folder.to_str().unwrap();
    world.ab(&["policy", "new", "--whole", rules]).exits(0).says("ab policy bundle --dir");
    world.ab(&["policy", "check", "--dir", rules]).exits(0).says("0 errors, 0 warnings");
    let digest = |more: &[&str], name: &str| {
        let file = world.beside(name);
        let said = world.ab(&[
            &["--json", "policy", "bundle", "-o", file.to_str().unwrap(), "--version", "1"],
            more,
        ]
        .concat());
        said.exits(0).json()["bundle"].clone()
    };
    let (own, shipped) = (digest(&["--dir", rules], "own.tar.gz"), digest(&["--built-in"], "base.tar.gz"));
    assert!(own.is_string() && own == shipped, "{own} {shipped}");
    // What each value means is still there.
    let grants = fs::read_to_string(folder.join("data/grants.yaml")).unwrap();
    assert!(grants.contains("# What a component may be given"), "{grants}");
    world.ab(&["policy", "new", "--whole", rules]).exits(2).says("AB0179");
    world.ab(&["policy", "new"]).exits(2).says("RULE");
}
