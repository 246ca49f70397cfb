//! Kill -9 at every event boundary of a run, before and after each event is written: the run goes on where it was, nothing is lost, nothing
//! happens twice, nothing without a record.

use abide_tests::world::{AB_YML, World};

/// Events of the whole story of one documentation repair, the beginning of the log included.
fn whole() -> usize {
    let world = world();
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    world.kinds().len()
}

const TICKET: &str = "Repair broken links in docs/";

fn world() -> World {
    World::new(&[
        ("ab.yml", AB_YML),
        ("docs/index.md", "See [it](gone.md).\n"),
        ("docs/deep/gone.md", "Here.\n"),
    ])
}

fn dies_and_goes_on(moment: &str, size: usize) {
    let world = world();
    let commits = |world: &World| world.git(&["rev-list", "--count", "main"]).trim().parse::<u32>().unwrap();
    let before = commits(&world);
    let drill = format!("{moment}:{size}");
    let said = world.ab_at(world.repo(), &["run", "--ticket", TICKET], &[("ABIDE_DRILL_DIE", &drill)]);
    let kinds = world.kinds();
    let run = world.log().into_iter().find_map(|event| event["event"]["run"].as_str().map(str::to_owned));
    let Some(run) = run else {
        // It died before the run began: there is nothing to carry on, and nothing happened.
        assert_eq!(commits(&world), before, "{drill}");
        return;
    };
    if kinds.last().is_some_and(|kind| kind == "RunFinished") {
        assert!(said.code == 0 || said.code == -1, "{drill}: {said:?}");
    } else {
        assert_eq!(said.code, -1, "{drill} should have died: {said:?}");
        let resumed = world.ab(&["resume", &run]);
        if resumed.code == 1 && resumed.err.contains("AB0332") {
            // Killed while git's own lock of the branch was held: like git, `ab` leaves that to a person, and says which file it is.
            assert!(resumed.err.contains("main.lock"), "{drill}: {resumed:?}");
            std::fs::remove_file(world.repo().join(".git/refs/heads/main.lock")).unwrap();
            world.ab(&["resume", &run]).exits(0);
        } else {
            resumed.exits(0);
        }
    }
    let kinds = world.kinds();
    assert_eq!(commits(&world), before + 1, "{drill}: exactly one commit was merged: {kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "Merged").count(), 1, "{drill}: {kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "RunFinished").count(), 1, "{drill}: {kinds:?}");
    assert_eq!(world.git(&["show", "main:docs/index.md"]), "See [it](deep/gone.md).\n", "{drill}");
    world.ab(&["verify"]).exits(0);
}

#[test]
fn a_run_survives_kill_9_at_every_event() {
    let events = whole();
    assert!(events >= 12, "a run has at least a dozen events, and this one {events}");
    for size in 1..=events {
        dies_and_goes_on("after", size);
    }
}

#[test]
fn a_run_survives_kill_9_between_a_deed_and_its_event() {
    for size in 1..=whole() {
        dies_and_goes_on("before", size);
    }
}
