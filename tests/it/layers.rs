//! Layers through the binary: documents that tighten, the organisation's layer in a signed bundle, and the layer of one run.

mod evidence;
mod keys;

use std::fs;
use std::path::{Path, PathBuf};

use abide_tests::gate::shipped_files;
use abide_tests::world::{AB_YML, Said, World};
use serde_json::Value as Json;

use super::bundles::damage;

const FILES: &[(&str, &str)] = &[
    ("ab.yml", AB_YML),
    ("docs/index.md", "See [it](gone.md).\n"),
    ("docs/deep/gone.md", "Here.\n"),
    ("secrets/note.md", "Old.\n"),
];
const TICKET: &str = "Repair broken links in docs/";
const RULE: &str = "# METADATA\n# title: Ours\n# description: Ours.\npackage abide.layers.organisation\n\nimport rego.v1\n\nfindings contains {\"rule\": \"house\", \"level\": \"review\", \"msg\": \"the house looks\"} if input.action.class == \"MERGE\"\n";

/// A world in which alice may sign rules.
struct House(World);

impl House {
    fn new() -> Self {
        let world = World::new(FILES);
        let key = |name: &str| {
            let made = world.ab(&["--json", "keys", "init", "--name", name]).exits(0).json();
            format!("      {}\n", made["line"].as_str().unwrap())
        };
        let (alice, bob, carol) = (key("rules/alice"), key("hard/bob"), key("hard/carol"));
        let text = format!(
            "roles:\n  rules:\n    quorum: 1\n    keys:\n{alice}  hard:\n    quorum: 2\n    keys:\n{bob}{carol}"
        );
        fs::write(world.home().join("signers.yaml"), text).unwrap();
        Self(world)
    }

