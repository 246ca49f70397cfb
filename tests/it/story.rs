//! One change from ticket to evidence, through the binary, on real repositories.

use abide_tests::world::{AB_YML, World};

const DOCS: &[(&str, &str)] = &[
    ("ab.yml", AB_YML),
    ("docs/index.md", "# Index\n\nRead [the guide](guide.md).\n"),
    ("docs/deep/guide.md", "# Guide\n"),
    ("src/shape.py", "def area(w, h):\n    return w * h\n\n\nprint(area(1, 2))\n"),
];

#[test]
fn a_documentation_repair_merges_by_itself_and_the_evidence_holds() {
    let world = World::new(DOCS);
    let before = world.head("main");
    let said = world.ab(&["--json", "run", "--ticket", "Repair broken links in docs/"]).exits(0).json();
    assert_eq!(said["merged"], 1);
    let after = world.head("main");
    assert_ne!(before, after);
    assert_eq!(said["merged_oids"][0], after.as_str());
    assert_eq!(world.git(&["show", "main:docs/index.md"]), "# Index\n\nRead [the guide](deep/guide.md).\n");
    assert_eq!(
        world.git(&["status", "--porcelain"]).lines().filter(|line| !line.starts_with("??")).count(),
        0,
        "the work tree follows"
    );
    let message = world.git(&["log", "-1", "--format=%an%n%B", "main"]);
    assert!(
        message.starts_with("codegen")
            && message.contains("Abide-Run: ")
            && message.contains("Abide-Decision: sha256:"),
        "{message}"
    );
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn a_rename_waits_and_what_is_merged_is_what_was_approved() {
    let world = World::new(DOCS);
    let ticket = world.beside("rename.md");
    std::fs::write(
        &ticket,
        "---\nrecipe: rename\nparams: {old: area, new: surface}\n---\nRename area to surface\n",
    )
    .unwrap();
    let before = world.head("main");
    world.ab(&["run", "--ticket", ticket.to_str().unwrap()]).exits(4).says("needs-human");
    assert_eq!(world.head("main"), before);
    let item = world.waiting().pop().unwrap();
    let seq: u64 = item.trim_start_matches('q').parse().unwrap();
    let record = world.log().into_iter().find(|event| event["seq"] == seq).unwrap();
    let approved = record["event"]["data"]["action"]["action"]["commit"].as_str().unwrap().to_owned();
    world.ab(&["show", &item]).exits(0).says("why it stopped").says("blast radius").says("who may decide");
    world.ab(&["approve", &item, "--as", "sponsor"]).exits(3).says("AB0045");
    assert_eq!(world.head("main"), before, "the sponsor's own word does not count");
    world.ab(&["approve", &item, "--as", "someone-else"]).exits(0);
    assert_eq!(world.head("main"), approved);
    world.ab(&["verify"]).exits(0);
}

#[test]
fn the_seeds_own_spellings_work() {
    let world = World::new(&[
        ("ab.yml", AB_YML),
        ("tickets/ABC-123.md", "---\nrecipe: rename\nparams: {old: area, new: surface}\n---\nRename\n"),
        ("src/shape.py", DOCS[3].1),
    ]);
    let said = world
        .ab(&[
            "--json",
            "run",
            "--ticket",
            "ABC-123",
            "--profile",
            "prod-conservative",
            "--cap",
            "200k-tokens",
            "--usd",
            "50",
        ])
        .exits(4)
        .json();
    let run = said["run"].as_str().unwrap().to_owned();
    world.ab(&["approve", "--run", &run, "--step", "apply", "--as", "reviewer"]).exits(0);
    world.ab(&["kill", "--run", &run]).exits(0);
}

#[test]
fn what_must_not_happen_is_denied_with_rule_and_help() {
    let world = World::new(DOCS);
    let before = world.head("main");
    let key = format!("key = {}{}\n", "AKIA", "Q4RZ7MWT2XKLP5NV");
    for (path, new, rule) in [
        (".github/workflows/ci.yml", "on: push\n", "pipeline-edit"),
        ("docs/access.md", key.as_str(), "secrets"),
        ("docs/trick.md", "safe \u{202e}txet\n", "text-hazard"),
    ] {
        let said =
            world.ab(&["run", "--ticket", &world.edit(path, None, new)]).exits(3).says(rule).says("help:");
        assert!(
            !said.out.contains("AKIA") && !said.err.contains("AKIA"),
            "the value of a secret is never shown"
        );
    }
    assert_eq!(world.head("main"), before);
    let leaked = world.log().iter().any(|event| event.to_string().contains("AKIA"));
    assert!(!leaked, "the log holds digests, never a secret");
}

#[test]
fn a_test_that_runs_code_when_built_never_merges_by_itself() {
    let world = World::new(DOCS);
    world
        .ab(&["run", "--ticket", &world.edit("tests/conftest.py", None, "import os\n")])
        .exits(4)
        .says("executes-on-build");
}

#[test]
fn a_change_shaped_like_the_xz_commits_is_denied() {
    let world = World::new(DOCS);
    world.git(&["switch", "--quiet", "--create", "payload"]);
    for number in 1..=5_u8 {
        let noise: Vec<u8> = (0..400_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).rotate_left(u32::from(number)).to_le_bytes()[0])
            .collect();
        world.write(
            &format!("tests/files/good-{number}.xz"),
            &[&[0xfd, b'7', b'z', b'X', b'Z', 0][..], &noise].concat(),
        );
    }
    world.write("tests/files/README", b"Made by hand.\n");
    world.commit("Tests: Add a few test files");
    world.git(&["switch", "--quiet", "main"]);
    let said = world
        .ab(&["propose", "payload", "--reason", "more test files"])
        .exits(3)
        .says("opaque-binary-in-tests");
    assert!(!said.out.contains("ab approve"), "no way on is shown that is none: {}", said.out);
}

