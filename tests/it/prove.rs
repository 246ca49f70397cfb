//! `ab policy prove` through the binary: what must never happen holds for what ships, and each invariant goes red when the rule behind it
//! is taken away.

use std::fs;

use abide_tests::gate::shipped_files;
use abide_tests::world::{Said, World};
use serde_json::Value as Json;

/// A part of the shipped model that is judged within a second or two: the axes are the shipped ones.
const PRODUCTS: &str = "products:
  - about: kinds of change
    over:
      - {axis: profile, only: [staging-aggressive]}
      - {axis: class, only: [MERGE, ROLLBACK]}
      - {axis: change, only: [documents, zone governance, a secret]}
      - {axis: run}
      - {axis: switch}
      - {axis: safety_mode}
      - {axis: way_back, only: [rehearsed, not rehearsed]}
      - {axis: approvals, only: [none, one]}
  - about: degrees
    over:
      - {axis: profile, only: [staging-aggressive]}
      - {axis: class, only: [MERGE]}
      - {axis: size}
      - {axis: risk, only: [low, high]}
      - {axis: checks, only: [passed, failed]}
      - {axis: layer}
  - about: sources
    over:
      - {axis: profile, only: [staging-aggressive]}
      - {axis: class, only: [FETCH]}
      - {axis: source}
      - {axis: run, only: [apply]}
      - {axis: safety_mode, only: [deny-by-default]}
      - {axis: approvals, only: [none, one]}
splits:
  - about: a long text in two parts
    over: [{axis: profile, only: [staging-aggressive]}]
    pieces:
      - [{path: docs/1.md, categories: [docs], added: 6000}]
      - [{path: docs/2.md, categories: [docs], added: 6000}]
";
/// Cases of that model: 1·2·3·2·3 · 3·2·2, 4·2·2·8, 11·2, and a whole with two pieces.
const CASES: u64 = 36 * 12 + 128 + 22 + 3;

/// A folder with the shipped policy, the small model, and `edits` (file, what stands there, what shall stand there).
fn policy(edits: &[(&str, &str, &str)]) -> World {
    let world = World::bare_of_ab(&[("README.md", "x\n")]);
    let mut files = shipped_files();
    let model = String::from_utf8(files["invariants/model.yaml"].clone()).unwrap();
    let (axes, _) = model.split_once("# Products of axes.").unwrap();
    files.insert("invariants/model.yaml".to_owned(), format!("{axes}{PRODUCTS}").into_bytes());
    for (path, from, to) in edits {
        let text = String::from_utf8(files[*path].clone()).unwrap();
        assert!(text.contains(from), "{path} has no `{from}`");
        files.insert((*path).to_owned(), text.replace(from, to).into_bytes());
    }
    for (path, bytes) in files {
        world.write(&format!("rules/{path}"), &bytes);
    }
    world
}

fn prove(world: &World) -> Said {
    world.ab(&["--json", "policy", "prove", "--dir", "rules", "--points", "0"])
}