    /// The folder of a layer with these files.
    fn folder(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.0.beside(name);
        for (path, text) in files {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        folder
    }

    /// A bundle of a layer with these files.
    fn bundle(&self, version: u64, files: &[(&str, &str)]) -> (PathBuf, Said) {
        let folder = self.folder(&format!("org-{version}"), files);
        let out = self.0.beside(&format!("layer-{version}.tar.gz"));
        let version = version.to_string();
        let args = [
            "policy",
            "bundle",
            "--dir",
            text(&folder),
            "--layer",
            "organisation",
            "-o",
            text(&out),
            "--version",
            &version,
        ];
        let said = self.0.ab(&args);
        (out, said)
    }

    fn activate(&self, bundle: &Path) -> Said {
        self.0.ab(&["policy", "activate", text(bundle), "--reason", "for the test"])
    }

    /// Makes, signs and activates a layer.
    #[track_caller]
    fn put(&self, version: u64, files: &[(&str, &str)]) -> PathBuf {
        let (bundle, said) = self.bundle(version, files);
        said.exits(0);
        self.0.ab(&["policy", "sign", text(&bundle), "--key", "rules/alice"]).exits(0);
        self.activate(&bundle).exits(0).says("layer `organisation`");
        bundle
    }

    /// A run of the ticket.
    fn run(&self, more: &[&str]) -> Said {
        self.0.ab(&[&["run", "--ticket", TICKET], more].concat())
    }

    /// A run that edits one file.
    fn edits(&self, path: &str) -> Said {
        let ticket = self.0.edit(path, None, "changed by a worker\n");
        self.0.ab(&["run", "--ticket", &ticket])
    }

    /// Commits a document of the repository.
    fn tightens(&self, text: &str) {
        self.0.write("policies/tighten.yaml", text.as_bytes());
        self.0.commit("Tighten");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The row called `name` of what is in force.
fn value(said: &Json, name: &str) -> Json {
    let rows = said["values"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {said}")).clone()
}

#[test]
fn each_key_of_a_document_binds() {
    let house = House::new();
    house.run(&[]).exits(0).says("1 merged");
    for (document, path, code, rule) in [
        ("levels: {MERGE: A2}", "docs/a.md", 4, "level-ceiling"),
        ("levels: {MERGE: A1, WRITE: A1}", "docs/b.md", 4, "WRITE above A1"),
        ("levels: {WRITE: A0}", "docs/c.md", 3, "level-ceiling"),
        ("caps: {files_max: 0}", "docs/d.md", 3, "cap-ceiling"),
        ("caps: {lines_max: 0}", "docs/e.md", 3, "cap-ceiling"),
        ("caps: {file_bytes_max: 3}", "docs/f.md", 3, "cap-ceiling"),
        ("thresholds: {bytes_max: 3}", "docs/g.md", 4, "max-change-size"),
        ("forbidden_patterns: [\"by a  WORKER\"]", "docs/h.md", 3, "layer-forbidden-pattern"),
        ("forbidden_patterns: [{id: w, regex: 'w[o]rker'}]", "docs/i.md", 3, "layer-forbidden-pattern"),
        ("never_touch: [\"SECRETS/**\"]", "secrets/note.md", 3, "layer-never-touch"),
        ("review: [\"docs/j*\"]", "docs/j.md", 4, "layer-review"),
        ("profiles: [assisted]", "docs/k.md", 3, "profile-not-allowed"),
        ("safety_levels: [low]", "docs/l.md", 3, "safety-not-allowed"),
        ("safety_modes: [warn]", "docs/m.md", 3, "safety-not-allowed"),
        ("required_checks: [quick, slow]", "docs/n.md", 3, "check `slow`"),
    ] {
        house.tightens(document);
        house.edits(path).exits(code).says(rule);
        // What the document does not name goes on as before.
        house.tightens("{}");
        house.edits(&format!("docs/after-{}", path.replace('/', "-"))).exits(0);
    }
    house.tightens("levels: {MERGE: A3}\nrequired_checks: [quick]\ncaps: {files_max: 299}\nprofiles: [prod-conservative]\nreview: [\"src/**\"]\n");
    house.edits("docs/last.md").exits(0);
    // All of it is recomputed from the recorded bundles.
    house.0.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn a_document_that_cannot_be_used_denies_and_is_told_with_its_line() {
    let house = House::new();
    for (document, code, says) in [
        ("levls: {MERGE: A2}\n", "AB0180", "levls"),
        ("caps: {files_max: 1}\ncaps: {files_max: 2}\n", "AB0180", "duplicate"),
        ("caps:\n  files_max: many\n", "AB0180", "tighten.yaml:2"),
        ("never_touch: [\"/abs\"]\n", "AB0180", "never_touch"),
        ("thresholds: {binaries_max: 1}\n", "AB0180", "binaries_max"),
        ("forbidden_patterns: [{id: a, regex: \"(\"}]\n", "AB0705", "regular expression"),
    ] {
        house.0.write("policies/tighten.yaml", document.as_bytes());
        house.0.ab(&["policy", "check"]).exits(1).says(code).says(says).says("tighten.yaml");
        house.0.commit("Broken");
        house.run(&[]).exits(6).says(code);
    }
    // A module where the host puts its own, and a document of the bundle's kind beside the other.
    house.tightens("{}");
    house.0.write("policies/tighten.yaml.rego", b"package abide.layers.tighten\nfindings := set()");
    house.0.ab(&["policy", "check"]).exits(1).says("AB0183");
    fs::remove_file(house.0.repo().join("policies/tighten.yaml.rego")).unwrap();
    house.0.write("policies/tighten.json", b"{}");
    house.0.ab(&["policy", "check"]).exits(1).says("twice");
}

#[test]
fn what_would_loosen_is_told_and_loosens_nothing() {
    let house = House::new();
    house.tightens("levels: {MERGE: A5}\ncaps: {files_max: 301}\nthresholds: {lines_max: 101}\nrollback_threshold_permille: 900\nprofiles: [prod-conservative, prod]\nsafety_modes: [deny-by-default, warn]\n");
    let said = house.0.ab(&["--json", "policy", "check"]).exits(1).json();
    let found: Vec<(String, i64)> = said["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                format!(
                    "{} {}",
                    one["code"].as_str().unwrap(),
                    one["message"].as_str().unwrap().split('`').nth(1).unwrap()
                ),
                one["line"].as_i64().unwrap(),
            )
        })
        .collect();
    let told = |code: &str, key: &str, line: i64| (format!("{code} {key}"), line);
    assert_eq!(
        found,
        [
            told("AB0181", "levels.MERGE", 1),
            told("AB0181", "caps.files_max", 2),
            told("AB0181", "thresholds.lines_max", 3),
            told("AB0181", "rollback_threshold_permille", 4),
            told("AB0189", "profiles", 5),
        ]
    );
    let said = house.0.ab(&["--json", "policy", "show", "--effective"]).exits(0).json();
    for (name, number) in
        [("caps.files_max", 300), ("thresholds.lines_max", 100), ("rollback_threshold_permille", 950)]
    {
        let row = value(&said, name);
        assert_eq!((&row["value"], &row["from"]), (&Json::from(number), &Json::from("built-in")), "{name}");
    }
    // 101 lines still wait, at most A3 is still what `ab.yml` gives, and more than 300 files are still a wall.
    let many = "x\n".repeat(101);
    let ticket = house.0.edit("docs/many.md", None, &many);
    house.0.ab(&["run", "--ticket", &ticket]).exits(4).says("size");
    // A layer that the organisation tightened is no looser for what the repository says.
    house.put(
        1,
        &[(
            "tighten.yaml",
            "caps: {files_max: 10}\nprofiles: [assisted, prod-conservative]\nlevels: {MERGE: A2}",
        )],
    );
    house.0.write(
        "policies/tighten.yaml",
        b"caps: {files_max: 11}\nprofiles: [exploration, prod-conservative]\nlevels: {MERGE: A3}",
    );
    let said = house.0.ab(&["policy", "check"]).exits(1);
    said.says("11, and the organisation says 10")
        .says("`exploration`, which a layer below does not let be used")
        .says("A3, and the organisation says A2");
}

#[test]
fn the_layer_of_an_organisation_stands_beside_the_policy_and_below_the_repository() {
    let house = House::new();
    let world = &house.0;
    let first = house.put(1, &[("house.rego", RULE), ("house_test.rego", "package house_test\n\nimport rego.v1\n\ntest_house if {\n\t\"house\" in {finding.rule | some finding in data.abide.decision.findings} with input as data.abide.fixture.merge\n}\n"), ("tighten.yaml", "caps: {files_max: 50}\n")]);
    world
        .ab(&["policy", "verify", text(&first)])
        .exits(0)
        .says("it only tightens")
        .says("nothing but the version");
    let folder = world.beside("org-1");
    world
        .ab(&["policy", "test", "--dir", text(&folder), "--layer", "organisation"])
        .exits(0)
        .says("1 of them yours");
    world.ab(&["policy", "check", "--dir", text(&folder), "--layer", "organisation"]).exits(0);
    let event = &world.log()[1]["event"];
    assert_eq!(
        (&event["type"], &event["data"]["layer"]),
        (&Json::from("LayerActivated"), &Json::from("organisation"))
    );
    assert_eq!(event["data"]["signed"][0]["person"], "alice");
    house.run(&[]).exits(4).says("house: the house looks");
    world.ab(&["policy", "explain"]).exits(0).says("layers/organisation/house.rego");
    let said = world.ab(&["--json", "policy", "show", "--effective"]).exits(0).json();
    let row = value(&said, "caps.files_max");
    assert_eq!((&row["value"], &row["from"]), (&Json::from(50), &Json::from("organisation v1")));
    assert_eq!(row["instead_of"], serde_json::json!([{"value": 300, "from": "built-in"}]));
    // Versions go up, and the way back is a newer one that says nothing.
    let (old, said) = house.bundle(1, &[("house.rego", RULE), ("tighten.yaml", "{}")]);
    said.exits(0);
    world
        .ab(&[
            "policy",
            "sign",
            text(&old),
            "--key",
            "rules/alice",
            "--signatures",
            text(&world.beside("s.json")),
        ])
        .exits(0);
    world
        .ab(&[
            "policy",
            "activate",
            text(&old),
            "--signatures",
            text(&world.beside("s.json")),
            "--reason",
            "r",
        ])
        .exits(8)
        .says("AB0259");
    house.put(2, &[("tighten.yaml", "{}")]);
    house.run(&[]).exits(0);
    world.ab(&["policy", "show"]).exits(0).says("organisation v2");
    let out = world.beside("out.tar.gz");
    world.ab(&["policy", "show", "--version", "1", "--layer", "-o", text(&out)]).exits(0);
    assert!(fs::read(&out).unwrap() != fs::read(&old).unwrap() && out.exists());
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn a_layer_without_its_signature_or_beyond_its_corner_is_refused() {
    let house = House::new();
    let (bundle, said) = house.bundle(1, &[("house.rego", RULE)]);
    said.exits(0);
    house.activate(&bundle).exits(8).says("AB0251");
    for (version, path, text) in [
        (2, "a.rego", RULE.replace("layers.organisation", "hard")),
        (3, "a.rego", RULE.replace("layers.organisation", "layers.repository")),
        (4, "data/caps.yaml", "files_max: 100000\n".to_owned()),
        (5, "main.rego", RULE.replace("abide.layers.organisation", "abide")),
        (6, "tighten.yaml", "cap: {}\n".to_owned()),
    ] {
        house.bundle(version, &[(path, &text)]).1.exits(8).says("AB0182");
    }
    // It must load over what is in force.
    house
        .bundle(7, &[("a.rego", &RULE.replace("input.action.class", "input.actoin.class"))])
        .1
        .exits(6)
        .says("AB0117");
    // A whole policy is no layer, and a layer no whole policy.
    house
        .0
        .ab(&[
            "policy",
            "bundle",
            "--dir",
            text(&house.0.beside("org-1")),
            "-o",
            text(&house.0.beside("x")),
            "--version",
            "1",
        ])
        .exits(2)
        .says("AB0247");
    assert!(!house.0.kinds().contains(&"LayerActivated".to_owned()));
}

#[test]
fn a_repository_shadows_nothing_of_the_organisation() {
    let house = House::new();
    house.put(1, &[("house.rego", RULE)]);
    let empty = |package: &str| {
        format!(
            "package {package}\n\nimport rego.v1\n\nfindings contains f if {{ input.run.halted; f := {{\"rule\": \"x\", \"level\": \"warn\", \"msg\": \"x\"}} }}\n"
        )
    };
    for (path, text) in [
        ("policies/organisation/house.rego", empty("abide.layers.organisation")),
        ("policies/organisation/other.rego", empty("abide.layers.mine")),
        ("policies/house.rego", empty("abide.layers.organisation")),
        ("policies/house.rego", empty("abide.layers.organisation_tighten")),
        ("policies/run/run.rego", empty("abide.layers.run")),
        ("policies/house.rego", empty("abide.layers.run")),
    ] {
        house.0.write(path, text.as_bytes());
        house.0.ab(&["policy", "check"]).exits(1).says("AB0105");
        house.0.commit("Shadow");
        house.run(&[]).exits(6).says("AB0105");
        fs::remove_file(house.0.repo().join(path)).unwrap();
    }
    // A file of the same name stands beside it, under its own folder.
    house.0.write("policies/house.rego", empty("abide.layers.house").as_bytes());
    house.0.commit("Ours");
    house.run(&[]).exits(4).says("house: the house looks");
}

#[test]
fn a_layer_that_cannot_be_read_denies_everything() {
    let house = House::new();
    house.put(1, &[("house.rego", RULE)]);
    damage(&house.0.home().join("world/ledger"), &fs::read(house.0.beside("layer-1.tar.gz")).unwrap());
    house.run(&[]).exits(6).says("AB0260").says("the organisation's layer");
    house.0.ab(&["policy", "show", "--effective"]).exits(6).says("AB0260");
    // A newer one mends it; nothing else does, and it is never left out.
    house.put(2, &[("house.rego", RULE)]);
    house.run(&[]).exits(4).says("house");
}

#[test]
fn a_run_whose_layer_is_damaged_is_decided_no_more() {
    let house = House::new();
    let file = house.0.beside("mine.yaml");
    let document =
        format!("about: {}\nreview: [\"docs/**\"]\n", "a look at this one before it goes out ".repeat(6));
    fs::write(&file, &document).unwrap();
    house.run(&["--tighten", text(&file)]).exits(4);
    damage(&house.0.home().join("world/ledger"), document.as_bytes());
    let item = house.0.waiting().remove(0);
    house.0.ab(&["approve", &item, "--as", "second"]).exits(6).says("AB0188");
    assert!(!house.0.kinds().contains(&"Merged".to_owned()));
    house.0.ab(&["show"]).exits(0).says("AB0188");
    // The kill switch and its ways back need no layer, and other runs go on.
    house.0.ab(&["kill", "--reason", "it is damaged"]).exits(0);
    house.0.ab(&["resume", "--reason", "go on"]).exits(0);
    house.edits("docs/other.md").exits(0);
}

#[test]
fn an_older_document_that_keeps_serving_is_measured_by_as_before() {
    let house = House::new();
    let world = &house.0;
    let whole = world.beside("whole");
    for (path, bytes) in shipped_files() {
        let file = whole.join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let said =
            String::from_utf8(bytes).unwrap().replace("on_broken_policy: deny", "on_broken_policy: previous");
        fs::write(file, said).unwrap();
    }
    let bundle = world.beside("whole.tar.gz");
    world.ab(&["policy", "bundle", "--dir", text(&whole), "-o", text(&bundle), "--version", "1"]).exits(0);
    for key in ["rules/alice", "hard/bob", "hard/carol"] {
        world.ab(&["policy", "sign", text(&bundle), "--key", key]).exits(0);
    }
    house.activate(&bundle).exits(0);
    house.put(1, &[("house.rego", &RULE.replace("\"review\"", "\"warn\""))]);
    house.tightens("never_touch: [\"secrets/**\"]\ncaps: {files_max: 20}\n");
    house.edits("docs/fine.md").exits(0);
    // The document of the last decision keeps serving where the newer one is broken, with the places that it has measured.
    house.tightens("never_tuch: []\n");
    house.edits("secrets/note.md").exits(3).says("layer-never-touch").says("AB0262");
    let said = world.ab(&["--json", "policy", "show", "--effective"]).exits(0).json();
    assert_eq!(value(&said, "caps.files_max")["value"], 20);
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn the_layer_of_a_run_holds_for_it_alone_and_for_good() {
    let house = House::new();
    let world = &house.0;
    let tighten = world.beside("mine.yaml");
    fs::write(&tighten, "about: a look at this one\nreview: [\"docs/**\"]\n").unwrap();
    house.run(&["--tighten", text(&tighten)]).exits(4).says("layer-review");
    fs::remove_file(&tighten).unwrap();
    world.ab(&["show"]).exits(0).says("tightened for this run alone").says("docs/**");
    let run = world.log().iter().find_map(|one| Some(one["event"]["run"].as_str()?.to_owned())).unwrap();
    let said = world.ab(&["--json", "policy", "show", "--effective", "--run", &run]).exits(0).json();
    assert_eq!(value(&said, "+ review")["from"], "run");
    // In another process: the target moves, so the unit is made anew, and it waits for the same reason.
    world.write("other.txt", b"x");
    world.commit("Move on");
    let item = world.waiting().remove(0);
    world.ab(&["approve", &item, "--as", "second"]).exits(4).says("out of date");
    let again = world.waiting().remove(0);
    assert_ne!(again, item);
    world.ab(&["show", &again]).exits(0).says("layer-review");
    world.ab(&["resume", &run]).exits(4);
    world.ab(&["approve", &again, "--as", "second"]).exits(0).says("1 merged");
    // The next run knows nothing of it.
    house.edits("docs/free.md").exits(0);
    world.ab(&["verify"]).exits(0).says("accepted");
    let rego = world.beside("mine.rego");
    fs::write(&rego, RULE.replace("layers.organisation", "layers.run").replace("review", "hard")).unwrap();
    let ticket = world.edit("docs/more.md", None, "more\n");
    world.ab(&["run", "--ticket", &ticket, "--tighten", text(&rego)]).exits(3).says("house");
    world.git(&["switch", "--quiet", "--create", "try"]);
    world.write("docs/hand.md", b"by hand\n");
    world.git(&["add", "."]);
    world.git(&["commit", "--quiet", "--message", "By hand"]);
    world.git(&["switch", "--quiet", "main"]);
    world.ab(&["propose", "try", "--tighten", text(&rego)]).exits(3).says("house");
}

#[test]
fn what_is_no_layer_of_a_run_is_refused_before_anything_is_recorded() {
    let house = House::new();
    let before = house.0.log().len();
    let rego = |name: &str| RULE.replace("layers.organisation", name);
    for (name, text, code) in [
        ("a.rego", rego("layers.repository"), "AB0184"),
        ("a.rego", rego("layers.organisation"), "AB0184"),
        (
            "main.rego",
            "package abide\n\ndecision := {\"verdict\": \"allow\", \"findings\": []}\n".to_owned(),
            "AB0184",
        ),
        ("a.rego", rego("layers.run").replace("input.action.class", "input.actoin"), "AB0184"),
        ("a.yaml", "levls: {}".to_owned(), "AB0184"),
        ("a.yaml", "caps: {files_max: 500}".to_owned(), "AB0181"),
        ("a.yaml", "profiles: [prod]".to_owned(), "AB0189"),
        ("a.tar.gz", "x".to_owned(), "AB0184"),
        ("a.yaml", format!("about: {}", "x".repeat(70_000)), "AB0184"),
    ] {
        let file = house.0.beside(name);
        fs::write(&file, text).unwrap();
        house.run(&["--tighten", file.to_str().unwrap()]).exits(2).says(code);
    }
    house
        .run(&["--tighten", text(&house.folder("whole", &[("main.rego", "package abide")]))])
        .exits(2)
        .says("whole policy");
    house.run(&["--tighten", "nowhere.yaml"]).exits(2).says("AB0184");
    assert_eq!(house.0.log().len(), before);
}
