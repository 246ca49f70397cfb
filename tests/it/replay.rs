//! Past changes judged by the policy of today, through the binary.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use abide_tests::gate::shipped_files;
use abide_tests::world::{AB_YML, World};
use serde_json::Value;

/// The changes of other projects that this project keeps beside itself.
fn corpus(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ABIDE_SHARED").map_or(beside, PathBuf::from);
    let file = shared.join("corpus").join(name);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: no corpus");
    None
}

fn policies() -> String {
    format!("{}/../policies", env!("CARGO_MANIFEST_DIR"))
}

fn row<'a>(data: &'a Value, commit: &str) -> &'a Value {
    let rows = data["rows"].as_array().unwrap();
    rows.iter().find(|row| row["commit"].as_str().unwrap().starts_with(commit)).unwrap()
}

/// No profile merges it by itself, not even if what was not measured were clean; the usual rule does.
fn caught(data: &Value, commit: &str, rule: &str, usual: bool) {
    let row = row(data, commit);
    for (profile, decided) in row["decided"].as_object().unwrap() {
        assert_ne!(decided["verdict"], "auto", "{commit} by {profile}");
        assert_eq!(decided["if_clean"], false, "{commit} by {profile}");
        let rules = decided["rules"].as_array().unwrap();
        assert!(rules.iter().any(|known| known == rule), "{commit} by {profile}: {rules:?}");
    }
    assert_eq!(row["usual_rule"], usual, "{commit}");
}

#[test]
fn the_changes_that_hid_the_xz_backdoor_are_denied() {
    let Some(file) = corpus("tukaani-xz.jsonl.gz") else { return };
    let world = World::new(&[("ab.yml", AB_YML)]);
    let policies = policies();
    // The year in which it happened.
    let all = Command::new("zcat").arg(&file).output().unwrap().stdout;
    let year: Vec<&str> =
        str::from_utf8(&all).unwrap().lines().filter(|line| line.contains("\"date\":\"2024-")).collect();
    let part = world.beside("2024.jsonl");
    fs::write(&part, year.join("\n")).unwrap();
    let arguments = ["policy", "replay", "--dir", &policies, "--corpus", part.to_str().unwrap(), "--json"];
    let data = world.ab(&arguments).exits(0).json();
    assert_eq!(data["changes"], year.len());
    for commit in ["cf44e4b7", "6e636819"] {
        caught(&data, commit, "opaque-binary-in-tests", true);
        assert_eq!(row(&data, commit)["decided"]["prod-conservative"]["verdict"], "deny");
    }
}

#[test]
fn the_dependency_that_stole_wallets_waits() {
    let Some(file) = corpus("event-stream.jsonl.gz") else { return };
    let world = World::new(&[("ab.yml", AB_YML)]);
    let policies = policies();
    let arguments = ["policy", "replay", "--dir", &policies, "--corpus", file.to_str().unwrap(), "--json"];
    let first = world.ab(&arguments).exits(0);
    caught(&first.json(), "e3163361", "executes-on-build", false);
    let second = world.ab(&arguments).exits(0);
    assert_eq!(first.out, second.out, "two replays are the same to the byte");
}

#[test]
fn a_line_that_is_no_change_is_told_and_the_others_count() {
    let world = World::new(&[("ab.yml", AB_YML)]);
    let file = world.beside("changes.jsonl");
    let line = |commit: char, path: &str| {
        format!(
            "{{\"repo\":\"a/b\",\"commit\":\"{}\",\"parent\":\"\",\"date\":\"2024-02-23T20:00:00+08:00\",\"author\":\"x\",\"subject\":\"s\",\"files\":[{{\"path\":\"{path}\",\"status\":\"M\",\"old_mode\":\"100644\",\"new_mode\":\"100644\",\"added\":1,\"removed\":0,\"binary\":false,\"bytes\":10}}],\"reverted_by\":null}}",
            commit.to_string().repeat(40)
        )
    };
    fs::write(&file, format!("{}\nnot json\n{}\n", line('a', "README.md"), line('b', "src/x.rs"))).unwrap();
    let arguments =
        ["policy", "replay", "--corpus", file.to_str().unwrap(), "--profile", "prod-conservative"];
    let said = world.ab(&arguments).exits(1).says("changes.jsonl:2").says("replay    2 changes");
    said.says("prod-conservative                0          1       2       0");
    world.ab(&["policy", "replay", "--corpus", "/nowhere"]).exits(2).says("AB0170");
    world.ab(&["policy", "replay", "--profile", "bold"]).exits(2).says("AB0172");
}

