//! Attacks of workers, one in each row: through the real `ab run`, contained, written down with its code, and without a trace in the repository.
//!
//! After each of them the same repository takes a good change, and in the end its whole log is accepted. Those on the network are in `egress.rs`, those of checks
//! in `jail.rs` of `abide-sandbox`, those that need an engine to look inside in its `hostile.rs`.

mod modules;

use std::fs;

use abide_tests::world::World;
use serde_json::Value as Json;

use crate::bundles::{House, edited};
use crate::worker::guest;

/// One attack.
struct Attack {
    name: String,
    /// The file of a component.
    component: String,
    /// The parameter `new` of its task: the way in which `guest-workers/hostile*` misbehave.
    way: String,
    /// Code with which its task ends; none for one that is cut and may go on.
    code: Option<&'static str>,
}

/// A repository under a policy whose limits end an attack soon.
fn house() -> House {
    let house = House::new();
    let text = edited(
        "data/grants.yaml",
        "stubs: []",
        "stubs: [wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random]",
    );
    let less = [
        ("wall_ms_max: 30000", "wall_ms_max: 1000"),
        ("memory_bytes_max: 268435456", "memory_bytes_max: 134217728"),
        ("hostcall_bytes_max: 16777216", "hostcall_bytes_max: 8388608"),
        ("output_bytes_max: 8388608", "output_bytes_max: 1048576"),
    ];
    let text = less.into_iter().fold(text, |text, (then, now)| {
        assert!(text.contains(then), "{then}");
        text.replace(then, now)
    });
    let bundle = house.bundle(1, &[("data/grants.yaml", &text)]);
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.activate(&bundle).exits(0);
    house.world.write("a.txt", b"one\n");
    house.world.write("docs/b.txt", b"one\n");
    house.world.commit("Two files");
    house
}

/// The newest event of a kind that says how a task went.
fn ended(world: &World) -> (String, Option<String>) {
    let log = world.log();
    let about = ["WorkerFailed", "PatchProposed", "NothingToDo"];
    let event = log.iter().rfind(|event| about.contains(&event["event"]["type"].as_str().unwrap())).unwrap();
    let code = event["event"]["data"]["code"].as_str().map(str::to_owned);
    (event["event"]["type"].as_str().unwrap().to_owned(), code)
}

/// Receipts in the log.
fn receipts(log: &[Json]) -> usize {
    log.iter().filter(|event| event["event"]["type"] == "TaskRan").count()
}

/// Runs each attack, and good work in between.
fn all_are_contained(house: &House, attacks: &[Attack]) {
    let world = &house.world;
    let (main, files) = (world.head("main"), world.git(&["status", "--porcelain"]));
    let mut open = Vec::new();
    for attack in attacks {
        let before = receipts(&world.log());
        let ticket = world.edit("a.txt", Some("one"), &attack.way);
        let worker = format!("codegen={}", attack.component);
        let said = world.ab(&["run", "--mode", "plan", "--ticket", &ticket, "--worker", &worker]);
        let (kind, code) = ended(world);
        let contained = match attack.code {
            Some(expected) => kind == "WorkerFailed" && code.as_deref() == Some(expected),
            None => kind != "WorkerFailed" || code.as_deref() == Some("AB0811"),
        };
        // What is not let in has no receipt, and is in the log all the same.
        let recorded = receipts(&world.log()) == before + usize::from(attack.code != Some("AB0808"));
        if !contained || !recorded || said.err.contains("panicked") {
            open.push(format!(
                "{}: {kind} {code:?}, recorded: {recorded}\n{}{}",
                attack.name, said.out, said.err
            ));
        }
        assert_eq!(
            (world.head("main"), world.git(&["status", "--porcelain"])),
            (main.clone(), files.clone()),
            "{}",
            attack.name
        );
    }
    assert!(open.is_empty(), "{} of {} are not contained:\n{}", open.len(), attacks.len(), open.join("\n"));
    // The host is well: work goes on, and what was written down is whole.
    let ticket = world.edit("docs/b.txt", Some("one"), "two");
    world.ab(&["run", "--ticket", &ticket]).exits(0).says("1 merged");
    world.ab(&["verify"]).exits(0).says("accepted");
    assert!(!world.repo().join("../evil").exists());
}

fn by(component: &str, rows: &[(&str, Option<&'static str>)]) -> Option<Vec<Attack>> {
    let file = guest(component)?.to_string_lossy().into_owned();
    let attack = |(way, code): &(&str, Option<&'static str>)| Attack {
        name: (*way).to_owned(),
        component: file.clone(),
        way: (*way).to_owned(),
        code: *code,
    };
    Some(rows.iter().map(attack).collect())
}

#[test]
fn of_what_it_may_use() {
    let Some(mut attacks) = by(
        "hostile",
        &[
            ("trap", Some("AB0812")),
            ("spin", Some("AB0211")),
            ("grow", Some("AB0212")),
            ("recurse", Some("AB0213")),
            ("huge-log", Some("AB0214")),
            ("log-flood", None),
            ("log-escapes", None),
            ("progress-flood", None),
            ("read-outside", None),
            ("huge-failure", None),
        ],
    ) else {
        return;
    };
    let wasi = by(
        "hostile-wasi",
        &[
            ("answers", None),
            ("random-flood", Some("AB0854")),
            ("exit", Some("AB0856")),
            ("handles", Some("AB0855")),
            ("wait", Some("AB0211")),
        ],
    );
    attacks.extend(wasi.into_iter().flatten());
    all_are_contained(&house(), &attacks);
}

#[test]
fn of_what_it_proposes() {
    let rows = [
        ("big-output", Some("AB0822")),
        ("many-files", Some("AB0822")),
        ("no-files", Some("AB0730")),
        ("no-hunks", Some("AB0730")),
        ("no-effect", Some("AB0730")),
        ("context-only", Some("AB0728")),
        ("wrong-context", Some("AB0729")),
        ("wrong-count", Some("AB0728")),
        ("not-a-hunk", Some("AB0728")),
        ("overlap", Some("AB0728")),
        ("twice", Some("AB0726")),
        ("parent", Some("AB0723")),
        ("absolute", Some("AB0723")),
        ("git-config", Some("AB0723")),
        ("git-folded", Some("AB0723")),
        ("backslash", Some("AB0723")),
        ("newline", Some("AB0723")),
        ("rename-in", Some("AB0723")),
        ("no-rationale", Some("AB0823")),
    ];
    let Some(attacks) = by("hostile", &rows) else { return };
    all_are_contained(&house(), &attacks);
}

#[test]
fn of_its_own_code() {
    let house = house();
    let attack = |(name, text, code): (&str, String, &'static str)| {
        let file = house.world.beside(&format!("{}.wasm", name.replace(' ', "-")));
        fs::write(&file, modules::component(&text)).unwrap();
        Attack {
            name: name.to_owned(),
            component: file.to_string_lossy().into_owned(),
            way: "x".to_owned(),
            code: Some(code),
        }
    };
    let attacks: Vec<Attack> = modules::all().into_iter().map(attack).collect();
    all_are_contained(&house, &attacks);
}
