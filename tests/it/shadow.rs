//! A policy in the shadow, through the binary: it judges beside the live one, and nothing follows from what it says.

use std::fs;
use std::path::{Path, PathBuf};

use abide_tests::gate::shipped_files;
use abide_tests::sealed;
use abide_tests::world::{AB_YML, World, ab};
use serde_json::Value as Json;

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
const TICKET: &str = "Repair broken links in docs/";

/// A world in which a candidate can judge; none where there is nothing to bound it, and then it does not judge.
fn world() -> Option<World> {
    let world = World::new(FILES);
    if sealed::is_carried() {
        return Some(world);
    }
    let folder = candidate(&world, "good", &rule("input.run.halted", "deny"));
    world.ab(&["policy", "shadow", "start", text(&folder), "--reason", "r"]).exits(6).says("AB0193");
    assert!(!world.kinds().iter().any(|kind| kind.starts_with("Shadow")));
    None
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn rule(condition: &str, level: &str) -> String {
    format!(
        "# METADATA\n# title: Try\n# description: Try.\npackage abide.layers.attempt\n\nimport rego.v1\n\nfindings contains {{\"rule\": \"attempt\", \"level\": \"{level}\", \"msg\": \"tried\"}} if {{\n\t{condition}\n}}\n"
    )
}

/// A folder of a repository's own rules.
fn candidate(world: &World, name: &str, module: &str) -> PathBuf {
    let folder = world.beside(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("attempt.rego"), module).unwrap();
    folder
}

#[track_caller]
fn start(world: &World, folder: &Path) {
    world
        .ab(&["policy", "shadow", "start", text(folder), "--reason", "try it"])
        .exits(0)
        .says("nothing is decided by it");
}

fn report(world: &World) -> Json {
    world.ab(&["--json", "policy", "shadow"]).exits(0).json()
}

/// What is the same in two worlds: kinds of events and verdicts, without the shadow's own.
fn live(world: &World) -> Vec<String> {
    let told = world.log().into_iter().filter_map(|one| {
        let event = &one["event"];
        let kind = event["type"].as_str().unwrap().to_owned();
        (!kind.starts_with("Shadow")).then(|| {
            format!(
                "{kind} {} {} {}",
                event["data"]["verdict"], event["data"]["rules"], event["data"]["fault"]
            )
        })
    });
    told.collect()
}

#[test]
fn it_judges_what_was_decided_and_changes_nothing() {
    let Some(world) = world() else { return };
    world.ab(&["policy", "shadow"]).exits(2).says("AB0186");
    world.ab(&["policy", "shadow", "stop", "--reason", "r"]).exits(2).says("AB0186");
    let folder = candidate(&world, "stricter", &rule("input.action.class in {\"WRITE\", \"MERGE\"}", "deny"));
    start(&world, &folder);
    world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    let said = report(&world);
    assert_eq!(
        (&said["running"], &said["not_judged"], &said["place"]),
        (&Json::from(true), &Json::from(0), &Json::from("repository"))
    );
    assert_eq!(said["decisions"].as_i64().unwrap(), said["agreed"].as_i64().unwrap() + 2);
    let differed = said["differed"].as_array().unwrap();
    let ways: Vec<_> = differed
        .iter()
        .map(|one| {
            (one["way"].as_str().unwrap(), one["rule"].as_str().unwrap(), one["action"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        ways,
        [("allow → deny", "attempt", "WRITE commit-patch"), ("allow → deny", "attempt", "MERGE merge")]
    );
    world
        .ab(&["policy", "shadow"])
        .exits(0)
        .says("allow → deny")
        .says("2")
        .says("allow → attempt")
        .says("--shadow");
    let place = format!("d{}", differed[1]["decision"]);
    world.ab(&["policy", "explain", &place]).exits(0).says("MERGE merge → allow");
    world.ab(&["policy", "explain", &place, "--shadow"]).exits(0).says("MERGE merge → deny").says("attempt");
    // The live record is that of a world without a shadow.
    let other = World::new(FILES);
    other.ab(&["run", "--ticket", TICKET]).exits(0);
    assert_eq!(live(&world), live(&other));
    // Its events belong to no run: else the order of a run's own events would be another one.
    let own = |event: &&Json| event["event"]["type"].as_str().unwrap().starts_with("Shadow");
    assert!(world.log().iter().filter(own).all(|event| event["event"]["run"].is_null()));
    world.ab(&["verify"]).exits(0).says("accepted");
    let packet = world.beside("p.abide");
    world.ab(&["packet", "-o", text(&packet)]).exits(0);
    world.ab(&["verify", text(&packet)]).exits(0).says("accepted");
    // Stopped, it judges nothing more, and what it said stays.
    world.ab(&["policy", "shadow", "stop", "--reason", "seen enough"]).exits(0);
    world.ab(&["policy", "shadow", "stop", "--reason", "twice"]).exits(2).says("AB0186");
    let ticket = world.edit("docs/more.md", None, "more\n");
    world.ab(&["run", "--ticket", &ticket]).exits(0);
    let after = report(&world);
    assert_eq!(
        (&after["running"], &after["decisions"], &after["differed"]),
        (&Json::from(false), &said["decisions"], &said["differed"])
    );
    assert_eq!(world.kinds().iter().filter(|kind| *kind == "ShadowJudged").count(), 1);
}

#[test]
fn what_would_let_more_through_comes_first() {
    let Some(world) = world() else { return };
    world.write("policies/own.rego", rule("input.action.class == \"MERGE\"", "deny").as_bytes());
    world.commit("Our rule");
    let looser = candidate(&world, "looser", &rule("input.action.class == \"EXECUTE\"", "deny"));
    start(&world, &looser);
    world.ab(&["run", "--ticket", TICKET]).exits(3).says("attempt");
    let said = report(&world);
    let ways: Vec<_> =
        said["differed"].as_array().unwrap().iter().map(|one| one["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["deny → allow", "allow → deny"]);
    // Another candidate takes its place, and the report is about that one.
    let same = candidate(&world, "same", &rule("input.action.class == \"MERGE\"", "deny"));
    start(&world, &same);
    let ticket = world.edit("docs/more.md", None, "more\n");
    world.ab(&["run", "--ticket", &ticket]).exits(3);
    let said = report(&world);
    assert_eq!(said["differed"], Json::Array(vec![]));
    assert!(said["agreed"].as_i64().unwrap() > 3 && said["not_judged"] == 0);
    world.ab(&["policy", "shadow"]).exits(0).says("no difference");
}

/// A condition that the interpreter would be at for ages.
fn slow() -> String {
    let some: Vec<String> = ('a'..='l').map(|name| format!("some {name} in digits")).collect();
    format!("digits := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n\tcount([1 | {}]) < 0", some.join("; "))
}

/// Two deep shared trees: comparing them is one step for the interpreter, and does not end, so nothing stops it.
fn deep() -> String {
    let mut text = "\nx0 := [1]\n\ny0 := [1]\n".to_owned();
    for n in 0..45 {
        let next = n + 1;
        text.push_str(&format!("\nx{next} := [x{n}, x{n}]\n\ny{next} := [y{n}, y{n}]\n"));
    }
    text
}

#[test]
fn a_candidate_that_never_ends_or_fails_keeps_nobody_waiting() {
    let Some(other) = world() else { return };
    other.ab(&["run", "--ticket", TICKET]).exits(0);
    let alone = live(&other);
    for (name, condition, more) in [
        ("slow", slow(), String::new()),
        ("endless", "x45 == y45".to_owned(), deep()),
        ("failing", "to_number(input.run.profile) == 1".to_owned(), String::new()),
        ("odd", "input.action.class == \"MERGE\"".to_owned(), String::new()),
    ] {
        let Some(world) = world() else { return };
        let level = if name == "odd" { "no-level" } else { "deny" };
        start(&world, &candidate(&world, name, &format!("{}{more}", rule(&condition, level))));
        world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
        assert_eq!(live(&world), alone, "{name}");
        let kinds = world.kinds();
        assert_eq!(kinds.last().unwrap(), "ShadowJudged", "written down after everything else");
        let said = report(&world);
        let differed = said["differed"].as_array().unwrap();
        let failed = differed.iter().filter(|one| !one["fault"].is_null()).count();
        let not_judged = said["not_judged"].as_i64().unwrap();
        assert!(failed > 0 || not_judged > 0 || name == "odd", "{name}: {said}");
        assert!(name != "odd" || differed.iter().any(|one| one["rule"] == "layer-invalid"), "{said}");
        assert_eq!(said["decisions"].as_i64().unwrap(), said["judged"].as_i64().unwrap() + not_judged);
        world.ab(&["verify"]).exits(0).says("accepted");
    }
}

#[test]
fn a_live_decision_is_timed_without_the_shadow() {
    // With a candidate that takes half a second for each question, no live decision comes later than the one before it by that much.
    let Some(world) = world() else { return };
    // The first run compiles the worker, which takes longer than anything here.
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    start(&world, &candidate(&world, "slow", &rule(&slow(), "deny")));
    let ticket = world.edit("docs/more.md", None, "more\n");
    let before = world.log().len();
    world.ab(&["run", "--ticket", &ticket]).exits(0);
    let log = world.log().split_off(before);
    let at = |kind: &str| -> u64 {
        let found = log.iter().find(|one| one["event"]["type"] == kind).unwrap();
        found["event"]["at"].as_str().unwrap().parse().unwrap()
    };
    let decisions = log.iter().filter(|one| one["event"]["type"] == "DecisionRecorded").count() as u64;
    let whole = at("ShadowJudged") - at("RunStarted");
    let live = at("RunFinished") - at("RunStarted");
    assert!(whole - live >= 400, "the candidate was waited for after the run: {live} of {whole}");
    assert!(live < decisions * 500, "{live} ms for {decisions} decisions: they waited for the candidate");
}

#[test]
fn a_candidate_that_does_not_load_is_refused_and_one_that_stops_loading_is_told() {
    let Some(world) = world() else { return };
    for (name, module) in [
        ("typo", rule("input.actoin.class == \"MERGE\"", "deny")),
        ("torn", "package abide.layers.attempt\nfindings contains".to_owned()),
        ("reaching", rule("true", "deny").replace("abide.layers.attempt", "abide.hard")),
        ("silent", "package abide.layers.attempt\nx := 1".to_owned()),
    ] {
        let folder = candidate(&world, name, &module);
        world.ab(&["policy", "shadow", "start", text(&folder), "--reason", "r"]).exits(6).says("AB0185");
    }
    world.ab(&["policy", "shadow", "start", "nowhere", "--reason", "r"]).exits(2);
    assert!(!world.kinds().iter().any(|kind| kind.starts_with("Shadow")));
    // A whole policy, without data that the repository's own rules come to use afterwards.
    let whole = world.beside("whole");
    for (path, bytes) in shipped_files() {
        let file = whole.join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    let merge = fs::read_to_string(whole.join("data/merge.yaml")).unwrap();
    fs::write(whole.join("data/merge.yaml"), merge.replace("never: [ci", "extra: 1\nnever: [docs, ci"))
        .unwrap();
    start(&world, &whole);
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    let said = report(&world);
    assert_eq!(
        (&said["place"], &said["differed"][0]["way"]),
        (&Json::from("policy"), &Json::from("allow → review"))
    );
    fs::remove_file(whole.join("data/canary.yaml")).unwrap();
    world.ab(&["policy", "shadow", "start", text(&whole), "--reason", "r"]).exits(6).says("AB0185");
    fs::write(
        whole.join("data/approvals.yaml"),
        b"default: {count: 1, roles: [reviewer], separation: true}\n",
    )
    .unwrap();
    let folder = candidate(
        &world,
        "extra",
        &rule("input.action.class == \"MERGE\"\n\tdata.merge.never[_] == \"docs\"", "review"),
    );
    start(&world, &folder);
    let before = live(&world).len();
    world.write("ab.yml", AB_YML.replace("A3", "A2").as_bytes());
    world.write("policies/own.rego", rule("input.run.halted", "deny").as_bytes());
    world.commit("Another policy");
    let ticket = world.edit("docs/more.md", None, "more\n");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    assert!(live(&world).len() > before);
    assert_eq!(report(&world)["not_judged"], 0);
}

#[test]
fn a_candidate_whose_files_are_damaged_is_told_and_nothing_else() {
    let Some(world) = world() else { return };
    let module =
        rule(&format!("input.run.profile == \"{}\"", "nobody has a profile of this name ".repeat(8)), "deny");
    start(&world, &candidate(&world, "damaged", &module));
    super::bundles::damage(&world.home().join("world/ledger"), &module.as_bytes()[200..]);
    world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    let said = report(&world);
    assert_eq!(said["judged"], 0);
    assert_eq!(said["not_judged"], said["decisions"]);
    assert!(said["why"][0].as_str().unwrap().contains("AB0187"), "{said}");
    world.ab(&["policy", "shadow"]).exits(0).says("AB0187");
    world.ab(&["policy", "shadow", "stop", "--reason", "damaged"]).exits(0);
}

/// Texts of sixty thousand bytes, each another one, as many as there is time for. No single builtin makes much, and all of it is kept.
fn hoard() -> String {
    let some: Vec<String> = ('a'..='h').map(|name| format!("some {name} in digits")).collect();
    let mut text = "\ndigits := [\"0\", \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\"]\n\ns0 := \"fifteen letters\"\n".to_owned();
    for n in 0..12 {
        text.push_str(&format!("\ns{} := concat(\"\", [s{n}, s{n}])\n", n + 1));
    }
    text.push_str(&format!(
        "\nhoard := [concat(\"\", [s12, a, b, c, d, e, f, g, h]) | {}]\n",
        some.join("; ")
    ));
    text
}

#[test]
fn a_candidate_that_eats_memory_or_never_ends_costs_nothing_but_its_own_answers() {
    let Some(world) = world() else { return };
    // The first run compiles the worker.
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    for (name, condition, more, fault) in
        [("hungry", "count(hoard) > 0", hoard(), "AB0198"), ("endless", "x45 == y45", deep(), "AB0113")]
    {
        start(&world, &candidate(&world, name, &format!("{}{more}", rule(condition, "deny"))));
        let ticket = world.edit(&format!("docs/{name}.md"), None, "more\n");
        let before = world.log().len();
        // With less memory than the candidate would take: the process that decides goes on.
        let mut command = world.command(Path::new("sh"));
        command.current_dir(world.repo()).args(["-c", "ulimit -d 3300000; exec \"$@\"", "sh"]);
        let ended = command.arg(ab()).args(["run", "--ticket", &ticket]).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{name}: {ended:?}");
        let log = world.log().split_off(before);
        let decided = |one: &&Json| one["event"]["type"] == "DecisionRecorded";
        assert!(log.iter().filter(decided).all(|one| one["event"]["data"]["verdict"] == "allow"));
        // What happened stands in the record.
        let said = report(&world);
        let differed = said["differed"].as_array().unwrap();
        assert!(!differed.is_empty(), "{name}: {said}");
        for one in differed {
            assert_eq!(one["way"], "no answer", "{name}: {one}");
        }
        // On a host that does much else the clock may come first, once or twice.
        assert!(differed.iter().any(|one| one["fault"] == fault), "{name}: {said}");
        let left = said["not_judged"].as_u64().unwrap();
        assert_eq!(said["decisions"].as_u64().unwrap(), differed.len() as u64 + left, "{name}: {said}");
        // Asking why keeps it behind the wall, too.
        let place = format!("d{}", differed[0]["decision"]);
        world.ab(&["policy", "explain", &place, "--shadow"]).exits(0).says("deny");
    }
    world.ab(&["verify"]).exits(0).says("accepted");
}