#[test]
fn a_proposed_commit_is_judged_like_a_workers() {
    let world = World::new(DOCS);
    world.git(&["switch", "--quiet", "--create", "typo"]);
    world.write("docs/deep/guide.md", b"# The guide\n");
    world.commit("Say which guide");
    let commit = world.head("typo");
    world.git(&["switch", "--quiet", "main"]);
    world.ab(&["propose", "typo", "--reason", "say which guide it is"]).exits(0);
    assert_eq!(world.head("main"), commit);
}

#[test]
fn after_a_kill_nothing_starts_until_a_person_resumes() {
    let world = World::new(DOCS);
    world.ab(&["kill", "--reason", "drill"]).exits(0);
    world.ab(&["run", "--ticket", "Repair broken links in docs/"]).exits(7).says("AB0121");
    world.ab(&["resume", "--reason", "drill is over"]).exits(0);
    world.ab(&["run", "--ticket", "Repair broken links in docs/"]).exits(0);
    world.ab(&["verify"]).exits(0);
}

#[test]
fn a_packet_is_accepted_and_refused_after_any_flip() {
    let world = World::new(DOCS);
    world.ab(&["run", "--ticket", "Repair broken links in docs/"]).exits(0);
    let packet = world.beside("packet.abide");
    let path = packet.to_str().unwrap();
    world.ab(&["packet", "--out", path]).exits(0);
    world.ab(&["verify", path]).exits(0).says("accepted");
    let good = std::fs::read(&packet).unwrap();
    for place in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        std::fs::write(&packet, bad).unwrap();
        world.ab(&["verify", path]).exits(8).says("REFUSED");
    }
}

#[test]
fn a_rule_of_the_repository_decides() {
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\n\t\"rule\": \"changelog-by-hand\",\n\t\"level\": \"deny\",\n\t\"msg\": \"written by people\",\n\t\"path\": file.path,\n\t\"help\": \"leave it out\",\n} if {\n\tinput.action.class == \"WRITE\"\n\tsome file in input.facts.files\n\tfile.path == \"CHANGELOG.md\"\n}\n";
    let world =
        World::new(&[("ab.yml", AB_YML), ("README.md", "hello\n"), ("policies/repository.rego", rule)]);
    world
        .ab(&["run", "--ticket", &world.edit("CHANGELOG.md", None, "by a worker\n")])
        .exits(3)
        .says("changelog-by-hand");
    world.ab(&["run", "--ticket", &world.edit("docs/other.md", None, "by a worker\n")]).exits(0);
}
