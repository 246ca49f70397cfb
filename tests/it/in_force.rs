//! What a person wrote and believes to be in force, and what the binary can explain by itself.

use abide_tests::world::{AB_YML, World};

#[test]
fn settings_that_are_only_written_are_said_not_to_count() {
    let world = World::bare_of_ab(&[("README.md", "x\n")]);
    world.ab(&["init", "--name", "world"]).exits(0).says("git add ab.yml policies");
    let ticket = ["run", "--ticket", "Repair broken links"];
    world.ab(&ticket).exits(0).says("ab.yml is not on main yet, so defaults are in force");
    world
        .ab(&["doctor"])
        .exits(0)
        .says("ab.yml is not on main yet")
        .says("policies/ in the work tree is not what");
    world.commit("Use Abide");
    for args in [&ticket[..], &["doctor"]] {
        let said = world.ab(args).exits(0);
        assert!(!(said.out + &said.err).contains("in force"), "{args:?}");
    }
    // What is edited and not committed is told by the doctor; the run goes by what is committed.
    world.write("ab.yml", AB_YML.as_bytes());
    world.write("policies/more.rego", b"package abide.layers.more\n");
    let said = world.ab(&["doctor"]).exits(0).says("ab.yml in the work tree is not what stands on main");
    said.says("policies/ in the work tree is not what stands on main (1 file differs)");
}

#[test]
fn a_file_under_another_name_is_said_not_to_be_read() {
    let world = World::bare_of_ab(&[("README.md", "x\n"), ("ab.yaml", AB_YML)]);
    world.ab(&["init", "--name", "world"]).exits(0);
    std::fs::remove_file(world.repo().join("ab.yml")).unwrap();
    world.commit("rules only");
    world
        .ab(&["run", "--ticket", "Repair broken links"])
        .exits(0)
        .says("ab.yaml is not read")
        .says("rename it to ab.yml");
}

#[test]
fn check_reads_the_settings_of_the_work_tree() {
    let world = World::new(&[("ab.yml", AB_YML), ("README.md", "x\n")]);
    world.ab(&["policy", "check"]).exits(0);
    for (text, code, why) in [
        ("autonomy_profile: x\nautonomy_profile: y\n", "AB0010", "ab.yml: line 2: duplicate mapping key"),
        ("autonomy_profile: x\n\tsafety: y\n", "AB0010", "found a tab"),
        ("autonomy_profil: x\n", "AB0010", "unknown field `autonomy_profil`"),
        ("autonomy_profile: x\nchecks: [{name: a, run: [], timeout: 1s}]\n", "AB0011", "checks"),
    ] {
        world.write("ab.yml", text.as_bytes());
        let said = world.ab(&["policy", "check"]).exits(1).says(code).says(why);
        for word in ["DuplicateKeyPolicy", "Options"] {
            assert!(!said.out.contains(word), "the words of the library: {}", said.out);
        }
    }
    // A file that is broken where it counts can be mended: the work tree is what is checked.
    world.commit("broken");
    world.write("ab.yml", AB_YML.as_bytes());
    world.ab(&["policy", "check"]).exits(0);
}

#[test]
fn the_file_that_init_writes_is_not_against_its_own_rules() {
    let world = World::new(&[("README.md", "x\n")]);
    let data = world.ab(&["--json", "policy", "replay", "--profile", "prod-conservative"]).exits(0).json();
    let rows = data["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["title"] == "Use Abide").unwrap();
    let rules = row["decided"]["prod-conservative"]["rules"].to_string();
    assert_eq!(row["decided"]["prod-conservative"]["verdict"], "queue", "{rules}");
    assert!(!rules.contains("forbidden-pattern"), "{rules}");
}

#[test]
fn a_repository_that_moved_keeps_its_log() {
    let world = World::new(&[("ab.yml", AB_YML), ("README.md", "x\n")]);
    world.ab(&["run", "--ticket", "Repair broken links"]).exits(0);
    let events = world.log().len();
    let (elsewhere, other) = (world.beside("elsewhere"), world.beside("other"));
    // While it has not moved, nobody takes its log away.
    world.git(&["clone", "--quiet", ".", other.to_str().unwrap()]);
    world.ab_at(&other, &["init", "--moved", "world"], &[]).exits(2).says("AB0048").says("still at");
    std::fs::rename(world.repo(), &elsewhere).unwrap();
    let at = |args: &[&str]| world.ab_at(&elsewhere, args, &[]);
    at(&["doctor"]).exits(2).says("AB0005").says("ab init --moved world");
    at(&["init"]).exits(2).says("AB0048").says("ab init --moved world");
    // A repository that the log knows nothing of does not get it.
    let stranger = world.beside("stranger");
    std::fs::create_dir(&stranger).unwrap();
    for args in [&["init", "--quiet"][..], &["commit", "--quiet", "--allow-empty", "--message", "x"]] {
        assert_eq!(world.try_git(&stranger, args).code, 0);
    }
    world.ab_at(&stranger, &["init", "--moved", "world"], &[]).exits(2).says("AB0048").says("no commit");
    at(&["init", "--moved", "world"]).exits(0);
    let log = at(&["--json", "audit", "log"]).exits(0).out.lines().count();
    assert_eq!(log, events, "the log goes on");
    at(&["verify"]).exits(0);
    at(&["run", "--ticket", "Repair broken links"]).exits(0);
}

#[test]
fn what_messages_refer_to_is_in_the_binary() {
    let world = World::bare_of_ab(&[]);
    for (topic, text) in [
        ("AB0304", "**"),
        ("config", "# `ab.yml`"),
        ("first-rule", "# Your first rule"),
        ("policies/data/levels.yaml", "MERGE:"),
        ("levels.yaml", "MERGE:"),
        ("input.schema.json", "abide.input/1"),
        ("docs/guides/tickets.md", "# Tickets"),
    ] {
        let said = world.ab(&["explain", topic]).exits(0);
        assert!(said.out.contains(text) || text == "**", "{topic}: {}", said.out);
    }
    world.ab(&["explain"]).exits(0).says("first-rule").says("levels.yaml");
    world.ab(&["explain", "no-such-topic"]).exits(2).says("AB0001");
    world.ab(&["help", "policy"]).exits(0).says("replay");
    let known =
        World::new(&[("ab.yml", "autonomy_profile: nonsense\nautonomy_max: A1\n"), ("README.md", "x\n")]);
    known
        .ab(&["run", "--ticket", "Repair broken links"])
        .exits(3)
        .says("profile-unknown")
        .says("prod-conservative");
}