#[test]
fn the_history_of_a_repository_and_what_a_new_rule_changes() {
    let world = World::new(&[("ab.yml", AB_YML), ("docs/a.md", "a\n"), ("src/lib.rs", "pub fn a() {}\n")]);
    world.write("docs/a.md", b"a better a\n");
    let docs = world.commit("docs");
    world.write("src/lib.rs", b"pub fn b() {}\n");
    world.commit("code");
    world.git(&["revert", "--no-edit", &docs]);
    let replay = ["policy", "replay", "--profile", "prod-conservative"];
    let data = world.ab(&[&replay[..], &["--json"]].concat()).exits(0).json();
    let docs_row = row(&data, &docs);
    assert_eq!(docs_row["decided"]["prod-conservative"]["verdict"], "auto");
    assert!(docs_row["reverted_by"].is_string(), "{docs_row}");
    world.ab(&replay).exits(0).says("1 of these were taken back later").says(&docs[..12]);
    // A rule of the repository's own, in the work tree and not committed: what it changes comes first.
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\"rule\": \"no-docs\", \"level\": \"deny\", \"msg\": \"m\"} if \"docs\" in input.facts.categories\n";
    let stricter = world.beside("stricter");
    fs::create_dir(&stricter).unwrap();
    fs::write(stricter.join("repository.rego"), rule).unwrap();
    let said = world.ab(&[&replay[..], &["--against", stricter.to_str().unwrap()]].concat()).exits(0);
    said.says("deny → auto").says("was: no-docs");
    // The same rule as one's own, against what ships: each change that it would have stopped is named, and it alone is the difference.
    world.write("policies/docs.rego", rule.replace("layers.repository", "layers.docs").as_bytes());
    let said = world.ab(&[&replay[..], &["--against", "shipped"]].concat()).exits(0);
    let said = said.says("auto → deny").says("by: no-docs").says("denied by prod-conservative:");
    assert!(said.out.contains(&docs[..12]), "{}", said.out);
    std::fs::remove_file(world.repo().join("policies/docs.rego")).unwrap();
    // All profiles: the one of ab.yml is marked and first, those that deny everything are named in one line.
    let said = world.ab(&["policy", "replay"]).exits(0).says("← ab.yml");
    let lines: Vec<&str> = said.out.lines().collect();
    let head = lines.iter().position(|line| line.trim_start().starts_with("auto")).unwrap();
    assert!(lines[head + 1].starts_with("prod-conservative"), "{}", said.out);
    assert!(said.out.contains("deny everything here: exploration, manual"), "{}", said.out);
    // What cannot be shown is said before anything else; what git names is found.
    world.ab(&[&replay[..], &["--show", "HEAD"]].concat()).exits(0).says("by the rule of thumb");
    let said = world.ab(&[&replay[..], &["--show", "nowhere"]].concat()).exits(2).says("AB0173");
    assert_eq!(said.out, "");
    world.ab(&["policy", "replay", "--history", "0"]).exits(2);
    world.ab(&["policy", "replay", "--git", "nothing..main"]).exits(2).says("AB0173");
    world.ab(&["policy", "replay", "--git", "main..main"]).exits(0).says("no change of");
    world.ab(&["policy", "replay", "--show", "ffffffff"]).exits(2).says("AB0173");
}

/// One line of a corpus.
fn line(commit: char, date: &str, subject: &str, path: &str, reverted_by: Option<&str>) -> String {
    serde_json::json!({
        "repo": "a/b", "commit": commit.to_string().repeat(40), "parent": "", "date": date, "author": "<i>x</i>",
        "subject": subject, "reverted_by": reverted_by,
        "files": [{
            "path": path, "status": "M", "old_mode": "100644", "new_mode": "100644", "added": 1, "removed": 0,
            "binary": false, "bytes": 10,
        }],
    })
    .to_string()
}

/// Text of a page that a browser would act on.
fn is_inert(page: &str) {
    for word in [
        "<script",
        "javascript:",
        "http://",
        "https://",
        " src=",
        " href=",
        " style=",
        "<img",
        "<i>",
        "onerror=\"",
    ] {
        assert!(!page.contains(word), "`{word}` stands in the page");
    }
    assert!(
        page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"),
        "no content policy"
    );
}

