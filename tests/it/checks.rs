//! Checks in the jail, through `ab run`: what hostile code in a change gets, and what a report takes to count.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use abide_tests::world::World;
use serde_json::Value as Json;

/// What the checks of the last run came to.
fn results(world: &World) -> Vec<Json> {
    let log = world.log();
    let last = log.iter().rev().find(|event| event["event"]["type"] == "ChecksFinished").expect("checks ran");
    last["event"]["data"]["results"].as_array().unwrap().clone()
}

/// A world whose `ab.yml` has these checks, and the run of a ticket in it.
fn ran(checks: &str, files: &[(&str, &str)]) -> (World, Vec<Json>) {
    let mut all = vec![("README.md", "x\n")];
    all.extend(files);
    let world = World::new(&all);
    let text = format!("autonomy_profile: prod-conservative\nautonomy_max: A3\nchecks:\n{checks}");
    world.write("ab.yml", text.as_bytes());
    world.commit("Checks");
    let ticket = world.edit("README.md", Some("x"), "y");
    world.ab(&["run", "--ticket", &ticket]);
    let results = results(&world);
    (world, results)
}

#[test]
fn hostile_checks_reach_nobody_and_say_what_they_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let agent = UnixListener::bind(folder.path().join("agent.sock")).unwrap();
    agent.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "  - {{name: out, run: [python3, -c, \"import socket; s=socket.socket(); s.settimeout(1); s.connect_ex(('192.0.2.1', 80))\"], timeout: 20s}}\n\
         \x20 - {{name: loopback, run: [python3, -c, \"import socket; socket.create_connection(('127.0.0.1', {port}))\"], timeout: 20s}}\n\
         \x20 - {{name: agent, run: [python3, -c, \"import socket; socket.socket(socket.AF_UNIX).connect('{}')\"], timeout: 20s}}\n\
         \x20 - {{name: home, run: [sh, -c, \"cat {1}/key; ls /root; ls -A ~; echo x > /usr/abide-x; test ! -e /usr/abide-x\"], timeout: 20s}}\n\
         \x20 - {{name: mount, run: [python3, -c, \"import ctypes; ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None)\"], timeout: 20s}}\n\
         \x20 - {{name: flood, run: [sh, -c, \"yes | head -c 1073741824\"], timeout: 60s}}\n\
         \x20 - {{name: later, run: [sh, -c, \"setsid sh -c 'sleep 87701; sleep 87701' & exit 0\"], timeout: 20s}}\n",
        folder.path().join("agent.sock").display(),
        folder.path().display()
    );
    std::fs::write(folder.path().join("key"), "private-key-bytes").unwrap();
    let (world, results) = ran(&script, &[]);
    let outcome = |name: &str| {
        let one = results.iter().find(|one| one["name"] == name).unwrap();
        (one["outcome"].as_str().unwrap(), one["why"].as_str().unwrap_or_default())
    };
    assert!(outcome("out").0 == "breach" && outcome("out").1.contains("192.0.2.1:80"), "{results:?}");
    assert!(
        outcome("loopback").0 == "failed" && outcome("loopback").1.contains(&port.to_string()),
        "{results:?}"
    );
    assert!(outcome("agent").0 == "failed" && outcome("agent").1.contains("agent.sock"), "{results:?}");
    assert_eq!(outcome("home").0, "passed");
    assert!(
        outcome("mount").0 == "breach" && outcome("mount").1.contains("mount a file system"),
        "{results:?}"
    );
    assert!(outcome("flood").0 == "exhausted" && outcome("flood").1.contains("AB0954"), "{results:?}");
    assert_eq!(outcome("later").0, "passed");
    assert!(listener.accept().is_err() && agent.accept().is_err(), "nobody came");
    let home = results.iter().find(|one| one["name"] == "home").unwrap();
    assert_eq!(home["walls"].as_array().unwrap().len(), 6, "{home}");
    let left = std::process::Command::new("pgrep").args(["-f", "sleep 87701"]).output().unwrap();
    assert!(left.stdout.is_empty(), "something outlived its check");
    assert_ne!(world.kinds().last().map(String::as_str), Some("Merged"), "required checks failed");
}

#[test]
fn nothing_passes_from_one_run_of_a_check_to_the_next() {
    let script = "sh -c 'ls -A . ~ $TMPDIR /dev/shm; cat /tmp/kept ~/kept /dev/shm/kept; echo kept | tee /tmp/kept ~/kept /dev/shm/kept cache'";
    let checks = format!(
        "  - {{name: one, run: [sh, -c, \"{script}\"], timeout: 20s}}\n  - {{name: two, run: [sh, -c, \"! cat /tmp/kept ~/kept /dev/shm/kept cache\"], timeout: 20s}}\n"
    );
    let (_world, results) = ran(&checks, &[]);
    assert_eq!(
        (&results[0]["outcome"], &results[1]["outcome"]),
        (&"passed".into(), &"passed".into()),
        "{results:?}"
    );
}

