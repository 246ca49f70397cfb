//! `ab policy`: the workbench of those who write rules, through the binary.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use abide_tests::gate::shipped_files;
use abide_tests::world::{AB_YML, Said, World, ab};
use serde_json::Value as Json;

const TITLE: &str = "# METADATA\n# title: Ours\n# description: Rules of the test.\n";

/// A repository whose own rules are `files`, in `policies/`.
fn layer(files: &[(&str, &str)]) -> World {
    let world = World::new(&[("ab.yml", AB_YML), ("README.md", "x\n")]);
    for (path, text) in files {
        world.write(&format!("policies/{path}"), text.as_bytes());
    }
    world
}

/// The shipped policy in the folder `rules` of a repository, with `files` in place of its own.
fn whole(files: &[(&str, &str)]) -> World {
    let world = World::bare_of_ab(&[("README.md", "x\n"), (".github/workflows/a.yml", "x\n")]);
    for (path, bytes) in shipped_files() {
        world.write(&format!("rules/{path}"), &bytes);
    }
    for (path, text) in files {
        world.write(&format!("rules/{path}"), text.as_bytes());
    }
    world
}

/// `path:line:column code` of every finding, in the order in which they are shown.
fn findings(said: &Said) -> Vec<String> {
    let found = said.json();
    let one = |finding: &Json| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        format!("{}:{}:{} {}", text("path"), finding["line"], finding["column"], text("code"))
    };
    found["findings"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn what_ab_init_wrote_is_clean() {
    layer(&[]).ab(&["policy", "check"]).exits(0).says("0 errors, 0 warnings");
}

#[test]
fn every_finding_of_every_file_at_its_place() {
    let world = layer(&[
        (
            "a.rego",
            &format!(
                "{TITLE}package abide.layers.a\nfindings contains x if {{\n\tinput.actoin.class == \"MERGE\"\n\tx := nope(1)\n}}\n"
            ),
        ),
        ("b.rego", "package abide.layers.b\nfindings contains {\n"),
        ("c.rego", &format!("{TITLE}package abide.c\nx := 1\n")),
        ("d.json", "{}"),
        ("e_test.rego", "package abide.layers.e_test\ntest_e if input.rnu\n"),
    ]);
    let said = world.ab(&["--json", "policy", "check"]).exits(1);
    assert_eq!(
        findings(&said),
        [
            "policies/a.rego:6:2 AB0117",
            "policies/a.rego:7:7 AB0104",
            "policies/b.rego:null:null AB0165",
            "policies/b.rego:3:1 AB0102",
            "policies/c.rego:null:null AB0105",
            "policies/d.json:null:null AB0105",
            "policies/e_test.rego:2:11 AB0117",
        ]
    );
    assert_eq!(said.json()["errors"], 6);
    let shown = world.ab(&["policy", "check"]).exits(1);
    for text in
        ["policies/a.rego:6:2", "input.actoin.class == \"MERGE\"", "did you mean `input.action`?", "──"]
    {
        assert!(shown.out.contains(text), "`{text}` is not shown\n{}", shown.out);
    }
    assert!(shown.out.trim_end().ends_with("6 errors, 1 warning; ab explain AB0117"), "{}", shown.out);
}

#[test]
fn what_is_doubtful_is_a_warning() {
    let module = "package abide.layers.a\nfindings contains x if {\n\tx := used(1)\n}\nused(kept) := kept\nkept := 1\nidle := 2\n";
    let world = layer(&[("a.rego", module)]);
    let said = world.ab(&["--json", "policy", "check"]).exits(0);
    assert_eq!(
        findings(&said),
        [
            "policies/a.rego:null:null AB0165",
            "policies/a.rego:5:6 AB0162",
            "policies/a.rego:6:1 AB0161",
            "policies/a.rego:7:1 AB0161",
        ]
    );
}

#[test]
fn what_loads_and_cannot_be_meant() {
    let module = format!(
        "{TITLE}package abide.layers.a\nfindings contains {{\n\t\"rule\": \"a\",\n\t\"level\": \"reveiw\",\n\t\"mesage\": \"m\",\n}} if {{\n\tinput.action.class == \"merge\"\n\tsome file in input.facts.files\n\tfile.pth == \"x\"\n}}\n"
    );
    let world = layer(&[("a.rego", &module)]);
    let said = world.ab(&["--json", "policy", "check"]).exits(1);
    assert_eq!(
        findings(&said),
        [
            "policies/a.rego:5:1 AB0156",
            "policies/a.rego:7:12 AB0156",
            "policies/a.rego:8:3 AB0156",
            "policies/a.rego:10:25 AB0155",
            "policies/a.rego:12:2 AB0117",
        ]
    );
    let said =
        world.ab(&["policy", "check"]).exits(1).says("did you mean `review`?").says("did you mean `MERGE`?");
    said.says("did you mean `file.path`?").says("the finding has no `msg`").says("a finding has no `mesage`");
    // Of the rules that ship, nothing of the kind is said.
    world.ab(&["policy", "check", "--dir", &format!("{}/../policies", env!("CARGO_MANIFEST_DIR"))]).exits(0);
}

#[test]
fn zones_of_a_whole_policy() {
    let zones = "ci: {about: a, globs: [\".github/**\"]}\ninfra: {about: a, globs: [\"nowhere/**\"]}\nsecrets: {about: a, globs: []}\n\
        governance: {about: a, globs: [\"README.md\"]}\nnever-touch: {about: a, globs: []}\nexecutes-on-build: {about: a, globs: []}\n";
    let world = whole(&[("data/zones.yaml", zones)]);
    world.commit("files");
    let said = world.ab(&["--json", "policy", "check", "--dir", "rules"]).exits(0);
    assert_eq!(findings(&said), ["rules/data/zones.yaml:null:null AB0164"]);
    said.says("zone `infra`");
}

#[test]
fn programs_read_it_too() {
    let world =
        layer(&[("a,b.rego", &format!("{TITLE}package abide.layers.a\nfindings contains input.x\n"))]);
    let said = world.ab(&["policy", "check", "--format", "github"]).exits(1);
    assert_eq!(
        said.out,
        "::error file=policies/a%2Cb.rego,line=5,col=19,title=AB0117::`input.x` is not in the input schema; did you mean `input.now`?\n"
    );
    let sarif = world.ab(&["policy", "check", "--format", "sarif"]).exits(1).json();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&Json::from("AB0117"), &Json::from("error")));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "policies/a%2Cb.rego");
    assert_eq!(place["region"], serde_json::json!({"startLine": 5, "startColumn": 19, "endColumn": 26}));
}