#[test]
fn a_page_says_what_matters_first_and_lets_nothing_in() {
    let world = World::new(&[("ab.yml", AB_YML)]);
    let evil = "<script>alert(1)</script>\" onerror=\"x\u{202e}";
    let lines = [
        line('a', "2024-01-23T20:00:00Z", evil, "docs/<script>alert(2)</script>.md", Some("<script>")),
        line('b', "2024-06-01T20:00:00Z", "code", "src/x.rs", None),
        "{\"<script>\": 1}".to_owned(),
    ];
    let file = world.beside("changes <b>.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let stricter = world.beside("stricter");
    fs::create_dir(&stricter).unwrap();
    let rule = "package abide.layers.repository\n\nimport rego.v1\n\nfindings contains {\"rule\": \"no-docs\", \"level\": \"hard\", \"msg\": \"no documents\"} if \"docs\" in input.facts.categories\n";
    fs::write(stricter.join("repository.rego"), rule).unwrap();
    let replay = |page: &str| {
        let (page, file) = (world.beside(page), file.to_str().unwrap());
        let (against, out) = (stricter.to_str().unwrap(), page.to_str().unwrap());
        let arguments = ["policy", "replay", "--corpus", file, "--against", against, "--html", out];
        world.ab(&arguments).exits(1).says("wrote");
        fs::read_to_string(page).unwrap()
    };
    let page = replay("one.html");
    assert_eq!(page, replay("two.html"), "two pages of one replay are the same to the byte");
    is_inert(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onerror=&quot;x\\u{202e}"));
    assert!(page.contains("docs/&lt;script&gt;alert(2)"));
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("`{text}` is missing"));
    // What became looser stands before the sums, and with the rule that held it.
    assert!(place("Looser than before: 1") < place("In sum"));
    place("was: no-docs: no documents");
    place("taken back by <code>&lt;script&gt;</code>");
    place("docs and tests by path");
    place("<svg class=\"chart\"");
    place("2024-01-23");
    place("<th scope=\"row\">2024-02</th>");
    place("secrets</code> <b>2</b>");
    place("changes &lt;b&gt;.jsonl:3");
    place("ab policy replay --corpus");
    place("sha256:");
    let nowhere = world.beside("nowhere/page.html");
    let nowhere = ["policy", "replay", "--html", nowhere.to_str().unwrap()];
    world.ab(&nowhere).exits(2).says("AB0175");
}

#[test]
fn a_page_names_the_commits_that_cannot_move() {
    let world = World::new(&[("ab.yml", AB_YML), ("docs/a.md", "a\n")]);
    let base = world.head("main");
    world.write("docs/a.md", b"a better a\n");
    let head = world.commit("<script>docs</script>");
    let page = world.beside("page.html");
    let out = page.to_str().unwrap();
    let only = ["--profile", "prod-conservative", "--html", out];
    world.ab(&[&["policy", "replay", "--history", "1"], &only[..]].concat()).exits(0);
    let text = fs::read_to_string(&page).unwrap();
    is_inert(&text);
    let fixed = format!("--git {base}..{head}");
    assert!(text.contains(&fixed));
    // The command that the page names makes the same verdicts.
    let range = format!("{base}..{head}");
    let data = world.ab(&["policy", "replay", "--git", &range, "--json"]).exits(0).json();
    assert_eq!(data["changes"], 1);
}

#[test]
fn each_policy_measures_for_itself() {
    let world = World::new(&[("ab.yml", AB_YML), ("docs/a.md", "a\n")]);
    world.write("docs/a.md", b"a better a\n");
    world.commit("docs");
    // An older policy to which these files were code: it let nobody merge them alone.
    let older = world.beside("older");
    for (path, bytes) in shipped_files() {
        let file = older.join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    let categories = older.join("data/categories.yaml");
    let text = fs::read_to_string(&categories).unwrap();
    assert!(text.contains("    - \"**/*.md\"\n"));
    let other = text.replacen("    - \"**/*.md\"\n", "", 1);
    fs::write(&categories, other).unwrap();
    let replay = ["policy", "replay", "--history", "1", "--profile", "prod-conservative", "--against"];
    let against = |folder: &str| world.ab(&[&replay[..], &[folder, "--json"]].concat()).exits(0).json();
    let decided = |data: &Value| data["rows"][0]["decided"]["prod-conservative"].clone();
    let data = against(older.to_str().unwrap());
    assert_eq!(
        (&decided(&data)["verdict"], &decided(&data)["before"]),
        (&"auto".into(), &"queue".into()),
        "{data}"
    );
    let data = against("shipped");
    assert_eq!(decided(&data)["before"], "auto");
}