#[test]
fn a_path_that_leads_to_the_host_is_not_shown() {
    let world = World::new(&[("README.md", "x\n")]);
    let home = world.home();
    for path in ["/run".to_owned(), "/".to_owned(), "~".to_owned(), home.display().to_string()] {
        let text = format!(
            "autonomy_profile: prod-conservative\nautonomy_max: A3\nchecks:\n  - {{name: c, run: [\"true\"], timeout: 9s, read: [\"{path}\"]}}\n"
        );
        world.write("ab.yml", text.as_bytes());
        world.commit("Checks");
        let ticket = world.edit("README.md", None, &format!("{path}\n"));
        world.ab(&["run", "--ticket", &ticket]).exits(1).says("AB0955");
    }
}

/// A check that runs pytest, with its proof.
const PYTEST: &str = "  - name: unit
    run: [/usr/bin/python3, -m, pytest, -q, -p, no:cacheprovider, --junitxml=report.xml]
    timeout: 60s
    proof:
      report: {junit: report.xml}
      harness: [conftest.py, pytest.ini, setup.cfg, tox.ini, pyproject.toml]
      canary:
        path: tests/test_{name}.py
        text: |
          def test_{name}():
              assert False
";

fn has_pytest() -> bool {
    let found = std::process::Command::new("/usr/bin/python3").args(["-c", "import pytest"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: no pytest (apt-get install python3-pytest)");
    }
    found
}

/// The outcome of pytest for a change of one file by a ticket.
fn pytest(path: &str, old: Option<&str>, new: &str) -> Json {
    let files = [
        ("tests/test_a.py", "def test_one():\n    assert 1\n\ndef test_two():\n    assert 1\n"),
        ("tests/conftest.py", "# x\n"),
    ];
    let mut all = vec![("README.md", "x\n")];
    all.extend(files);
    let world = World::new(&all);
    world.write(
        "ab.yml",
        format!("autonomy_profile: prod-conservative\nautonomy_max: A3\nchecks:\n{PYTEST}").as_bytes(),
    );
    world.commit("Checks");
    let ticket = world.edit(path, old, new);
    let said = world.ab(&["run", "--ticket", &ticket]);
    let mut item = String::new();
    if !world.kinds().iter().any(|kind| kind == "ChecksFinished") {
        for waiting in world.waiting() {
            item = waiting;
            world.ab_at(world.repo(), &["approve", &item], &[("ABIDE_ACTOR", "reviewer")]);
        }
    }
    assert!(world.kinds().iter().any(|kind| kind == "ChecksFinished"), "{item} {said:?}");
    results(&world)[0].clone()
}

#[test]
fn tests_that_ran_count() {
    if !has_pytest() {
        return;
    }
    let passed = pytest("README.md", Some("x"), "y");
    assert_eq!(passed["outcome"], "passed", "{passed}");
    let failed =
        pytest("tests/test_a.py", Some("def test_two():\n    assert 1"), "def test_two():\n    assert 0");
    assert!(
        failed["outcome"] == "failed" && failed["why"].as_str().unwrap().contains("test_two"),
        "{failed}"
    );
}

#[test]
fn an_exit_from_inside_counts_for_nothing() {
    if !has_pytest() {
        return;
    }
    // In the harness, where the target branch's own file stands instead; and in a test, which is the change's own.
    let pinned = pytest("tests/conftest.py", Some("# x"), "import os; os._exit(0)");
    assert!(
        pinned["outcome"] == "passed" && pinned["why"].as_str().unwrap().contains("tests/conftest.py"),
        "{pinned}"
    );
    let early = pytest("tests/test_a.py", Some("def test_two():\n    assert 1"), "import os; os._exit(0)");
    assert!(
        early["outcome"] == "unproven" && early["why"].as_str().unwrap().contains("no report"),
        "{early}"
    );
    let fewer = pytest("tests/test_a.py", Some("def test_two():\n    assert 1"), "");
    assert!(fewer["outcome"] == "unproven" && fewer["why"].as_str().unwrap().contains("test_two"), "{fewer}");
}

/// `cargo test` of a crate without dependencies, by the toolchain that builds this: its folder is shown, and nothing else of a home.
#[test]
fn cargo_runs_in_the_jail_and_its_tests_count() {
    let said = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = String::from_utf8(said.stdout).unwrap().trim().to_owned();
    let checks = format!(
        "  - name: unit
    run: [sh, -c, \"PATH={sysroot}/bin:$PATH exec cargo test --offline --no-fail-fast 2>&1\"]
    timeout: 5m
    read: [\"{sysroot}\"]
    proof:
      report: libtest
      canary:
        path: tests/{{name}}.rs
        text: |
          #[test]
          fn {{name}}() {{ assert!(false); }}
"
    );
    let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lock = "version = 3\n\n[[package]]\nname = \"small\"\nversion = \"0.1.0\"\n";
    let library = "#[test]\nfn adds() {\n    assert_eq!(1 + 1, 2);\n}\n";
    let (_world, results) =
        ran(&checks, &[("Cargo.toml", manifest), ("Cargo.lock", lock), ("src/lib.rs", library)]);
    assert_eq!(results[0]["outcome"], "passed", "{results:?}");
    let (_world, results) = ran(
        &checks.replace("cargo test --offline", "cargo test --offline --lib"),
        &[("Cargo.toml", manifest), ("Cargo.lock", lock), ("src/lib.rs", library)],
    );
    assert!(results[0]["outcome"] == "unproven", "a harness that leaves the canary out: {results:?}");
}

/// The whole path of a program, or none after saying so.
fn found(program: &str) -> Option<String> {
    let said = std::process::Command::new("which").arg(program).output().unwrap();
    let path = String::from_utf8(said.stdout).unwrap().trim().to_owned();
    if path.is_empty() {
        eprintln!("skipped: no {program}");
        return None;
    }
    Some(path)
}

/// Node's own test runner writes JUnit, and the guide's words for it count.
#[test]
fn nodes_test_runner_in_the_jail() {
    let Some(node) = found("node") else { return };
    let checks = |more: &str| {
        format!(
            "  - name: unit
    run: [\"{node}\", --test, --test-reporter=junit, --test-reporter-destination=report.xml{more}]
    timeout: 60s
    proof:
      report: {{junit: report.xml}}
      harness: [package.json]
      canary:
        path: test/{{name}}.test.js
        text: |
          require('node:test')('{{name}}', () => {{ throw new Error('it has to fail') }})
"
        )
    };
    let test = "const test = require('node:test'), assert = require('node:assert');\ntest('adds', () => assert.equal(1 + 1, 2));\n";
    let files = [("test/a.test.js", test)];
    let (_world, results) = ran(&checks(""), &files);
    assert_eq!(results[0]["outcome"], "passed", "{results:?}");
    let (_world, results) = ran(&checks(", test/a.test.js"), &files);
    assert_eq!(results[0]["outcome"], "unproven", "a harness that leaves the canary out: {results:?}");
    let (_world, results) = ran(&checks(""), &[("test/a.test.js", &*test.replace("+ 1, 2", "+ 1, 3"))]);
    assert_eq!(results[0]["outcome"], "failed", "{results:?}");
}

/// nextest is one program, which reads what it reports from a file of the repository: part of the harness.
#[test]
fn nextest_in_the_jail() {
    let Some(nextest) = found("cargo-nextest") else { return };
    let said = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = String::from_utf8(said.stdout).unwrap().trim().to_owned();
    let checks = format!(
        "  - name: unit
    run: [sh, -c, \"PATH={sysroot}/bin:$PATH exec {nextest} nextest run --offline --no-fail-fast\"]
    timeout: 5m
    read: [\"{sysroot}\", \"{nextest}\"]
    proof:
      report: {{junit: target/nextest/default/junit.xml}}
      harness: [nextest.toml]
      canary:
        path: tests/{{name}}.rs
        text: |
          #[test]
          fn {{name}}() {{ assert!(false); }}
"
    );
    let files = [
        ("Cargo.toml", "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
        ("Cargo.lock", "version = 3\n\n[[package]]\nname = \"small\"\nversion = \"0.1.0\"\n"),
        (".config/nextest.toml", "[profile.default.junit]\npath = \"junit.xml\"\n"),
        ("src/lib.rs", "#[test]\nfn adds() {\n    assert_eq!(1 + 1, 2);\n}\n"),
    ];
    let (_world, results) = ran(&checks, &files);
    assert_eq!(results[0]["outcome"], "passed", "{results:?}");
    let (_world, results) = ran(&checks.replace("--offline", "--offline --lib"), &files);
    assert_eq!(results[0]["outcome"], "unproven", "{results:?}");
}