#[test]
fn nothing_in_a_policy_moves_the_cursor() {
    let world = layer(&[
        (
            "a\u{1b}[2J.rego",
            &format!("{TITLE}package abide.layers.a\nfindings contains \"\u{1b}[31m\u{202e}\" if input.x\n"),
        ),
        ("b.rego", &format!("{TITLE}package abide.layers.b\nfindings contains 1 if input[\"\u{1b}[31m\"]\n")),
    ]);
    for format in ["text", "github", "sarif"] {
        let said = world.ab(&["policy", "check", "--format", format]).exits(1);
        assert!(!said.out.contains(['\u{1b}', '\u{202e}']), "{format}: {:?}", said.out);
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let world = layer(&[("a.rego", &"(".repeat(10_000)), ("b.rego", &format!("x{}", "-".repeat(10_000)))]);
    world.ab(&["policy", "check"]).exits(1).says("levels of nesting");
    let long =
        format!("{TITLE}package abide.layers.a\nfindings contains \"{}\" if input.x\n", "x".repeat(100_000));
    let said = layer(&[("a.rego", &long)]).ab(&["policy", "check"]).exits(1);
    assert!(said.out.len() < 4_000, "{} bytes are shown", said.out.len());
    let world = layer(&[]);
    fs::write(world.repo().join("policies/large.rego"), vec![b'#'; 14 << 20]).unwrap();
    world.ab(&["policy", "check"]).exits(6).says("AB0151");
}

const RULE: &str = "package abide.layers.a\nfindings contains {\"rule\": \"by-hand\", \"level\": \"review\", \"msg\": \"by hand\"} if {\n\tinput.action.class == \"MERGE\"\n\tsome file in input.facts.files\n\tfile.path == \"CHANGELOG.md\"\n}\n";

const TESTS: &str = "package abide.layers.a_test\nimport data.abide.layers.a\nchange(path) := {\"action\": {\"class\": \"MERGE\"}, \"facts\": {\"files\": [{\"path\": path}]}}\n\
    test_by_hand if {\n\tfound := a.findings with input as change(\"CHANGELOG.md\")\n\tcount(found) == 1\n}\n\
    test_others if count(a.findings) == 0 with input as change(\"README.md\")\n\
    todo_test_renamed if a.findings == 1\n";

#[test]
fn tests_beside_the_rules() {
    let world = layer(&[("a.rego", RULE), ("a_test.rego", TESTS)]);
    world.ab(&["policy", "test"]).exits(0).says(" passed, 0 failed, 1 to do").says("todo_test_renamed");
    world.ab(&["policy", "test", "--run", "test_others"]).exits(0).says("1 passed, 0 failed");
    world.ab(&["policy", "test", "--run", "no-such-test"]).exits(2).says("AB0168");
    // A rule that is broken is seen, with the line that is not true.
    world.write("policies/a.rego", RULE.replace("CHANGELOG", "CHANGES").as_bytes());
    let said = world.ab(&["policy", "test"]).exits(1);
    let said = said.says(" passed, 1 failed").says("policies/a_test.rego");
    assert!(said.out.contains("line 6 is not true: count(found) == 1"), "{}", said.out);
    let object = world.ab(&["--json", "policy", "test", "--run", "by_hand"]).exits(1).json();
    assert_eq!((&object["failed"], &object["tests"][0]["line"]), (&Json::from(1), &Json::from(6)));
    // What does not load is not tested, and told with the path that a person edits.
    world.write("policies/a.rego", b"package abide.layers.a\nfindings contains {");
    let said = world.ab(&["policy", "test"]).exits(6).says("policies/a.rego:2:");
    assert!(!said.err.contains("layers/a.rego"), "{}", said.err);
}

#[test]
fn a_rule_that_no_test_comes_to_is_named() {
    let world = layer(&[("a.rego", RULE), ("a_test.rego", TESTS)]);
    let said = world.ab(&["policy", "test"]).exits(0).says(" passed, 0 failed, 1 to do (4 of them yours)");
    assert!(!said.out.contains("no test of yours"), "{}", said.out);
    // A test that only asks for what is not found tries nothing.
    let silent = TESTS
        .replace("change(\"CHANGELOG.md\")", "change(\"x\")")
        .replace("count(found) == 1", "count(found) == 0");
    world.write("policies/a_test.rego", silent.as_bytes());
    world
        .ab(&["policy", "test"])
        .exits(0)
        .says("no test of yours makes `by-hand` find something  policies/a.rego:2");
    world.ab(&["policy", "test", "--threshold", "100"]).exits(1).says("AB0167").says("policies/a.rego");
}

#[test]
fn tables_of_cases() {
    let table = "fixture: data.abide.fixture.merge\ncases:\n\
        - name: a change of the changelog waits\n  input: {facts: {files: [{path: CHANGELOG.md, zones: [], categories: [docs]}]}}\n  rules: [by-hand]\n\
        - name: another merges\n  verdict: allow\n  without: [by-hand]\n";
    let world = layer(&[("a.rego", RULE), ("a_cases.yaml", table)]);
    world.ab(&["policy", "test", "--run", "a_cases"]).exits(0).says("2 passed, 0 failed");
    world.ab(&["policy", "check"]).exits(0);
    world.write("policies/a_cases.yaml", table.replace("allow", "deny").as_bytes());
    let said = world.ab(&["policy", "test", "--run", "a_cases"]).exits(1);
    said.says("another merges  policies/a_cases.yaml").says("verdict: expected `deny`, is `allow`");
    world.write("policies/a_cases.yaml", table.replace("without", "wihtout").as_bytes());
    world.ab(&["policy", "test"]).exits(6).says("wihtout").says("policies/a_cases.yaml");
    let found = findings(&world.ab(&["--json", "policy", "check"]).exits(1));
    assert!(
        found.iter().any(|one| one.starts_with("policies/a_cases.yaml") && one.ends_with("AB0105")),
        "{found:?}"
    );
    // Cases are no part of what decides.
    world.write("policies/a_cases.yaml", table.as_bytes());
    world.commit("rules");
    world.ab(&["doctor"]).exits(0);
    world.ab(&["run", "--ticket", "Repair broken links"]).exits(0);
}

#[test]
fn coverage_is_counted_and_held_against_a_threshold() {
    let world = layer(&[("a.rego", RULE), ("a_test.rego", TESTS)]);
    world.ab(&["policy", "test", "--coverage"]).exits(0).says("policies/a.rego").says("100 %");
    world.ab(&["policy", "test", "--threshold", "100", "--run", "by_hand"]).exits(1).says("AB0167");
    let file = world.beside("lines.info");
    world.ab(&["policy", "test", "--lcov", file.to_str().unwrap(), "--run", "policies/a_test"]).exits(0);
    let lines = fs::read_to_string(&file).unwrap();
    assert!(lines.starts_with("TN:\nSF:policies/a.rego\nDA:2,1\n"), "{lines}");
    assert!(lines.contains("SF:policies/repository.rego\n") && lines.contains(",0\n"), "{lines}");
    world.ab(&["policy", "test", "--lcov", "/nowhere/at/all"]).exits(2).says("AB0169");
    let object = world.ab(&["--json", "policy", "test", "--coverage"]).exits(0).json();
    assert_eq!(object["coverage"]["files"]["policies/a.rego"]["percent"], 100);
}

#[test]
fn watching_runs_again_when_a_file_changes() {
    let world = layer(&[("a.rego", RULE), ("a_test.rego", TESTS)]);
    let out = world.beside("watched.txt");
    let mut command = world.command(&ab());
    command.current_dir(world.repo()).args(["policy", "test", "--watch", "--run", "policies/a_test"]);
    let mut watcher = command.stdout(fs::File::create(&out).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let says = |text: &str| {
        let found = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(50));
            fs::read_to_string(&out).unwrap().contains(text)
        });
        assert!(found, "`{text}` is not said: {}", fs::read_to_string(&out).unwrap());
    };
    says("2 passed, 0 failed");
    world.write("policies/a.rego", RULE.replace("CHANGELOG", "CHANGES").as_bytes());
    says("1 passed, 1 failed");
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    assert!(!fs::read_to_string(&out).unwrap().contains(['\u{1b}', ';']), "quiet when piped");
}

