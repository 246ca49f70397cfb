//! What a person sees before deciding, and whose word counts.

use abide_tests::world::World;

/// Everything waits for a person, the first write too.
const A1: &str = "autonomy_profile: prod-conservative\nautonomy_max: A1\nchecks: []\n";

fn waiting(world: &World) -> String {
    let mut waiting = world.waiting();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    waiting.pop().unwrap()
}

/// A world in which a worker's edit of `README.md` waits for its `WRITE`.
fn edit_waits() -> (World, String) {
    let world = World::new(&[("ab.yml", A1), ("README.md", "one\n")]);
    let ticket = world.edit("README.md", Some("one"), "two");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let item = waiting(&world);
    (world, item)
}

#[test]
fn a_workers_change_is_shown_before_anyone_approves_it() {
    let (world, item) = edit_waits();
    let said = world.ab(&["show", &item, "--diff"]).exits(0);
    for line in ["--- a/README.md", "+++ b/README.md", "-one", "+two"] {
        assert!(said.out.lines().any(|shown| shown == line), "`{line}` is not shown\n{}", said.out);
    }
    // The decision shows the same, and a whole run asks which of its changes is meant.
    let place = item.replace('q', "d");
    world.ab(&["show", &place, "--diff"]).exits(0).says("+two");
    world.ab(&["show", "--diff"]).exits(2).says("AB0046");
    // At the merge it is shown from the commit.
    world.ab(&["approve", &item, "--as", "reviewer"]).exits(4);
    let item = waiting(&world);
    world.ab(&["show", &item, "--diff"]).exits(0).says("-one").says("+two");
}

#[test]
fn a_commit_from_a_clone_is_shown_before_anyone_approves_it() {
    let world = World::new(&[("ab.yml", A1), ("README.md", "one\n")]);
    let clone = world.beside("clone");
    let at = clone.to_str().unwrap();
    world.git(&["clone", "--quiet", ".", at]);
    std::fs::write(clone.join("README.md"), "three\n").unwrap();
    assert_eq!(world.try_git(&clone, &["commit", "--quiet", "-am", "Say three"]).code, 0);
    world.ab(&["propose", "--from", at, "--as", "alice", "--reason", "it must say three"]).exits(4);
    world.ab(&["show", &waiting(&world), "--diff"]).exits(0).says("-one").says("+three");
}

#[test]
fn the_word_of_the_one_who_asked_is_refused_with_the_reason() {
    let (world, item) = edit_waits();
    let before = world.log().len();
    let refused = |args: &[&str], why: &str| {
        let said = world.ab(&[&["approve", item.as_str()], args].concat()).exits(3).says("AB0045").says(why);
        assert!(said.err.contains("reviewer, maintainer"), "{}", said.err);
    };
    refused(&[], "asked for this change");
    refused(&["--as", "sponsor", "--role", "maintainer"], "asked for this change");
    refused(&["--as", "alice", "--role", "wizard"], "role `wizard` is not one of");
    assert_eq!(world.log().len(), before, "nothing is recorded");
    assert_eq!(waiting(&world), item, "the item stays as it is");
    world.ab(&["approve", &item, "--as", "alice"]).exits(4).says("approved");
}

#[test]
fn who_acts_is_the_user_of_the_process_where_the_environment_names_nobody() {
    let world = World::new(&[("README.md", "one\n")]);
    let ticket = world.edit("README.md", Some("one"), "two");
    let mut command = world.command(&abide_tests::world::ab());
    command.current_dir(world.repo()).args(["run", "--ticket", &ticket]);
    assert!(command.env_remove("ABIDE_ACTOR").status().unwrap().code().is_some());
    let name = std::process::Command::new("id").arg("-un").output().unwrap().stdout;
    let started = world.log().into_iter().find(|event| event["event"]["type"] == "RunStarted").unwrap();
    assert_eq!(started["event"]["data"]["sponsor"], String::from_utf8(name).unwrap().trim());
}

/// A world whose branch `old` lacks the newest commit of `main`.
fn behind() -> World {
    let world = World::new(&[("ab.yml", A1), ("README.md", "one\n")]);
    world.git(&["switch", "--quiet", "--create", "old"]);
    world.write("OLD.md", b"old\n");
    world.commit("Say old");
    world.git(&["switch", "--quiet", "main"]);
    world.write("NEW.md", b"new\n");
    world.commit("Say new");
    world
}

#[test]
fn a_commit_that_is_not_on_top_of_the_target_is_refused_at_once() {
    let world = behind();
    let before = world.log().len();
    world.ab(&["propose", "old"]).exits(2).says("AB0334").says("git rebase main");
    for known in ["HEAD", "HEAD~1", "main"] {
        world.ab(&["propose", known]).exits(2).says("AB0026");
    }
    assert_eq!(world.log().len(), before, "nothing is recorded");
    world.git(&["rebase", "--quiet", "main", "old"]);
    world.git(&["switch", "--quiet", "main"]);
    world.ab(&["propose", "old", "--reason", "rebased since"]).exits(4).says("OLD.md (+1 −0)");
}

#[test]
fn an_offer_whose_target_moved_says_so_at_the_first_approval() {
    let world = World::new(&[("ab.yml", A1), ("README.md", "one\n")]);
    world.git(&["switch", "--quiet", "--create", "change"]);
    world.write("OLD.md", b"old\n");
    world.commit("Say old");
    world.git(&["switch", "--quiet", "main"]);
    world.ab(&["propose", "change", "--as", "alice", "--reason", "it must say so"]).exits(4);
    let item = waiting(&world);
    world.write("NEW.md", b"new\n");
    world.commit("Say new");
    world.ab(&["show", &item]).exits(0).says("approving starts the unit again");
    let said = world.ab(&["approve", &item, "--as", "bob"]).exits(3);
    let said = said.says("out of date").says("AB0334").says("git rebase main");
    assert!(!said.out.contains("−1"), "no deletion that nobody made: {}", said.out);
    assert_eq!(world.waiting(), [""; 0]);
    assert!(!world.kinds().contains(&"Approved".to_owned()));
}

#[test]
fn a_workers_change_is_made_anew_where_the_target_moved() {
    let (world, item) = edit_waits();
    world.write("NEW.md", b"new\n");
    let head = world.commit("Say new");
    world.ab(&["approve", &item, "--as", "alice"]).exits(4).says("out of date").says("u1 starts again");
    let again = waiting(&world);
    assert_ne!(again, item);
    let shown = world.ab(&["show", &again, "--diff"]).exits(0).says("+two");
    assert!(!shown.out.contains("NEW.md"), "{}", shown.out);
    world.ab(&["approve", &again, "--as", "alice"]).exits(4);
    world.ab(&["approve", &waiting(&world), "--as", "alice"]).exits(0);
    assert_eq!(world.git(&["show", "main:README.md"]), "two\n");
    assert_eq!(world.git(&["rev-parse", "main~1"]).trim(), head);
}

#[test]
fn a_kill_says_what_leaves_the_queue_and_nothing_of_it_is_offered_again() {
    let (world, item) = edit_waits();
    world
        .ab(&["kill", "--reason", "drill"])
        .exits(0)
        .says("1 item is gone from the queue for good")
        .says(&item);
    let shown = world.ab(&["show"]).exits(0).says("halted for good").says("ab run --ticket");
    assert!(!shown.out.contains("ab approve"), "{}", shown.out);
}