/// The invariants that do not hold, by name.
fn broken(said: &Said) -> Vec<String> {
    let found = said.json();
    let broken = found["invariants"].as_array().unwrap().iter().filter(|one| one["violations"] != 0);
    broken.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_ships_holds_and_every_case_is_counted() {
    let said = prove(&policy(&[])).exits(0);
    assert_eq!(broken(&said), [""; 0], "{}", said.out);
    let found = said.json();
    assert_eq!(found["cases"], CASES);
    let sum: u64 =
        found["products"].as_array().unwrap().iter().map(|one| one["cases"].as_u64().unwrap()).sum();
    assert_eq!(sum, CASES);
    assert!(found["judged_twice"].as_u64().unwrap() >= 3);
    let more = ["--json", "policy", "prove", "--dir", "rules", "--points", "20"];
    let (one, other) = (policy(&[]).ab(&more).exits(0), policy(&[]).ab(&more).exits(0));
    assert_eq!(one.out, other.out, "the same points");
    assert!(one.json()["cases"].as_u64().unwrap() > CASES + 20, "points have neighbours");
    let said = policy(&[]).ab(&["policy", "prove", "--dir", "rules", "--points", "0"]).exits(0);
    said.says("no theorem");
}

/// Taken away or put in, with the invariants that must then not hold.
const BREAKS: &[(&str, &str, &str, &[&str])] = &[
    ("hard.rego", "input.run.frozen\n", "false\n", &["frozen-never-merges"]),
    ("hard.rego", "input.run.mode == \"PLAN\"\n", "false\n", &["plan-changes-nothing"]),
    (
        "merge_change.rego",
        "some zone in data.review.zones\n\tzone in",
        "some zone in data.review.zones\n\tzone != \"governance\"\n\tzone in",
        &["governance-waits"],
    ),
    ("lib/change.rego", "not input.rollback.rehearsed", "false", &["way-back-rehearsed"]),
    ("lib/sources.rego", "default use := \"deny\"", "default use := \"warn\"", &["sources-earn"]),
    ("lib/sources.rego", "use := \"review\" if", "use := \"warn\" if", &["sources-earn"]),
    (
        "lib/sources.rego",
        "\tnot source.licence in data.sources.licences",
        "\tnot source.licence",
        &["sources-earn"],
    ),
    ("lib/sources.rego", "not a_step", "false", &["sources-earn"]),
    ("data/sources.yaml", "say: [allow, silent]", "say: [allow, silent, forbid]", &["sources-earn"]),
    (
        "merge.rego",
        "package abide.merge\n",
        "package abide.merge\nfindings contains {\"rule\": \"crowd\", \"level\": \"deny\", \"msg\": \"m\"} if count(input.approvals) > 0\n",
        &["approvals-never-hurt"],
    ),
    (
        "merge.rego",
        "package abide.merge\n",
        "package abide.merge\nfindings contains {\"rule\": \"tiny\", \"level\": \"deny\", \"msg\": \"m\"} if input.facts.totals.added < 100\n",
        &["bigger-never-helps"],
    ),
    (
        "merge.rego",
        "package abide.merge\n",
        "package abide.merge\nfindings contains {\"rule\": \"dull\", \"level\": \"deny\", \"msg\": \"m\"} if input.risk.band == \"low\"\n",
        &["worse-never-helps"],
    ),
    (
        "merge.rego",
        "package abide.merge\n",
        "package abide.merge\nfindings contains {\"rule\": \"odd\", \"level\": \"warn\", \"msg\": \"m\"} if to_number(input.run.profile) == 1\n",
        &["clean-answers"],
    ),
    (
        "main.rego",
        "findings contains finding if some finding in data.abide.hard.findings",
        "findings contains object.union(finding, {\"level\": \"deny\"}) if { some finding in data.abide.hard.findings; input.run.safety_mode == \"deny-by-default\" }\n\nfindings contains finding if { some finding in data.abide.hard.findings; input.run.safety_mode == \"warn\" }\n\nfindings contains object.union(finding, {\"level\": \"review\"}) if { some finding in data.abide.hard.findings; input.run.safety_mode == \"allow\" }",
        &["hard-is-hard"],
    ),
    (
        "main.rego",
        "some finding in counting\n}\n\nfindings contains shown",
        "some finding in counting\n\tcount({one | some one in layered; one.level == \"warn\"}) == 0\n}\n\nfindings contains shown",
        &["layers-only-tighten"],
    ),
    ("hard.rego", "window.added + window.removed - caps.lines_max,", "", &["splitting-never-helps"]),
];

#[test]
fn each_invariant_sees_the_rule_behind_it_go() {
    let mut unseen = Vec::new();
    for (path, from, to, expected) in BREAKS {
        let said = prove(&policy(&[(path, from, to)]));
        let broken = broken(&said);
        for name in expected.iter().filter(|name| !broken.iter().any(|one| one == *name)) {
            unseen.push(format!("{path} `{from}`: {name} still holds; broken: {broken:?}"));
        }
        if said.code != 1 {
            unseen.push(format!("{path} `{from}`: exit {}", said.code));
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn a_killed_system_is_the_hosts_business_and_the_invariant_reads_it() {
    // The host denies whatever the policy says, so the rule can go and the invariant still holds; an invariant that is turned round does not.
    let world = policy(&[("hard.rego", "input.run.halted\n", "false\n")]);
    assert_eq!(broken(&prove(&world).exits(0)), [""; 0]);
    let turned = "case.rank == 0\n\tcase.switch == \"killed\"\n\tcase.class != \"ROLLBACK\"";
    let other = "case.rank != 0\n\tcase.switch == \"killed\"\n\tcase.class != \"ROLLBACK\"";
    let world = policy(&[("invariants/invariants.rego", turned, other)]);
    assert_eq!(broken(&prove(&world).exits(1)), ["killed-only-rollback"]);
}

#[test]
fn a_counterexample_is_a_question_that_can_be_put_again() {
    let world = policy(&[("lib/change.rego", "not input.rollback.rehearsed", "false")]);
    let said = world
        .ab(&["policy", "prove", "--dir", "rules", "--points", "0", "--counterexamples", "found"])
        .exits(1);
    let said = said.says("way-back-rehearsed").says("way_back not rehearsed").says("not all hold");
    assert!(!said.out.contains("abide.input/1"), "questions belong into files");
    let text = fs::read_to_string(world.repo().join("found/way-back-rehearsed-1.json")).unwrap();
    let input: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(input["rollback"]["rehearsed"], false);
    assert_eq!(input["schema"], "abide.input/1");
}

#[test]
fn a_model_or_invariant_that_cannot_be_used_is_refused() {
    let model = "invariants/model.yaml";
    let rego = "invariants/invariants.rego";
    let refusals: &[(&str, &str, &str, &str)] = &[
        (model, "abide.model/1", "abide.model/2", "AB0195"),
        (model, "{axis: safety_mode}", "{axis: weather}", "there is no axis `weather`"),
        (model, "only: [MERGE, ROLLBACK]", "only: [MERGE, SING]", "has no value `SING`"),
        (model, "host_level_max: 2", "host_level: 2", "value `A2`"),
        (model, "each: {of: zones", "each: {of: planets", "there is no data `planets`"),
        (model, "- {axis: run}\n", "- {axis: run}\n      - {axis: run}\n", "takes axis `run` twice"),
        (model, "schema: abide.model/1", "schema: abide.model/1\nschema: abide.model/1", "AB0195"),
        (
            rego,
            "package abide.invariants",
            "package abide.elsewhere",
            "its package must be `abide.invariants`",
        ),
        (rego, "step.after > step.before", "http.send({})", "AB010"),
        (
            rego,
            "\"invariant\": \"approvals-never-hurt\", \"before\"",
            "\"invariant\": \"never-named\", \"before\"",
            "x",
        ),
    ];
    for (path, from, to, told) in refusals {
        let world = policy(&[(path, from, to)]);
        let said = world.ab(&["policy", "prove", "--dir", "rules", "--points", "0"]);
        if *told == "x" {
            // Only seen when it is violated: here it is not.
            said.exits(0);
            continue;
        }
        said.exits(6).says(told);
    }
}

#[test]
fn a_repository_adds_invariants_and_takes_none_away() {
    let world = policy(&[]);
    let own = "package abide.invariants\n\nimport rego.v1\n\ninvariants contains {\"name\": \"nothing-merges\", \"says\": \"nothing merges by itself\"}\n\nviolations contains {\"invariant\": \"nothing-merges\", \"case\": case.n} if {\n\tsome case in input.cases\n\tcase.class == \"MERGE\"\n\tcase.rank == 0\n}\n";
    world.write("rules/invariants/ours.rego", own.as_bytes());
    let said = prove(&world).exits(1);
    assert_eq!(broken(&said), ["nothing-merges"]);
    let count = said.json()["invariants"].as_array().unwrap().len();
    assert_eq!(count, 14, "those that ship and one more");
}