#[test]
fn examples_beside_a_rule() {
    let example = "# ab: match {\"facts\": {\"files\": [{\"path\": \"CHANGELOG.md\"}]}}\n# ab: not-match {\"facts\": {\"files\": []}}\nfindings contains";
    let rule = RULE.replace("findings contains", example);
    let world = layer(&[("a.rego", &rule)]);
    world.ab(&["policy", "test", "--run", "policies/a.rego"]).exits(0).says("2 passed, 0 failed");
    world.write("policies/a.rego", rule.replace("\"MERGE\"", "\"WRITE\"").as_bytes());
    let said = world.ab(&["policy", "test", "--run", "policies/a.rego"]).exits(1);
    said.says("by-hand (line 2)  policies/a.rego").says("expected a finding").says("1 passed, 1 failed");
}

#[test]
fn a_waiver_that_has_ended_is_told() {
    let waiver = |until: &str| {
        format!(
            "- {{rule: risk, repositories: [\"*\"], classes: [MERGE], paths: [], until: \"{until}\", by: a@example.org, reason: see SEC-1 for it}}\n"
        )
    };
    for (until, told) in [
        ("2020-01-31T00:00:00Z", "the waiver of `risk` ended at 2020-01-31T00:00:00Z"),
        ("some day", "ends at `some day`, which is no moment"),
    ] {
        let world = whole(&[("data/waivers.yaml", &waiver(until))]);
        let said = world.ab(&["--json", "policy", "check", "--dir", "rules"]).exits(0);
        said.says("AB0163").says(told);
    }
    let world = whole(&[("data/waivers.yaml", &waiver("2999-01-31T00:00:00Z"))]);
    let said = world.ab(&["policy", "check", "--dir", "rules"]).exits(0);
    assert!(!said.out.contains("AB0163"), "{}", said.out);
}

/// Denies every merge: legal, and against much of what the shipped tests say of the shipped policy alone.
const NO_MERGE: &str = "package abide.layers.a\nfindings contains {\"rule\": \"by-hand\", \"level\": \"deny\", \"msg\": \"no merge\"} if input.action.class == \"MERGE\"\n";

#[test]
fn a_strict_rule_fails_no_shipped_test_and_its_own_tests_see_everything() {
    let table =
        "fixture: data.abide.fixture.merge\ncases:\n- {name: ours, verdict: deny, rules: [by-hand]}\n";
    let world = layer(&[("a.rego", NO_MERGE), ("a_cases.yaml", table)]);
    let said = world.ab(&["policy", "test"]).exits(0).says(" passed, 0 failed");
    let without = layer(&[]).ab(&["--json", "policy", "test"]).exits(0).json();
    let with = world.ab(&["--json", "policy", "test"]).exits(0).json();
    let count = |run: &Json| run["passed"].as_u64().unwrap();
    assert_eq!(count(&with), count(&without) + 1, "every shipped test still runs: {}", said.out);
    // A test of one's own is put to everything together, and one that is not true is seen.
    world.write("policies/a_cases.yaml", table.replace("deny", "allow").as_bytes());
    world.ab(&["policy", "test"]).exits(1).says("expected `allow`, is `deny`").says(" passed, 1 failed");
}

/// Data that no rule looks at, and that the host could not use: told before anybody signs, and not when a task fails.
#[test]
fn data_of_the_host_is_held_against_what_the_host_reads() {
    let digest = "sha256:33a1723ba93bf5f0f1f14414788454444081b02fb3eeffd3b1d719439a8c7840";
    let shipped = abide_tests::gate::shipped_files();
    let text = |path: &str| String::from_utf8(shipped[path].clone()).unwrap();
    let entry = format!(
        "components:\n  \"{digest}\": {{capabilities: [browser, log], limits: worker-browser, egress: local}}"
    );
    let grants = text("data/grants.yaml").replace("components: {}", &entry);
    let lease = "leases:
  local:
    rules:
      - {allow: fetch, origin: \"http://127.0.0.1:8471\", paths: [\"/**\"], networks: [\"127.0.0.1/32\"]}
    budgets: {requests_max: 500, per_second_max: 50, concurrent_max: 6, request_bytes_max: 65536, response_bytes_max: 8388608,
              bytes_max: 67108864, request_ms_max: 15000, idle_ms_max: 10000, lease_ms_max: 60000}
    manners: {purpose: tests, contact: \"mailto:a@example.org\", robots: obey, host_per_second_max: 5, host_concurrent_max: 2, wait_ms_max: 100}
";
    let egress = text("data/egress.yaml")
        .replace("leases: {}", lease)
        .replace("origins: []", "origins: [\"http://127.0.0.1:8471\"]");
    let host = text("data/host.yaml");
    let faults: &[(&str, &str, &str, u64, &str)] = &[
        ("egress", "purpose: tests", "purpos: tests", 10, "unknown field `purpos`"),
        ("egress", "paths: [", "path: [", 7, "unknown field `path`"),
        ("egress", ", per_second_max: 50", "", 5, "missing field `per_second_max`"),
        ("egress", "[\"127.0.0.1/32\"]", "[loopback]", 5, "`loopback` is no network"),
        ("egress", ", networks: [\"127.0.0.1/32\"]", "", 5, "without `networks`"),
        ("egress", "robots: obey", "robots: yes", 5, "invalid type: boolean"),
        ("egress", "mailto:a@example.org", "a@example.org", 5, "`contact` is an address"),
        ("egress", "origin: \"http://127.0.0.1:8471\"", "origin: \"http://127.0.0.1:8471/\"", 5, "no more"),
        (
            "egress",
            "origin: \"http://127.0.0.1:8471\"",
            "origin: \"http://127.0.0.1:8472\"",
            5,
            "is not in `origins`",
        ),
        ("egress", "    manners: {", "    # manners: {", 14, "no `manners`"),
        (
            "grants",
            "limits: worker-browser, egress",
            "limits: worker-browsr, egress",
            14,
            "no limit set `worker-browsr`",
        ),
        (
            "grants",
            "capabilities: [browser, log],",
            "capabilities: [browsr, log],",
            14,
            "\"browsr\" is no capability",
        ),
        ("grants", "egress: local}", "egress: locl}", 14, "no lease `locl`; there are: local"),
        ("grants", ", egress: local}", "}", 14, "names no lease"),
        ("grants", "33a1723", "33a172", 14, "64 lower-case hex digits"),
        ("host", "processes_max: 512", "processes_max: many", 57, "invalid type: string"),
    ];
    let of = |path: &str| {
        [("egress", &egress), ("grants", &grants), ("host", &host)]
            .into_iter()
            .find(|(name, _)| *name == path)
            .unwrap()
            .1
            .clone()
    };
    let with = |changed: &str, text: &str| {
        let mut files: Vec<(String, String)> =
            ["egress", "grants", "host"].map(|name| (format!("data/{name}.yaml"), of(name))).into();
        for (path, old) in &mut files {
            if *path == format!("data/{changed}.yaml") {
                text.clone_into(old);
            }
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        whole(&files).ab(&["--json", "policy", "check", "--dir", "rules"])
    };
    with("", "").exits(0);
    let mut missed = Vec::new();
    for (file, from, to, line, says) in faults {
        let text = of(file);
        assert!(text.contains(from), "{file} has no `{from}`");
        let said = with(file, &text.replace(from, to));
        let found = said.json()["findings"].clone();
        let is_told = found.as_array().unwrap().iter().any(|one| {
            let told = one["message"].as_str().unwrap().contains(says);
            told && one["code"] == "AB0150" && one["line"] == *line
        });
        if said.code != 1 || !is_told {
            missed.push(format!("{file} `{to}`: {} {found}", said.code));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
